#pragma once
// Answers that the proxy gives itself: head, body and, for gRPC calls, the status that a gRPC client understands.
// Mirrors Envoy's Http::Utility::sendLocalReply. Pure.
#include <cstdint>
#include <string>

#include "core/http/message.h"

namespace plait::proxy::session {

struct LocalReply {
  std::uint16_t status = 500;
  std::string body;
  http::Headers headers{};                 // of the answer; a content-type here stays
  bool close = false;                      // HTTP/1: the connection ends with it
  std::uint32_t grpc_status = UINT32_MAX;  // for gRPC calls; UINT32_MAX: derived from `status`
};

struct LocalAnswer {
  http::ResponseHead head;
  std::string body;  // empty: the head ends the answer
};

// `grpc`: the call's content-type is gRPC; then the answer is a trailers-only 200. `head_request`: no body is sent.
LocalAnswer MakeLocalAnswer(const LocalReply& reply, bool grpc, bool head_request);

}  // namespace plait::proxy::session
