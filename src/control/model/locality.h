#pragma once
// Istio's LocalityLoadBalancerSetting, of a DestinationRule or of the mesh: which localities a client's traffic goes
// to. A locality is "region/zone/subzone", or less of it.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace plait::control::model {

struct LocalityBalancing {
  // Traffic of clients in `from` in shares; elsewhere goes nothing. "*" as the last part of a locality: any.
  struct Distribution {
    std::string from = {};
    std::vector<std::pair<std::string, std::uint32_t>> to = {};  // with its percent; sorted
    friend bool operator==(const Distribution&, const Distribution&) = default;
  };
  struct Failover {  // regions
    std::string from = {};
    std::string to = {};
    friend bool operator==(const Failover&, const Failover&) = default;
  };
  bool enabled = true;
  std::vector<Distribution> distribute = {};  // the first that is for the client
  std::vector<Failover> failover = {};
  // Labels, the most important first: "key" is compared with the client's, "key=value" with that.
  std::vector<std::string> failover_priority = {};
  friend bool operator==(const LocalityBalancing&, const LocalityBalancing&) = default;
};

}  // namespace plait::control::model
