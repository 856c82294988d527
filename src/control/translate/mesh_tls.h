#pragma once
// TLS contexts of the mesh's mutual TLS (semantics.md 3).
#include <string>
#include <vector>

#include "control/model/snapshot.h"
#include "control/translate/names.h"
#include "core/xds/tls_context.h"

namespace plait::control::translate {

// Towards a cluster; `identities` are the SPIFFE URIs and other names that a server may have.
xds::UpstreamTlsContext MeshUpstreamTls(const model::Snapshot& snapshot, std::string sni,
                                        const std::vector<std::string>& identities, bool http2);
// Of sidecars' inbound side: a certificate of the mesh is required.
xds::DownstreamTlsContext MeshDownstreamTls(const model::Snapshot& snapshot);
// The same for Envoy, whose codec follows the ALPN that it selected: it must be one that the codec knows.
xds::DownstreamTlsContext EnvoyDownstreamTls(const model::Snapshot& snapshot);

}  // namespace plait::control::translate
