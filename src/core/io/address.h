#pragma once
// IP addresses, socket addresses and CIDR ranges; IPv4 and IPv6 alike. A v4-mapped IPv6 address is turned into IPv4
// on the way in, so that equal hosts compare equal.
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/port.h"
#include "core/base/result.h"

namespace plait::io {

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress V4(std::uint32_t host_order) noexcept;
  static IpAddress V6(const std::array<std::uint8_t, 16>& bytes) noexcept;  // mapped becomes v4
  static Result<IpAddress> Parse(std::string_view text);                    // no brackets, no zone

  bool is_v4() const noexcept { return v4_; }
  bool is_loopback() const noexcept;
  bool is_unspecified() const noexcept;
  std::uint32_t v4() const noexcept;  // host order; only when is_v4()
  // Network order: 4 bytes in front for v4, 16 for v6.
  const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  std::size_t byte_count() const noexcept { return v4_ ? 4 : 16; }
  std::string ToString() const;
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v4_ = true;
};

// IP and port, or a Unix socket path (abstract when it begins with '@'); then ip and port are unset.
struct SocketAddress {
  IpAddress ip;
  Port port;
  std::string unix_path;

  bool is_unix() const noexcept { return !unix_path.empty(); }
  // "10.0.0.1:80", "[fd00::1]:80", or the path.
  std::string ToString() const;
  // "1.2.3.4:80", "[::1]:80", "unix:/path". Port 0 is allowed (listen on any).
  static Result<SocketAddress> Parse(std::string_view text);
  static SocketAddress FromNative(const sockaddr* address, socklen_t length);
  // Fills `out`; returns its length.
  socklen_t ToNative(sockaddr_storage& out) const noexcept;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
};

struct Cidr {
  IpAddress base;
  std::uint8_t length = 32;  // 0..32 or 0..128
  // "10.0.0.0/8", or a single address (then the full length).
  static Result<Cidr> Parse(std::string_view text);
  bool Contains(const IpAddress& ip) const noexcept;
  std::string ToString() const;
  friend auto operator<=>(const Cidr&, const Cidr&) = default;
};

struct IpHash {
  std::size_t operator()(const IpAddress& ip) const noexcept;
};
}  // namespace plait::io
