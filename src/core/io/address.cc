#include "core/io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/base/check.h"
#include "core/base/strings.h"

namespace plait::io {
namespace {
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
}  // namespace

IpAddress IpAddress::V4(std::uint32_t host_order) noexcept {
  IpAddress out;
  for (std::size_t i = 0; i < 4; ++i) out.bytes_[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return out;
}

IpAddress IpAddress::V6(const std::array<std::uint8_t, 16>& bytes) noexcept {
  IpAddress out;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())) {
    std::copy_n(bytes.begin() + 12, 4, out.bytes_.begin());
    return out;
  }
  out.bytes_ = bytes;
  out.v4_ = false;
  return out;
}

Result<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return Fail(Errc::kInvalidInput, "IP address: length");
  const std::string copy(text);
  in_addr v4{};
  if (inet_pton(AF_INET, copy.c_str(), &v4) == 1) return V4(ntohl(v4.s_addr));
  std::array<std::uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, copy.c_str(), v6.data()) == 1) return V6(v6);
  return Fail(Errc::kInvalidInput, "IP address: neither IPv4 nor IPv6");
}

bool IpAddress::is_loopback() const noexcept {
  if (v4_) return bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.begin() + 15, [](std::uint8_t b) { return b == 0; }) && bytes_[15] == 1;
}

bool IpAddress::is_unspecified() const noexcept {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t b) { return b == 0; });
}

std::uint32_t IpAddress::v4() const noexcept {
  return std::uint32_t{bytes_[0]} << 24 | std::uint32_t{bytes_[1]} << 16 | std::uint32_t{bytes_[2]} << 8 | bytes_[3];
}

std::string IpAddress::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::string SocketAddress::ToString() const {
  if (is_unix()) return unix_path;
  const std::string host = ip.ToString();
  return (ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port.value);
}

Result<SocketAddress> SocketAddress::Parse(std::string_view text) {
  SocketAddress out;
  if (text.starts_with("unix:")) {
    text.remove_prefix(5);
    if (text.empty() || text.size() >= sizeof(sockaddr_un::sun_path))
      return Fail(Errc::kInvalidInput, "Unix socket path: length");
    out.unix_path = text;
    return out;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Fail(Errc::kInvalidInput, "socket address: no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const Result<IpAddress> ip = IpAddress::Parse(host);
  if (!ip) return std::unexpected(ip.error());
  if (bracketed == ip->is_v4() && host.find(':') != std::string_view::npos && !bracketed)
    return Fail(Errc::kInvalidInput, "socket address: IPv6 needs brackets");
  out.ip = *ip;
  if (port == "0") return out;
  const Result<Port> parsed = ParsePort(port);
  if (!parsed) return std::unexpected(parsed.error());
  out.port = *parsed;
  return out;
}

SocketAddress SocketAddress::FromNative(const sockaddr* address, socklen_t length) {
  SocketAddress out;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    out.ip = IpAddress::V4(ntohl(v4.sin_addr.s_addr));
    out.port = Port{ntohs(v4.sin_port)};
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    out.ip = IpAddress::V6(bytes);
    out.port = Port{ntohs(v6.sin6_port)};
  } else if (address->sa_family == AF_UNIX && length > offsetof(sockaddr_un, sun_path)) {
    const char* path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
    const std::size_t size = length - offsetof(sockaddr_un, sun_path);
    out.unix_path = path[0] == '\0' ? "@" + std::string(path + 1, size - 1) : std::string(path, strnlen(path, size));
  }
  return out;
}

socklen_t SocketAddress::ToNative(sockaddr_storage& out) const noexcept {
  std::memset(&out, 0, sizeof out);
  if (is_unix()) {
    auto* un = reinterpret_cast<sockaddr_un*>(&out);
    un->sun_family = AF_UNIX;
    const std::size_t size = std::min(unix_path.size(), sizeof(un->sun_path) - 1);
    std::memcpy(un->sun_path, unix_path.data(), size);
    const bool abstract = unix_path.front() == '@';
    if (abstract) un->sun_path[0] = '\0';
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
  }
  if (ip.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&out);
    in->sin_family = AF_INET;
    in->sin_port = htons(port.value);
    in->sin_addr.s_addr = htonl(ip.v4());
    return sizeof *in;
  }
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&out);
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons(port.value);
  std::memcpy(&in6->sin6_addr, ip.bytes().data(), 16);
  return sizeof *in6;
}

Result<Cidr> Cidr::Parse(std::string_view text) {
  const auto [base, length] = SplitOnce(text, '/');
  const Result<IpAddress> ip = IpAddress::Parse(base);
  if (!ip) return std::unexpected(ip.error());
  const std::uint64_t full = ip->byte_count() * 8;
  const std::optional<std::uint64_t> bits = length ? ParseUint(*length) : full;
  if (!bits || *bits > full) return Fail(Errc::kInvalidInput, "CIDR: prefix length");
  return Cidr{.base = *ip, .length = static_cast<std::uint8_t>(*bits)};
}

bool Cidr::Contains(const IpAddress& ip) const noexcept {
  if (ip.is_v4() != base.is_v4()) return false;
  const std::size_t whole = length / 8;
  if (!std::equal(base.bytes().begin(), base.bytes().begin() + static_cast<std::ptrdiff_t>(whole), ip.bytes().begin()))
    return false;
  const unsigned rest = length % 8U;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
  return (base.bytes()[whole] & mask) == (ip.bytes()[whole] & mask);
}

std::string Cidr::ToString() const { return base.ToString() + "/" + std::to_string(length); }

std::size_t IpHash::operator()(const IpAddress& ip) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, ip.bytes().data(), 8);
  std::memcpy(&low, ip.bytes().data() + 8, 8);
  return static_cast<std::size_t>((high * 0x9E3779B97F4A7C15ULL) ^ (low * 0xC2B2AE3D27D4EB4FULL) ^ (high >> 29));
}

}  // namespace plait::io
