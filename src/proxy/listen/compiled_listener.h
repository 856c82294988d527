#pragma once
// A listener, compiled: its chains and how one of them is chosen. Immutable; made on the main thread, shared by
// workers.
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/xds/listener.h"
#include "proxy/listen/chain_match.h"
#include "proxy/record/access_log.h"
#include "proxy/session/chain.h"

namespace plait::proxy::listen {

struct CompiledListener {
  std::shared_ptr<const xds::Listener> config;
  std::shared_ptr<const record::AccessLogs> logs;  // of its connections; null: none
  ChainMatcher matcher{{}};
  std::vector<session::ChainPtr> chains;  // in the order of the matcher's rules
  session::ChainPtr default_chain;        // null: connections that match nothing are closed
  bool original_dst = false;              // restores the destination before capture
  bool needs_capture = false;             // Plait's forms: a connection without a restored destination is refused
  bool inspects_tls = false;              // the chain's choice, or the session, needs the ClientHello
  bool inspects_http = false;
  Duration inspection_timeout = std::chrono::seconds(15);  // 0: none

  const std::string& name() const noexcept { return config->name; }
};
using ListenerPtr = std::shared_ptr<const CompiledListener>;

// Errors name listener, chain and filter.
Outcome<ListenerPtr> CompileListener(std::shared_ptr<const xds::Listener> config, const session::Compilation& into);
std::vector<std::string> NeededRoutes(const CompiledListener& listener);
std::vector<std::string> NeededSecrets(const CompiledListener& listener);

}  // namespace plait::proxy::listen
