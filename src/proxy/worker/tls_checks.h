#pragma once
// What of TLS can be checked when a resource comes, so that a file that cannot be read or a key that does not fit its
// certificate is refused then, and not found at the first connection. Main thread. Errors name the resource, and the
// file where there is one.
#include "core/base/result.h"
#include "core/xds/cluster.h"
#include "core/xds/listener.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

// A secret is of the kind that is held under its name, its files and variables can be read, and TLS can be made of it
// alone. One that takes trust away (no roots, everything revoked) is as good as another.
Outcome<> CheckSecret(const std::shared_ptr<const xds::Secret>& secret, const Secrets& held);
// The contexts of a cluster whose secrets are all there.
Outcome<> CheckTls(const xds::Cluster& cluster, Secrets& secrets);
// The contexts of a listener's chains. `fixed`: static_resources. The secrets of one that came by LDS may be changed or
// broken by others at any time; that must not cost its other hosts, so only what stands in place is checked then.
Outcome<> CheckTls(const xds::Listener& listener, bool fixed, Secrets& secrets);

}  // namespace plait::proxy::worker
