#pragma once
// A listener, compiled: its chains and how one of them is chosen. Immutable; made on the main thread, shared by
// workers.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/xds/listener.h"
#include "proxy/listen/chain_match.h"
#include "proxy/record/access_log.h"
#include "proxy/record/proxy_stats.h"
#include "proxy/session/chain.h"

namespace plait::proxy::listen {

struct CompiledListener {
  std::shared_ptr<const xds::Listener> config;
  std::shared_ptr<const record::AccessLogs> logs;  // of its connections; null: none
  std::shared_ptr<const record::ListenerStats> stats;
  ChainMatcher matcher{{}};
  std::vector<session::ChainPtr> chains;  // in the order of the matcher's rules
  session::ChainPtr default_chain;        // null: connections that match nothing are closed
  bool original_dst = false;              // restores the destination before capture
  bool needs_capture = false;             // Plait's forms: a connection without a restored destination is refused
  bool inspects_tls = false;              // the chain's choice, or the session, needs the ClientHello
  bool inspects_http = false;
  // filter_disabled: destination ports, [start, end), where that inspector is left out.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> tls_not_on;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> http_not_on;
  Duration inspection_timeout = std::chrono::seconds(15);  // 0: none

  bool InspectsTls(std::uint16_t port) const noexcept { return inspects_tls && !Holds(tls_not_on, port); }
  bool InspectsHttp(std::uint16_t port) const noexcept { return inspects_http && !Holds(http_not_on, port); }
  static bool Holds(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& ranges, std::uint16_t port) noexcept {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const auto& range) { return port >= range.first && port < range.second; });
  }
  const std::string& name() const noexcept { return config->name; }
};
using ListenerPtr = std::shared_ptr<const CompiledListener>;

// Errors name listener, chain and filter.
Outcome<ListenerPtr> CompileListener(std::shared_ptr<const xds::Listener> config, const session::Compilation& into);
std::vector<std::string> NeededRoutes(const CompiledListener& listener);
std::vector<std::string> NeededSecrets(const CompiledListener& listener);
std::vector<std::string> NamedClusters(const CompiledListener& listener);

}  // namespace plait::proxy::listen
