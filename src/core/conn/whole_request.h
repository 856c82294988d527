#pragma once
// Gathers a request into memory, hands it to a function with a Responder. Part of HttpServer.
#include "core/conn/http_server.h"

namespace plait::conn {

class HttpServer::WholeRequests final : public StreamHandler {
 public:
  WholeRequests(OnRequest on_request, std::size_t max_body) : on_request_(std::move(on_request)), max_body_(max_body) {}
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream, const Peer& peer) override;

 private:
  friend struct Responder::Target;
  OnRequest on_request_;
  const std::size_t max_body_;
};

}  // namespace plait::conn
