#include "control/model/address_allocation.h"

namespace plait::control::model {
namespace {
// FNV-1a: the same on every machine and in every release, which std::hash does not promise.
std::uint32_t Hash(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
  return hash ^ (hash >> 16);
}
constexpr std::uint16_t kDnsService = 10;  // 10.96.0.10
constexpr std::uint16_t kFirst = 256;      // x.y.0.z is left to explicit addresses
}  // namespace

AddressPool AddressPool::ClusterIps() {
  AddressPool pool(0x0A600000U, {0xfd, 0x00, 0x00, 0x10, 0x00, 0x96});
  pool.taken_.insert(kDnsService);
  return pool;
}
AddressPool AddressPool::ServiceEntries() { return AddressPool(0xF0F00000U, {0x20, 0x01, 0x00, 0x02}); }

void AddressPool::Reserve(const io::IpAddress& address) {
  if (address.is_v4()) {
    if ((address.v4() & 0xFFFF0000U) == v4_base_) taken_.insert(static_cast<std::uint16_t>(address.v4()));
    return;
  }
  const auto& bytes = address.bytes();
  for (std::size_t i = 0; i < 14; ++i)
    if (bytes[i] != v6_base_[i]) return;
  taken_.insert(static_cast<std::uint16_t>(bytes[14] << 8 | bytes[15]));
}

std::vector<io::IpAddress> AddressPool::Take(std::string_view name) {
  constexpr std::uint32_t kSize = 65535 - kFirst;  // not the last one: it looks like a broadcast
  const std::uint32_t first = Hash(name) % kSize;
  for (std::uint32_t i = 0; i < kSize; ++i) {
    const auto suffix = static_cast<std::uint16_t>(kFirst + (first + i) % kSize);
    if (!taken_.insert(suffix).second) continue;
    auto v6 = v6_base_;
    v6[14] = static_cast<std::uint8_t>(suffix >> 8);
    v6[15] = static_cast<std::uint8_t>(suffix);
    return {io::IpAddress::V4(v4_base_ | suffix), io::IpAddress::V6(v6)};
  }
  return {};
}

}  // namespace plait::control::model
