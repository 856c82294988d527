#include "proxy/worker/demands.h"

#include <utility>

namespace plait::proxy::worker {

struct WorkerDemands::Answers {
  std::uint64_t next = 1;
  std::unordered_map<std::uint64_t, OnReady> ready;
  std::unordered_map<std::uint64_t, cluster::DestinationStore::OnFound> found;
};

namespace {

// The main thread's half of one wait; made, used and destroyed there.
struct Waiting {
  Pending pending;
};

// Dropping it forgets the callback; the main thread's wait then ends at its own limit.
template <class Map>
class Forget final : public Pending::Operation {
 public:
  Forget(std::shared_ptr<void> owner, Map& map, std::uint64_t id) : owner_(std::move(owner)), map_(map), id_(id) {}
  ~Forget() override { map_.erase(id_); }

 private:
  std::shared_ptr<void> owner_;  // keeps the map alive
  Map& map_;
  std::uint64_t id_;
};

template <class Map, class Value>
void Answer(Map& map, std::uint64_t id, Value value) {
  const auto found = map.find(id);
  if (found == map.end()) return;  // nobody waits any more
  auto callback = std::move(found->second);
  map.erase(found);
  callback(std::move(value));
}

}  // namespace

WorkerDemands::WorkerDemands(io::Loop& loop, MainDemands& main)
    : loop_(loop), main_(main), answers_(std::make_shared<Answers>()) {}

WorkerDemands::~WorkerDemands() = default;

Pending WorkerDemands::Need(MainDemands::Kind kind, std::string name, Duration limit, OnReady ready) {
  const std::uint64_t id = answers_->next++;
  answers_->ready.emplace(id, std::move(ready));
  main_.loop().Post(
      [&main = main_, &worker = loop_, answers = answers_, id, kind, name = std::move(name), limit]() mutable {
        auto waiting = std::make_shared<Waiting>();
        waiting->pending =
            main.Need(kind, std::move(name), limit, [&worker, &loop = main.loop(), answers, id, waiting](bool ok) {
              worker.Post([answers, id, ok] { Answer(answers->ready, id, ok); });
              loop.Defer([waiting] { waiting->pending = Pending(); });  // not inside its own completion
            });
      });
  return Pending(std::make_unique<Forget<decltype(answers_->ready)>>(answers_, answers_->ready, id));
}

Pending WorkerDemands::NeedCluster(std::string name, Duration limit, OnReady ready) {
  return Need(MainDemands::Kind::kCluster, std::move(name), limit, std::move(ready));
}

Pending WorkerDemands::NeedRoutes(std::string name, Duration limit, OnReady ready) {
  return Need(MainDemands::Kind::kRoutes, std::move(name), limit, std::move(ready));
}

Pending WorkerDemands::NeedL4Routes(std::string name, Duration limit, OnReady ready) {
  return Need(MainDemands::Kind::kL4Routes, std::move(name), limit, std::move(ready));
}

Pending WorkerDemands::NeedDestination(const io::IpAddress& ip, Duration limit,
                                       cluster::DestinationStore::OnFound found) {
  const std::uint64_t id = answers_->next++;
  answers_->found.emplace(id, std::move(found));
  main_.loop().Post([&main = main_, &worker = loop_, answers = answers_, id, ip, limit] {
    auto waiting = std::make_shared<Waiting>();
    waiting->pending = main.NeedDestination(
        ip, limit, [&worker, &loop = main.loop(), answers, id, waiting](Result<cluster::Destination> result) {
          worker.Post(
              [answers, id, result = std::move(result)]() mutable { Answer(answers->found, id, std::move(result)); });
          loop.Defer([waiting] { waiting->pending = Pending(); });
        });
  });
  return Pending(std::make_unique<Forget<decltype(answers_->found)>>(answers_, answers_->found, id));
}

}  // namespace plait::proxy::worker
