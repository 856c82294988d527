#pragma once
// Takes what the control plane sends, resource by resource: decodes it and gives it to the ConfigStore. What is refused
// keeps its last accepted form and goes back as a NACK that names it; why stays here for config_dump's error_state.
// Main thread.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/io/loop.h"
#include "core/xds/delta_client.h"
#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {

class ConfigSubscriber final : public xds::Subscriber {
 public:
  ConfigSubscriber(io::Loop& loop, ConfigStore& store);
  ~ConfigSubscriber() override;
  ConfigSubscriber(const ConfigSubscriber&) = delete;
  ConfigSubscriber& operator=(const ConfigSubscriber&) = delete;

  std::vector<xds::Rejection> OnUpdate(const xds::Update& update) override;

  // Whether a response of this type has come since the start; it may have been empty.
  bool Answered(std::string_view type_url) const { return answered_.contains(type_url); }
  // The resources of a type whose newest version was refused, by name.
  struct Failure {
    std::string details;
    std::string version;
    WallTime attempted{};
  };
  using Failures = std::map<std::string, Failure, std::less<>>;
  const Failures& FailuresOf(std::string_view type_url) const;

 private:
  using Note = std::function<void(const xds::WireResource& wire, const Outcome<>& put)>;
  void PutListeners(const xds::Update& update, const Note& note);
  Outcome<> Put(std::string_view type_url, const xds::WireResource& wire);
  void Remove(std::string_view type_url, const std::string& name);
  void RemoveAll(const xds::Update& update);

  io::Loop& loop_;
  ConfigStore& store_;
  std::set<std::string, std::less<>> answered_;
  std::map<std::string, Failures, std::less<>> failures_;  // by type URL
};

}  // namespace plait::proxy::worker
