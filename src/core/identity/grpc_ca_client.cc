#include "core/identity/grpc_ca_client.h"

#include "core/identity/ca_service_codec.h"
#include "core/tls/stream.h"

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

// One certificate: a channel with its one call, or a second one with the token.
class Request final : public Pending::Operation {
 public:
  using Done = std::move_only_function<void(Outcome<CaClient::Signed>)>;
  Request(io::Loop& loop, const GrpcCaClient::Connect& connect, std::string message, Duration timeout, Done done)
      : loop_(loop), connect_(connect), message_(std::move(message)), timeout_(timeout), done_(std::move(done)) {
    Begin(GrpcCaClient::Proof::kNewest);
  }

 private:
  void Begin(GrpcCaClient::Proof proof) {
    auto connection = connect_(proof);
    if (!connection) {
      later_ = loop_.After(Duration(0), [this, error = std::move(connection.error())]() mutable {
        Finish(std::unexpected(std::move(error)));
      });
      return;
    }
    has_alternative_ = connection->has_alternative && proof == GrpcCaClient::Proof::kNewest;
    channel_ = std::make_unique<grpc::Channel>(loop_, std::move(connection->stream),
                                               grpc::ChannelOptions{
                                                   .authority = std::move(connection->authority),
                                                   .tls = true,
                                                   .authorization = std::move(connection->authorization),
                                               });
    call_ = channel_->Unary(kCreateCertificate, {.timeout = timeout_, .metadata = {}}, message_,
                            [this](const grpc::UnaryResult& result) { OnResult(result); });
  }
  void OnResult(const grpc::UnaryResult& result) {
    if (result.status.ok() || !has_alternative_ || !tls::HasRefused(channel_->transport()))
      return Finish(ReadAnswer(result));
    later_ = loop_.After(Duration(0), [this] {
      call_ = {};
      channel_.reset();
      Begin(GrpcCaClient::Proof::kToken);
    });
  }
  void Finish(Outcome<CaClient::Signed> outcome) {
    Done done = std::move(done_);
    done(std::move(outcome));  // may destroy this
  }

  io::Loop& loop_;
  const GrpcCaClient::Connect& connect_;
  const std::string message_;
  const Duration timeout_;
  Done done_;
  bool has_alternative_ = false;
  // The call goes first, so its completion never meets a dead channel.
  std::unique_ptr<grpc::Channel> channel_;
  Pending call_;
  Pending later_;
};

}  // namespace

GrpcCaClient::GrpcCaClient(io::Loop& loop, Connect connect, Duration timeout)
    : loop_(loop), connect_(std::move(connect)), timeout_(timeout) {}

Pending GrpcCaClient::Sign(std::string csr_pem, Duration ttl, std::move_only_function<void(Outcome<Signed>)> done) {
  return Pending(std::make_unique<Request>(loop_, connect_,
                                           EncodeCertificateRequest({.csr_pem = std::move(csr_pem), .ttl = ttl}),
                                           timeout_, std::move(done)));
}

}  // namespace plait::identity
