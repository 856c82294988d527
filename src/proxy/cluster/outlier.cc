#include "proxy/cluster/outlier.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

namespace plait::proxy::cluster {

OutlierDetector::OutlierDetector(io::Loop& main, const ClusterState& state, std::function<void()> changed)
    : main_(main), state_(state), changed_(std::move(changed)), interval_([this] { OnInterval(); }) {}

void OutlierDetector::Configure(const std::optional<xds::OutlierDetection>& config) {
  config_ = config;
  const auto limit = [](std::uint32_t count) { return count == 0 ? UINT32_MAX : count; };
  on_.store(config.has_value(), std::memory_order_relaxed);
  if (!config) {
    interval_.Cancel();
    bool readmitted = false;
    for (const auto& host : hosts_) {
      if (!host->ejected_.exchange(false, std::memory_order_relaxed)) continue;
      state_.AddGauge(ClusterStat::kOutlierEjectionsActive, -1);
      readmitted = true;
    }
    if (readmitted) changed_();
    return;
  }
  split_.store(config->split_external_local_origin_errors, std::memory_order_relaxed);
  limit_5xx_.store(limit(config->consecutive_5xx), std::memory_order_relaxed);
  limit_gateway_.store(limit(config->consecutive_gateway_failure), std::memory_order_relaxed);
  limit_local_.store(limit(config->consecutive_local_origin_failure), std::memory_order_relaxed);
  if (!interval_.armed()) interval_.Start(main_.timers(), config->interval);
}

void OutlierDetector::SetHosts(std::vector<std::shared_ptr<Host>> hosts) {
  const auto before = std::exchange(hosts_, std::move(hosts));
  if (std::none_of(before.begin(), before.end(), [](const auto& host) { return host->ejected(); })) return;
  const std::unordered_set<std::shared_ptr<Host>> stay(hosts_.begin(), hosts_.end());
  for (const auto& host : before) {
    if (host->ejected() && !stay.contains(host)) state_.AddGauge(ClusterStat::kOutlierEjectionsActive, -1);
  }
}

void OutlierDetector::Bump(std::atomic<std::uint32_t>& count, const std::atomic<std::uint32_t>& limit, const Host& host,
                           Reason reason) noexcept {
  const std::uint32_t failures = count.fetch_add(1, std::memory_order_relaxed) + 1;
  const std::uint32_t most = limit.load(std::memory_order_relaxed);
  if (failures < most) return;  // beyond it: the limit has become lower since, or another worker is faster
  if (count.exchange(0, std::memory_order_relaxed) >= most) Ask(host, reason);
}

void OutlierDetector::Count(const Host& constant, bool failed, bool gateway) noexcept {
  auto& host = const_cast<Host&>(constant);  // its counters are not part of what a host is
  host.interval_total_.fetch_add(1, std::memory_order_relaxed);
  if (!failed) {
    host.interval_success_.fetch_add(1, std::memory_order_relaxed);
    if (host.consecutive_5xx_.load(std::memory_order_relaxed) != 0)
      host.consecutive_5xx_.store(0, std::memory_order_relaxed);
  } else {
    Bump(host.consecutive_5xx_, limit_5xx_, host, Reason::kConsecutive5xx);
  }
  if (gateway) {
    Bump(host.consecutive_gateway_, limit_gateway_, host, Reason::kGateway);
  } else if (host.consecutive_gateway_.load(std::memory_order_relaxed) != 0) {
    host.consecutive_gateway_.store(0, std::memory_order_relaxed);
  }
}

void OutlierDetector::Answered(const Host& host, std::uint16_t status) noexcept {
  if (!on_.load(std::memory_order_relaxed)) return;
  Count(host, status >= 500, status >= 502 && status <= 504);
}

void OutlierDetector::FailedLocally(const Host& constant, LocalFailure /*failure*/) noexcept {
  if (!on_.load(std::memory_order_relaxed)) return;
  if (!split_.load(std::memory_order_relaxed)) return Count(constant, true, true);  // counts as 503 or 504, as in Envoy
  auto& host = const_cast<Host&>(constant);
  Bump(host.consecutive_local_, limit_local_, host, Reason::kLocal);
}

void OutlierDetector::Connected(const Host& constant) noexcept {
  if (!on_.load(std::memory_order_relaxed)) return;
  auto& host = const_cast<Host&>(constant);
  if (split_.load(std::memory_order_relaxed)) {
    host.consecutive_local_.store(0, std::memory_order_relaxed);
  } else {
    Count(host, false, false);
  }
}

void OutlierDetector::ConnectedForRequests(const Host& constant) noexcept {
  if (!on_.load(std::memory_order_relaxed) || !split_.load(std::memory_order_relaxed)) return;
  const_cast<Host&>(constant).consecutive_local_.store(0, std::memory_order_relaxed);
}

void OutlierDetector::Ask(const Host& host, Reason reason) noexcept {
  // The host is looked up by its address there: it may have left the cluster meanwhile.
  main_.Post([self = weak_from_this(), wanted = &host, reason] {
    if (const auto detector = self.lock()) detector->Eject(wanted, reason);
  });
}

std::size_t OutlierDetector::EjectedCount() const {
  return static_cast<std::size_t>(
      std::count_if(hosts_.begin(), hosts_.end(), [](const auto& host) { return host->ejected(); }));
}

// As Envoy: whole milliseconds, the maximum included.
Duration OutlierDetector::Jitter() {
  const auto most = std::chrono::duration_cast<std::chrono::milliseconds>(config_->max_ejection_time_jitter).count();
  if (most <= 0) return Duration(0);
  return std::chrono::milliseconds(random_.Below(static_cast<std::uint64_t>(most) + 1));
}

void OutlierDetector::Eject(const Host* wanted, Reason reason) {
  if (!config_) return;
  const auto at = std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& host) { return host.get() == wanted; });
  if (at == hosts_.end() || (*at)->ejected()) return;
  const std::uint32_t enforced = reason == Reason::kConsecutive5xx ? config_->enforcing_consecutive_5xx
                                 : reason == Reason::kGateway      ? config_->enforcing_consecutive_gateway_failure
                                 : reason == Reason::kLocal        ? config_->enforcing_consecutive_local_origin_failure
                                                                   : config_->enforcing_success_rate;
  if (random_.Below(100) >= enforced) return;
  const std::size_t ejected = EjectedCount();
  if (ejected > 0 && ejected * 100 >= std::size_t{config_->max_ejection_percent} * hosts_.size()) {
    return state_.Add(ClusterStat::kOutlierEjectionsOverflow);
  }
  Host& host = **at;
  host.ejected_.store(true, std::memory_order_relaxed);
  host.ejected_at_ = main_.Now();
  host.ejection_jitter_ = Jitter();
  ++host.ejections_;
  state_.AddGauge(ClusterStat::kOutlierEjectionsActive, 1);
  state_.Add(ClusterStat::kOutlierEjectionsEnforcedTotal);
  if (reason == Reason::kConsecutive5xx) state_.Add(ClusterStat::kOutlierEjectionsConsecutive5xx);
  if (reason == Reason::kGateway) state_.Add(ClusterStat::kOutlierEjectionsConsecutiveGatewayFailure);
  changed_();
}

