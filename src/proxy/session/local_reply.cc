#include "proxy/session/local_reply.h"

#include "core/grpc/status.h"

namespace plait::proxy::session {

LocalAnswer MakeLocalAnswer(const LocalReply& reply, bool grpc, bool head_request) {
  LocalAnswer answer;
  http::Headers& headers = answer.head.headers;
  headers = reply.headers;
  headers.Remove("content-length");
  if (grpc) {
    answer.head.status = 200;
    headers.Set("content-type", "application/grpc");
    const std::uint32_t status = reply.grpc_status != UINT32_MAX ? reply.grpc_status : http::GrpcStatusOf(reply.status);
    if (!headers.Has("grpc-status")) headers.Add("grpc-status", std::to_string(status));
    if (!reply.body.empty() && !head_request) headers.Set("grpc-message", grpc::EncodeMessage(reply.body));
    return answer;
  }
  answer.head.status = reply.status;
  if (reply.body.empty()) {
    headers.Remove("content-type");
    return answer;
  }
  headers.Add("content-length", std::to_string(reply.body.size()));
  if (!headers.Has("content-type")) headers.Add("content-type", "text/plain");
  if (!head_request) answer.body = reply.body;
  return answer;
}

}  // namespace plait::proxy::session
