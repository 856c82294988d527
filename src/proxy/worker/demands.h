#pragma once
// What workers ask of the main thread: a cluster, route configuration, L4 routes or destination that they lack. The
// worker keeps the callback, the main thread the wait; both sides meet by Post only, so an answer comes after the
// resource itself.
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "proxy/session/context.h"

namespace plait::proxy::worker {

// Main thread: gets resources for workers. `answer` runs on the main thread once the workers were given the resource,
// or with false when it does not exist or the limit passed. Dropping the handle ends the wait.
class MainDemands {
 public:
  virtual ~MainDemands() = default;
  enum class Kind : std::uint8_t { kCluster, kRoutes, kL4Routes };
  virtual io::Loop& loop() = 0;
  [[nodiscard]] virtual Pending Need(Kind kind, std::string name, Duration limit,
                                     std::move_only_function<void(bool)> answer) = 0;
  [[nodiscard]] virtual Pending NeedDestination(const io::IpAddress& ip, Duration limit,
                                                cluster::DestinationStore::OnFound found) = 0;
};

class WorkerDemands final : public session::OnDemand {
 public:
  WorkerDemands(io::Loop& loop, MainDemands& main);
  ~WorkerDemands() override;

  Pending NeedCluster(std::string name, Duration limit, OnReady ready) override;
  Pending NeedRoutes(std::string name, Duration limit, OnReady ready) override;
  Pending NeedL4Routes(std::string name, Duration limit, OnReady ready) override;
  Pending NeedDestination(const io::IpAddress& ip, Duration limit, cluster::DestinationStore::OnFound found) override;

 private:
  struct Answers;  // shared with calls that are on their way back
  Pending Need(MainDemands::Kind kind, std::string name, Duration limit, OnReady ready);

  io::Loop& loop_;
  MainDemands& main_;
  std::shared_ptr<Answers> answers_;
};

}  // namespace plait::proxy::worker
