#include "core/xds/address_index.h"

namespace plait::xds {

std::string Workload::Identity() const {
  if (service_account.empty()) return {};
  return "spiffe://" + (trust_domain.empty() ? std::string("cluster.local") : trust_domain) + "/ns/" + name_space +
         "/sa/" + service_account;
}

std::string AddressKey(std::string_view network, const io::IpAddress& ip) {
  return std::string(network) + "/" + ip.ToString();
}

}  // namespace plait::xds
