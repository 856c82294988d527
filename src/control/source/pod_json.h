#pragma once
// A pod as plaitd tells it to the supervisor, which gives it back word for word when plaitd has started anew. The
// supervisor's reader of it: local/desired.h.
#include <string>
#include <string_view>

#include "control/source/pods.h"

namespace plait::control::source {

// A JSON object with all but `ending`, which is not the pod's own.
std::string EncodePod(const DesiredPod& pod);
Outcome<DesiredPod> DecodePod(std::string_view text);

}  // namespace plait::control::source
