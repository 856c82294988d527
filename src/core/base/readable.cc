#include "core/base/readable.h"

namespace plait {

void AppendReadable(std::string& out, std::string_view text, LineBreaks breaks) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool c1 = before == 0xc2 && byte >= 0x80 && byte < 0xa0;  // one of them begins sequences
    before = byte;
    if ((byte >= 0x20 && byte != 0x7f && !c1) || (breaks != LineBreaks::kEscaped && (c == '\n' || c == '\t')))
      out += c;
    else
      out.append("\\x") += {kDigits[byte >> 4], kDigits[byte & 15]};
    if (c == '\n' && breaks == LineBreaks::kIndented) out += '\t';
  }
}

}  // namespace plait
