#pragma once
// Header operations of one level (configuration, virtual host, route, weighted cluster), compiled. Immutable.
// Mirrors Envoy's HeaderParser: removals first, then what is replaced (it moves to the end), then what is added, each
// in order. Values may hold command operators; they, and the conditions, are of the fields after the removals.
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/http/headers.h"
#include "core/xds/route.h"
#include "proxy/record/format.h"

namespace plait::proxy::route {

class HeaderRules {
 public:
  // Null when there is nothing to do. Host and pseudo fields cannot be changed this way (host_rewrite can): an error.
  static Outcome<std::shared_ptr<const HeaderRules>> Compile(const xds::HeaderOps& ops);
  void ApplyToRequest(http::Headers& headers, const record::StreamRecord& record) const {
    Apply(request_remove_, request_add_, headers, record);
  }
  void ApplyToResponse(http::Headers& headers, const record::StreamRecord& record) const {
    Apply(response_remove_, response_add_, headers, record);
  }

 private:
  struct Addition {
    std::string name;
    record::Format value;
    xds::HeaderOption::Action action;
    bool keep_empty;
  };
  static Outcome<std::vector<Addition>> CompileAdditions(const std::vector<xds::HeaderOption>& options);
  static void Apply(const std::vector<std::string>& remove, const std::vector<Addition>& add, http::Headers& headers,
                    const record::StreamRecord& record);

  std::vector<std::string> request_remove_, response_remove_;
  std::vector<Addition> request_add_, response_add_;  // what replaces comes first
};

}  // namespace plait::proxy::route
