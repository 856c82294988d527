#include "proxy/filters/factory.h"

#include <algorithm>

#include "proxy/filters/cors/cors.h"
#include "proxy/filters/fault/fault.h"
#include "proxy/filters/rbac/http_rbac.h"

namespace plait::proxy::filters {
namespace {

using filter::HttpFilter;
using MadeFilter = Outcome<std::unique_ptr<const HttpFilter>>;
using MadeOverride = Outcome<std::shared_ptr<const filter::FilterOverride>>;

struct Maker {
  const std::string& stat_prefix;
  telemetry::Registry& registry;

  MadeFilter operator()(const xds::RbacFilter& config) const {
    return HttpRbac::Compile(config, stat_prefix, registry);
  }
  MadeFilter operator()(const xds::FaultPolicy& config) const { return Fault::Compile(config, stat_prefix, registry); }
  MadeFilter operator()(const xds::CorsFilter&) const { return std::make_unique<Cors>(stat_prefix, registry); }
  // These ask nothing of a request on its way: the connection manager routes, chooses the ALPN, counts messages and
  // records Istio's metrics by itself.
  MadeFilter operator()(const xds::RouterFilter&) const { return nullptr; }
  MadeFilter operator()(const xds::IstioAlpnFilter&) const { return nullptr; }
  MadeFilter operator()(const xds::IstioStatsFilter&) const { return nullptr; }
  MadeFilter operator()(const xds::GrpcStatsFilter&) const { return nullptr; }
};

struct OverrideMaker {
  MadeOverride operator()(const xds::FilterSwitch& config) const {
    auto made = std::make_shared<filter::FilterOverride>();
    made->activation = config.disabled ? filter::FilterOverride::Switch::kOff : filter::FilterOverride::Switch::kOn;
    return made;
  }
  MadeOverride operator()(const xds::RbacOverride& config) const { return CompileRbacOverride(config); }
  MadeOverride operator()(const xds::CorsPolicy& config) const { return CorsSettings::Compile(config); }
  MadeOverride operator()(const xds::FaultPolicy& config) const { return FaultSettings::Compile(config); }
};

Diagnostic Under(Diagnostic why, const std::string& name) {
  why.message = "HTTP filter '" + name + "': " + why.message;
  return why;
}

}  // namespace

Outcome<std::shared_ptr<const filter::HttpFilterChain>> CompileChain(const std::vector<xds::HttpFilter>& filters,
                                                                     const std::string& stat_prefix,
                                                                     telemetry::Registry& registry) {
  std::vector<filter::HttpFilterChain::Entry> entries;
  for (const xds::HttpFilter& config : filters) {
    MadeFilter made = std::visit(Maker{stat_prefix, registry}, config.config);
    if (!made) return std::unexpected(Under(made.error(), config.name));
    if (*made != nullptr) {
      entries.push_back({.name = config.name, .filter = *std::move(made), .disabled = config.disabled});
    }
  }
  return std::make_shared<const filter::HttpFilterChain>(std::move(entries));
}

Outcome<filter::FilterOverrides> CompileOverrides(const std::vector<const xds::PerFilterConfig*>& levels) {
  filter::FilterOverrides overrides;
  for (const xds::PerFilterConfig* level : levels) {
    for (const auto& [name, config] : *level) {
      const bool known =
          std::any_of(overrides.begin(), overrides.end(), [&](const auto& one) { return one.first == name; });
      if (known) continue;
      MadeOverride made = std::visit(OverrideMaker{}, config);
      if (!made) return std::unexpected(Under(made.error(), name));
      overrides.emplace_back(name, *std::move(made));
    }
  }
  return overrides;
}

}  // namespace plait::proxy::filters
