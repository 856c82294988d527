#pragma once
// The parts of a proxy's /config_dump (Envoy's JSON shape, admin/v3/config_dump.proto), and istioctl's filters on them.
// Tables: config_tables.h. Pure.
#include <span>
#include <string>
#include <string_view>

#include "cli/render.h"

namespace plait::cli {

// As istioctl's flags of the same names; empty or 0: everything. A filter narrows the kinds that it is of, and leaves
// the others whole.
struct ConfigFilter {
  std::string fqdn = {};       // cluster: a part of the service's name
  std::string direction = {};  // cluster: inbound or outbound
  std::string subset = {};     // cluster
  std::string address = {};    // listener, endpoint
  std::string name = {};       // route, secret
  std::string cluster = {};    // endpoint
  std::string status = {};     // endpoint: HEALTHY, UNHEALTHY (also by the outlier check), ...
  int port = 0;                // cluster, listener, endpoint
  bool OfEndpoints() const { return port != 0 || !address.empty() || !status.empty(); }
  friend bool operator==(const ConfigFilter&, const ConfigFilter&) = default;
};

// What a kind of configuration is called, and where a dump has it.
struct Section {
  std::string_view what;               // "cluster", as `plait pc` says
  const char* type;                    // end of the section's @type
  std::span<const char* const> lists;  // fields that hold resources; of the bootstrap, which is one thing, none
  const char* resource;                // field of an entry; a dynamic listener has it below active_state
};
std::span<const Section> Sections();

// Whether an element of `configs` is the section whose type ends with `type` (".ClustersConfigDump"), or, in the answer
// to ?resource=, an element of one of that section's lists.
bool IsSection(const Json& part, std::string_view type);
bool IsElementOf(const Json& part, std::string_view type);

// The part of the dump that `what` (cluster, listener, route, endpoint, secret) is about, as a list of resources:
// static and dynamic, active ones before those that warm; also of a dump of ?resource=.
Json ResourcesOf(const Json& dump, const std::string& what);
// Whether any of them is of a service that the proxy sends to: clusters and endpoints are also of its own workload and
// of the proxy itself.
bool HasService(const std::string& what, const Json& resources);
// The dump with what the proxy itself has found of each endpoint: `clusters` is its /clusters?format=json, whose
// HostHealthStatus (admin/v3/clusters.proto) goes to the endpoint as "host_health_status".
Json WithHostHealth(Json dump, const Json& clusters);
// Those that pass; of an endpoint assignment only the endpoints that pass.
Json Select(const std::string& what, const Json& resources, const ConfigFilter& filter);
// The dump with those that pass.
Json SelectAll(Json dump, const ConfigFilter& filter);
// The bootstrap, as the proxy read it; null when the dump has none.
const Json& BootstrapOf(const Json& dump);

// "outbound|9080|v1|reviews.default.svc.cluster.local"; `fqdn` is the whole name when it is no service's.
struct ClusterName {
  std::string direction, port, subset, fqdn;
};
ClusterName SplitClusterName(const std::string& name);
std::string AddressOf(const Json& address);  // of an envoy.config.core.v3.Address, without the port
std::string PortOf(const Json& address);
// HEALTHY unless the proxy, or else who told it of the endpoint, says otherwise. Ejection by outlier detection is none
// of it, as in istioctl.
std::string HealthOf(const Json& lb_endpoint);
// OK, FAILED (it is ejected), or "-" where the proxy was not asked.
std::string OutlierCheckOf(const Json& lb_endpoint);

}  // namespace plait::cli
