#include "core/base/result.h"

namespace plait {
namespace {

// File names and values are anybody's: what would move a terminal's cursor is shown as "\x1b".
void AppendReadable(std::string& out, std::string_view text, bool lines) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool c1 = before == 0xc2 && byte >= 0x80 && byte < 0xa0;  // U+0080 to U+009F: one of them begins sequences
    before = byte;
    if ((byte >= 0x20 && byte != 0x7f && !c1) || (lines && (c == '\n' || c == '\t')))
      out += c;
    else
      out.append("\\x") += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
}

}  // namespace

std::string_view ErrcName(Errc code) {
  switch (code) {
    case Errc::kInvalidInput: return "invalid input";
    case Errc::kLimit: return "limit";
    case Errc::kPeerClosed: return "peer closed";
    case Errc::kPeerReset: return "peer reset";
    case Errc::kTimedOut: return "timed out";
    case Errc::kDenied: return "denied";
    case Errc::kUnavailable: return "unavailable";
    case Errc::kCancelled: return "cancelled";
    case Errc::kNotFound: return "not found";
    case Errc::kInternal: return "internal";
  }
  return "internal";
}

std::string Diagnostic::ToString() const {
  std::string out;
  if (!at.file.empty()) {
    AppendReadable(out, at.file, /*lines=*/false);
    if (at.line != 0) {
      out += ':' + std::to_string(at.line);
      if (at.column != 0) out += ':' + std::to_string(at.column);
    }
    out += ": ";
  }
  AppendReadable(out, object.empty() ? "" : object + ": ", /*lines=*/false);
  AppendReadable(out, message + (hint.empty() ? "" : " (" + hint + ")"), /*lines=*/true);
  return out;
}

}  // namespace plait
