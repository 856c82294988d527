#pragma once
// Text of others in what people read: a terminal does not obey it, and no line of a log pretends to be another one.
#include <cstdint>
#include <string>
#include <string_view>

namespace plait {

enum class LineBreaks : std::uint8_t {
  kEscaped,
  kKept,      // and tabs
  kIndented,  // what follows one begins with a tab; tabs are kept
};

// Appends `text`; bytes below 0x20, 0x7f and U+0080 to U+009F become \x1b.
void AppendReadable(std::string& out, std::string_view text, LineBreaks breaks);

}  // namespace plait
