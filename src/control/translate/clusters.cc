#include "control/translate/clusters.h"

#include <algorithm>
#include <set>

#include "control/translate/auto_passthrough.h"
#include "control/translate/destinations.h"
#include "control/translate/endpoints.h"
#include "control/translate/envoy_clusters.h"
#include "control/translate/inbound.h"
#include "control/translate/localities.h"
#include "control/translate/mesh_tls.h"
#include "control/translate/names.h"

namespace plait::control::translate {
namespace {

using model::ServiceView;

// As telemetry names it: a ServiceEntry is known by its host, since the name of the object says nothing.
xds::ServiceRef RefOf(const ServiceView& service) {
  return {service.hostname, service.entry ? service.hostname : service.name, service.name_space};
}

const std::string kSystemRoots = "/etc/ssl/certs/ca-certificates.crt";

xds::CircuitBreakers NoLimits() {
  xds::CircuitBreakers out;
  out.max_connections = out.max_pending_requests = out.max_requests = out.max_retries = UINT32_MAX;
  out.track_remaining = true;
  return out;
}

void BindToLoopBreaker(xds::Cluster& cluster) {
  // Connections to the own application come from here, so that the capture rules let them pass
  // (istio-interfaces.md 1.4).
  cluster.bind_address = io::SocketAddress{.ip = *io::IpAddress::Parse("127.0.0.6"), .port = {}, .unix_path = {}};
  cluster.extra_bind_addresses = {io::SocketAddress{.ip = *io::IpAddress::Parse("::6"), .port = {}, .unix_path = {}}};
}

xds::Cluster OriginalDst(const model::Snapshot& snapshot, std::string name) {
  xds::Cluster out;
  out.name = std::move(name);
  out.type = xds::Cluster::Type::kOriginalDst;
  out.lb.policy = xds::LbPolicy::kClusterProvided;
  out.connect_timeout = snapshot.mesh().connect_timeout;
  out.circuit_breakers = NoLimits();
  out.http.protocol = xds::UpstreamHttpOptions::Protocol::kUseDownstream;
  return out;
}

// Where the endpoint says so, mutual TLS; else plaintext (auto mTLS).
std::vector<xds::TransportSocketMatch> AutoTls(xds::UpstreamTlsContext tls) {
  return {{.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = std::move(tls)},
          {.name = "tlsMode-disabled", .match = {}, .tls = std::nullopt}};
}

// One outbound cluster: a service port, maybe a subset, under the rules for its host.
class OutboundBuilder {
 public:
  OutboundBuilder(const model::Proxy& proxy, const model::Snapshot& snapshot, const OutboundTarget& target)
      : proxy_(proxy), snapshot_(snapshot), target_(target), service_(*target.service), port_(*target.port) {}

  xds::Cluster Build(std::string name) {
    out_.name = std::move(name);
    out_.connect_timeout = snapshot_.mesh().connect_timeout;
    out_.circuit_breakers = NoLimits();
    out_.lb.policy = xds::LbPolicy::kLeastRequest;
    out_.lb.healthy_panic_threshold = 0;
    out_.istio_services = {RefOf(service_)};
    out_.istio_default_original_port = port_.port;
    if (target_.rule) out_.istio_config = target_.rule->meta.ConfigPath();
    SetType();
    if (!target_.sni_dnat) SetHttp();
    if (const auto& balancer = target_.policy.load_balancer) Apply(*balancer);
    if (const auto& pool = target_.policy.connection_pool) Apply(*pool);
    if (const auto& outlier = target_.policy.outlier_detection) Apply(*outlier);
    if (out_.lb.policy != xds::LbPolicy::kClusterProvided)
      out_.lb.locality_weighted = Localities(proxy_, snapshot_, target_).weighted();
    if (const auto& budget = target_.policy.retry_budget)
      out_.circuit_breakers.retry_budget = xds::RetryBudget{budget->percent, budget->min_retry_concurrency};
    if (!target_.sni_dnat) SetTls();
    return std::move(out_);
  }

