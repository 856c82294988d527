#include "control/ca/service.h"

#include "core/base/log.h"
#include "core/identity/ca_service_codec.h"

namespace plait::control::ca {
namespace {
log::Component kLog("ca-service");
}

void AddCertificateService(grpc::Server& server, const Authority& authority, const TokenTable& tokens,
                           CaCounts& counts) {
  server.AddUnary(identity::kCreateCertificate,
                  [&authority, &tokens, &counts](const grpc::CallContext& call, const std::string& message,
                                                 grpc::UnaryReply reply) {
                    ++counts.requests;
                    const auto caller = Authenticate(call, tokens, authority.trust_domain());
                    if (!caller) {
                      ++counts.authentication_failures;
                      kLog.Warn("certificate refused to " + call.remote.ToString() + ": " + caller.error().message);
                      return reply.Fail(caller.error());
                    }
                    const auto refuse = [&](const std::string& why) {
                      ++counts.csr_failures;
                      kLog.Warn("certificate refused to " + caller->ToString() + ": " + why);
                      reply.Fail({.code = grpc::Code::kInvalidArgument, .message = why, .details = {}});
                    };
                    const auto request = identity::DecodeCertificateRequest(message);
                    if (!request) return refuse(request.error().detail);
                    const auto csr = tls::ReadCsr(request->csr_pem);
                    if (!csr) return refuse(csr.error().ToString());
                    const auto chain = authority.SignWorkload(*csr, *caller, request->ttl);
                    if (!chain) return refuse(chain.error().ToString());
                    ++counts.issued;
                    reply.Send(identity::EncodeCertificateResponse({*chain, authority.bundle_pem()}));
                  });
}

}  // namespace plait::control::ca
