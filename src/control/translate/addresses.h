#pragma once
// The destination index: an Address for each workload and each service. Pure; the same for every proxy of the mesh.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "core/xds/address_index.h"

namespace plait::control::translate {

struct NamedAddress {
  std::string name;                  // of the resource: a workload's uid, a service's <namespace>/<hostname>
  std::vector<std::string> aliases;  // "<network>/<ip>"
  xds::Address address;
};

// The resource's name for a workload "<namespace>/<name>".
std::string AddressName(const model::Snapshot& snapshot, std::string_view workload);
std::vector<NamedAddress> Addresses(const model::Snapshot& snapshot);
// By name or alias; an address in a VIP range gives its service. nullopt: nobody has it.
std::optional<NamedAddress> FindAddress(const model::Snapshot& snapshot, std::string_view key);

}  // namespace plait::control::translate