 private:
  // The rule asks for TLS that cannot be: nothing is sent.
  bool Unusable() const {
    const auto& tls = target_.policy.tls;
    return !target_.sni_dnat && tls && tls->mode == model::ClientTls::Mode::kUnusable;
  }

  void SetType() {
    if (Unusable()) {
      out_.type = xds::Cluster::Type::kStatic;
      out_.load_assignment.cluster_name = out_.name;
      out_.refused_by = InvalidPolicyName(target_.rule->meta);
      return;
    }
    switch (service_.resolution) {
      case ServiceView::Resolution::kEndpoints:
        out_.type = xds::Cluster::Type::kEds;
        out_.pin_original_dst = service_.headless && !target_.sni_dnat;
        return;
      case ServiceView::Resolution::kPassthrough:
        out_.type = xds::Cluster::Type::kOriginalDst;
        out_.lb.policy = xds::LbPolicy::kClusterProvided;
        return;
      case ServiceView::Resolution::kDns:
      case ServiceView::Resolution::kDnsRoundRobin:
        out_.type = service_.resolution == ServiceView::Resolution::kDns ? xds::Cluster::Type::kStrictDns
                                                                         : xds::Cluster::Type::kLogicalDns;
        out_.load_assignment = Assignment(proxy_, snapshot_, target_, out_.name);
        SetDns();
        return;
    }
  }

  // As Istio, but for the time after an answer without an address: Istio lets the refresh rate pass then too, and a
  // name that begins to exist, or a resolver that is back, is not noticed for a minute.
  void SetDns() {
    const Duration rate = snapshot_.mesh().dns_refresh_rate;
    out_.dns_refresh_rate = rate;
    out_.dns_failure_refresh_rate = xds::DnsFailureRefreshRate{
        .base_interval = std::min<Duration>(rate, std::chrono::seconds(1)), .max_interval = rate};
    out_.dns_jitter = std::chrono::milliseconds(100);
    out_.respect_dns_ttl = true;
    out_.dns_lookup_family = xds::DnsLookupFamily::kAll;
  }

  bool Http2() const { return port_.protocol == model::Protocol::kHttp2 || port_.protocol == model::Protocol::kGrpc; }

  void SetHttp() {
    using Protocol = xds::UpstreamHttpOptions::Protocol;
    out_.http.protocol = Http2()                                    ? Protocol::kHttp2
                         : port_.protocol == model::Protocol::kAuto ? Protocol::kUseDownstream
                                                                    : Protocol::kHttp1;
  }

  void Apply(const model::LoadBalancer& from) {
    if (out_.lb.policy == xds::LbPolicy::kClusterProvided) return;
    using Simple = model::LoadBalancer::Simple;
    switch (from.simple) {
      case Simple::kLeastRequest: break;
      case Simple::kRoundRobin: out_.lb.policy = xds::LbPolicy::kRoundRobin; break;
      case Simple::kRandom: out_.lb.policy = xds::LbPolicy::kRandom; break;
      case Simple::kPassthrough:
        // Not ORIGINAL_DST, as with Istio: nothing but the proxy leads from the address of a service to a pod, and TLS
        // is the endpoint's. With sni_dnat the address that was dialled is the gateway's own.
        out_.pin_original_dst = !target_.sni_dnat;
        break;
    }
    if (from.warmup)
      out_.lb.slow_start = xds::SlowStart{*from.warmup, from.warmup_aggression, from.warmup_minimum_percent};
    if (!from.consistent_hash) return;
    out_.lb.slow_start.reset();
    out_.lb.policy = from.consistent_hash->maglev ? xds::LbPolicy::kMaglev : xds::LbPolicy::kRingHash;
    out_.lb.table_size = from.consistent_hash->table_size;
    out_.lb.minimum_ring_size = from.consistent_hash->minimum_ring_size;
  }

