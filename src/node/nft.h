#pragma once
// Loads and lists nftables rules by libnftables in the calling thread's network namespace, and tells of their changes.
#include <array>
#include <string>

#include "core/base/result.h"
#include "core/io/unique_fd.h"

namespace plait::node {

// Make one early and keep it: libnftables waits with select(), which aborts the process for a descriptor from 1024 on.
// A supervisor of a hundred workloads has more, so this holds a few low numbers free for it. One thread.
class Nft {
 public:
  Nft() { Reserve(); }

  // One transaction; about 1 ms for a workload's rules. At most about 200 KB of text (2,000 map elements): a larger
  // one must be split. A context of libnftables belongs to the namespace in which it was made, so each call makes one.
  // Errors: kDenied without the right, kUnavailable when the kernel lacks nf_tables.
  Outcome<> Run(const std::string& commands);
  // All rules of the namespace, as `nft list ruleset` prints them; "" when there are none. About 1 ms for a
  // workload's rules. Errors as of Run.
  Outcome<std::string> List();
  // The same, but what the sets of other tables than `table` hold.
  Outcome<std::string> ListWithSetsOf(const std::string& table);

 private:
  Outcome<std::string> Ask(const std::string& commands, const std::string& failed, unsigned flags = 0);
  void Reserve();
  std::array<io::UniqueFd, 4> reserved_;
};

// A socket that is readable when rules of the calling thread's network namespace have changed, whoever did it; what it
// says is netlink's. Errors: kDenied without the right.
Outcome<io::UniqueFd> MonitorRules();

}  // namespace plait::node
