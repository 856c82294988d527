#pragma once
// Addresses for services that name none: stable by name, because a client may keep them for long. An address is the
// hash of the name; only where two names meet does the later (in sorted order) take the next free one.
#include <set>
#include <string_view>
#include <vector>

#include "core/io/address.h"

namespace plait::control::model {

// 65,536 addresses in both families that share their last two bytes.
class AddressPool {
 public:
  // Kubernetes' ClusterIPs: 10.96.0.0/16 and fd00:10:96::/112.
  static AddressPool ClusterIps();
  // Hosts of ServiceEntries: 240.240.0.0/16 and 2001:2::/112, as Istio's automatic allocation.
  static AddressPool ServiceEntries();

  void Reserve(const io::IpAddress& address);  // somebody asked for it
  // v4, then v6. Empty when the pool is used up.
  std::vector<io::IpAddress> Take(std::string_view name);

 private:
  AddressPool(std::uint32_t v4_base, std::array<std::uint8_t, 16> v6_base) : v4_base_(v4_base), v6_base_(v6_base) {}
  std::uint32_t v4_base_;
  std::array<std::uint8_t, 16> v6_base_;
  std::set<std::uint16_t> taken_;
};

}  // namespace plait::control::model