  void Apply(const model::ConnectionPool& from) {
    xds::CircuitBreakers& breakers = out_.circuit_breakers;
    if (from.max_connections > 0) breakers.max_connections = from.max_connections;
    if (from.http1_max_pending_requests > 0) breakers.max_pending_requests = from.http1_max_pending_requests;
    if (from.http2_max_requests > 0) breakers.max_requests = from.http2_max_requests;
    if (from.max_retries > 0) breakers.max_retries = from.max_retries;
    if (from.connect_timeout) out_.connect_timeout = *from.connect_timeout;
    if (from.max_requests_per_connection > 0)
      out_.http.common.max_requests_per_connection = from.max_requests_per_connection;
    if (from.http_idle_timeout) out_.http.common.idle_timeout = from.http_idle_timeout;
    if (from.max_connection_duration) out_.http.common.max_connection_duration = from.max_connection_duration;
    if (from.max_concurrent_streams > 0) out_.http.http2.max_concurrent_streams = from.max_concurrent_streams;
    if (from.upgrade_to_h2 && model::IsHttp(port_.protocol))
      out_.http.protocol = xds::UpstreamHttpOptions::Protocol::kHttp2;
    if (from.use_client_protocol) out_.http.protocol = xds::UpstreamHttpOptions::Protocol::kUseDownstream;
    if (!from.keep_alive_time && !from.keep_alive_probes && !from.keep_alive_interval) return;
    const auto seconds = [](const std::optional<Duration>& value) {
      return value ? std::optional(static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::seconds>(*value).count()))
                   : std::nullopt;
    };
    out_.tcp_keep_alive =
        xds::TcpKeepAlive{from.keep_alive_probes, seconds(from.keep_alive_time), seconds(from.keep_alive_interval)};
  }

  void Apply(const model::OutlierDetection& from) {
    xds::OutlierDetection& to = out_.outlier_detection.emplace();
    to.enforcing_success_rate = 0;
    if (from.consecutive_5xx) {
      to.consecutive_5xx = *from.consecutive_5xx;
      to.enforcing_consecutive_5xx = *from.consecutive_5xx > 0 ? 100 : 0;
    }
    if (from.consecutive_gateway_errors) {
      to.consecutive_gateway_failure = *from.consecutive_gateway_errors;
      to.enforcing_consecutive_gateway_failure = *from.consecutive_gateway_errors > 0 ? 100 : 0;
    }
    to.split_external_local_origin_errors = from.split_local_origin;
    if (from.consecutive_local_origin_failures) {
      to.consecutive_local_origin_failure = *from.consecutive_local_origin_failures;
      to.enforcing_consecutive_local_origin_failure = *from.consecutive_local_origin_failures > 0 ? 100 : 0;
    }
    if (from.interval) to.interval = *from.interval;
    if (from.base_ejection_time) to.base_ejection_time = *from.base_ejection_time;
    if (from.max_ejection_percent > 0) to.max_ejection_percent = from.max_ejection_percent;
    // With few healthy hosts left, ejection ends and all are used.
    out_.lb.healthy_panic_threshold = from.min_health_percent;
  }

  // Pods without a proxy are reached in plaintext, unless a DestinationRule says that they speak mutual TLS.
  std::vector<std::string> ServerNames(bool without_proxy) const {
    std::set<std::string> names(service_.subject_alt_names.begin(), service_.subject_alt_names.end());
    for (const model::EndpointView& endpoint : service_.EndpointsOf(port_))
      if (!endpoint.identity.empty() && (without_proxy || endpoint.workload == nullptr || endpoint.workload->meshed))
        names.insert(endpoint.identity);
    return {names.begin(), names.end()};
  }

  xds::UpstreamTlsContext MeshTls(const model::ClientTls* settings) const {
    std::vector<std::string> names = settings && !settings->subject_alt_names.empty()
                                         ? settings->subject_alt_names
                                         : ServerNames(settings != nullptr);
    std::string sni =
        settings && !settings->sni.empty()
            ? settings->sni
            : MeshSni({port_.port, target_.subset ? std::string_view(target_.subset->name) : "", service_.hostname});
    return MeshUpstreamTls(snapshot_, std::move(sni), names,
                           out_.http.protocol == xds::UpstreamHttpOptions::Protocol::kHttp2);
  }

