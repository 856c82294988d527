#pragma once
// How long a listener or cluster waits for what it names: initial_fetch_timeout of the source, as in Envoy.
#include <functional>
#include <map>
#include <string>

#include "core/base/time.h"
#include "core/xds/cluster.h"
#include "core/xds/listener.h"

namespace plait::proxy::worker {

struct FetchLimits {
  using ByName = std::map<std::string, Duration, std::less<>>;
  // Of those whose source says one. 0: for ever. Of several for one name it is the longest.
  ByName routes;
  ByName secrets;
};
FetchLimits FetchLimitsOf(const xds::Listener& listener);
FetchLimits FetchLimitsOf(const xds::Cluster& cluster);

}  // namespace plait::proxy::worker
