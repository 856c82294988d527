#pragma once
// What tells two versions of a pod's template apart. Pure.
#include <string>

#include "control/source/pod_template.h"

namespace plait::control::source {

// 16 hexadecimal digits; equal templates have equal ones.
std::string HashOf(const PodTemplate& pod);

}  // namespace plait::control::source
