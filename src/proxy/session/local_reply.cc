#include "proxy/session/local_reply.h"

namespace plait::proxy::session {

std::uint32_t GrpcStatusOf(std::uint16_t http_status) noexcept {
  switch (http_status) {
    case 400: return 13;  // INTERNAL
    case 401: return 16;  // UNAUTHENTICATED
    case 403: return 7;   // PERMISSION_DENIED
    case 404: return 12;  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504: return 14;  // UNAVAILABLE
    default: return 2;    // UNKNOWN
  }
}

std::string EncodeGrpcMessage(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      encoded += c;
    } else {
      encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return encoded;
}

LocalAnswer MakeLocalAnswer(const LocalReply& reply, bool grpc, bool head_request) {
  LocalAnswer answer;
  if (grpc) {
    answer.head.status = 200;
    answer.head.headers.Add("content-type", "application/grpc");
    const std::uint32_t status = reply.grpc_status != UINT32_MAX ? reply.grpc_status : GrpcStatusOf(reply.status);
    answer.head.headers.Add("grpc-status", std::to_string(status));
    if (!reply.body.empty()) answer.head.headers.Add("grpc-message", EncodeGrpcMessage(reply.body));
    for (const http::HeaderView field : reply.headers) answer.head.headers.Add(field.name, field.value);
    return answer;
  }
  answer.head.status = reply.status;
  for (const http::HeaderView field : reply.headers) answer.head.headers.Add(field.name, field.value);
  if (reply.body.empty()) return answer;
  answer.head.headers.Set("content-length", std::to_string(reply.body.size()));
  if (!answer.head.headers.Has("content-type")) answer.head.headers.Add("content-type", "text/plain");
  if (!head_request) answer.body = reply.body;
  return answer;
}

}  // namespace plait::proxy::session