  void SetTls() {
    const auto& settings = target_.policy.tls;
    if (!settings) {
      if (!snapshot_.mesh().auto_mtls) return;
      // Behind names of DNS there are seldom proxies of the mesh; where one is, its endpoint is written down as such.
      const auto& endpoints = service_.EndpointsOf(port_);
      if (service_.resolution == ServiceView::Resolution::kEndpoints ||
          std::any_of(endpoints.begin(), endpoints.end(), [](const auto& endpoint) { return endpoint.mtls; }))
        out_.transport_socket_matches = AutoTls(MeshTls(nullptr));
      return;
    }
    switch (settings->mode) {
      case model::ClientTls::Mode::kDisable:
      case model::ClientTls::Mode::kUnusable: return;
      case model::ClientTls::Mode::kIstioMutual: out_.tls = MeshTls(&*settings); return;
      case model::ClientTls::Mode::kSimple:
      case model::ClientTls::Mode::kMutual: out_.tls = OriginatedTls(*settings); return;
    }
  }

  // TLS with files of the client's proxy.
  xds::UpstreamTlsContext OriginatedTls(const model::ClientTls& from) {
    using Kind = xds::DataSource::Kind;
    xds::UpstreamTlsContext out;
    out.sni = from.sni;
    out.common.minimum = xds::TlsVersion::kTls12;  // as Istio
    out.common.maximum = xds::TlsVersion::kTls13;
    // Without a given name the Host of the request is the server's name; where there is none, the endpoint's, if any.
    out_.http.auto_sni = out.auto_host_sni = from.sni.empty();
    if (from.mode == model::ClientTls::Mode::kMutual)
      out.common.certificates.push_back({.certificate_chain = {Kind::kFile, from.client_certificate},
                                         .private_key = {Kind::kFile, from.private_key},
                                         .password = {}});
    xds::ValidationContext& validation = out.common.validation.emplace();
    // As Istio: without roots of its own the system's are meant; nothing is accepted unverified unless that is asked
    // for.
    validation.accept_untrusted = from.insecure_skip_verify;
    if (!from.insecure_skip_verify)
      validation.trusted_ca = {Kind::kFile, from.ca_certificates.empty() ? kSystemRoots : from.ca_certificates};
    std::vector<std::string> names =
        from.subject_alt_names.empty() ? service_.subject_alt_names : from.subject_alt_names;
    for (const std::string& name : names) {
      const bool uri = name.find("://") != std::string::npos;
      validation.subject_alt_names.push_back(
          {uri ? xds::SubjectAltNameMatcher::Type::kUri : xds::SubjectAltNameMatcher::Type::kDns,
           {.kind = xds::StringMatcher::Kind::kExact, .value = name}});
    }
    // As Istio (VERIFY_CERTIFICATE_AT_CLIENT): it has to be in the certificate, unless other names are.
    out_.http.auto_san_validation = out_.http.auto_sni && names.empty() && !from.insecure_skip_verify;
    if (out_.http.protocol == xds::UpstreamHttpOptions::Protocol::kHttp2) out.common.alpn_protocols = {"h2"};
    return out;
  }

