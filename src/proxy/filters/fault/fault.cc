#include "proxy/filters/fault/fault.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/io/timer.h"

namespace plait::proxy::filters {
namespace {
constexpr std::array<telemetry::StatDef, 4> kStats = {{
    {.name = "fault.delays_injected"},
    {.name = "fault.aborts_injected"},
    {.name = "fault.faults_overflow"},
    {.name = "fault.active_faults", .kind = telemetry::Kind::kGauge},
}};
constexpr std::array<std::string_view, 1> kLabels = {"http_conn_manager_prefix"};
constexpr telemetry::Schema kSchema{"http.", "envoy_http_", kLabels, kStats};

// "50 %", "0.1 %"
std::string FormatPercent(xds::Fraction part) {
  std::string text = std::to_string(part.per_million / 10'000);
  if (const std::uint32_t rest = part.per_million % 10'000; rest != 0) {
    std::string digits = std::to_string(10'000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + " %";
}

bool Hits(xds::Fraction share, Random& random) { return random.Below(1'000'000) < share.per_million; }
}  // namespace

Outcome<std::shared_ptr<const FaultSettings>> FaultSettings::Compile(const xds::FaultPolicy& policy) {
  auto settings = std::make_shared<FaultSettings>();
  settings->policy = policy;
  auto headers = match::CompileAll<match::HeaderMatch>(policy.headers);
  if (!headers) return std::unexpected(headers.error());
  settings->headers = *std::move(headers);
  return settings;
}

bool FaultSettings::AppliesTo(const filter::RequestView& request) const {
  if (!policy.upstream_cluster.empty() && policy.upstream_cluster != request.cluster) return false;
  return std::all_of(headers.begin(), headers.end(),
                     [&](const match::HeaderMatch& header) { return header.Matches(request.head); });
}

Outcome<std::unique_ptr<const filter::HttpFilter>> Fault::Compile(const xds::FaultPolicy& policy,
                                                                  const std::string& stat_prefix,
                                                                  telemetry::Registry& registry) {
  auto settings = FaultSettings::Compile(policy);
  if (!settings) return std::unexpected(settings.error());
  return std::make_unique<Fault>(*std::move(settings), registry.SharedGroup(kSchema, {stat_prefix}));
}

// A request that is held back. Its place is free again once the delay is over, or the request.
struct Fault::Delayed final : filter::FilterMemory {
  explicit Delayed(const Fault& of) : owner(of) { owner.stats_->AddGauge(kActiveFaults, 1); }
  ~Delayed() override { End(); }
  void End() noexcept {
    if (!std::exchange(active, false)) return;
    owner.active_.Return();
    owner.stats_->AddGauge(kActiveFaults, -1);
  }
  const Fault& owner;
  bool active = true;
  io::Timer timer;
};

bool Fault::TakeActive(const FaultSettings& settings) const noexcept {
  const std::uint32_t most = settings.policy.max_active_faults.value_or(UINT32_MAX);
  if (active_.TakeUpTo(most)) return true;
  stats_->Add(kFaultsOverflow);
  return false;
}

filter::Verdict Fault::MaybeAbort(const FaultSettings& settings, filter::RequestView request, bool active) const {
  const auto& abort = settings.policy.abort;
  if (!abort || !Hits(abort->fraction, request.random)) return filter::Continue{};
  if (!active) {
    if (!TakeActive(settings)) return filter::Continue{};
    active_.Return();  // over as soon as it began
  }
  stats_->Add(kAbortsInjected);
  return filter::Reply{.status = abort->grpc_status ? std::uint16_t{200} : abort->http_status,
                       .body = "fault filter abort",
                       .flag = record::ResponseFlag::kFaultInjected,
                       .details = "fault_filter_abort",
                       .grpc_status = abort->grpc_status};
}

const FaultSettings& Fault::SettingsFor(const filter::FilterOverride* settings) const {
  const auto* override = dynamic_cast<const FaultSettings*>(settings);
  return override != nullptr ? *override : *own_;
}

// Shares below the whole are told as such: which requests they hit is decided by chance.
std::optional<filter::Forecast> Fault::Foresee(filter::RequestView request,
                                               const filter::FilterOverride* settings) const {
  const FaultSettings& fault = SettingsFor(settings);
  if (!fault.AppliesTo(request)) return std::nullopt;
  filter::Forecast forecast;
  const auto share = [](xds::Fraction part) { return FormatPercent(part) + " of requests"; };
  if (const auto& delay = fault.policy.delay;
      delay && delay->fixed > Duration::zero() && delay->fraction.per_million > 0)
    forecast.note = "fault: delays " + share(delay->fraction) + " by " + FormatDuration(delay->fixed);
  if (const auto& abort = fault.policy.abort; abort && abort->fraction.per_million > 0) {
    const std::uint16_t status = abort->grpc_status ? std::uint16_t{200} : abort->http_status;
    forecast.note += (forecast.note.empty() ? "fault: " : ", ") + ("answers " + share(abort->fraction)) + " with " +
                     std::to_string(status);
    if (abort->fraction.per_million >= 1'000'000) {
      forecast.passes = false;
      forecast.status = status;
      forecast.details = "fault_filter_abort";
    }
  }
  return forecast.note.empty() ? std::nullopt : std::optional(std::move(forecast));
}

filter::Verdict Fault::OnRequestHead(filter::RequestView request, const filter::FilterOverride* settings,
                                     filter::FilterState& state, filter::Resume& later) const {
  const FaultSettings& fault = SettingsFor(settings);
  if (!fault.AppliesTo(request)) return filter::Continue{};
  const auto& delay = fault.policy.delay;
  if (!delay || delay->fixed <= Duration::zero() || !Hits(delay->fraction, request.random) || !TakeActive(fault)) {
    return MaybeAbort(fault, request, /*active=*/false);
  }
  stats_->Add(kDelaysInjected);
  request.record.flags.Set(record::ResponseFlag::kDelayInjected);
  auto delayed = std::make_unique<Delayed>(*this);
  delayed->timer.SetCallback([this, &fault, request, &later, &held = *delayed] {
    filter::Verdict verdict = MaybeAbort(fault, request, /*active=*/true);
    held.End();
    later(std::move(verdict));
  });
  delayed->timer.Start(request.loop.timers(), delay->fixed);
  state = std::move(delayed);
  return filter::Pause{};
}

}  // namespace plait::proxy::filters
