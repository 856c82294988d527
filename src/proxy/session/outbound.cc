#include "proxy/session/outbound.h"

#include <algorithm>
#include <utility>

#include "core/tls/client_hello.h"

namespace plait::proxy::session {
namespace {

// A proper prefix of HTTP or TLS is waited for this long.
constexpr Duration kPrefixLimit = std::chrono::seconds(1);
// A workload that is dialled by its own address: ORIGINAL_DST, TLS by the index (semantics.md 2).
constexpr const char* kWorkloadCluster = "plait|workload";

bool SniMatches(const std::string& pattern, std::string_view name) {
  if (pattern == "*") return true;
  if (!pattern.starts_with("*.")) return pattern == name;
  return name.size() > pattern.size() - 1 && name.ends_with(std::string_view(pattern).substr(1));
}

std::string ServiceCluster(const xds::Service& service, std::uint16_t port) {
  return "outbound|" + std::to_string(port) + "||" + service.hostname;
}

// The service's port whose target this is, for workload addresses of headless services.
const xds::ServicePort* PortByTarget(const xds::Service& service, const xds::Workload& workload, std::uint16_t target) {
  std::uint16_t service_port = 0;
  if (const auto ports = workload.services.find(service.Key()); ports != workload.services.end()) {
    for (const xds::AddressPort& port : ports->second) {
      if (port.target_port == target) service_port = port.service_port;
    }
  }
  for (const xds::ServicePort& port : service.ports) {
    if (port.port.service_port == service_port) return &port;
  }
  return nullptr;
}

}  // namespace

const xds::L4Route* MatchL4Route(const xds::L4Routes& routes, const io::IpAddress& destination, std::string_view sni) {
  for (const xds::L4Route& route : routes.routes) {
    const bool by_name = route.sni.empty() ||
                         std::any_of(route.sni.begin(), route.sni.end(),
                                     [&](const std::string& name) { return !sni.empty() && SniMatches(name, sni); });
    const bool by_address =
        route.destinations.empty() || std::any_of(route.destinations.begin(), route.destinations.end(),
                                                  [&](const io::Cidr& range) { return range.Contains(destination); });
    if (by_name && by_address) return &route;
  }
  return nullptr;
}

// Tells when the server speaks, without taking its bytes: the relay reads them.
class OutboundIntake::Watch final : public io::StreamEvents {
 public:
  explicit Watch(OutboundIntake& intake) : intake_(intake) {}
  void OnOpen() override {}
  void OnReadable() override { intake_.OnServerSpoke(); }
  void OnWritable() override {}
  void OnFailed(Error) override { intake_.OnServerSpoke(); }  // the relay tells the client

