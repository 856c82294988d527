#pragma once
// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
#include <cstddef>
#include <string_view>

namespace plait {

// The bytes of the sequence at the front; 0 when there is none. `text` is not empty.
std::size_t Utf8Length(std::string_view text) noexcept;
bool IsUtf8(std::string_view text) noexcept;

}  // namespace plait
