#include "proxy/worker/sds_server.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/encoding.h"
#include "core/base/log.h"
#include "core/tls/certificate.h"
#include "core/xds/discovery.h"
#include "core/xds/encode/encode.h"
#include "core/xds/type_url.h"

namespace plait::proxy::worker {
namespace {
log::Component kLog("sds");
}  // namespace

// One subscription: Envoy opens a stream for each secret.
class SdsServer::Stream final : public grpc::CallHandler {
 public:
  Stream(SdsServer& server, grpc::ServerCall& call) : server_(&server), call_(call) {
    server_->streams_.push_back(this);
  }
  ~Stream() override {
    if (server_) std::erase(server_->streams_, this);
  }

  void OnMessage(std::string message) override {
    if (over_) return;
    auto request = xds::DecodeDiscoveryRequest(message);
    if (!request) return Refuse(request.error().detail);
    if (!request->type_url.empty() && request->type_url != xds::type_url::kSecret)
      return Refuse("this is the Secret discovery service; it has no " + request->type_url);
    // An answer to what was overtaken meanwhile.
    if (!request->response_nonce.empty() && request->response_nonce != nonce_) return;
    if (request->error) kLog.Warn("secrets were rejected: " + *request->error);
    names_ = std::move(request->names);
    Answer();
  }
  void OnHalfClose() override { Finish({}); }
  void OnCancelled() override { over_ = true; }

  // A name that is not there yet is answered when it is. After a rejection the same is not sent again.
  void Answer() {
    if (over_ || !server_ || names_.empty()) return;
    xds::DiscoveryResponse response;
    response.type_url = xds::type_url::kSecret;
    std::string all;
    for (const auto& secret : server_->secrets_.All()) {
      if (std::find(names_.begin(), names_.end(), secret->name) == names_.end()) continue;
      response.resources.push_back(xds::Encode(*secret));
      all += response.resources.back();
    }
    if (response.resources.empty()) return;
    response.version = HexEncode(AsBytes(tls::Sha256(all))).substr(0, 16);
    if (std::exchange(version_, response.version) == response.version) return;
    nonce_ = response.nonce = std::to_string(++sent_);
    call_.Send(xds::EncodeDiscoveryResponse(response));
  }

  // The server goes first.
  void Orphan() {
    Finish({.code = grpc::Code::kUnavailable, .message = "the proxy ends", .details = {}});
    server_ = nullptr;
  }

 private:
  void Refuse(std::string why) {
    Finish({.code = grpc::Code::kInvalidArgument, .message = std::move(why), .details = {}});
  }
  void Finish(grpc::Status status) {
    if (!std::exchange(over_, true)) call_.Finish(std::move(status));
  }

  SdsServer* server_;
  grpc::ServerCall& call_;
  std::vector<std::string> names_;
  std::string version_;  // of what was sent last
  std::string nonce_;
  std::uint64_t sent_ = 0;
  bool over_ = false;
};

SdsServer::SdsServer(io::Loop& loop, const Secrets& secrets) : secrets_(secrets), grpc_(loop) {
  grpc_.AddStreaming(kStreamSecretsMethod,
                     [this](grpc::ServerCall& call) { return std::make_unique<Stream>(*this, call); });
  http_ = std::make_unique<conn::HttpServer>(loop, conn::HttpServerOptions{}, grpc_);
}

SdsServer::~SdsServer() {
  for (Stream* stream : streams_) stream->Orphan();
  http_.reset();
}

Outcome<> SdsServer::Listen(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return Explain(
        Errc::kLimit,
        "--sds: the path " + path + " is longer than " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes",
        "a Unix socket cannot have it; use a folder with a shorter name");
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return Explain(Errc::kDenied, "--sds: cannot replace " + path + ": " + strerror(errno));
  // From its first moment it is its owner's alone.
  const mode_t before = umask(0177);
  auto bound = http_->ListenOn(io::SocketAddress{.ip = {}, .port = {}, .unix_path = path});
  umask(before);
  return bound ? Outcome<>{} : std::unexpected(bound.error());
}

void SdsServer::SecretsChanged() {
  for (Stream* stream : streams_) stream->Answer();
}

}  // namespace plait::proxy::worker
