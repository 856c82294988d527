#include "proxy/worker/listener_handler.h"

#include <utility>

#include "core/base/log.h"
#include "core/tls/stream.h"
#include "proxy/session/ended_connection.h"
#include "proxy/session/http_session.h"
#include "proxy/session/inbound.h"
#include "proxy/session/outbound.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/session/tcp_session.h"

namespace plait::proxy::worker {
namespace {

using record::ListenerStat;

log::Component kLog("conn");

record::Direction DirectionOf(const xds::Listener& listener) {
  switch (listener.direction) {
    case xds::Listener::Direction::kInbound: return record::Direction::kInbound;
    case xds::Listener::Direction::kOutbound: return record::Direction::kOutbound;
    case xds::Listener::Direction::kUnspecified: break;
  }
  return record::Direction::kUnspecified;
}

}  // namespace

ListenerHandler::ListenerHandler(session::Context& context, Secrets& secrets, listen::ListenerPtr listener,
                                 Hooks& hooks)
    : context_(context), secrets_(secrets), listener_(std::move(listener)), hooks_(hooks) {}

ListenerHandler::~ListenerHandler() = default;

void ListenerHandler::Listen(const std::vector<int>& sockets, bool shared) {
  if (sockets == watched_) return;
  watched_ = sockets;
  accepting_.clear();
  for (const int socket : sockets) {
    accepting_.push_back(std::make_unique<io::Listener>(context_.loop, socket, shared,
                                                        [this](io::UniqueFd fd) { Accepted(std::move(fd)); }));
  }
}

void ListenerHandler::Update(listen::ListenerPtr listener) {
  listener_ = std::move(listener);
  FollowSecrets();
}

void ListenerHandler::FollowSecrets() {
  for (auto& [key, serving] : sessions_) {
    serving.began_before = true;
    Follow(*key, serving.chain);
  }
}

// A handshake that began under other roots was judged by them.
std::string ListenerHandler::Refuse(session::Session& session) {
  const auto found = sessions_.find(&session);
  if (found == sessions_.end() || !found->second.began_before) return {};
  const session::Chain* now = ChainNamed(found->second.chain);
  return now != nullptr ? session.Follow(*now) : std::string();
}

const session::Chain* ListenerHandler::ChainNamed(const std::string& name) const {
  for (const session::ChainPtr& chain : listener_->chains) {
    if (chain->name == name) return chain.get();
  }
  const session::ChainPtr& other = listener_->default_chain;
  return other != nullptr && other->name == name ? other.get() : nullptr;
}

void ListenerHandler::Follow(session::Session& session, const std::string& chain) {
  const session::Chain* now = ChainNamed(chain);
  if (now == nullptr) return session.Drain();
  if (const std::string why = session.Follow(*now); !why.empty()) session.Close(why);
}

void ListenerHandler::Serve(std::unique_ptr<session::Session> session, const std::string& chain) {
  session::Session& served = *session;
  sessions_.emplace(&served, Serving{.session = std::move(session), .chain = chain});
}

void ListenerHandler::Accepted(io::UniqueFd socket) {
  if (hooks_.give_away(socket, listener_->name())) return;
  Serve(std::move(socket));
}

void ListenerHandler::Serve(io::UniqueFd socket) {
  hooks_.count(1);
  bool captured = false;
  record::ConnectionInfo info;
  info.id = context_.next_connection_id++;
  info.direction = DirectionOf(*listener_->config);
  info.gateway = context_.gateway;
  info.listener = listener_->name();
  info.accepted = context_.loop.Now();
  info.remote = io::PeerAddress(socket.get());
  if (info.direction == record::Direction::kInbound) info.peer = context_.index.FindWorkload(info.remote.ip);
  info.local = io::LocalAddress(socket.get());
  ListenerHandler* handler = this;
  if (listener_->original_dst) {
    const io::SocketAddress own = info.local;
    const io::SocketAddress* const meant = hooks_.destination(own);
    if (meant != nullptr) {
      info.local = *meant;
    } else if (const auto destination = io::OriginalDestination(socket.get())) {
      info.local = *destination;
    }
    captured = meant != nullptr || info.local != own;
    if (listener_->config->use_original_dst) {
      if (ListenerHandler* other = hooks_.find(info.local); other != nullptr) handler = other;
    }
  } else {
    info.local = hooks_.as_configured(std::move(info.local));
  }
  if (!captured && handler->listener_->needs_capture) {
    // Somebody dialled the capture port itself: there is no destination (semantics.md 8).
    info.listener_logs = handler->listener_->logs;
    handler->LeaveRecord(info, record::ResponseFlag::kNoRouteFound, "original_destination_not_found");
    kLog.Debug("refused a connection of " + info.remote.ToString() + " to the capture port itself");
    return hooks_.count(-1);
  }
  auto stream = io::AdoptSocket(context_.loop, std::move(socket));
  handler->Begin(std::move(stream), std::move(info));
}

void ListenerHandler::Left(const record::ListenerStats& stats, MonotonicTime accepted) {
  stats.AddGauge(ListenerStat::kCxActive, -1);
  stats.Add(ListenerStat::kCxDestroy);
  stats.Record(ListenerStat::kCxLength,
               std::chrono::duration<double, std::milli>(context_.loop.Now() - accepted).count());
  hooks_.count(-1);
}

void ListenerHandler::LeaveRecord(const record::ConnectionInfo& info, record::ResponseFlags flags,
                                  std::string response_details, std::string termination_details) {
  if (info.listener_logs == nullptr) return;
  record::StreamRecord record = session::EndedNow(info, context_);
  record.flags = flags;
  record.response_details = std::move(response_details);
  record.termination_details = std::move(termination_details);
  context_.recorder.OtherConnectionEnded(record, nullptr);
}

void ListenerHandler::Begin(std::unique_ptr<io::Stream> stream, record::ConnectionInfo info) {
  info.listener_logs = listener_->logs;
  info.listener_stats = listener_->stats;
  const std::uint16_t port = info.local.port.value;
  if (listener_->InspectsTls(port) || listener_->InspectsHttp(port)) return Inspect(std::move(stream), std::move(info));
  Choose(std::move(stream), Buffer(), false, {}, std::move(info));
}

void ListenerHandler::Inspect(std::unique_ptr<io::Stream> stream, record::ConnectionInfo info) {
  const listen::Inspection::Wanted wanted{.tls = listener_->InspectsTls(info.local.port.value),
                                          .http = listener_->InspectsHttp(info.local.port.value),
                                          .limit = listener_->inspection_timeout};
  struct Key {
    listen::Inspection* inspection = nullptr;
  };
  auto key = std::make_shared<Key>();
  info.listener_stats->AddGauge(ListenerStat::kPreCxActive, 1);
  auto done = [this, key, info = std::move(info)](std::unique_ptr<io::Stream> open, Buffer seen,
                                                  listen::Findings findings) mutable {
    const auto place = inspections_.find(key->inspection);
    context_.loop.DeleteLater(std::move(place->second));
    inspections_.erase(place);
    info.listener_stats->AddGauge(ListenerStat::kPreCxActive, -1);
    const bool gone = open == nullptr;
    if (gone || (findings.timed_out && !listener_->config->continue_on_listener_filters_timeout)) {
      info.listener_stats->Add(gone ? ListenerStat::kFilterRemoteClose : ListenerStat::kPreCxTimeout);
      context_.loop.DeleteLater(std::move(open));
      LeaveRecord(info, {}, {});
      return hooks_.count(-1);
    }
    Choose(std::move(open), std::move(seen), true, findings, std::move(info));
  };
  auto inspection = std::make_unique<listen::Inspection>(context_.loop, std::move(stream), wanted, std::move(done));
  key->inspection = inspection.get();
  inspections_.emplace(key->inspection, std::move(inspection));
}

void ListenerHandler::Choose(std::unique_ptr<io::Stream> stream, Buffer seen, bool inspected,
                             const listen::Findings& findings, record::ConnectionInfo info) {
  info.server_name = findings.server_name;
  listen::ConnectionFacts facts{.destination = info.local,
                                .source = info.remote,
                                .server_name = info.server_name,
                                .transport_protocol = findings.tls ? "tls" : "raw_buffer",
                                .application_protocols = {}};
  for (const std::string& name : findings.alpn) facts.application_protocols.push_back(name);
  const auto index = listener_->matcher.Match(facts);
  const session::ChainPtr& chain = index ? listener_->chains[*index] : listener_->default_chain;
  if (chain == nullptr) {
    kLog.Debug("no filter chain takes a connection to " + info.local.ToString() + " on listener " + listener_->name());
    info.listener_stats->Add(ListenerStat::kNoFilterChainMatch);
    LeaveRecord(info, record::ResponseFlag::kNoRouteFound, "filter_chain_not_found");
    stream->Close(false);
    context_.loop.DeleteLater(std::move(stream));
    return hooks_.count(-1);
  }
  if (inspected) stream = session::GiveAgain(context_.loop, std::move(stream), std::move(seen));
  Start(chain, std::move(stream), std::move(info));
}

void ListenerHandler::Start(const session::ChainPtr& chain, std::unique_ptr<io::Stream> stream,
                            record::ConnectionInfo info) {
  info.filter_chain = chain->name;
  const std::shared_ptr<const record::ListenerStats> stats = info.listener_stats;
  stats->Add(ListenerStat::kCxTotal);
  stats->AddGauge(ListenerStat::kCxActive, 1);
  const MonotonicTime accepted = info.accepted;
  if (chain->tls) {
    Outcome<ContextPtr> tls = secrets_.Server(*chain->tls);
    if (!tls) {
      kLog.Warn("listener " + listener_->name() + ": " + tls.error().message);
      LeaveRecord(info, {}, {}, "no_certificate_yet");
      stream->Close(true);
      context_.loop.DeleteLater(std::move(stream));
      return Left(*stats, accepted);
    }
    tls::WrapOptions options;
    if (chain->handshake_timeout > Duration(0)) options.handshake_timeout = chain->handshake_timeout;
    stream = tls::Wrap(context_.loop, std::move(stream), std::move(*tls), std::move(options));
  }
  using session::InboundConfig, session::OutboundConfig;
  if (const auto* outbound = std::get_if<std::shared_ptr<const OutboundConfig>>(&chain->terminal)) {
    return StartIntake<session::OutboundIntake>(chain->name, *outbound, std::move(stream), std::move(info));
  }
  if (const auto* inbound = std::get_if<std::shared_ptr<const InboundConfig>>(&chain->terminal)) {
    return StartIntake<session::InboundIntake>(chain->name, *inbound, std::move(stream), std::move(info));
  }
  std::unique_ptr<session::Session> session = MakeSession(*chain, std::move(stream), std::move(info));
  if (session == nullptr) return Left(*stats, accepted);
  Serve(std::move(session), chain->name);
}

template <class Kind, class Config>
void ListenerHandler::StartIntake(const std::string& chain, std::shared_ptr<const Config> config,
                                  std::unique_ptr<io::Stream> stream, record::ConnectionInfo info) {
  auto key = std::make_shared<session::Intake*>(nullptr);
  auto decided = [this, key, chain, stats = info.listener_stats,
                  accepted = info.accepted](std::unique_ptr<session::Session> session) {
    const auto place = intakes_.find(*key);
    context_.loop.DeleteLater(std::move(place->second));
    intakes_.erase(place);
    if (session == nullptr) return Left(*stats, accepted);
    session::Session& served = *session;
    Serve(std::move(session), chain);
    // The listener may have changed while the connection was looked at.
    context_.loop.Defer([this, &served, chain, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired() && sessions_.contains(&served)) Follow(served, chain);
    });
  };
  auto intake = std::make_unique<Kind>(context_, std::move(config), std::move(stream), std::move(info), *this,
                                       std::move(decided));
  *key = intake.get();
  intakes_.emplace(*key, std::move(intake));
}

