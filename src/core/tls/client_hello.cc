#include "core/tls/client_hello.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/base/strings.h"

namespace plait::tls {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHelloMessage = 1;
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMaxRecord = (1U << 14) + 256;

constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kSupportedVersions = 43;

// Reads big-endian fields; after a short read `ok` stays false and all further reads give zeros.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  std::uint32_t Uint(std::size_t bytes) {
    std::uint32_t value = 0;
    for (const std::uint8_t b : Take(bytes)) value = value << 8 | b;
    return value;
  }
  Bytes Take(std::size_t n) {
    if (!ok_ || n > rest_.size()) {
      ok_ = false;
      return {};
    }
    const Bytes out = rest_.first(n);
    rest_ = rest_.subspan(n);
    return out;
  }
  Reader Vector(std::size_t length_bytes) { return Reader(Take(Uint(length_bytes))); }

 private:
  Bytes rest_;
  bool ok_ = true;
};

struct Handshake {
  PeekStatus status = PeekStatus::kNeedMore;
  std::vector<std::uint8_t> body;  // of the ClientHello message, without its header
};

// Joins the handshake bytes of the records until the first message is whole.
Handshake JoinRecords(Bytes bytes) {
  std::vector<std::uint8_t> joined;
  for (;;) {
    // Each byte is judged as soon as it is there, so that other protocols are told apart at their first byte.
    if (!bytes.empty() && bytes[0] != kHandshakeRecord) return {PeekStatus::kNotTls, {}};
    if (bytes.size() > 1 && bytes[1] != 3) return {PeekStatus::kNotTls, {}};
    if (bytes.size() < kRecordHeader) return {PeekStatus::kNeedMore, {}};
    const std::size_t length = static_cast<std::size_t>(bytes[3]) << 8 | bytes[4];
    if (length == 0 || length > kMaxRecord) return {PeekStatus::kNotTls, {}};
    const Bytes payload = bytes.subspan(kRecordHeader, std::min(length, bytes.size() - kRecordHeader));
    joined.insert(joined.end(), payload.begin(), payload.end());
    if (!joined.empty() && joined[0] != kClientHelloMessage) return {PeekStatus::kNotTls, {}};
    if (joined.size() >= 4) {
      const std::size_t size =
          static_cast<std::size_t>(joined[1]) << 16 | static_cast<std::size_t>(joined[2]) << 8 | joined[3];
      if (size > kMaxHello) return {PeekStatus::kNotTls, {}};
      if (joined.size() >= 4 + size)
        return {PeekStatus::kComplete, {joined.begin() + 4, joined.begin() + static_cast<std::ptrdiff_t>(4 + size)}};
    }
    if (payload.size() < length) return {PeekStatus::kNeedMore, {}};
    bytes = bytes.subspan(kRecordHeader + length);
  }
}

bool ReadServerName(Reader data, ClientHello& out) {
  Reader list = data.Vector(2);
  while (list.ok() && !list.empty()) {
    const std::uint32_t type = list.Uint(1);
    const Bytes name = list.Take(list.Uint(2));
    if (type != 0) continue;
    if (name.empty() || std::find(name.begin(), name.end(), 0) != name.end()) return false;
    out.sni = ToLower(AsText(name));
  }
  return list.ok() && data.ok() && data.empty();
}

bool ReadAlpn(Reader data, ClientHello& out) {
  Reader list = data.Vector(2);
  while (list.ok() && !list.empty()) {
    const Bytes name = list.Take(list.Uint(1));
    if (name.empty()) return false;
    out.alpn.emplace_back(AsText(name));
  }
  return list.ok() && data.ok() && data.empty();
}

bool ReadVersions(Reader data, ClientHello& out) {
  Reader list = data.Vector(1);
  out.versions.clear();
  while (list.ok() && !list.empty()) out.versions.push_back(static_cast<std::uint16_t>(list.Uint(2)));
  return list.ok() && data.ok();
}

std::optional<ClientHello> ReadHello(Bytes body) {
  ClientHello out;
  Reader hello(body);
  out.versions.push_back(static_cast<std::uint16_t>(hello.Uint(2)));
  hello.Take(32);   // random
  hello.Vector(1);  // session id
  hello.Vector(2);  // cipher suites
  hello.Vector(1);  // compression methods
  if (!hello.ok()) return std::nullopt;
  if (hello.empty()) return out;  // no extensions: TLS 1.2 and older
  Reader extensions = hello.Vector(2);
  while (extensions.ok() && !extensions.empty()) {
    const auto type = static_cast<std::uint16_t>(extensions.Uint(2));
    const Reader data = extensions.Vector(2);
    if (!extensions.ok()) return std::nullopt;
    if (type == kServerName && !ReadServerName(data, out)) return std::nullopt;
    if (type == kAlpn && !ReadAlpn(data, out)) return std::nullopt;
    if (type == kSupportedVersions && !ReadVersions(data, out)) return std::nullopt;
  }
  return extensions.ok() && hello.ok() ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

ClientHelloPeek PeekClientHello(Bytes prefix) {
  const Handshake handshake = JoinRecords(prefix);
  if (handshake.status != PeekStatus::kComplete) return {handshake.status, {}};
  std::optional<ClientHello> hello = ReadHello(handshake.body);
  if (!hello) return {PeekStatus::kNotTls, {}};
  return {PeekStatus::kComplete, std::move(*hello)};
}

}  // namespace plait::tls
