#pragma once
// How applications learn where they listen and where they reach others, in every mode with the same words:
//
//   ${plait.bind}               the address to listen at: all of them in a namespace, the application's own on the
//   loopback
//   ${plait.addr.reviews}       the host to dial for a service: its name where connections are captured, an address
//   where not
//   ${plait.addr.reviews:9080}  with the port, which may be another one where connections are not captured
//
// A service is NAME, NAME.NAMESPACE, or the host of a ServiceEntry. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "local/pod_network.h"

namespace plait::local {

// `text` for a container of a pod in namespace `ns`. The first that names no service that the pod can reach stays as it
// is; its inner text ("plait.addr.x") goes to `unknown` (if not null, and still empty).
std::string ExpandPlaces(std::string_view text, const PodNetwork& network, std::string_view ns, std::string* unknown);

// Kubernetes' variables REVIEWS_SERVICE_HOST, REVIEWS_SERVICE_PORT, REVIEWS_SERVICE_PORT_HTTP for the services of the
// pod's namespace: the service's address of `hosts`, or the outlet where nothing is captured.
std::vector<EnvVar> ServiceVariables(const PodNetwork& network, const std::vector<MeshHost>& hosts,
                                     std::string_view ns);

}  // namespace plait::local
