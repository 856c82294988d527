#pragma once
// What proxies refuse of what they were sent, as findings: a mesh in which a policy is not in force is not well.
#include <vector>

#include "control/model/finding.h"
#include "control/serve/ads_server.h"

namespace plait::control::serve {

// One of each type and reason, however many proxies it is. Its message stays while others come and go.
model::Findings RefusalsOf(const std::vector<ClientStatus>& clients);

}  // namespace plait::control::serve
