#include "core/http1/head_writer.h"

#include <charconv>
#include <cstring>
#include <string>
#include <utility>

#include "core/base/strings.h"
#include "core/http/list.h"
#include "core/http/own_answer.h"

namespace plait::http1 {
namespace {

// Writes pieces into room that was reserved for their sum: one bounds check a head instead of one a piece.
class Room {
 public:
  Room(Buffer& out, std::size_t size) : out_(out) {
    if (size <= kInPlace) {
      at_ = reinterpret_cast<char*>(out.Reserve(size).data());
    } else {
      large_.resize(size);
      at_ = large_.data();
    }
    begin_ = at_;
  }
  ~Room() {
    const auto n = static_cast<std::size_t>(at_ - begin_);
    if (large_.empty())
      out_.Commit(n);
    else
      out_.Append(std::string_view(large_).substr(0, n));
  }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  Room& operator<<(std::string_view text) noexcept {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }

 private:
  static constexpr std::size_t kInPlace = Buffer::kChunkSize / 2;
  Buffer& out_;
  std::string large_;
  char* begin_;
  char* at_;
};

// The last guard against a field that would be read as two (RFC 9112 11.1): codecs refuse such values on their way in,
// but configuration and filters add fields too.
bool SplitsLine(std::string_view text) noexcept {
  return std::memchr(text.data(), '\n', text.size()) != nullptr ||
         std::memchr(text.data(), '\r', text.size()) != nullptr;
}

bool IsOwnersField(std::string_view name, const SendFraming& framing) noexcept {
  switch (name.size()) {
    case 7: return framing.upgrade.empty() || !EqualsIgnoreCase(name, "upgrade");
    case 10: return !EqualsIgnoreCase(name, "connection") && !EqualsIgnoreCase(name, "keep-alive");
    case 14:
      return !((framing.drop_length || framing.chunked || framing.zero_length) &&
               EqualsIgnoreCase(name, "content-length"));
    case 16: return !EqualsIgnoreCase(name, "proxy-connection");
    case 17: return !EqualsIgnoreCase(name, "transfer-encoding");
    default: return true;
  }
}

// Upper bound of what WriteFields writes.
std::size_t SizeOfFields(const http::Headers& headers, const SendFraming& framing) noexcept {
  return headers.byte_size() + framing.connection.size() + framing.upgrade.size() + 128;
}

// The fields that switch protocols keep the owner's place, and Connection the owner's spelling of "upgrade": what is to
// be said in this one, empty when it is neither. Each is said once; `left` is what still has to be.
std::string_view TakeSwitch(http::HeaderView field, SendFraming& left) noexcept {
  if (EqualsIgnoreCase(field.name, "upgrade")) return std::exchange(left.upgrade, {});
  if (left.connection != "upgrade" || !EqualsIgnoreCase(field.name, "connection")) return {};
  const std::optional<std::string_view> token = http::TokenIn(field.value, left.connection);
  if (token) left.connection = {};
  return token.value_or(std::string_view());
}

void WriteFields(const http::Headers& headers, const SendFraming& framing, Room& room) {
  SendFraming left = framing;
  for (const http::HeaderView field : headers) {
    const bool owners = IsOwnersField(field.name, framing);
    const std::string_view value = owners ? field.value : TakeSwitch(field, left);
    if ((!owners && value.empty()) || SplitsLine(field.name) || SplitsLine(value)) continue;
    room << field.name << ": " << value << "\r\n";
  }
  if (!left.upgrade.empty()) room << "upgrade: " << left.upgrade << "\r\n";
  if (!left.connection.empty()) room << "connection: " << left.connection << "\r\n";
  if (framing.zero_length) room << "content-length: 0\r\n";
  if (framing.chunked) room << "transfer-encoding: chunked\r\n";
  room << "\r\n";
}
}  // namespace

void WriteRequestHead(const http::RequestHead& head, const SendFraming& framing, Buffer& out) {
  // An extended CONNECT of HTTP/2 (RFC 8441) is an upgrade of a GET here.
  const bool extended = head.method == "CONNECT" && !head.protocol.empty();
  const std::string_view method = extended ? std::string_view("GET") : std::string_view(head.method);
  const std::string_view target = method == "CONNECT" ? head.authority : head.path;
  Room room(out, head.method.size() + target.size() + head.authority.size() + SizeOfFields(head.headers, framing));
  // Clients of HTTP/1 write "Host"; from HTTP/2 names come in lower case. So the application sees what it would have
  // seen.
  room << method << " " << target << " HTTP/1.1\r\n"
       << (head.version == http::Version::kHttp2 ? "host: " : "Host: ") << head.authority << "\r\n";
  WriteFields(head.headers, framing, room);
}

void WriteResponseHead(const http::ResponseHead& head, http::Version version, const SendFraming& framing, Buffer& out) {
  const std::string_view reason =
      head.reason.empty() || SplitsLine(head.reason) ? http::ReasonPhrase(head.status) : head.reason;
  char status[8];
  const auto status_end = std::to_chars(status, status + sizeof(status), head.status).ptr;
  Room room(out, reason.size() + SizeOfFields(head.headers, framing));
  room << (version == http::Version::kHttp10 ? "HTTP/1.0 " : "HTTP/1.1 ")
       << std::string_view(status, static_cast<std::size_t>(status_end - status)) << " " << reason << "\r\n";
  WriteFields(head.headers, framing, room);
}

void WriteChunk(Buffer& data, Buffer& out) {
  char line[24];
  char* end = std::to_chars(line, line + 16, data.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.Append(std::string_view(line, static_cast<std::size_t>(end - line)));
  out.MoveFrom(data);
  out.Append("\r\n");
}

void WriteLastChunk(const http::Headers* trailers, Buffer& out) {
  out.Append("0\r\n");
  if (trailers != nullptr) {
    for (const http::HeaderView field : *trailers) {
      if (SplitsLine(field.name) || SplitsLine(field.value)) continue;
      out.Append(field.name);
      out.Append(": ");
      out.Append(field.value);
      out.Append("\r\n");
    }
  }
  out.Append("\r\n");
}

void WriteErrorResponse(std::uint16_t status, std::string_view body, const http::CodecOptions& options, Buffer& out) {
  http::ResponseHead head;
  head.status = status;
  head.headers = http::OwnAnswerHeaders(body.size(), options);
  WriteResponseHead(head, http::Version::kHttp11, {.connection = "close"}, out);
  out.Append(body);
}

}  // namespace plait::http1
