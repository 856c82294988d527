#pragma once
// Authorization of a TCP connection. Pure: evaluated when the connection begins, and again for living connections when
// the configuration changes. Mirrors envoy.filters.network.rbac.
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/telemetry/registry.h"
#include "core/xds/network_filters.h"
#include "proxy/filters/rbac/engine.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::filters {

struct NetworkVerdict {
  bool allowed = true;
  std::string details;  // %CONNECTION_TERMINATION_DETAILS%: rbac_access_denied_matched_policy[...]
};

class NetworkRbac {
 public:
  // Errors: rules that need a request, or that cannot be evaluated exactly.
  static Outcome<std::shared_ptr<const NetworkRbac>> Compile(const xds::NetworkRbac& config,
                                                             telemetry::Registry& registry);
  // `count`: in the filter's allowed and denied statistics (not when a living connection is looked at again).
  NetworkVerdict Check(const record::ConnectionInfo& connection, bool count = true) const;
  // The same verdict with its reason, for /plait/explain; counts nothing.
  filter::Forecast Foresee(const record::ConnectionInfo& connection, filter::UnknownFacts unknown = {}) const;

 private:
  NetworkRbac() = default;
  std::shared_ptr<const RbacEngine> rules_;
  std::shared_ptr<const RbacEngine> shadow_;
  std::shared_ptr<const telemetry::Group> stats_;
};

// Of several in their order: the first denial, else that all allow. Those behind a denial are not asked.
NetworkVerdict CheckAll(const std::vector<std::shared_ptr<const NetworkRbac>>& all,
                        const record::ConnectionInfo& connection, bool count = true);

}  // namespace plait::proxy::filters
