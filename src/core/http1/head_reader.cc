#include "core/http1/head_reader.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/base/strings.h"
#include "core/http/trailers.h"

namespace plait::http1 {
namespace {

std::size_t FindLineEnd(const Buffer& in, std::size_t from) noexcept {
  const Bytes front = in.Front();
  if (from < front.size()) {
    const void* hit = std::memchr(front.data() + from, '\n', front.size() - from);
    if (hit != nullptr) return static_cast<std::size_t>(static_cast<const std::uint8_t*>(hit) - front.data());
    from = front.size();
  }
  return in.size() > front.size() ? in.Find("\n", from) : SIZE_MAX;
}

char ByteAt(const Buffer& in, std::size_t at) noexcept {
  const Bytes front = in.Front();
  if (at < front.size()) return static_cast<char>(front[at]);
  std::uint8_t byte = 0;
  in.CopyOut({&byte, 1}, at);
  return static_cast<char>(byte);
}

// Takes the next line off `block`, without its CRLF (the scanner made sure that each LF has its CR).
std::string_view NextLine(std::string_view& block) noexcept {
  const std::size_t end = block.find('\n');
  const std::string_view line = block.substr(0, end - 1);
  block.remove_prefix(end + 1);
  return line;
}

Checked<> ParseFields(std::string_view block, std::size_t max_count, const char* too_many, http::Headers& out) {
  while (true) {
    const std::string_view line = NextLine(block);
    if (line.empty()) return {};
    if (out.size() >= max_count) return Refuse(431, too_many);
    const auto field = ParseFieldLine(line);
    if (!field) return std::unexpected(field.error());
    out.Add(field->name, field->value);
  }
}

struct BodyFields {
  bool transfer_encoding = false;
  bool chunked = false;  // the only coding
  bool unknown_coding = false;
  std::size_t content_lengths = 0;
  std::uint64_t length = 0;
};

void NoteCodings(std::string_view value, BodyFields& out) noexcept {
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view coding = Trim(value.substr(0, comma));
    if (!EqualsIgnoreCase(coding, "chunked") || out.chunked)
      out.unknown_coding = true;
    else
      out.chunked = true;
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

// RFC 9112 6.1 and 6.2, without its leniencies: equal repeated lengths are refused too.
Checked<BodyFields> ReadBodyFields(const http::Headers& headers, http::Version version) {
  BodyFields out;
  for (const http::HeaderView field : headers) {
    if (field.name.size() == 14 && EqualsIgnoreCase(field.name, "content-length")) {
      const auto length = ParseUint(field.value);
      constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (!length || *length > kMax || ++out.content_lengths > 1) return Refuse(400, kCodecError);
      out.length = *length;
    } else if (field.name.size() == 17 && EqualsIgnoreCase(field.name, "transfer-encoding")) {
      out.transfer_encoding = true;
      NoteCodings(field.value, out);
    }
  }
  if (!out.transfer_encoding) return out;
  if (version == http::Version::kHttp10) return Refuse(400, kTransferEncodingNotAllowed);
  if (out.content_lengths > 0) return Refuse(400, kChunkedContentLength);
  if (out.unknown_coding) return Refuse(501, kInvalidTransferEncoding);
  return out;
}

bool KeepAlive(const http::Headers& headers, http::Version version) noexcept {
  if (headers.HasToken("connection", "close")) return false;
  return version == http::Version::kHttp11 || headers.HasToken("connection", "keep-alive");
}

// Moves Host out of the headers. An absolute target's authority wins over its value (RFC 9112 3.2.2).
Checked<> TakeHost(const http::CodecOptions& options, http::RequestHead& head) {
  std::size_t hosts = 0;
  std::string_view host;
  for (const http::HeaderView field : head.headers) {
    if (field.name.size() != 4 || !EqualsIgnoreCase(field.name, "host")) continue;
    ++hosts;
    host = field.value;
  }
  if (hosts > 1) return Refuse(400, kCodecError);
  if (hosts == 0 || host.empty()) {
    if (head.version == http::Version::kHttp11 && options.require_host) return Refuse(400, kMissingHost);
  } else {
    if (!http::IsAuthority(host)) return Refuse(400, kInvalidAuthority);
    if (head.authority.empty()) head.authority = host;
  }
  if (hosts > 0) head.headers.Remove("host");
  return {};
}

Checked<> JudgeUnderscores(http::CodecOptions::Underscores policy, http::Headers& headers) {
  if (policy == http::CodecOptions::Underscores::kAllow) return {};
  std::vector<std::string> found;
  for (const http::HeaderView field : headers)
    if (field.name.contains('_')) found.emplace_back(field.name);
  if (policy == http::CodecOptions::Underscores::kReject && !found.empty()) return Refuse(400, kUnexpectedUnderscore);
  for (const std::string& name : found) headers.Remove(name);
  return {};
}

void TakeUpgrade(http::RequestHead& head, BodyKind body) {
  if (body != BodyKind::kNone || head.version != http::Version::kHttp11 || head.method == "CONNECT") return;
  if (!head.headers.HasToken("connection", "upgrade")) return;
  const auto token = head.headers.Get("upgrade");
  // h2c is answered as the plain request that it also is: some clients offer it with every request.
  if (!token || token->empty() || EqualsIgnoreCase(*token, "h2c")) return;
  head.protocol = *token;
}
}  // namespace

Checked<std::size_t> BlockScanner::Scan(const Buffer& in, std::size_t max, const char* too_large) {
  while (true) {
    const std::size_t end = FindLineEnd(in, scanned_);
    if (end == SIZE_MAX) {
      if (in.size() > max) return Refuse(431, too_large);
      scanned_ = static_cast<std::uint32_t>(in.size());
      return 0;
    }
    if (end >= max) return Refuse(431, too_large);
    if (end == line_at_ || ByteAt(in, end - 1) != '\r') return Refuse(400, kCodecError);
    const bool empty_line = end == line_at_ + 1U;
    scanned_ = line_at_ = static_cast<std::uint32_t>(end + 1);
    if (empty_line) return end + 1;
  }
}

Checked<Framing> ParseRequestBlock(std::string_view block, const http::CodecOptions& options, http::RequestHead& head) {
  if (auto line = ParseRequestLine(NextLine(block), head); !line) return std::unexpected(line.error());
  if (!http::IsKnownMethod(head.method)) return Refuse(400, kCodecError);
  if (auto fields = ParseFields(block, options.max_header_count, kTooManyHeaders, head.headers); !fields)
    return std::unexpected(fields.error());
  if (!options.allow_http10 && head.version == http::Version::kHttp10) return Refuse(426, kUnsupportedVersion);
  if (auto judged = JudgeUnderscores(options.underscores, head.headers); !judged)
    return std::unexpected(judged.error());
  if (auto host = TakeHost(options, head); !host) return std::unexpected(host.error());
  const auto body = ReadBodyFields(head.headers, head.version);
  if (!body) return std::unexpected(body.error());
  Framing framing{.keep_alive = KeepAlive(head.headers, head.version)};
  if (head.method == "CONNECT") {
    if (body->transfer_encoding) return Refuse(400, kTransferEncodingNotAllowed);
    if (body->length > 0) return Refuse(400, kContentLengthNotAllowed);
    return framing;
  }
  if (body->chunked) framing.kind = BodyKind::kChunked;
  if (body->length > 0) {
    framing.kind = BodyKind::kLength;
    framing.length = body->length;
  }
  TakeUpgrade(head, framing.kind);
  return framing;
}

Checked<Framing> ParseResponseBlock(std::string_view block, const http::CodecOptions& options, bool head_request,
                                    bool connect_request, http::ResponseHead& head) {
  if (auto line = ParseStatusLine(NextLine(block), head); !line) return std::unexpected(line.error());
  if (auto fields = ParseFields(block, options.max_header_count, kTooManyHeaders, head.headers); !fields)
    return std::unexpected(fields.error());
  Framing framing{.keep_alive = KeepAlive(head.headers, head.version)};
  // RFC 9110 9.3.6: framing fields in a 2xx to CONNECT mean nothing.
  if (connect_request && head.status / 100 == 2) {
    framing.kind = BodyKind::kUntilEnd;
    return framing;
  }
  const auto body = ReadBodyFields(head.headers, head.version);
  if (!body) return std::unexpected(body.error());
  if (head.status < 200 || head.status == 204) {
    if (body->transfer_encoding) return Refuse(400, kTransferEncodingNotAllowed);
    if (body->length > 0) return Refuse(400, kContentLengthNotAllowed);
    if (body->content_lengths > 0) head.headers.Remove("content-length");
    if (head.status == 101) framing.kind = BodyKind::kUntilEnd;
    return framing;
  }
  if (head_request || head.status == 304) return framing;
  if (body->chunked) {
    framing.kind = BodyKind::kChunked;
  } else if (body->content_lengths > 0) {
    framing.length = body->length;
    framing.kind = body->length > 0 ? BodyKind::kLength : BodyKind::kNone;
  } else {
    framing.kind = BodyKind::kUntilEnd;
    framing.keep_alive = false;
  }
  return framing;
}

Checked<> ParseTrailerBlock(std::string_view block, const http::CodecOptions& options, http::Headers& trailers) {
  if (auto fields = ParseFields(block, options.max_header_count, kTooManyTrailers, trailers); !fields)
    return std::unexpected(fields.error());
  if (http::HasForbiddenTrailer(trailers)) return Refuse(400, kCodecError);
  return {};
}

std::string_view Contiguous(Buffer& in, std::size_t size, std::string& scratch) {
  if (in.Front().size() >= size) return AsText(in.Front().first(size));
  if (size <= Buffer::kChunkSize / 2) return AsText(in.Linearize(size));
  scratch.resize(size);
  in.CopyOut({reinterpret_cast<std::uint8_t*>(scratch.data()), size});
  return scratch;
}

}  // namespace plait::http1
