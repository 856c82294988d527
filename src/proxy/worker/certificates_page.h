#pragma once
// What /certs shows: the certificates and roots of the process, by SDS and those that stand in listeners and clusters.
// Main thread; reads the files that they name.
#include <vector>

#include "proxy/admin/admin_state.h"
#include "proxy/worker/config_store.h"
#include "proxy/worker/secrets.h"

namespace plait::proxy::worker {

// What cannot be read is left out.
std::vector<admin::CertificateEntry> CertificatesOf(const ConfigStore& store, const Secrets& secrets);

}  // namespace plait::proxy::worker
