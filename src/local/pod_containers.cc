#include "local/pod_containers.h"

#include <algorithm>

namespace plait::local {
namespace {

using Kind = ContainerSpec::Kind;
using State = Container::State;

bool IsSidecar(const Container& container) { return container.spec().kind == Kind::kSidecar; }

// Whether the next one may begin.
bool IsPast(const Container& init) { return IsSidecar(init) ? init.started() : init.succeeded(); }

}  // namespace

PodContainers::PodContainers(MeshContext& mesh, Container::Surroundings around, std::function<void()> on_change)
    : mesh_(mesh), grace_(around.pod.grace), on_change_(std::move(on_change)) {
  for (const auto& [specs, list] :
       {std::pair{&around.pod.init_containers, &init_}, {&around.pod.containers, &application_}})
    for (const ContainerSpec& spec : *specs)
      list->push_back(std::make_unique<Container>(mesh, spec, around, [this] { OnChange(); }));
}

void PodContainers::Start() {
  begun_ = true;
  StartNext();
}

void PodContainers::OnChange() {
  if (stopping_ || WorkEnded())
    StopSidecars();
  else
    StartNext();
  on_change_();
}

// A container that cannot be started says so from within its Start, which comes back here.
void PodContainers::StartNext() {
  while (init_begun_ < init_.size()) {
    if (init_begun_ > 0 && !IsPast(*init_[init_begun_ - 1])) return;
    init_[init_begun_++]->Start();
  }
  if (!init_.empty() && !IsPast(*init_.back())) return;
  while (application_begun_ < application_.size()) {
    if (application_begun_ > 0 && application_[application_begun_ - 1]->in_post_start()) return;
    application_[application_begun_++]->Start();
  }
}

void PodContainers::Stop(Duration grace) {
  stopping_ = true;
  stop_deadline_ = mesh_.loop.Now() + grace;
  for (const auto& container : application_) container->Stop(grace);
  for (const auto& container : init_) {
    if (IsSidecar(*container))
      container->PreStop(grace);
    else
      container->Stop(grace);
  }
  StopSidecars();
}

void PodContainers::PreStop(Duration limit) {
  for (const auto* list : {&application_, &init_})
    for (const auto& container : *list) container->PreStop(limit);
}

bool PodContainers::in_pre_stop() const {
  const auto in_pre_stop = [](const auto& container) { return container->in_pre_stop(); };
  return std::any_of(application_.begin(), application_.end(), in_pre_stop) ||
         std::any_of(init_.begin(), init_.end(), in_pre_stop);
}

void PodContainers::StopSidecars() {
  if (!WorkEnded()) return;
  const Duration left = stopping_ ? std::max(kLeastGrace, stop_deadline_ - mesh_.loop.Now()) : grace_;
  for (auto sidecar = init_.rbegin(); sidecar != init_.rend(); ++sidecar) {
    if (!IsSidecar(**sidecar)) continue;
    if (!(*sidecar)->stopping()) (*sidecar)->Stop(left);
    if ((*sidecar)->state() != State::kEnded) return;
  }
}

bool PodContainers::InitFailed() const {
  return std::any_of(init_.begin(), init_.end(), [](const auto& container) {
    return !IsSidecar(*container) && container->state() == State::kEnded && !container->succeeded();
  });
}

bool PodContainers::WorkEnded() const {
  const auto has_ended = [](const auto& container) {
    return IsSidecar(*container) || container->state() == State::kEnded;
  };
  if (InitFailed()) return true;
  if (application_.empty() && !stopping_) return false;  // the work is the proxy's: its sidecars stay beside it
  return std::all_of(init_.begin(), init_.end(), has_ended) &&
         std::all_of(application_.begin(), application_.end(), has_ended);
}

bool PodContainers::ended() const {
  return WorkEnded() && std::all_of(init_.begin(), init_.end(), [](const auto& container) {
           return !IsSidecar(*container) || container->state() == State::kEnded;
         });
}

bool PodContainers::ready() const {
  return std::all_of(application_.begin(), application_.end(), [](const auto& c) { return c->ready(); }) &&
         std::all_of(init_.begin(), init_.end(), [](const auto& c) { return IsSidecar(*c) ? c->ready() : IsPast(*c); });
}

void PodContainers::Describe(PodStatus& out) const {
  bool all_succeeded = true;
  for (const auto& container : init_) {
    out.restarts += container->restarts();
    if (!out.reason.empty() || (IsSidecar(*container) ? container->ready() : container->succeeded())) continue;
    if (!container->reason().empty())
      out.reason = container->spec().name + ": " + container->reason();
    else if (application_begun_ == 0 && container->state() == State::kRunning)
      out.reason = "init container " + container->spec().name + " runs";
  }
  for (const auto& container : application_) {
    out.restarts += container->restarts();
    if (container->state() == State::kRunning) out.phase = "Running";
    all_succeeded = all_succeeded && container->succeeded();
    if (out.reason.empty() && !container->reason().empty())
      out.reason = container->spec().name + ": " + container->reason();
  }
  if (!empty() && ended()) out.phase = all_succeeded ? "Succeeded" : "Failed";
}

pid_t PodContainers::pid() const {
  for (const auto* list : {&application_, &init_})
    for (const auto& container : *list)
      if (container->pid() > 0) return container->pid();
  return 0;
}

Container* PodContainers::Find(const std::string& name) const {
  if (name.empty()) return application_.empty() ? nullptr : application_.front().get();
  for (const auto* list : {&application_, &init_})
    for (const auto& container : *list)
      if (container->spec().name == name) return container.get();
  return nullptr;
}

}  // namespace plait::local
