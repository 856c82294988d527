#include "core/identity/grpc_ca_client.h"

#include "core/identity/ca_service_codec.h"

namespace plait::identity {
namespace {

Outcome<CaClient::Signed> ReadAnswer(const grpc::UnaryResult& result) {
  if (!result.status.ok()) {
    std::string hint;
    if (result.status.code == grpc::Code::kUnavailable) hint = "is plaitd running and reachable on its port 15012?";
    if (result.status.code == grpc::Code::kUnauthenticated)
      hint = "the token was not accepted; it may be expired or of another cluster";
    return Explain(Errc::kUnavailable, "the CA answered " + result.status.ToString(), hint);
  }
  const auto chain = DecodeCertificateResponse(result.message);
  if (!chain) return Explain(chain.error().code, std::string("the CA's answer is broken: ") + chain.error().detail);
  if (chain->size() < 2) return Explain(Errc::kInvalidInput, "the CA's answer has no certificate chain with a root");
  CaClient::Signed out{.chain_pem = {}, .bundle_pem = chain->back()};
  for (std::size_t i = 0; i + 1 < chain->size(); ++i) {
    out.chain_pem += (*chain)[i];
    if (!out.chain_pem.ends_with('\n')) out.chain_pem += '\n';
  }
  return out;
}

// Keeps the channel as long as its one call. The call goes first, so its completion never meets a dead channel.
class Request final : public Pending::Operation {
 public:
  Request(io::Loop& loop, GrpcCaClient::Connection connection)
      : channel_(loop, std::move(connection.stream),
                 {.authority = std::move(connection.authority),
                  .tls = true,
                  .authorization = std::move(connection.authorization)}) {}
  void Start(std::string_view message, Duration timeout,
             std::move_only_function<void(Outcome<CaClient::Signed>)> done) {
    call_ =
        channel_.Unary(kCreateCertificate, {.timeout = timeout, .metadata = {}}, message,
                       [call = std::move(done)](const grpc::UnaryResult& result) mutable { call(ReadAnswer(result)); });
  }

 private:
  grpc::Channel channel_;
  Pending call_;
};

}  // namespace

GrpcCaClient::GrpcCaClient(io::Loop& loop, Connect connect, Duration timeout)
    : loop_(loop), connect_(std::move(connect)), timeout_(timeout) {}

Pending GrpcCaClient::Sign(std::string csr_pem, Duration ttl, std::move_only_function<void(Outcome<Signed>)> done) {
  auto connection = connect_();
  if (!connection) {
    return loop_.After(Duration(0), [call = std::move(done), error = std::move(connection.error())]() mutable {
      call(std::unexpected(std::move(error)));
    });
  }
  auto request = std::make_unique<Request>(loop_, std::move(*connection));
  request->Start(EncodeCertificateRequest({.csr_pem = std::move(csr_pem), .ttl = ttl}), timeout_, std::move(done));
  return Pending(std::move(request));
}

}  // namespace plait::identity
