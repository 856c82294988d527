#include "proxy/worker/worker.h"

#include <utility>

namespace plait::proxy::worker {
namespace {

bool IsInbound(const listen::CompiledListener& listener) {
  return listener.config->direction == xds::Listener::Direction::kInbound;
}

}  // namespace

Worker::Worker(WorkerOptions options, Shared shared)
    : options_(options),
      shared_(std::move(shared)),
      tls_(shared_.secrets),
      pools_(loop_, tls_),
      orphans_(loop_),
      demands_(loop_, shared_.demands),
      recorder_(shared_.make_recorder(loop_, index_)),
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
               .static_only = options.static_only,
               .warming_limit = options.warming_limit,
               // Ids of different workers never meet.
               .next_connection_id = (std::uint64_t{options.index} << 48) + 1,
               .draining = false,
               .health_failed = false,
               .gateway = options.gateway} {
  clusters_.OnHostRemoved([this](const cluster::Cluster&, const cluster::HostPtr& host) { pools_.DrainHost(*host); });
  hooks_.find = [this](const io::SocketAddress& address) { return FindByAddress(address); };
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

Worker::~Worker() {
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
  std::erase_if(leaving_, [](const auto& handler) { return handler->connections() == 0; });
  sweep_.Start(loop_.timers(), std::chrono::seconds(1));
}

void Worker::ApplyClusters(cluster::ClusterUpdate update) {
  loop_.Post([this, update = std::move(update)] { clusters_.Apply(update); });
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
    if (found != listeners_.end()) return found->second->Update(std::move(listener));
    const std::string name = listener->name();
    auto handler = std::make_unique<ListenerHandler>(context_, shared_.secrets, std::move(listener), hooks_);
    handler->Listen(sockets, options_.shared_sockets);
    listeners_.emplace(name, std::move(handler));
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

void Worker::Serve(io::UniqueFd socket, std::string listener) {
  loop_.Post([this, socket = std::move(socket), listener = std::move(listener)]() mutable {
    const auto found = listeners_.find(listener);
    if (found != listeners_.end()) found->second->Serve(std::move(socket));
  });
}

void Worker::Drain() {
  loop_.Post([this] {
    context_.draining = true;
    for (const auto& [name, handler] : listeners_) handler->Drain();
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
