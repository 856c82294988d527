#include "proxy/record/operator_text.h"

#include <array>

#include "core/base/strings.h"

namespace plait::proxy::record::operators {
namespace {

// IPv4 by hand: four addresses stand in each line of Istio's format.
void AppendIp(const io::IpAddress& ip, std::string& out) {
  if (!ip.is_v4()) {
    out += ip.ToString();
    return;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) out += '.';
    Number(ip.bytes()[i], out);
  }
}

io::IpAddress Masked(const io::IpAddress& ip, std::uint64_t bits) {
  std::array<std::uint8_t, 16> bytes = ip.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint64_t kept = bits > 8 * i ? std::min<std::uint64_t>(bits - 8 * i, 8) : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  if (!ip.is_v4()) return io::IpAddress::V6(bytes);
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | bytes[i];
  return io::IpAddress::V4(value);
}

}  // namespace

bool Milliseconds(const std::optional<Duration>& value, std::string& out) {
  if (!value) return false;
  return Number(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(*value).count()), out);
}

bool Between(const std::optional<Duration>& from, const std::optional<Duration>& to, std::string& out) {
  if (!from || !to || *to < *from) return false;
  return Milliseconds(*to - *from, out);
}

bool Address(const io::SocketAddress& address, std::string& out) {
  if (address.is_unix() || !address.ip.is_v4()) return Text(address.ToString(), out);
  AppendIp(address.ip, out);
  out += ':';
  return Number(address.port.value, out);
}

bool OnlyIp(const io::SocketAddress& address, const Format::Piece& piece, std::string& out) {
  if (address.is_unix()) return Text(address.unix_path, out);
  const auto bits = ParseUint(piece.text);
  if (!bits) return AppendIp(address.ip, out), true;
  const std::uint64_t kept = std::min<std::uint64_t>(*bits, address.ip.is_v4() ? 32 : 128);
  out += io::Cidr(Masked(address.ip, kept), static_cast<std::uint8_t>(kept)).ToString();
  return true;
}

bool OnlyPort(const io::SocketAddress& address, std::string& out) {
  return !address.is_unix() && Number(address.port.value, out);
}

}  // namespace plait::proxy::record::operators
