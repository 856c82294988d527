#pragma once
// By what a workload's proxy, a plait-proxy or an Envoy, is kept running and known to be ready.
#include "core/base/proxy_ports.h"
#include "local/back_off.h"
#include "local/desired.h"

namespace plait::local {

inline constexpr BackOff::Limits kProxyBackOff = {
    .first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(10), .healthy = std::chrono::seconds(30)};

// Asked each second; not ready after three misses in a row: the main thread, which answers, may be busy for seconds
// with what plaitd sent, while workers serve, and a plait-proxy's restart loses no connection.
inline ProbeSpec ProxyReadiness() {
  ProbeSpec probe;
  probe.kind = ProbeSpec::Kind::kHttp;
  probe.port = proxy_ports::kReadiness;
  probe.path = "/healthz/ready";
  probe.period = std::chrono::seconds(1);
  probe.failure_threshold = 3;
  return probe;
}

}  // namespace plait::local
