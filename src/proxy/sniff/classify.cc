#include "proxy/sniff/classify.h"

#include <algorithm>

#include "core/base/strings.h"
#include "core/http/message.h"

namespace plait::proxy::sniff {
namespace {
using http::IsKnownMethod, http::IsKnownMethodIgnoringCase;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// Blank bytes before a request line that are skipped before it is judged.
constexpr std::size_t kMostLeadingBlanks = 64;
// What a server may take for the space between the words of a request line (RFC 9112 3).
constexpr std::string_view kSpaces = " \t\v\f\r";

bool IsSpace(char c) { return kSpaces.find(c) != std::string_view::npos; }
bool IsBlank(char c) { return c == '\n' || IsSpace(c); }

std::string_view TrimSpaces(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(kSpaces), text.size());
  return text.substr(first, text.find_last_not_of(kSpaces) + 1 - first);
}

// RFC 9110 5.6.2
bool IsTokenChar(char c) {
  return IsAlpha(c) || IsDigit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// A target that no text protocol but HTTP has: origin form, absolute form, or asterisk form.
bool LooksLikeTarget(std::string_view target) {
  return target.starts_with('/') || target == "*" || EqualsIgnoreCase(target.substr(0, 5), "http:") ||
         EqualsIgnoreCase(target.substr(0, 6), "https:");
}

Protocol ClassifyTls(Bytes seen) {
  // record: type 22, version 3.x, length; handshake: type 1 (ClientHello)
  if (seen.size() > 1 && seen[1] != 0x03) return Protocol::kOther;
  if (seen.size() > 2 && seen[2] > 0x04) return Protocol::kOther;
  if (seen.size() > 4) {
    const unsigned length = seen[3] * 256U + seen[4];
    if (length < 4 || length > 16 * 1024 + 256) return Protocol::kOther;
  }
  if (seen.size() < 6) return Protocol::kNeedMore;
  return seen[5] == 0x01 ? Protocol::kTls : Protocol::kOther;
}

// The version at the end of a request line: exactly "HTTP/<digit>.<digit>"?
bool IsVersion(std::string_view text, bool ignore_case) {
  if (text.size() != 8 || !IsDigit(text[5]) || text[6] != '.' || !IsDigit(text[7])) return false;
  return ignore_case ? EqualsIgnoreCase(text.substr(0, 5), "HTTP/") : text.substr(0, 5) == "HTTP/";
}

// A whole line without its LF, the leading blanks already gone. `clean`: none were there.
Protocol ClassifyLine(std::string_view line, std::string_view method, bool clean) {
  const bool crlf = line.ends_with('\r');
  if (crlf) line.remove_suffix(1);
  std::string_view rest = line.substr(method.size());
  const bool known = IsKnownMethod(method);

  const std::size_t space = rest.rfind(' ');
  const std::string_view version = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  if (clean && crlf && known && rest.starts_with(' ') && space > 1 && IsVersion(version, false) && version[5] == '1') {
    const std::string_view target = rest.substr(1, space - 1);
    const bool bad = std::any_of(target.begin(), target.end(), IsSpace);
    return bad ? Protocol::kNearlyHttp : Protocol::kHttp1;
  }

  rest = TrimSpaces(rest);
  const std::size_t gap = rest.find_last_of(kSpaces);
  if (IsVersion(rest.substr(gap == std::string_view::npos ? 0 : gap + 1), true)) return Protocol::kNearlyHttp;
  const std::string_view target = rest.substr(0, rest.find_first_of(kSpaces));
  const bool method_like = IsKnownMethodIgnoringCase(method);
  return method_like && LooksLikeTarget(target) ? Protocol::kNearlyHttp : Protocol::kOther;
}

Protocol ClassifyText(std::string_view seen) {
  std::size_t blanks = 0;
  while (blanks < seen.size() && IsBlank(seen[blanks])) ++blanks;
  // Decided at the limit, whatever follows: a verdict does not change when more bytes come.
  if (blanks >= kMostLeadingBlanks) return Protocol::kNearlyHttp;
  if (blanks == seen.size()) return Protocol::kNeedMore;
  const std::string_view text = seen.substr(blanks);

  std::size_t token = 0;
  while (token < text.size() && IsTokenChar(text[token])) ++token;
  if (token == 0 || token > kLongestMethod) return Protocol::kOther;
  if (token == text.size()) return Protocol::kNeedMore;
  if (!IsSpace(text[token])) return Protocol::kOther;

  const std::string_view method = text.substr(0, token);
  // Of another word these mean another protocol, whose client ("ATZ\r") is not to wait until no more has come.
  const bool needs_method =
      text[token] == '\r' || seen.substr(0, blanks).find_first_of("\v\f") != std::string_view::npos;
  if (needs_method && !IsKnownMethodIgnoringCase(method)) return Protocol::kOther;
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  for (const char c : line) {
    // Binary protocols that begin like a token end here. Bytes above 0x7f are left to the HTTP codec to refuse.
    if (static_cast<unsigned char>(c) < 0x20 && !IsSpace(c)) return Protocol::kOther;
  }
  if (end != std::string_view::npos) return ClassifyLine(line, method, blanks == 0);
  if (text.size() < kSniffLimit / 2) return Protocol::kNeedMore;
  // A request line of more than 8 KiB: the codec answers it, unless it was never HTTP.
  const std::string_view target = TrimSpaces(text.substr(token));
  if (!IsKnownMethodIgnoringCase(method) || !LooksLikeTarget(target.substr(0, 6))) return Protocol::kOther;
  const bool clean = blanks == 0 && text[token] == ' ';
  return clean && IsKnownMethod(method) ? Protocol::kHttp1 : Protocol::kNearlyHttp;
}

}  // namespace

Protocol Classify(Bytes seen) noexcept {
  if (seen.empty()) return Protocol::kNeedMore;
  if (seen[0] == kTlsHandshakeRecord) return ClassifyTls(seen);
  const std::string_view text = AsText(seen.first(std::min(seen.size(), kSniffLimit)));
  const std::size_t compared = std::min(text.size(), kPreface.size());
  if (text.substr(0, compared) == kPreface.substr(0, compared)) {
    return compared == kPreface.size() ? Protocol::kHttp2 : Protocol::kNeedMore;
  }
  return ClassifyText(text);
}

std::string_view ProtocolName(Protocol protocol) noexcept {
  switch (protocol) {
    case Protocol::kNeedMore: return "need more";
    case Protocol::kTls: return "tls";
    case Protocol::kHttp2: return "http2";
    case Protocol::kHttp1: return "http1";
    case Protocol::kNearlyHttp: return "nearly http";
    case Protocol::kOther: return "other";
  }
  return "";
}

}  // namespace plait::proxy::sniff
