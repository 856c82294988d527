#include "proxy/session/inbound.h"

#include <algorithm>
#include <utility>

#include "core/tls/client_hello.h"
#include "core/tls/facts.h"
#include "core/tls/stream.h"
#include "proxy/session/decisions.h"
#include "proxy/session/handshake_stats.h"

namespace plait::proxy::session {
namespace {

constexpr Duration kDialAfter = std::chrono::milliseconds(5);

}  // namespace

InboundIntake::InboundIntake(Context& context, std::shared_ptr<const InboundConfig> config,
                             std::unique_ptr<io::Stream> stream, record::ConnectionInfo info, SessionOwner& owner,
                             OnDecided decided)
    : Intake(context, {std::move(stream), std::move(info), owner, std::move(decided)}),
      config_(std::move(config)),
      port_(config_->PortFor(info_.local.port.value)) {
  silence_.SetCallback([this] { Begin(); });
  silence_.Start(context_.loop.timers(), Duration(0));
}

InboundIntake::~InboundIntake() = default;

bool InboundIntake::IsMeshed(const cluster::Destination& peer) {
  return peer.workload != nullptr && peer.workload->tls_mode == xds::TlsMode::kIstio;
}

void InboundIntake::Begin() {
  if (decided()) return;  // the client came and went in this very round
  silence_.SetCallback([this] { OnSilence(); });
  state_ = port_.mode == xds::MtlsMode::kDisable ? State::kInside : State::kOutside;
  if (state_ == State::kInside && port_.declared == xds::DeclaredProtocol::kTcp) return GoTcp();
  if (seen().empty() && SilenceLimit() != Duration::max()) silence_.Start(context_.loop.timers(), SilenceLimit());
  Look();
}

// How long a silent client is waited for before the application may be dialled (semantics.md 1).
Duration InboundIntake::SilenceLimit() const {
  if (port_.declared == xds::DeclaredProtocol::kHttp || port_.declared == xds::DeclaredProtocol::kTls)
    return Duration::max();
  if (state_ == State::kInside && (info_.tls != nullptr || port_.mode == xds::MtlsMode::kDisable)) return kDialAfter;
  if (port_.mode == xds::MtlsMode::kStrict) return Duration::max();
  const cluster::Destination peer = context_.index.FindByAddress(info_.remote.ip);
  if (!peer.known) return config_->xds.detection_timeout.value_or(std::chrono::seconds(1));
  return IsMeshed(peer) ? Duration::max() : kDialAfter;
}

void InboundIntake::Look() {
  if (decided() || tcp_) return;
  if (state_ == State::kOutside) return LookOutside();
  if (state_ == State::kInside) LookInside();
}

void InboundIntake::LookOutside() {
  if (seen().empty()) return;
  const bool may_be_tls = SeenBytes().front() == sniff::kTlsHandshakeRecord;
  if (may_be_tls) {
    tls::ClientHelloPeek peek = tls::PeekClientHello(SeenBytes());
    // Only a whole hello is judged. One whose rest does not come is none: an outsider would be waited for without end.
    if (peek.status == tls::PeekStatus::kNeedMore && !client_ended() && prefix_ != Prefix::kOver) {
      // That of a proxy comes, if late: its second packet may have been lost more than once.
      return AwaitTheRest(IsMeshed(context_.index.FindByAddress(info_.remote.ip)) ? kHelloLimit : kPrefixLimit);
    }
    if (peek.status == tls::PeekStatus::kComplete) {
      info_.server_name = peek.hello.sni;
      info_.foreign_tls = !IsMeshAlpn(peek.hello.alpn);
      if (JudgeClientHello(port_, peek.hello.alpn) == InboundVerdict::kTerminate) return Terminate();
      state_ = State::kInside;
      return GoTcp();
    }
  }
  if (JudgePlaintext(port_) == InboundVerdict::kRefusePlaintext) {
    return RefuseWith(record::ResponseFlag::kNone, PlaintextRefusal(port_));
  }
  state_ = State::kInside;
  LookInside();
}

// Bytes that look like a ClientHello whose rest did not come.
bool InboundIntake::IsHalfAHello() {
  return prefix_ == Prefix::kOver && tls::PeekClientHello(SeenBytes()).status == tls::PeekStatus::kNeedMore;
}

void InboundIntake::Terminate() {
  auto context = context_.downstream_tls.Server(config_->xds.tls);
  if (!context) return RefuseWith(record::ResponseFlag::kNone, "no_certificate_yet");
  silence_.Cancel();
  prefix_ = Prefix::kNone;
  early_.Drop();  // was for a client without TLS
  state_ = State::kHandshake;
  auto plain = std::move(stream_);
  plain->SetEvents(nullptr);
  Buffer seen = TakeSeen();
  Replace(tls::Wrap(context_.loop, GiveAgain(context_.loop, std::move(plain), std::move(seen)), std::move(*context)));
}

void InboundIntake::OnStreamOpen() {
  if (state_ != State::kHandshake) return Look();
  state_ = State::kInside;
  info_.tls = stream_->tls();
  CountHandshake(info_);
  if (info_.server_name.empty()) info_.server_name = info_.tls->sni;
  const std::string& alpn = info_.tls->alpn;
  if (port_.declared == xds::DeclaredProtocol::kTcp) return GoTcp();
  if (alpn.starts_with("istio-http/") || alpn == "istio-h2") return GoHttp();
  if (SilenceLimit() != Duration::max()) silence_.Start(context_.loop.timers(), SilenceLimit());
  if (ReadMore()) Look();
}

void InboundIntake::OnStreamFailed(Error error) {
  if (state_ != State::kHandshake) return;
  std::string reason = tls::FailureOf(*stream_);
  CountFailedHandshake(info_, reason);
  if (reason.empty()) reason = error.detail;
  std::replace(reason.begin(), reason.end(), ' ', '_');
  std::string details = "tls_handshake_failed{" + reason + "}";
  if (tls::OwnCertificateRefused(*stream_)) details += "_the_caller_did_not_accept_this_workload's_certificate";
  // What a proxy of the mesh begins is not for the application on any port.
  if (info_.foreign_tls && !port_.strict_by.empty()) {
    details += "_on_a_STRICT_port" + StrictBy(port_);
  } else if (info_.foreign_tls && port_.mode == xds::MtlsMode::kStrict) {
    // semantics.md 5: the reason names the switch.
    details += "_use_PeerAuthentication_PERMISSIVE_or_plait.dev/app-tls-ports_for_the_application's_own_TLS";
  }
  RecordRefusal(config_->tcp->logs.get(), record::ResponseFlag::kNone, std::move(details));
}

bool InboundIntake::HasHttpPolicy() const {
  return std::any_of(config_->xds.http.filters.begin(), config_->xds.http.filters.end(),
                     [](const xds::HttpFilter& filter) {
                       const auto* rbac = std::get_if<xds::RbacFilter>(&filter.config);
                       return rbac != nullptr && rbac->rules.has_value();
                     });
}

void InboundIntake::LookInside() {
  if (port_.declared == xds::DeclaredProtocol::kTcp) return GoTcp();
  const bool http_port = port_.declared == xds::DeclaredProtocol::kHttp;
  switch (Judge()) {
    case sniff::Protocol::kNeedMore:
      if (seen().empty()) return;
      if (prefix_ != Prefix::kOver) return AwaitTheRest();
      [[fallthrough]];  // TCP, but refused where a policy has HTTP fields
    case sniff::Protocol::kNearlyHttp:
      // Never slips past a policy with HTTP fields.
      return http_port || HasHttpPolicy() ? RefuseAsHttp(Failure::kNearlyHttp, config_->http->logs.get()) : GoTcp();
    case sniff::Protocol::kHttp1:
    case sniff::Protocol::kHttp2: return GoHttp();
    case sniff::Protocol::kTls:
      if (IsHalfAHello() && (http_port || HasHttpPolicy()))
        return RefuseAsHttp(Failure::kNearlyHttp, config_->http->logs.get());
      return GoTcp();  // the application's own, whatever its port is called
    case sniff::Protocol::kOther:
      return http_port ? RefuseAsHttp(Failure::kNearlyHttp, config_->http->logs.get()) : GoTcp();
  }
}

void InboundIntake::OnSilence() {
  if (decided() || !ReadMore()) return;
  if (prefix_ == Prefix::kAwaited) prefix_ = Prefix::kOver;
  if (!seen().empty()) return Look();
  // Not inside yet: a mesh client whose hello comes later is terminated still, as long as the application is silent.
  if (!early_.pending() && !early_.there() && Allowed()) early_.Start(port_.cluster);
}

bool InboundIntake::Allowed() {
  filters::NetworkVerdict verdict = filters::CheckAll(config_->rbac, info_);
  if (verdict.allowed) return true;
  RefuseWith(record::ResponseFlag::kNone, std::move(verdict.details));
  return false;
}

void InboundIntake::OnDialled(bool there) {
  if (decided()) return;  // the client has gone in this very round
  // A client that waits for the server's first word would wait for ever: the session dials once more, and tells why it
  // fails.
  if (tcp_ || (!there && seen().empty())) GoTcp();
}

void InboundIntake::OnServerSpoke() {
  if (decided() || tcp_) return;
  // The rest of a ClientHello is on its way, and waited for: it decides for whom these bytes are.
  const bool hello = state_ == State::kOutside && !seen().empty() && !client_ended() &&
                     SeenBytes().front() == sniff::kTlsHandshakeRecord;
  if (!hello) GoTcp();
}

void InboundIntake::GoHttp() {
  silence_.Cancel();
  early_.Drop();
  HttpRouting routing;
  routing.table = InboundRoutes(*config_, info_.local.port.value);
  ServeHttp(config_->http, std::move(routing));
}

void InboundIntake::GoTcp() {
  tcp_ = true;
  silence_.Cancel();
  if (early_.pending()) return;  // it comes back here
  TcpSession::Start start;
  start.config = config_->tcp;
  start.rbac = config_->rbac;
  start.cluster = port_.cluster;
  early_.GiveTo(start);
  ServeTcp(std::move(start));
}

void InboundIntake::RefuseWith(record::ResponseFlag flag, std::string details) {
  RecordRefusal(config_->tcp->logs.get(), flag, std::move(details));
  Refuse(true);
}

}  // namespace plait::proxy::session
