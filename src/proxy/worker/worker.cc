#include "proxy/worker/worker.h"

#include <algorithm>
#include <utility>

namespace plait::proxy::worker {
namespace {

std::unique_ptr<upstream::Connector> MakeConnector(io::Loop& loop, const WorkerOptions& options) {
  if (!options.loopback.workload.is_unspecified())
    return std::make_unique<upstream::LoopbackConnector>(loop, options.loopback);
  if (options.dial_helper.path.empty()) return std::make_unique<upstream::DirectConnector>(loop);
  return std::make_unique<upstream::HelperConnector>(loop, options.dial_helper);
}

constexpr std::uint8_t kFollowInSessions = 1;
constexpr std::uint8_t kFollowInPools = 2;

// Whether a change of this cluster changes whom its hosts must prove to be.
bool VerifiesOtherwise(const xds::Cluster& before, const xds::Cluster& now) {
  return &before != &now && (before.tls != now.tls || before.transport_socket_matches != now.transport_socket_matches);
}

bool IsInbound(const listen::CompiledListener& listener) {
  return listener.config->direction == xds::Listener::Direction::kInbound;
}

}  // namespace

Worker::Worker(WorkerOptions options, Shared shared)
    : options_(std::move(options)),
      shared_(std::move(shared)),
      tls_(shared_.secrets, options_.drain_time),
      connector_(MakeConnector(loop_, options_)),
      pools_(loop_, tls_, *connector_),
      orphans_(loop_),
      demands_(loop_, shared_.demands),
      recorder_(shared_.make_recorder(loop_, index_, clusters_)),
      context_{.loop = loop_,
               .random = random_,
               .clusters = clusters_,
               .index = index_,
               .tables = tables_,
               .pools = pools_,
               .recorder = *recorder_,
               .on_demand = demands_,
               .orphans = orphans_,
               .downstream_tls = shared_.secrets,
               .static_only = options_.static_only,
               .warming_limit = options_.warming_limit,
               .drain_time = options_.drain_time,
               // Ids of different workers never meet.
               .next_connection_id = (std::uint64_t{options_.index} << 48) + 1,
               .draining = false,
               .health_failed = false,
               .gateway = options_.gateway} {
  clusters_.OnHostRemoved([this](const cluster::Cluster&, const cluster::HostPtr& host) { pools_.DrainHost(*host); });
  hooks_.find = [this](const io::SocketAddress& address) { return FindByAddress(address); };
  hooks_.destination = [this](const io::SocketAddress& local) { return shared_.sockets.DestinationOf(local); };
  hooks_.as_configured = [this](io::SocketAddress local) { return shared_.sockets.AsConfigured(std::move(local)); };
  hooks_.give_away = [this](io::UniqueFd& socket, const std::string& listener) {
    return shared_.give_away(options_.index, socket, listener);
  };
  hooks_.count = [this](int change) {
    connections_.fetch_add(static_cast<std::uint32_t>(change), std::memory_order_relaxed);
    if (change > 0) {
      shared_.balance.Add(options_.index);
    } else {
      shared_.balance.Remove(options_.index);
    }
  };
  sweep_.SetCallback([this] { Sweep(); });
}

Worker::~Worker() { Stop(); }

void Worker::Stop() {
  loop_.Stop();
  if (thread_.joinable()) thread_.join();
}

void Worker::StartThread() {
  thread_ = std::thread([this] {
    sweep_.Start(loop_.timers(), std::chrono::seconds(1));
    loop_.Run();
    // Everything that belongs to this thread ends on it.
    listeners_.clear();
    leaving_.clear();
    loop_.RunOnce(Duration(0));
  });
}

void Worker::Sweep() {
  clusters_.Sweep(loop_.Now());
  early_before_ = std::exchange(early_, {});  // whose listener has gone again
  std::erase_if(leaving_, [](const auto& handler) { return handler->connections() == 0; });
  sweep_.Start(loop_.timers(), std::chrono::seconds(1));
}

void Worker::ApplyClusters(cluster::ClusterUpdate update) {
  loop_.Post([this, update = std::move(update)] {
    const bool verifies_otherwise =
        std::any_of(update.changed.begin(), update.changed.end(), [&](const cluster::ClusterPtr& now) {
          const cluster::WorkerCluster* before = clusters_.Find(now->name());
          return before != nullptr && VerifiesOtherwise(*before->cluster()->config, *now->config);
        });
    clusters_.Apply(update);
    if (verifies_otherwise) FollowInSessions();
  });
}

void Worker::ApplyIndex(cluster::IndexUpdate update) {
  loop_.Post([this, update = std::move(update)] { index_.Apply(update); });
}

void Worker::PutRoutes(std::string name, std::shared_ptr<const route::RouteTable> table) {
  loop_.Post([this, name = std::move(name), table = std::move(table)]() mutable {
    tables_.routes.insert_or_assign(std::move(name), std::move(table));
  });
}

void Worker::ForgetRoutes(std::string name) {
  loop_.Post([this, name = std::move(name)] { tables_.routes.erase(name); });
}

void Worker::PutL4Routes(std::string name, std::shared_ptr<const xds::L4Routes> routes) {
  loop_.Post([this, name = std::move(name), routes = std::move(routes)]() mutable {
    tables_.l4_routes.insert_or_assign(std::move(name), std::move(routes));
  });
}

void Worker::ForgetL4Routes(std::string name) {
  loop_.Post([this, name = std::move(name)] { tables_.l4_routes.erase(name); });
}

void Worker::PutListener(listen::ListenerPtr listener, std::vector<int> sockets) {
  loop_.Post([this, listener = std::move(listener), sockets = std::move(sockets)]() mutable {
    if (context_.draining) return;
    const auto found = listeners_.find(listener->name());
    if (found != listeners_.end()) {
      found->second->Update(std::move(listener));
      return found->second->Listen(sockets, options_.shared_sockets);
    }
    const std::string name = listener->name();
    auto handler = std::make_unique<ListenerHandler>(context_, shared_.secrets, std::move(listener), hooks_);
    handler->Listen(sockets, options_.shared_sockets);
    listeners_.emplace(name, std::move(handler));
    ServeEarly(name);
  });
}

void Worker::RemoveListener(std::string name) {
  loop_.Post([this, name = std::move(name)] {
    const auto found = listeners_.find(name);
    if (found == listeners_.end()) return;
    found->second->Drain();
    leaving_.push_back(std::move(found->second));
    listeners_.erase(found);
  });
}

void Worker::CountDown(std::shared_ptr<std::atomic<std::size_t>> counter) {
  loop_.Post([counter = std::move(counter)] { counter->fetch_sub(1, std::memory_order_release); });
}

void Worker::Serve(io::UniqueFd socket, std::string listener, Balance::OnItsWay counted) {
  loop_.Post(
      [this, socket = std::move(socket), listener = std::move(listener), counted = std::move(counted)]() mutable {
        // What was posted with it lives until all of that has run: it would count twice as long as that.
        Balance::OnItsWay on_its_way = std::move(counted);
        const auto found = listeners_.find(listener);
        if (found != listeners_.end()) return found->second->Serve(std::move(socket));
        // At the start of the process a whole backlog is accepted by who gets the listener first.
        if (!context_.draining) early_.emplace(std::move(listener), Early{std::move(socket), std::move(on_its_way)});
      });
}

void Worker::ServeEarly(const std::string& listener) {
  for (auto* early : {&early_before_, &early_}) {
    const auto [begin, end] = early->equal_range(listener);
    for (auto each = begin; each != end; each = early->erase(each)) {
      listeners_.at(listener)->Serve(std::move(each->second.socket));
    }
  }
}

void Worker::Drain() {
  loop_.Post([this] {
    context_.draining = true;
    for (const auto& [name, handler] : listeners_) handler->Drain();
    for (const auto& handler : leaving_) handler->Drain();
  });
}

void Worker::BeginDrain(bool inbound_only) {
  loop_.Post([this, inbound_only] {
    for (const auto& [name, handler] : listeners_) {
      if (!inbound_only || IsInbound(handler->listener())) handler->BeginDrain();
    }
  });
}

void Worker::StopListeners(bool inbound_only) {
  loop_.Post([this, inbound_only] {
    for (const auto& [name, handler] : listeners_) {
      if (!inbound_only || IsInbound(handler->listener())) handler->StopAccepting();
    }
  });
}

void Worker::SetHealthFailed(bool failed) {
  loop_.Post([this, failed] { context_.health_failed = failed; });
}

void Worker::FollowSecrets(Followers who) {
  const auto bits =
      static_cast<std::uint8_t>((who.sessions ? kFollowInSessions : 0) | (who.pools ? kFollowInPools : 0));
  if (bits == 0 || to_follow_.fetch_or(bits) != 0) return;
  loop_.Post([this] {
    const std::uint8_t now = to_follow_.exchange(0);
    if ((now & kFollowInSessions) != 0) FollowInSessions();
    if ((now & kFollowInPools) != 0) pools_.JudgeAgain();
  });
}

void Worker::FollowInSessions() {
  for (const auto& [name, handler] : listeners_) handler->FollowSecrets();
  for (const auto& handler : leaving_) handler->FollowSecrets();
}

void Worker::CloseAll() {
  loop_.Post([this] {
    for (const auto& [name, handler] : listeners_) handler->CloseAll("server_shutdown");
    for (const auto& handler : leaving_) handler->CloseAll("server_shutdown");
  });
}

ListenerHandler* Worker::FindByAddress(const io::SocketAddress& address) {
  ListenerHandler* wildcard = nullptr;
  for (const auto& [name, handler] : listeners_) {
    for (const xds::ListenerAddress& bound : handler->listener().config->addresses) {
      if (handler->listener().config->use_original_dst || bound.address.port != address.port) continue;
      if (bound.address.ip == address.ip) return handler.get();
      if (bound.address.ip.is_unspecified()) wildcard = handler.get();
    }
  }
  return wildcard;
}

}  // namespace plait::proxy::worker
