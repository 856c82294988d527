#include "core/base/result.h"

#include "core/base/readable.h"

namespace plait {
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
    AppendReadable(out, at.file, LineBreaks::kEscaped);
    if (at.line != 0) {
      out += ':' + std::to_string(at.line);
      if (at.column != 0) out += ':' + std::to_string(at.column);
    }
    out += ": ";
  }
  AppendReadable(out, object.empty() ? "" : object + ": ", LineBreaks::kEscaped);
  AppendReadable(out, message + (hint.empty() ? "" : " (" + hint + ")"), LineBreaks::kKept);
  return out;
}

}  // namespace plait
