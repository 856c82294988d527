#include "proxy/filters/cors/cors.h"

#include <algorithm>
#include <array>

namespace plait::proxy::filters {
namespace {
enum CorsStat : std::size_t { kOriginValid, kOriginInvalid };
constexpr std::array<telemetry::StatDef, 2> kStats = {{{.name = "cors.origin_valid"}, {.name = "cors.origin_invalid"}}};
constexpr std::array<std::string_view, 1> kLabels = {"http_conn_manager_prefix"};
constexpr telemetry::Schema kSchema{"http.", "envoy_http_", kLabels, kStats};
}  // namespace

struct Cors::Origin final : filter::FilterMemory {
  explicit Origin(std::string_view origin) : text(origin) {}
  const std::string text;  // allowed; goes into the response
};

Outcome<std::shared_ptr<const CorsSettings>> CorsSettings::Compile(const xds::CorsPolicy& policy) {
  auto settings = std::make_shared<CorsSettings>();
  settings->policy = policy;
  auto origins = match::CompileAll<match::StringMatch>(policy.allow_origins);
  if (!origins) return std::unexpected(origins.error());
  settings->origins = *std::move(origins);
  return settings;
}

bool CorsSettings::Allows(std::string_view origin) const {
  return std::any_of(origins.begin(), origins.end(),
                     [&](const match::StringMatch& one) { return one.Matches("*") || one.Matches(origin); });
}

Cors::Cors(const std::string& stat_prefix, telemetry::Registry& registry)
    : stats_(registry.SharedGroup(kSchema, {stat_prefix})) {}

filter::Verdict Cors::OnRequestHead(filter::RequestView request, const filter::FilterOverride* settings,
                                    filter::FilterState& state, filter::Resume& /*later*/) const {
  const auto* cors = dynamic_cast<const CorsSettings*>(settings);
  const auto origin = request.head.headers.Get("origin");
  if (cors == nullptr || !origin || origin->empty()) return filter::Continue{};
  const xds::CorsPolicy& policy = cors->policy;
  if (policy.enabled && request.random.Below(1'000'000) >= policy.enabled->per_million) return filter::Continue{};

  const bool allowed = cors->Allows(*origin);
  stats_->Add(allowed ? kOriginValid : kOriginInvalid);
  const auto asked = request.head.headers.Get("access-control-request-method");
  const bool preflight = request.head.method == "OPTIONS" && asked && !asked->empty();
  if (allowed) state = std::make_unique<Origin>(*origin);
  if (!preflight) return filter::Continue{};
  if (!allowed && policy.forward_not_matching_preflights) return filter::Continue{};
  filter::Reply reply{.status = 200, .body = {}, .details = "cors_response"};
  if (allowed) {
    reply.headers.Add("access-control-allow-origin", *origin);
    if (policy.allow_credentials) reply.headers.Add("access-control-allow-credentials", "true");
    if (!policy.allow_methods.empty()) reply.headers.Add("access-control-allow-methods", policy.allow_methods);
    if (!policy.allow_headers.empty()) reply.headers.Add("access-control-allow-headers", policy.allow_headers);
    if (!policy.max_age.empty()) reply.headers.Add("access-control-max-age", policy.max_age);
  }
  return reply;
}

void Cors::OnResponseHead(filter::RequestView /*request*/, http::ResponseHead& head,
                          const filter::FilterOverride* settings, filter::FilterState& state) const {
  const auto* cors = dynamic_cast<const CorsSettings*>(settings);
  const auto* origin = static_cast<const Origin*>(state.get());
  if (cors == nullptr || origin == nullptr) return;
  head.headers.Set("access-control-allow-origin", origin->text);
  if (cors->policy.allow_credentials) head.headers.Set("access-control-allow-credentials", "true");
  if (!cors->policy.expose_headers.empty())
    head.headers.Set("access-control-expose-headers", cors->policy.expose_headers);
}

}  // namespace plait::proxy::filters
