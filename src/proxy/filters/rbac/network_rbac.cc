#include "proxy/filters/rbac/network_rbac.h"

#include "proxy/filters/rbac/stats.h"

namespace plait::proxy::filters {

Outcome<std::shared_ptr<const NetworkRbac>> NetworkRbac::Compile(const xds::NetworkRbac& config,
                                                                 telemetry::Registry& registry) {
  auto filter = std::shared_ptr<NetworkRbac>(new NetworkRbac);
  const auto compile = [](const std::optional<xds::RbacRules>& rules,
                          std::shared_ptr<const RbacEngine>& into) -> Outcome<> {
    if (!rules) return {};
    auto engine = RbacEngine::Compile(*rules, /*with_requests=*/false);
    if (!engine) return std::unexpected(engine.error());
    into = *std::move(engine);
    return {};
  };
  if (auto done = compile(config.rules, filter->rules_); !done) return std::unexpected(done.error());
  if (auto done = compile(config.shadow_rules, filter->shadow_); !done) return std::unexpected(done.error());
  std::string prefix = config.stat_prefix;
  if (prefix.ends_with('.')) prefix.pop_back();
  filter->stats_ = registry.SharedGroup(kNetworkRbacSchema, {prefix});
  return filter;
}

NetworkVerdict NetworkRbac::Check(const record::ConnectionInfo& connection, bool count) const {
  const RbacSubject subject{.connection = connection, .remote = connection.remote.ip};
  if (shadow_ && count) {
    const RbacResult result = shadow_->Check(subject);
    LogDryRun(result, subject);
    stats_->Add(result.allowed ? kRbacShadowAllowed : kRbacShadowDenied);
  }
  if (!rules_) return {};
  const RbacResult result = rules_->Check(subject);
  if (count) stats_->Add(result.allowed ? kRbacAllowed : kRbacDenied);
  if (result.allowed) return {};
  return {.allowed = false, .details = DeniedDetails(result.policy)};
}

filter::Forecast NetworkRbac::Foresee(const record::ConnectionInfo& connection, filter::UnknownFacts unknown) const {
  return ForeseeRbac(rules_.get(), shadow_.get(),
                     {.connection = connection, .remote = connection.remote.ip, .unknown = unknown});
}

NetworkVerdict CheckAll(const std::vector<std::shared_ptr<const NetworkRbac>>& all,
                        const record::ConnectionInfo& connection, bool count) {
  for (const std::shared_ptr<const NetworkRbac>& rules : all) {
    NetworkVerdict verdict = rules->Check(connection, count);
    if (!verdict.allowed) return verdict;
  }
  return {};
}

}  // namespace plait::proxy::filters
