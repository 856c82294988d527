#include "control/translate/listener_parts.h"

#include <algorithm>
#include <span>
#include <utility>

#include "control/translate/connection_manager.h"
#include "control/translate/names.h"

namespace plait::control::translate {
namespace {

bool SameMatch(const std::string& a, const std::string& b) { return a == b; }
bool SameMatch(const io::Cidr& a, const io::Cidr& b) { return a.length == b.length && a.Contains(b.base); }

// Leaves in a list of `match` what it does not say twice and no chain before says that matches the same but for the
// list. False: nothing is left.
template <class T>
bool KeepNew(std::vector<T> xds::FilterChainMatch::* list, std::span<const xds::FilterChain> before,
             xds::FilterChainMatch& match) {
  const std::vector<T> all = std::exchange(match.*list, {});
  const auto has = [](const std::vector<T>& known, const T& one) {
    return std::any_of(known.begin(), known.end(), [&](const T& other) { return SameMatch(one, other); });
  };
  std::vector<T> out;
  for (const T& one : all) {
    const bool known = std::any_of(before.begin(), before.end(), [&](const xds::FilterChain& other) {
      if (!has(other.match.*list, one)) return false;
      xds::FilterChainMatch rest = other.match;
      (rest.*list).clear();
      return rest == match;
    });
    if (!known && !has(out, one)) out.push_back(one);
  }
  match.*list = std::move(out);
  return all.empty() || !(match.*list).empty();
}
}  // namespace

std::vector<xds::ListenerAddress> Wildcard(std::uint16_t port) {
  const auto address = [port](const char* ip) {
    xds::ListenerAddress out;
    out.address = io::SocketAddress{.ip = *io::IpAddress::Parse(ip), .port = Port{port}, .unix_path = {}};
    return out;
  };
  return {address("0.0.0.0"), address("::")};
}

std::vector<xds::ListenerAddress> Wildcard(std::uint16_t port, const model::Proxy& proxy) {
  std::vector<xds::ListenerAddress> out = Wildcard(port);
  if (proxy.ips.empty()) return out;
  std::erase_if(out, [&](const xds::ListenerAddress& address) {
    return std::none_of(proxy.ips.begin(), proxy.ips.end(),
                        [&](const io::IpAddress& ip) { return ip.is_v4() == address.address.ip.is_v4(); });
  });
  return out;
}

xds::ListenerFilter TlsInspector() {
  return {.name = "envoy.filters.listener.tls_inspector", .kind = xds::ListenerFilter::Kind::kTlsInspector};
}

xds::ListenerFilter HttpInspector() {
  return {.name = "envoy.filters.listener.http_inspector", .kind = xds::ListenerFilter::Kind::kHttpInspector};
}

std::vector<std::string> InspectedHttp() { return {"http/1.0", "http/1.1", "h2c"}; }

xds::FilterChain RelayChain(const model::Snapshot& snapshot, std::string name, std::string stat_prefix,
                            std::vector<xds::L4WeightedCluster> clusters) {
  xds::FilterChain chain;
  chain.name = std::move(name);
  chain.filters.push_back({"istio.stats", xds::IstioTcpStats{}});
  xds::TcpProxy relay = TcpTemplate(snapshot, std::move(stat_prefix));
  relay.clusters = std::move(clusters);
  chain.filters.push_back({"envoy.filters.network.tcp_proxy", std::move(relay)});
  return chain;
}

xds::FilterChain BlackHoleChain(const model::Snapshot& snapshot, std::string name) {
  return RelayChain(snapshot, std::move(name), std::string(kBlackHoleCluster),
                    {{.name = std::string(kBlackHoleCluster)}});
}

void AppendChain(xds::FilterChain chain, xds::Listener& listener) {
  const std::vector<xds::FilterChain>& before = listener.filter_chains;
  if (!KeepNew(&xds::FilterChainMatch::server_names, before, chain.match) ||
      !KeepNew(&xds::FilterChainMatch::prefix_ranges, before, chain.match))
    return;
  for (const xds::FilterChain& other : before)
    if (other.match == chain.match) return;
  listener.filter_chains.push_back(std::move(chain));
}

}  // namespace plait::control::translate
