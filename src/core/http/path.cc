#include "core/http/path.h"

#include <algorithm>
#include <utility>

#include "core/base/strings.h"
#include "core/http/message.h"

namespace plait::http {
namespace {

int HexValue(char c) noexcept {
  if (IsDigit(c)) return c - '0';
  const char lower = ToLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that text[at..at+2] escapes, -1 when it is no escape.
int Escaped(std::string_view text, std::size_t at) noexcept {
  if (at + 2 >= text.size() || text[at] != '%') return -1;
  const int high = HexValue(text[at + 1]);
  const int low = HexValue(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool IsUnreserved(int c) noexcept {
  const char ch = static_cast<char>(c);
  return c < 0x80 && (IsAlpha(ch) || IsDigit(ch) || ch == '-' || ch == '.' || ch == '_' || ch == '~');
}

// Turns %2F and %5C into '/' and '\'. True when there was one.
bool UnescapeSlashes(std::string& path) {
  std::string out;
  out.reserve(path.size());
  bool found = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int byte = Escaped(path, i);
    if (byte == '/' || byte == '\\') {
      out.push_back(static_cast<char>(byte));
      i += 2;
      found = true;
    } else {
      out.push_back(path[i]);
    }
  }
  if (found) path = std::move(out);
  return found;
}

void AppendEscaped(std::string& out, unsigned char c) {
  constexpr char kHex[] = "0123456789ABCDEF";
  out.push_back('%');
  out.push_back(kHex[c >> 4]);
  out.push_back(kHex[c & 15]);
}

bool IsHexDigit(char c) noexcept { return HexValue(c) >= 0; }

// Character level: unreserved escapes are decoded, '\' becomes '/', what may not stand in a path is escaped.
// False for NUL, which no path may hold, escaped or not.
bool NormalizeCharacters(std::string& path) {
  std::string out;
  out.reserve(path.size());
  std::size_t lone = std::string::npos;  // of the last '%' that begins no escape
  for (std::size_t i = 0; i < path.size(); ++i) {
    const int byte = Escaped(path, i);
    const auto c = static_cast<unsigned char>(path[i]);
    if (byte == 0 || c == 0) return false;
    if (c == '%' && byte < 0) lone = out.size();
    if (byte > 0 && IsUnreserved(byte)) {
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else if (c == '\\') {
      out.push_back('/');
    } else if (c <= 0x20 || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '`' || c == '{' || c == '|' ||
               c == '}' || c == '^') {
      AppendEscaped(out, c);
    } else {
      out.push_back(path[i]);
    }
    // "%%32e" must not become "%2e": the application would decode what we have decoded once already.
    if (lone != std::string::npos && out.size() == lone + 3 && IsHexDigit(out[lone + 1]) && IsHexDigit(out[lone + 2]))
      out.insert(lone + 1, "25");
  }
  path = std::move(out);
  return true;
}

// Many servers take what follows a ';' in a segment for its parameters, so "..;a=b" for "..": the parameters of dot
// segments go.
void CutParametersOfDots(std::string& path) {
  std::string out;
  std::size_t from = 0;  // of what is not in `out` yet
  for (std::size_t at = path.find("/."); at != std::string::npos; at = path.find("/.", at)) {
    at += 2;
    if (at < path.size() && path[at] == '.') ++at;
    if (at == path.size() || path[at] != ';') continue;
    out.append(path, from, at - from);
    from = at = std::min(path.find('/', at), path.size());
  }
  if (from == 0) return;
  out.append(path, from);
  path = std::move(out);
}

// RFC 3986 5.2.4 for an absolute path; empty segments count as segments.
void RemoveDotSegments(std::string& path) {
  std::string out;
  out.reserve(path.size());
  std::size_t at = 0;  // at a '/'
  while (at < path.size()) {
    std::size_t end = path.find('/', at + 1);
    const bool last = end == std::string::npos;
    if (last) end = path.size();
    const std::string_view segment = std::string_view(path).substr(at + 1, end - at - 1);
    if (segment == "..") {
      const std::size_t parent = out.rfind('/');
      out.resize(parent == std::string::npos ? 0 : parent);
    } else if (segment != ".") {
      out.append(path, at, end - at);
    }
    // "/a/." and "/a/.." name a folder: the slash stays.
    if (last && (segment == "." || segment == "..")) out.push_back('/');
    at = end;
  }
  if (out.empty()) out.push_back('/');
  path = std::move(out);
}

// A path of slashes only becomes "//", as Envoy leaves it.
void MergeSlashes(std::string& path) {
  if (path.size() > 1 && path.find_first_not_of('/') == std::string::npos) return path.resize(2);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < path.size(); ++i)
    if (path[i] != '/' || kept == 0 || path[kept - 1] != '/') path[kept++] = path[i];
  path.resize(kept);
}

// Nothing to do for nearly all requests: no copy is made then.
bool LooksNormal(std::string_view path, const PathOptions& options) noexcept {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const auto c = static_cast<unsigned char>(path[i]);
    if (c == '%' || c == '\\' || c <= 0x20 || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '`' || c == '{' ||
        c == '|' || c == '}' || c == '^')
      return false;
    if (c != '/' || i + 1 == path.size()) continue;
    if (path[i + 1] == '.' || (options.merge_slashes && path[i + 1] == '/')) return false;
  }
  return true;
}
}  // namespace

PathVerdict NormalizePath(std::string& target, const PathOptions& options) {
  if (target.empty() || target == "*") return PathVerdict::kOk;
  if (target.find('#') != std::string::npos) return PathVerdict::kReject;
  const std::string_view before = PathOnly(target);
  if (before.empty() || before.front() != '/') return options.normalize ? PathVerdict::kReject : PathVerdict::kOk;
  if (LooksNormal(before, options)) return PathVerdict::kOk;

  std::string path(before);
  const std::string query(target, path.size());
  bool unescaped = false;
  if (options.escaped_slashes != EscapedSlashes::kKeep) unescaped = UnescapeSlashes(path);
  if (unescaped && options.escaped_slashes == EscapedSlashes::kReject) {
    target = std::move(path) + query;  // the access log tells what it was taken for
    return PathVerdict::kReject;
  }
  if (options.normalize) {
    CutParametersOfDots(path);  // as Envoy: of what the client wrote
    if (!NormalizeCharacters(path)) return PathVerdict::kReject;
    CutParametersOfDots(path);  // of "%2e%2e;" and "\..;" too: what is passed on is in its normal form
    RemoveDotSegments(path);
  }
  if (options.merge_slashes) MergeSlashes(path);
  target = std::move(path) + query;
  return unescaped && options.escaped_slashes == EscapedSlashes::kUnescapeAndRedirect ? PathVerdict::kRedirect
                                                                                      : PathVerdict::kOk;
}

std::optional<std::string_view> QueryParameter(std::string_view target, std::string_view name) noexcept {
  std::string_view rest = QueryOf(target);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name && (equals != std::string_view::npos || !pair.empty()))
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace plait::http