 private:
  OutboundIntake& intake_;
};

OutboundIntake::OutboundIntake(Context& context, std::shared_ptr<const OutboundConfig> config,
                               std::unique_ptr<io::Stream> stream, record::ConnectionInfo info, SessionOwner& owner,
                               OnDecided decided)
    : Intake(context, {std::move(stream), std::move(info), owner, std::move(decided)}), config_(std::move(config)) {
  silence_.SetCallback([this] { Begin(); });
  silence_.Start(context_.loop.timers(), Duration(0));
}

OutboundIntake::~OutboundIntake() = default;

void OutboundIntake::Begin() {
  silence_.SetCallback([this] { OnSilence(); });
  const cluster::Destination known = context_.index.FindByAddress(info_.local.ip);
  if (known.known) return OnDestination(known);
  lookup_ = context_.on_demand.NeedDestination(
      info_.local.ip, config_->xds.lookup_timeout,
      [this](Result<cluster::Destination> found) { OnDestination(std::move(found)); });
}

void OutboundIntake::OnDestination(Result<cluster::Destination> found) {
  if (decided()) return;
  if (!found) {
    lookup_failed_ = true;
  } else {
    destination_ = std::move(*found);
    declared_ = Declared();
  }
  if (declared_ == xds::DeclaredProtocol::kTcp) return GoTcp();
  const bool may_dial_early = declared_ == xds::DeclaredProtocol::kNone && !lookup_failed_;
  if (may_dial_early && seen().empty()) {
    const bool at_once = context_.learned.ServerFirst(info_.local);
    silence_.Start(context_.loop.timers(), at_once ? Duration(0) : config_->xds.dial_after);
  }
  Look();
}

xds::DeclaredProtocol OutboundIntake::Declared() const {
  const std::uint16_t port = info_.local.port.value;
  if (destination_->service) {
    for (const xds::ServicePort& entry : destination_->service->ports) {
      if (entry.port.service_port == port) return entry.declared;
    }
  }
  if (destination_->workload) {
    const cluster::ServicePtr service = context_.index.ServiceOf(*destination_->workload, port);
    if (service == nullptr) return xds::DeclaredProtocol::kNone;
    if (const auto* entry = PortByTarget(*service, *destination_->workload, port)) return entry->declared;
  }
  return xds::DeclaredProtocol::kNone;
}

void OutboundIntake::Look() {
  if (decided() || tcp_ || (!destination_ && !lookup_failed_)) return;
  LookAtBytes(Judge());
}

void OutboundIntake::LookAtBytes(sniff::Protocol protocol) {
  const bool http_port = declared_ == xds::DeclaredProtocol::kHttp;
  switch (protocol) {
    case sniff::Protocol::kNeedMore:
      if (!seen().empty() && !silence_.armed()) silence_.Start(context_.loop.timers(), kPrefixLimit);
      return;
    case sniff::Protocol::kHttp1:
    case sniff::Protocol::kHttp2: return declared_ == xds::DeclaredProtocol::kTls ? GoTcp() : GoHttp();
    case sniff::Protocol::kTls: {
      tls::ClientHelloPeek peek = tls::PeekClientHello(SeenBytes());
      if (peek.status == tls::PeekStatus::kNeedMore && !client_ended() && seen().size() < sniff::kSniffLimit) {
        if (!silence_.armed()) silence_.Start(context_.loop.timers(), kPrefixLimit);
        return;
      }
      server_name_ = peek.hello.sni;
      return GoTcp();
    }
    case sniff::Protocol::kNearlyHttp:
    case sniff::Protocol::kOther: return http_port ? RefuseAsBadRequest(config_->http->logs.get()) : GoTcp();
  }
}

void OutboundIntake::OnSilence() {
  if (decided() || !ReadMore()) return;
  if (!seen().empty()) {
    const sniff::Protocol protocol = Judge();
    if (protocol != sniff::Protocol::kNeedMore && protocol != sniff::Protocol::kTls) return LookAtBytes(protocol);
    if (silence_prefix_)
      return declared_ == xds::DeclaredProtocol::kHttp ? RefuseAsBadRequest(config_->http->logs.get()) : GoTcp();
    silence_prefix_ = true;
    return silence_.Start(context_.loop.timers(), kPrefixLimit);
  }
  silent_ = true;
  if (const auto route = FindTcpRoute()) Speculate(*route);
}

void OutboundIntake::Speculate(const TcpRoute& route) {
  if (dial_ || early_) return;
  speculative_ = route;
  dial_record_.connection = &info_;
  dial_record_.start_time = info_.accepted;
  dial_ = std::make_unique<TcpConnect>(
      context_, TcpConnect::Request{.cluster = route.cluster, .most_attempts = 1, .hash = {}}, dial_record_,
      [this](std::expected<UpstreamConnection, Failure> result) { OnDialled(std::move(result)); });
}

void OutboundIntake::OnDialled(std::expected<UpstreamConnection, Failure> result) {
  context_.loop.DeleteLater(std::move(dial_));
  if (!result) {
    // When the client has decided meanwhile, the session dials for itself and tells why it fails.
    speculative_ = TcpRoute();
    if (tcp_ && !decided()) FinishTcp(std::move(final_));
    return;
  }
  early_ = std::move(*result);
  watch_ = std::make_unique<Watch>(*this);
  early_.stream().SetEvents(watch_.get());
  if (tcp_) return FinishTcp(std::move(final_));
  // A byte that came before we watched has no edge left: look once.
  early_probe_.SetCallback([this] { OnServerSpoke(); });
  early_probe_.Start(context_.loop.timers(), Duration(0));
}

void OutboundIntake::OnServerSpoke() {
  if (decided() || tcp_ || !early_) return;
  Result<std::size_t> read = early_.stream().Read(server_bytes_, Buffer::kChunkSize);
  if (read && *read == 0) return;
  context_.learned.NoteServerFirst(info_.local);
  tcp_ = true;
  FinishTcp(speculative_);
}

void OutboundIntake::GoHttp() {
  if (lookup_failed_) return FailLookup();
  HttpRouting routing;
  routing.rds_name = std::to_string(info_.local.port.value);
  if (destination_->service) {
    routing.destination_hostname = destination_->service->hostname;
    routing.unknown_cluster = ServiceCluster(*destination_->service, info_.local.port.value);
  } else if (destination_->workload) {
    const cluster::ServicePtr service = context_.index.ServiceOf(*destination_->workload, info_.local.port.value);
    if (service != nullptr && service->headless) {
      routing.destination_hostname = service->hostname;
    }
    routing.workload_cluster = kWorkloadCluster;
  } else {
    routing.unknown_cluster = config_->xds.unknown_cluster;
    routing.outside = true;
  }
  early_ = UpstreamConnection();  // unused: closed, and counted nowhere
  dial_.reset();
  ServeHttp(config_->http, std::move(routing));
}

void OutboundIntake::GoTcp() {
  tcp_ = true;
  silence_.Cancel();
  if (lookup_failed_) return FailLookup();
  if (const auto route = FindTcpRoute()) FinishTcp(*route);
}

std::optional<OutboundIntake::TcpRoute> OutboundIntake::FindTcpRoute() {
  const std::string name = std::to_string(info_.local.port.value);
  const auto found = context_.tables.l4_routes.find(name);
  if (found == context_.tables.l4_routes.end() && !asked_for_routes_) {
    asked_for_routes_ = true;
    routes_ = context_.on_demand.NeedL4Routes(name, config_->xds.lookup_timeout, [this, name](bool there) {
      routes_answered_ = true;
      if (decided()) return;
      if (!there && !context_.static_only) {
        lookup_failed_ = true;
        if (tcp_) FailLookup();
        return;
      }
      const auto route = FindTcpRoute();
      if (tcp_) return FinishTcp(*route);
      if (silent_) Speculate(*route);
    });
    return std::nullopt;
  }
  if (found == context_.tables.l4_routes.end() && !routes_answered_) return std::nullopt;
  if (found != context_.tables.l4_routes.end() && found->second != nullptr) {
    if (const auto* route = MatchL4Route(*found->second, info_.local.ip, server_name_)) {
      return TcpRoute{ChooseCluster(route->clusters, context_.random.Next()), route->name};
    }
  }
  return RouteByIndex();
}

OutboundIntake::TcpRoute OutboundIntake::RouteByIndex() const {
  const std::uint16_t port = info_.local.port.value;
  if (destination_->service) return {ServiceCluster(*destination_->service, port), {}};
  if (destination_->workload) {
    const cluster::ServicePtr service = context_.index.ServiceOf(*destination_->workload, port);
    const xds::ServicePort* entry = service ? PortByTarget(*service, *destination_->workload, port) : nullptr;
    if (entry != nullptr && service->headless) return {ServiceCluster(*service, entry->port.service_port), {}};
    return {kWorkloadCluster, {}};
  }
  return {config_->xds.unknown_cluster, {}};
}

void OutboundIntake::FinishTcp(TcpRoute route) {
  TcpSession::Start start;
  start.config = config_->tcp;
  start.cluster = route.cluster;
  start.route_name = route.name;
  if (!route.cluster.empty() && speculative_.cluster == route.cluster) {
    if (dial_) {  // under way already: it comes back here
      final_ = std::move(route);
      return;
    }
    if (early_) {
      early_.stream().SetEvents(nullptr);
      start.upstream = std::move(early_);
      start.from_upstream = std::move(server_bytes_);
    }
  }
  dial_.reset();
  info_.server_name = server_name_;
  ServeTcp(std::move(start));
}

void OutboundIntake::FailLookup() {
  RecordRefusal(config_->tcp->logs.get(), record::ResponseFlag::kUpstreamConnectionFailure,
                "destination_lookup_timeout");
  const sniff::Protocol protocol = Judge();
  if (protocol == sniff::Protocol::kHttp1) {
    Buffer answer(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 26\r\ncontent-type: text/plain\r\nserver: istio-envoy\r\n"
        "connection: close\r\n\r\ndestination lookup timeout");
    const Result<std::size_t> written = stream_->Write(answer);
    if (written) stream_->ShutdownWrite();
  }
  Refuse(false);
}

}  // namespace plait::proxy::session
