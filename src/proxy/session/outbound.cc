#include "proxy/session/outbound.h"

#include <algorithm>
#include <utility>

#include "core/tls/client_hello.h"

namespace plait::proxy::session {
namespace {

// The first byte of a client whose predecessors spoke HTTP is waited for this long.
constexpr Duration kHttpDialAfter = std::chrono::seconds(1);
// From an early dial that failed until the client, if it still says nothing, is given the failure.
constexpr Duration kRefuseAfter = std::chrono::seconds(1);

}  // namespace

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
    destination_ = AtPort(std::move(*found), context_.index, info_.local);
    declared_ = DeclaredProtocolOf(*destination_, context_.index, info_.local.port.value);
  }
  if (declared_ == xds::DeclaredProtocol::kTcp) return GoTcp();
  const bool may_dial_early = declared_ == xds::DeclaredProtocol::kNone && !lookup_failed_;
  if (may_dial_early && seen().empty()) {
    silence_.Start(context_.loop.timers(), DialAfter());
  }
  Look();
}

Duration OutboundIntake::DialAfter() const {
  switch (context_.learned.Of(info_.local)) {
    case LearnedDestinations::Speaks::kServerFirst: return Duration(0);
    case LearnedDestinations::Speaks::kHttp: return std::max(kHttpDialAfter, config_->xds.dial_after);
    case LearnedDestinations::Speaks::kUnknown: break;
  }
  return config_->xds.dial_after;
}

void OutboundIntake::Look() {
  if (decided() || tcp_ || (!destination_ && !lookup_failed_)) return;
  const bool http_port = declared_ == xds::DeclaredProtocol::kHttp;
  switch (Judge()) {
    case sniff::Protocol::kNeedMore:
      if (seen().empty()) return;
      if (prefix_ != Prefix::kOver) return AwaitTheRest();
      [[fallthrough]];
    case sniff::Protocol::kNearlyHttp:
    case sniff::Protocol::kOther:
      return http_port ? RefuseAsHttp(Failure::kNearlyHttp, config_->http->logs.get()) : GoTcp();
    case sniff::Protocol::kHttp1:
    case sniff::Protocol::kHttp2: return declared_ == xds::DeclaredProtocol::kTls ? GoTcp() : GoHttp();
    case sniff::Protocol::kTls: {
      tls::ClientHelloPeek peek = tls::PeekClientHello(SeenBytes());
      const bool may_come = !client_ended() && prefix_ != Prefix::kOver && seen().size() < sniff::kSniffLimit;
      if (peek.status == tls::PeekStatus::kNeedMore && may_come) return AwaitTheRest();
      if (peek.status == tls::PeekStatus::kNeedMore && prefix_ == Prefix::kOver && http_port)
        return RefuseAsHttp(Failure::kNearlyHttp, config_->http->logs.get());
      server_name_ = peek.hello.sni;
      return GoTcp();
    }
  }
}

void OutboundIntake::OnSilence() {
  if (decided() || !ReadMore()) return;
  if (prefix_ == Prefix::kAwaited) prefix_ = Prefix::kOver;
  if (!seen().empty()) return Look();
  if (refused_) return GoTcp();  // the session dials once more, and tells why it fails
  silent_ = true;
  if (const auto route = FindTcpRoute()) Speculate(*route);
}

void OutboundIntake::Speculate(const TcpRoute& route) {
  if (early_.pending() || early_.there()) return;
  speculative_ = route;
  early_.Start(route.cluster);
}

void OutboundIntake::OnDialled(bool there) {
  if (decided()) return;  // the client has gone in this very round
  // When the client has decided meanwhile, the session dials for itself and tells why it fails.
  if (!there) speculative_ = TcpRoute();
  if (tcp_) return FinishTcp(std::move(final_));
  // A client that waits for the server's first word would wait for ever.
  refused_ = !there;
  if (refused_ && seen().empty()) silence_.Start(context_.loop.timers(), kRefuseAfter);
}

void OutboundIntake::OnServerSpoke() {
  if (decided() || tcp_) return;
  context_.learned.Note(info_.local, LearnedDestinations::Speaks::kServerFirst);
  tcp_ = true;
  FinishTcp(speculative_);
}

void OutboundIntake::GoHttp() {
  if (lookup_failed_) return FailLookup();
  if (declared_ == xds::DeclaredProtocol::kNone) context_.learned.Note(info_.local, LearnedDestinations::Speaks::kHttp);
  early_.Drop();
  ServeHttp(config_->http, OutboundHttpRouting(*destination_, context_.index, info_.local.port.value, config_->xds));
}

void OutboundIntake::GoTcp() {
  tcp_ = true;
  context_.learned.Note(info_.local, LearnedDestinations::Speaks::kUnknown);  // the client spoke first, and no HTTP
  silence_.Cancel();
  if (lookup_failed_) return FailLookup();
  if (const auto route = FindTcpRoute()) FinishTcp(*route);
}

std::optional<TcpRoute> OutboundIntake::FindTcpRoute() {
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
  const xds::L4Routes* routes = found == context_.tables.l4_routes.end() ? nullptr : found->second.get();
  return OutboundTcpRoute(*destination_, context_.index, routes,
                          {.local = info_.local, .server_name = server_name_, .random = context_.random.Next()},
                          config_->xds);
}

void OutboundIntake::FinishTcp(TcpRoute route) {
  TcpSession::Start start;
  start.config = config_->tcp;
  start.cluster = route.cluster;
  start.route_name = route.name;
  if (!route.cluster.empty() && speculative_.cluster == route.cluster) {
    if (early_.pending()) {  // it comes back here
      final_ = std::move(route);
      return;
    }
    early_.GiveTo(start);
  }
  early_.Drop();
  info_.server_name = server_name_;
  ServeTcp(std::move(start));
}

void OutboundIntake::FailLookup() {
  if (Judge() == sniff::Protocol::kHttp1) return RefuseAsHttp(Failure::kLookupTimeout, config_->http->logs.get());
  const FailureFacts& facts = FactsOf(Failure::kLookupTimeout);
  RecordRefusal(config_->tcp->logs.get(), facts.flag, std::string(facts.details));
  Refuse(false);
}

}  // namespace plait::proxy::session
