#include "control/serve/service_descriptors.h"
#include "envoy/service/discovery/v3/ads.pb.h"

namespace plait::control::serve {

void KeepServiceDescriptors() { static_cast<void>(envoy::service::discovery::v3::AdsDummy::descriptor()); }

}  // namespace plait::control::serve
