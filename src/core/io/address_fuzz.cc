// Addresses, ranges and sockets' addresses as text. Checked: what was read is written in a form that reads as the same.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/io/address.h"

namespace {
bool IsWrittenAsRead(const plait::io::SocketAddress& address) { return address.unix_path.empty(); }  // else for people
template <class T>
bool IsWrittenAsRead(const T&) {
  return true;
}

template <class T>
void Try(std::string_view text) {
  const auto read = T::Parse(text);
  if (!read || !IsWrittenAsRead(*read)) return;
  const auto again = T::Parse(read->ToString());
  PLAIT_CHECK(again && *again == *read);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Try<plait::io::IpAddress>(text);
  Try<plait::io::Cidr>(text);
  Try<plait::io::SocketAddress>(text);
  return 0;
}
