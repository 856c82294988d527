#pragma once
// What a bootstrap says, on its way into the running configuration: taken at the start of the process, and by
// `--mode validate`, which finds with the same code what a start would refuse. Main thread.
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/xds/bootstrap.h"
#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {

// Gives secrets, clusters and listeners to the store, which are as old as `now`. Tells of all that are refused.
Diagnostics TakeStaticResources(const xds::Bootstrap& bootstrap, ConfigStore& store, WallTime now);

// The static clusters that the main thread itself dials. Errors: there is none of that name, or it has no endpoint with
// an IP address. REQUIRES: dynamic.ads; identity.
Outcome<const xds::Cluster*> ControlPlaneCluster(const xds::Bootstrap& bootstrap);
Outcome<const xds::Cluster*> AuthorityCluster(const xds::Bootstrap& bootstrap);

// All that a start with this bootstrap would refuse, but for ports that are taken. Binds nothing, starts no worker,
// asks nobody; opens the access logs, as Envoy's validation does.
Diagnostics Validate(const xds::Bootstrap& bootstrap);

}  // namespace plait::proxy::worker
