#include "core/http1/syntax.h"

#include <algorithm>
#include <array>

#include "core/base/strings.h"

namespace plait::http1 {
namespace {

enum Class : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4 };

constexpr std::array<std::uint8_t, 256> MakeClasses() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; ++c) {
    const char ch = static_cast<char>(c);
    const bool alnum = c < 128 && (IsAlpha(ch) || IsDigit(ch));
    if (alnum || (c != 0 && c < 128 && std::string_view("!#$%&'*+-.^_`|~").contains(ch))) classes[c] |= kToken;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes[c] |= kValue;
    if (c > 0x20 && c < 0x7f) classes[c] |= kTarget;
  }
  return classes;
}
constexpr auto kClasses = MakeClasses();

bool Is(char c, Class wanted) noexcept { return (kClasses[static_cast<std::uint8_t>(c)] & wanted) != 0; }
bool All(std::string_view text, Class wanted) noexcept {
  // No early exit: violations are rare, and a loop without branches is the faster one.
  std::uint8_t all = wanted;
  for (char c : text) all &= kClasses[static_cast<std::uint8_t>(c)];
  return all != 0;
}

// Why something is no token: NUL is told apart from what is merely misplaced.
std::unexpected<Violation> RefuseName(std::string_view text) {
  return Refuse(400, text.contains('\0') ? kInvalidCharacters : kCodecError);
}

Checked<http::Version> ParseVersion(std::string_view text) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !IsDigit(text[5]) || text[6] != '.' || !IsDigit(text[7]))
    return Refuse(400, kCodecError);
  if (text[5] != '1' || text[7] > '1') return Refuse(505, kUnsupportedVersion);
  return text[7] == '1' ? http::Version::kHttp11 : http::Version::kHttp10;
}

Checked<> ParseAbsoluteForm(std::string_view target, http::RequestHead& head) {
  if (target.starts_with('#')) return Refuse(400, kCodecError);
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return Refuse(400, kInvalidUrl);
  head.scheme = ToLower(target.substr(0, colon));
  if (head.scheme != "http" && head.scheme != "https") return Refuse(400, kInvalidScheme);
  std::string_view rest = target.substr(colon + 3);
  const std::size_t end = rest.find_first_of("/?#");
  // A target has no fragment (RFC 9112 3.2). After a path or query whoever normalizes paths refuses it, as in Envoy.
  if (end != std::string_view::npos && rest[end] == '#') return Refuse(400, kCodecError);
  const std::string_view authority = rest.substr(0, end);
  if (!http::IsAuthority(authority)) return Refuse(400, kInvalidUrl);
  head.authority = authority;
  // "?a" stays: whoever routes by paths refuses what does not begin with a slash. OPTIONS without a path, too, is for a
  // host, and is routed to it, as in Envoy.
  head.path = end == std::string_view::npos ? std::string_view("/") : rest.substr(end);
  return {};
}

Checked<> ParseTarget(std::string_view target, http::RequestHead& head) {
  const auto above = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  if (std::any_of(target.begin(), target.end(), above)) return Refuse(400, kCodecError);
  if (target.empty() || !All(target, kTarget)) return Refuse(400, kInvalidUrl);
  if (head.method == "CONNECT") {
    if (!http::IsAuthority(target) || http::PortOf(target) == 0) return Refuse(400, kInvalidUrl);
    head.authority = target;
    return {};
  }
  if (target.front() == '/') {
    head.path = target;
    return {};
  }
  if (target == "*") {
    if (head.method != "OPTIONS") return Refuse(400, kInvalidUrl);
    head.path = target;
    return {};
  }
  return ParseAbsoluteForm(target, head);
}
}  // namespace

bool IsTokenChar(char c) noexcept { return Is(c, kToken); }
bool IsToken(std::string_view text) noexcept { return !text.empty() && All(text, kToken); }
bool IsFieldValue(std::string_view text) noexcept { return All(text, kValue); }

Checked<> ParseRequestLine(std::string_view line, http::RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return Refuse(400, kCodecError);
  const std::string_view method = line.substr(0, first);
  if (!IsToken(method)) return RefuseName(method);
  const auto version = ParseVersion(line.substr(last + 1));
  if (!version) return std::unexpected(version.error());
  head.version = *version;
  head.method = method;
  return ParseTarget(line.substr(first + 1, last - first - 1), head);
}

Checked<> ParseStatusLine(std::string_view line, http::ResponseHead& head) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return Refuse(400, kCodecError);
  const auto version = ParseVersion(line.substr(0, space));
  if (!version) return std::unexpected(version.error());
  head.version = *version;
  line.remove_prefix(space + 1);
  if (line.size() < 3 || (line.size() > 3 && line[3] != ' ')) return Refuse(400, kCodecError);
  const auto status = ParseUint(line.substr(0, 3));
  if (!status || *status < 100) return Refuse(400, kCodecError);
  head.status = static_cast<std::uint16_t>(*status);
  const std::string_view reason = line.size() > 4 ? line.substr(4) : std::string_view();
  if (!IsFieldValue(reason)) return Refuse(400, kInvalidCharacters);
  head.reason = reason;
  return {};
}

Checked<FieldLine> ParseFieldLine(std::string_view line) {
  const std::size_t colon = line.find(':');
  // A name that is no token: also white space before the colon (RFC 9112 5.1), and a folded line (5.2).
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return RefuseName(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (!IsFieldValue(value)) return Refuse(400, kInvalidCharacters);
  return FieldLine{line.substr(0, colon), value};
}

}  // namespace plait::http1
