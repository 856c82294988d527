#include "proxy/filters/rbac/http_rbac.h"

#include "proxy/filters/rbac/stats.h"

namespace plait::proxy::filters {
namespace {
constexpr std::string_view kMetadata = "envoy.filters.http.rbac";  // its namespace, whatever the filter is called
}  // namespace

Outcome<RbacRuleSets> RbacRuleSets::Compile(const xds::RbacFilter& config) {
  RbacRuleSets sets;
  if (config.rules) {
    auto engine = RbacEngine::Compile(*config.rules, /*with_requests=*/true);
    if (!engine) return std::unexpected(engine.error());
    sets.rules = *std::move(engine);
  }
  if (config.shadow_rules) {
    auto engine = RbacEngine::Compile(*config.shadow_rules, /*with_requests=*/true);
    if (!engine) return std::unexpected(engine.error());
    sets.shadow = *std::move(engine);
    sets.shadow_result_key = config.shadow_rules_stat_prefix + "shadow_engine_result";
    sets.shadow_policy_key = config.shadow_rules_stat_prefix + "shadow_effective_policy_id";
  }
  return sets;
}

Outcome<std::unique_ptr<const filter::HttpFilter>> HttpRbac::Compile(const xds::RbacFilter& config,
                                                                     const std::string& stat_prefix,
                                                                     telemetry::Registry& registry) {
  Outcome<RbacRuleSets> sets = RbacRuleSets::Compile(config);
  if (!sets) return std::unexpected(sets.error());
  return std::make_unique<HttpRbac>(*std::move(sets), registry.SharedGroup(kHttpRbacSchema, {stat_prefix}));
}

const RbacRuleSets& HttpRbac::SetsFor(const filter::FilterOverride* settings) const {
  const auto* override = dynamic_cast<const RbacSettings*>(settings);
  return override != nullptr ? override->sets : sets_;
}

filter::Verdict HttpRbac::OnRequestHead(filter::RequestView request, const filter::FilterOverride* settings,
                                        filter::FilterState& /*state*/, filter::Resume& /*later*/) const {
  const RbacRuleSets& sets = SetsFor(settings);
  const RbacSubject subject{
      .connection = *request.record.connection, .remote = request.record.remote.ip, .head = &request.head};
  if (sets.shadow) {
    const RbacResult result = sets.shadow->Check(subject);
    LogDryRun(result, subject);
    stats_->Add(result.allowed ? kRbacShadowAllowed : kRbacShadowDenied);
    auto& metadata = request.record.metadata;
    metadata.push_back({kMetadata, sets.shadow_result_key, result.allowed ? "allowed" : "denied"});
    if (result.policy != nullptr) metadata.push_back({kMetadata, sets.shadow_policy_key, *result.policy});
  }
  if (!sets.rules) return filter::Continue{};
  const RbacResult result = sets.rules->Check(subject);
  if (result.allowed) {
    stats_->Add(kRbacAllowed);
    return filter::Continue{};
  }
  stats_->Add(kRbacDenied);
  return filter::Reply{.status = 403, .body = "RBAC: access denied", .details = DeniedDetails(result.policy)};
}

std::optional<filter::Forecast> HttpRbac::Foresee(filter::RequestView request,
                                                  const filter::FilterOverride* settings) const {
  const RbacRuleSets& sets = SetsFor(settings);
  const RbacSubject subject{.connection = *request.record.connection,
                            .remote = request.record.remote.ip,
                            .head = &request.head,
                            .unknown = request.unknown};
  if (!sets.rules && !sets.shadow) return std::nullopt;
  return ForeseeRbac(sets.rules.get(), sets.shadow.get(), subject);
}

Outcome<std::shared_ptr<const filter::FilterOverride>> CompileRbacOverride(const xds::RbacOverride& config) {
  auto settings = std::make_shared<RbacSettings>();
  if (config.rbac) {
    Outcome<RbacRuleSets> sets = RbacRuleSets::Compile(*config.rbac);
    if (!sets) return std::unexpected(sets.error());
    settings->sets = *std::move(sets);
  }
  return settings;
}

}  // namespace plait::proxy::filters
