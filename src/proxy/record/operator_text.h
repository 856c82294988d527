#pragma once
// How the command operators (operators.h) write their values: each appends one to `out`, and says whether there is one.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/io/address.h"
#include "proxy/record/format.h"

namespace plait::proxy::record::operators {

inline bool Number(std::uint64_t value, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  return true;
}
inline bool Text(std::string_view text, std::string& out) {
  out.append(text);
  return !text.empty();
}
// Lines are split at spaces.
inline bool OneWord(std::string_view text, std::string& out) {
  const std::size_t from = out.size();
  out.append(text);
  std::replace(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), ' ', '_');
  return !text.empty();
}
bool Milliseconds(const std::optional<Duration>& value, std::string& out);
// From one moment of the request to another.
bool Between(const std::optional<Duration>& from, const std::optional<Duration>& to, std::string& out);
bool Address(const io::SocketAddress& address, std::string& out);
// The IP; where the operator has a number as its argument, the range of as many bits.
bool OnlyIp(const io::SocketAddress& address, const Format::Piece& piece, std::string& out);
bool OnlyPort(const io::SocketAddress& address, std::string& out);

}  // namespace plait::proxy::record::operators