std::unique_ptr<session::Session> ListenerHandler::MakeSession(const session::Chain& chain,
                                                               std::unique_ptr<io::Stream> stream,
                                                               record::ConnectionInfo info) {
  using namespace session;
  if (const auto* http = std::get_if<std::shared_ptr<const HttpConfig>>(&chain.terminal)) {
    return std::make_unique<HttpSession>(context_, *http, std::move(stream), std::move(info), HttpRouting{}, *this,
                                         chain.rbac);
  }
  if (const auto* tcp = std::get_if<std::shared_ptr<const TcpConfig>>(&chain.terminal)) {
    TcpSession::Start start;
    start.config = *tcp;
    start.rbac = chain.rbac;
    start.cluster = chain.sni_cluster ? info.server_name : ChooseCluster((*tcp)->xds.clusters, context_.random.Next());
    start.downstream = std::move(stream);
    return std::make_unique<TcpSession>(context_, std::move(start), std::move(info), *this);
  }
  return nullptr;
}

void ListenerHandler::Drain() {
  StopAccepting();
  for (const auto& [key, serving] : sessions_) key->Drain();
}

void ListenerHandler::CloseAll(std::string_view reason) {
  StopAccepting();
  for (const auto& [key, serving] : sessions_) key->Close(reason);
}

void ListenerHandler::OnSessionEnded(session::Session& session) {
  const auto found = sessions_.find(&session);
  Left(*session.info().listener_stats, session.info().accepted);
  context_.loop.DeleteLater(std::move(found->second.session));
  sessions_.erase(found);
}

}  // namespace plait::proxy::worker