// Ejects hosts whose share of successes lies far below the mean of hosts with enough traffic.
bool OutlierDetector::EjectBySuccessRate() {
  struct Rate {
    const Host* host;
    double value;
  };
  std::vector<Rate> rates;
  for (const auto& host : hosts_) {
    const std::uint32_t total = host->interval_total_.exchange(0, std::memory_order_relaxed);
    const std::uint32_t success = host->interval_success_.exchange(0, std::memory_order_relaxed);
    if (!host->ejected() && total > 0 && total >= config_->success_rate_request_volume) {
      rates.push_back({host.get(), 100.0 * success / total});
    }
  }
  if (config_->enforcing_success_rate == 0 || rates.empty() || rates.size() < config_->success_rate_minimum_hosts) {
    return false;
  }
  double mean = 0;
  for (const Rate& rate : rates) mean += rate.value / static_cast<double>(rates.size());
  double variance = 0;
  for (const Rate& rate : rates)
    variance += (rate.value - mean) * (rate.value - mean) / static_cast<double>(rates.size());
  const double floor = mean - std::sqrt(variance) * config_->success_rate_stdev_factor / 1000.0;
  for (const Rate& rate : rates) {
    if (rate.value < floor) Eject(rate.host, Reason::kSuccessRate);
  }
  return true;
}

void OutlierDetector::OnInterval() {
  if (!config_) return;
  EjectBySuccessRate();
  const Duration longest =
      config_->max_ejection_time.value_or(std::max<Duration>(config_->base_ejection_time, std::chrono::seconds(300)));
  bool readmitted = false;
  for (const auto& host : hosts_) {
    if (!host->ejected()) {
      if (host->ejections_ > 0) --host->ejections_;  // good behaviour shortens the next ejection
      continue;
    }
    // Never multiplied beyond what the type holds.
    const bool most = host->ejections_ > 0 && config_->base_ejection_time > longest / host->ejections_;
    const Duration time = most ? longest : Duration(config_->base_ejection_time * host->ejections_);
    if (main_.Now() - host->ejected_at_ - host->ejection_jitter_ < time) continue;
    host->ejected_.store(false, std::memory_order_relaxed);
    host->consecutive_5xx_.store(0, std::memory_order_relaxed);
    host->consecutive_gateway_.store(0, std::memory_order_relaxed);
    host->consecutive_local_.store(0, std::memory_order_relaxed);
    state_.AddGauge(ClusterStat::kOutlierEjectionsActive, -1);
    readmitted = true;
  }
  interval_.Start(main_.timers(), config_->interval);
  if (readmitted) changed_();
}

}  // namespace plait::proxy::cluster
