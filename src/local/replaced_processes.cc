#include "local/replaced_processes.h"

#include <signal.h>

#include <iterator>

#include "core/base/log.h"

namespace plait::local {
namespace {
log::Component kLog("supervisor");
}

ReplacedProcesses::~ReplacedProcesses() {
  for (const Replaced& old : all_) kill(old.pid, SIGKILL);
}

void ReplacedProcesses::Drain(pid_t pid) {
  kill(pid, SIGUSR2);
  all_.emplace_back(pid);
  const auto self = std::prev(all_.end());
  self->end = reaper_.Watch(pid, [this, self](ProcessEnd) { all_.erase(self); });
  self->kill.SetCallback([pid] {
    kLog.Warn("the proxy with the process id " + std::to_string(pid) +
              ", which was replaced, does not end: it is killed");
    kill(pid, SIGKILL);
  });
  self->kill.Start(loop_.timers(), grace_);
}

}  // namespace plait::local
