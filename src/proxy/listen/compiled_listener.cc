#include "proxy/listen/compiled_listener.h"

#include <algorithm>

namespace plait::proxy::listen {
namespace {

bool HasFilter(const xds::Listener& listener, xds::ListenerFilter::Kind kind) {
  return std::any_of(listener.listener_filters.begin(), listener.listener_filters.end(),
                     [&](const xds::ListenerFilter& filter) { return filter.kind == kind; });
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> DisabledPorts(const xds::Listener& listener,
                                                                   xds::ListenerFilter::Kind kind) {
  for (const xds::ListenerFilter& filter : listener.listener_filters)
    if (filter.kind == kind) return filter.disabled_ports;
  return {};
}

template <class Names>
std::vector<std::string> Gather(const CompiledListener& listener, Names names) {
  std::vector<std::string> all;
  const auto add = [&](const session::ChainPtr& chain) {
    if (chain == nullptr) return;
    for (std::string& name : names(*chain)) all.push_back(std::move(name));
  };
  for (const session::ChainPtr& chain : listener.chains) add(chain);
  add(listener.default_chain);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// As Envoy: its stat_prefix, else its first address.
std::string StatName(const xds::Listener& listener) {
  if (!listener.stat_prefix.empty()) return listener.stat_prefix;
  return listener.addresses.empty() ? listener.name : record::StatNameOf(listener.addresses.front().address);
}

bool IsPlaitForm(const session::ChainPtr& chain) {
  using namespace session;
  return chain != nullptr && (std::holds_alternative<std::shared_ptr<const OutboundConfig>>(chain->terminal) ||
                              std::holds_alternative<std::shared_ptr<const InboundConfig>>(chain->terminal));
}

}  // namespace

Outcome<ListenerPtr> CompileListener(std::shared_ptr<const xds::Listener> config, const session::Compilation& into) {
  auto listener = std::make_shared<CompiledListener>();
  const auto refuse = [&](Diagnostic why) {
    why.message = "listener " + config->name + ": " + why.message;
    return std::unexpected(std::move(why));
  };
  const std::string stat_name = StatName(*config);
  const session::Compilation of_listener{.registry = into.registry, .logs = into.logs, .listener = stat_name};
  std::vector<xds::FilterChainMatch> rules;
  for (const xds::FilterChain& chain : config->filter_chains) {
    if (std::find(rules.begin(), rules.end(), chain.match) != rules.end()) {
      return refuse({.message = "filter chain '" + chain.name + "' has the same match as an earlier one"});
    }
    rules.push_back(chain.match);
    auto compiled = session::CompileChain(chain, of_listener);
    if (!compiled) return refuse(compiled.error());
    listener->chains.push_back(std::move(*compiled));
  }
  if (config->default_filter_chain) {
    auto compiled = session::CompileChain(*config->default_filter_chain, of_listener);
    if (!compiled) return refuse(compiled.error());
    listener->default_chain = std::move(*compiled);
  }
  if (listener->chains.empty() && listener->default_chain == nullptr) {
    return refuse({.message = "no filter chain"});
  }
  if (!config->access_logs.empty()) {
    auto logs = record::AccessLogs::Compile(config->access_logs, into.logs);
    if (!logs) return refuse(logs.error());
    listener->logs = std::move(*logs);
  }
  listener->matcher = ChainMatcher(std::move(rules));
  listener->stats = std::make_shared<const record::ListenerStats>(into.registry, stat_name);
  using Kind = xds::ListenerFilter::Kind;
  for (const xds::ListenerFilter& filter : config->listener_filters) {
    if (filter.kind == Kind::kProxyProtocol || filter.kind == Kind::kOriginalSrc)
      return refuse({.message = "listener filter '" + filter.name + "' is not implemented"});
  }
  listener->needs_capture = IsPlaitForm(listener->default_chain) ||
                            std::any_of(listener->chains.begin(), listener->chains.end(), IsPlaitForm);
  listener->original_dst =
      listener->needs_capture || HasFilter(*config, Kind::kOriginalDst) || config->use_original_dst;
  // As Envoy: a chain that needs the ClientHello makes the inspector run, whether it is listed or not.
  listener->inspects_tls = HasFilter(*config, Kind::kTlsInspector) || listener->matcher.needs_tls_inspection();
  listener->inspects_http = HasFilter(*config, Kind::kHttpInspector);
  listener->tls_not_on = DisabledPorts(*config, Kind::kTlsInspector);
  listener->http_not_on = DisabledPorts(*config, Kind::kHttpInspector);
  listener->inspection_timeout = config->listener_filters_timeout.value_or(std::chrono::seconds(15));
  listener->config = std::move(config);
  return listener;
}

std::vector<std::string> NeededRoutes(const CompiledListener& listener) {
  return Gather(listener, [](const session::Chain& chain) { return session::NeededRoutes(chain); });
}

std::vector<std::string> NeededSecrets(const CompiledListener& listener) {
  return Gather(listener, [](const session::Chain& chain) { return session::NeededSecrets(chain); });
}

std::vector<std::string> NamedClusters(const CompiledListener& listener) {
  return Gather(listener, [](const session::Chain& chain) { return session::NamedClusters(chain); });
}

}  // namespace plait::proxy::listen
