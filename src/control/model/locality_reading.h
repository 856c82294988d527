#pragma once
// Internal to the codecs of control/model: a setting for locality load balancing, wherever it stands.
#include <optional>
#include <string>

#include "control/model/locality.h"

namespace istio::networking::v1alpha3 {
class LocalityLoadBalancerSetting;
}

namespace plait::control::model {

struct LocalityProblem {
  std::string path = {};  // within the setting: ".distribute[0].to"
  std::string message = {};
  std::string hint = {};
};
// The first thing that Istio would refuse it for.
std::optional<LocalityProblem> ProblemOf(const istio::networking::v1alpha3::LocalityLoadBalancerSetting& setting);
LocalityBalancing ToLocalityBalancing(const istio::networking::v1alpha3::LocalityLoadBalancerSetting& setting);

}  // namespace plait::control::model
