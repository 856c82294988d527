#pragma once
// What a name comes to in the mesh: the search list of a workload's resolv.conf, and one ExternalName after the other.
// Pure.
#include <string>
#include <string_view>
#include <vector>

#include "proxy/dns/dns_index.h"

namespace plait::proxy::dns {

struct Followed {
  enum class End : std::uint8_t {
    kHere,     // `answer` is all there is to say
    kOutside,  // its alias, or where it has none the name itself, is to be asked for outside
    kNowhere,  // in a circle, or too far
  };
  NameAnswer answer;  // of the name; `alias` is the last name it leads to, `addresses` and `entry` are of that one
  End end = End::kHere;
};
// Follows at most eight ExternalNames, as the control plane does. `name`: as DnsIndex::Find wants it.
Followed Follow(const DnsIndex& index, std::string_view name);

// The names that a workload's resolver asks for, in its order, until one has an address: by the search list of the
// workload's resolv.conf, with ndots:5 (semantics.md 8). A name that ends with a dot is only itself.
std::vector<std::string> SearchList(std::string_view name, std::string_view name_space, std::string_view domain);

}  // namespace plait::proxy::dns
