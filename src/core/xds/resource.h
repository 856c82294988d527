#pragma once
// A decoded resource with the bytes it came from: config_dump, hand-over and equality use the bytes.
#include <memory>
#include <string>
#include <vector>

#include "core/base/time.h"

namespace plait::xds {

template <class T>
struct Resource {
  std::string name;
  std::string version;
  std::string bytes;  // the serialized message, as accepted
  std::shared_ptr<const T> value;
  std::vector<std::string> aliases;  // other names it answers for (istio.workload.Address)
  WallTime updated{};
};

}  // namespace plait::xds
