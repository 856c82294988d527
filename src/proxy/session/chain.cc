#include "proxy/session/chain.h"

#include <algorithm>

#include "proxy/session/decisions.h"
#include "proxy/session/inbound_routes.h"
#include "proxy/session/prefixed_stream.h"

namespace plait::proxy::session {
namespace {

// Builds one chain from its filters, in order.
class Compiler {
 public:
  Compiler(Chain& chain, const Compilation& into) : chain_(chain), into_(into) {}
  bool terminated() const noexcept { return terminated_; }

  Outcome<> operator()(const xds::HttpConnectionManager& xds) { return Terminate(CompileHttp(xds, into_)); }
  Outcome<> operator()(const xds::TcpProxy& xds) { return Terminate(CompileTcp(xds, into_)); }
  Outcome<> operator()(const xds::Outbound& xds) {
    auto config = std::make_shared<OutboundConfig>();
    config->xds = xds;
    if (auto done = CompileTemplates(*config); !done) return done;
    return Terminate(Outcome<std::shared_ptr<const OutboundConfig>>(std::move(config)));
  }
  Outcome<> operator()(const xds::Inbound& xds) {
    auto config = std::make_shared<InboundConfig>();
    config->xds = xds;
    if (auto done = CompileTemplates(*config); !done) return done;
    for (const xds::NetworkRbac& rules : xds.network_filters) {
      auto compiled = filters::NetworkRbac::Compile(rules, into_.registry);
      if (!compiled) return std::unexpected(compiled.error());
      config->rbac.push_back(std::move(*compiled));
    }
    for (const xds::InboundPort& port : xds.ports)
      config->routes[port.port] = MakeInboundRoutes(port.port, port.cluster);
    return Terminate(Outcome<std::shared_ptr<const InboundConfig>>(std::move(config)));
  }
  Outcome<> operator()(const xds::EchoFilter&) {
    return Explain(Errc::kInvalidInput, "envoy.filters.network.echo is not supported");
  }
  Outcome<> operator()(const xds::NetworkRbac& xds) {
    auto compiled = filters::NetworkRbac::Compile(xds, into_.registry);
    if (!compiled) return std::unexpected(compiled.error());
    chain_.rbac.push_back(std::move(*compiled));
    return {};
  }
  Outcome<> operator()(const xds::SniCluster&) {
    chain_.sni_cluster = true;
    return {};
  }
  // Metrics are recorded for every connection; labels of peers come from the index.
  Outcome<> operator()(const xds::IstioTcpStats&) { return {}; }
  Outcome<> operator()(const xds::MetadataExchange&) { return {}; }

 private:
  template <class Config>
  Outcome<> CompileTemplates(Config& config) {
    auto http = CompileHttp(config.xds.http, into_);
    if (!http) return std::unexpected(http.error());
    config.http = std::move(*http);
    auto tcp = CompileTcp(config.xds.tcp, into_);
    if (!tcp) return std::unexpected(tcp.error());
    config.tcp = std::move(*tcp);
    return {};
  }
  template <class T>
  Outcome<> Terminate(Outcome<T> config) {
    if (!config) return std::unexpected(config.error());
    if (terminated_) return Explain(Errc::kInvalidInput, "two terminal filters in one chain");
    terminated_ = true;
    chain_.terminal = std::move(*config);
    return {};
  }

  Chain& chain_;
  const Compilation& into_;
  bool terminated_ = false;
};

// Authorization of the connections that this chain relays.
const NetworkRbacs& RulesOf(const Chain& chain) noexcept {
  const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain.terminal);
  return inbound != nullptr ? (*inbound)->rbac : chain.rbac;
}

}  // namespace

const xds::InboundPort& InboundConfig::PortFor(std::uint16_t port) const noexcept {
  const auto found =
      std::lower_bound(xds.ports.begin(), xds.ports.end(), port,
                       [](const xds::InboundPort& entry, std::uint16_t value) { return entry.port < value; });
  return found != xds.ports.end() && found->port == port ? *found : xds.other;
}

std::shared_ptr<const route::RouteTable> InboundRoutes(const InboundConfig& config, std::uint16_t port) {
  const auto made = config.routes.find(port);
  return made != config.routes.end() ? made->second : MakeInboundRoutes(port, config.xds.other.cluster);
}