  const model::Proxy& proxy_;
  const model::Snapshot& snapshot_;
  const OutboundTarget& target_;
  const ServiceView& service_;
  const model::ServicePort& port_;
  xds::Cluster out_;
};

// A rule of the service leaves to its clients what they speak to the application.
bool UsesClientProtocol(const model::Proxy& proxy, const model::Snapshot& snapshot, const InboundPortView& port) {
  if (port.services.empty()) return false;
  const ServiceView& service = *port.services.front();
  const model::DestinationRule* rule = snapshot.FindDestinationRule(proxy, service.hostname, service.name_space);
  if (!rule) return false;
  const model::TrafficPolicy policy = model::PolicyForPort(rule->policy, nullptr, port.service_port);
  return policy.connection_pool && policy.connection_pool->use_client_protocol;
}

// As Istio: what is declared counts, for callers' proxies may have made HTTP/2 of HTTP/1 (h2UpgradePolicy).
xds::UpstreamHttpOptions::Protocol InboundProtocol(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                                   const InboundPortView& port) {
  using Protocol = xds::UpstreamHttpOptions::Protocol;
  if (!model::IsHttp(port.protocol)) return Protocol::kUseDownstream;
  if (port.protocol != model::Protocol::kHttp) return Protocol::kHttp2;
  return UsesClientProtocol(proxy, snapshot, port) ? Protocol::kUseDownstream : Protocol::kHttp1;
}

std::optional<xds::Cluster> InboundClusterOf(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                             std::string_view name) {
  for (const InboundPortView& port : InboundPortsOf(proxy, snapshot)) {
    if (InboundCluster(port.port) != name) continue;
    xds::Cluster out = OriginalDst(snapshot, std::string(name));
    BindToLoopBreaker(out);
    out.http.protocol = InboundProtocol(proxy, snapshot, port);
    for (const ServiceView* service : port.services) out.istio_services.push_back(RefOf(*service));
    return out;
  }
  return std::nullopt;
}
}  // namespace

std::optional<xds::Cluster> FindCluster(const model::Proxy& proxy, const model::Snapshot& snapshot,
                                        std::string_view name) {
  const bool envoy = proxy.form == model::Proxy::Form::kEnvoy;
  if (const auto target = FindOutboundTarget(proxy, snapshot, name)) {
    xds::Cluster out = OutboundBuilder(proxy, snapshot, *target).Build(std::string(name));
    if (envoy) ToEnvoyForm(proxy, snapshot, *target, out);
    return out;
  }
  if (name == kPassthroughCluster) return OriginalDst(snapshot, std::string(name));
  if (name == kBlackHoleCluster) {
    xds::Cluster out;
    out.name = name;
    out.load_assignment.cluster_name = name;  // Envoy refuses one without a name, also where it says nothing
    out.connect_timeout = snapshot.mesh().connect_timeout;
    return out;
  }
  if (proxy.type != model::Proxy::Type::kSidecar) return std::nullopt;
  if (name == kWorkloadCluster && !envoy) {
    xds::Cluster out = OriginalDst(snapshot, std::string(name));
    out.transport_socket_matches = AutoTls(MeshUpstreamTls(snapshot, "", {}, false));
    return out;
  }
  if (const auto account = ParseWorkloadCluster(name); account && envoy) {
    xds::Cluster out = OriginalDst(snapshot, std::string(name));
    out.tls = MeshUpstreamTls(snapshot, "", {snapshot.IdentityOf(proxy.name_space, *account)}, false);
    return out;
  }
  if (name == kInboundPassthroughCluster) {
    xds::Cluster out = OriginalDst(snapshot, std::string(name));
    BindToLoopBreaker(out);
    return out;
  }
  return InboundClusterOf(proxy, snapshot, name);
}

std::vector<std::string> ClusterNames(const model::Proxy& proxy, const model::Snapshot& snapshot) {
  std::vector<std::string> out;
  for (const ServiceView* service : snapshot.VisibleServices(proxy.name_space)) {
    if (service->alias_of) continue;
    for (const OutboundName& name : OutboundNames(proxy, snapshot, *service))
      out.push_back(OutboundCluster(name.port, name.subset, name.hostname));
  }
  for (std::string& name : SniDnatClusterNames(proxy, snapshot)) out.push_back(std::move(name));
  out.emplace_back(kBlackHoleCluster);
  if (proxy.type == model::Proxy::Type::kSidecar) {
    out.emplace_back(kPassthroughCluster);
    out.emplace_back(kInboundPassthroughCluster);
    out.push_back(proxy.form == model::Proxy::Form::kPlait ? std::string(kWorkloadCluster)
                                                           : WorkloadCluster(proxy.service_account));
    for (const InboundPortView& port : InboundPortsOf(proxy, snapshot)) out.push_back(InboundCluster(port.port));
  }
  return out;
}

}  // namespace plait::control::translate