std::string ForbiddenBy(const Chain& chain, const record::ConnectionInfo& connection) {
  const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain.terminal);
  if (inbound == nullptr || connection.tls != nullptr) return {};
  const xds::InboundPort& port = (*inbound)->PortFor(connection.local.port.value);
  if (port.app_tls && connection.foreign_tls) return {};  // passed on
  return JudgePlaintext(port) == InboundVerdict::kRefusePlaintext ? PlaintextRefusal(port) : "";
}

std::string DeniedBy(const Chain& chain, const record::ConnectionInfo& connection, bool opening) {
  if (opening && chain.tls && connection.tls == nullptr) return {};
  const bool allowed = filters::CheckAll(RulesOf(chain), connection, /*count=*/false).allowed;
  return allowed ? "" : "rbac_access_denied_by_new_policy";
}

std::string Distrust(std::string_view what, std::string reason) {
  std::replace(reason.begin(), reason.end(), ' ', '_');
  return std::string(what) + "{" + reason + "}";
}

tls::Refusal DistrustedBy(const Chain& chain, const io::Stream& stream, DownstreamTls& contexts) {
  if (stream.tls() == nullptr) return {};
  const xds::DownstreamTlsContext* config = chain.tls ? &*chain.tls : nullptr;
  if (const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain.terminal); inbound != nullptr)
    config = &(*inbound)->xds.tls;
  if (config == nullptr) return {};
  const auto context = contexts.Server(*config);
  if (!context) return {};
  tls::Refusal refusal = tls::RefusalOf(Innermost(stream), **context);
  if (!refusal.why.empty()) refusal.why = Distrust("peer_no_longer_trusted", std::move(refusal.why));
  return refusal;
}

Outcome<ChainPtr> CompileChain(const xds::FilterChain& xds, const Compilation& into) {
  auto chain = std::make_shared<Chain>();
  chain->name = xds.name;
  chain->tls = xds.tls;
  chain->handshake_timeout = xds.transport_socket_connect_timeout.value_or(Duration(0));
  Compiler compiler(*chain, into);
  for (const xds::NetworkFilter& filter : xds.filters) {
    if (compiler.terminated()) {
      return Explain(Errc::kInvalidInput, "filter " + filter.name + " stands behind the terminal filter of its chain");
    }
    if (auto done = std::visit(compiler, filter.config); !done) {
      done.error().message = "filter " + filter.name + ": " + done.error().message;
      return std::unexpected(done.error());
    }
  }
  if (!compiler.terminated()) {
    return Explain(Errc::kInvalidInput, "filter chain '" + xds.name + "' has no terminal filter",
                   "end it with a TCP proxy or an HTTP connection manager");
  }
  return chain;
}

std::vector<std::string> NeededRoutes(const Chain& chain) {
  const auto* http = std::get_if<std::shared_ptr<const HttpConfig>>(&chain.terminal);
  if (http == nullptr || (*http)->routes != nullptr || (*http)->rds_name.empty()) return {};
  return {(*http)->rds_name};
}

std::vector<std::string> NeededSecrets(const Chain& chain) {
  std::vector<std::string> names;
  const auto add = [&](const xds::CommonTlsContext& tls) {
    for (const xds::SecretRef& secret : tls.certificate_secrets) names.push_back(secret.name);
    if (tls.validation_secret) names.push_back(tls.validation_secret->name);
  };
  if (chain.tls) add(chain.tls->common);
  if (const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain.terminal)) {
    add((*inbound)->xds.tls.common);
  }
  return names;
}

std::vector<std::string> NamedClusters(const Chain& chain) {
  std::vector<std::string> names;
  if (const auto* outbound = std::get_if<std::shared_ptr<const OutboundConfig>>(&chain.terminal)) {
    names.push_back((*outbound)->xds.unknown_cluster);
  } else if (const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain.terminal)) {
    for (const xds::InboundPort& port : (*inbound)->xds.ports) names.push_back(port.cluster);
    names.push_back((*inbound)->xds.other.cluster);
  }
  std::erase(names, "");
  return names;
}

}  // namespace plait::proxy::session
