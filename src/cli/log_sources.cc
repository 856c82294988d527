#include "cli/log_sources.h"

#include <algorithm>
#include <utility>

#include "cli/workloads.h"

namespace plait::cli {
namespace {

bool IsOf(const LogSource& source, const std::string& folder) { return source.tail.path().starts_with(folder); }

// Whether a workload that writes the source's file is there.
bool Runs(const local::MeshStatus& status, const LogSource& source) {
  const std::string logs = status.run_dir + "/logs/";
  return IsOf(source, logs + "plait-system/plaitd/") || IsOf(source, logs + "plait-system/supervisor/") ||
         std::any_of(status.workloads.begin(), status.workloads.end(),
                     [&](const auto& w) { return IsOf(source, logs + w.ns + "/" + w.name + "/"); });
}

LogSource SourceOf(const std::string& pod, const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return {.workload = pod, .container = file.substr(0, file.rfind('.')), .tail = LogTail(path), .pod = pod};
}

}  // namespace

std::ptrdiff_t LogSources::running() const {
  return std::count_if(list_.begin(), list_.end(), [](const LogSource& source) { return !source.gone; });
}

bool LogSources::IsMeant(const local::WorkloadStatus& pod) const {
  if (workload_.empty()) return HasProxy(pod) || container_ != "istio-proxy";
  if (!found_ || pod.ns != found_->ns) return false;
  // Before a pod has begun, nobody knows its first container; a gateway has none but its proxy.
  if (container_.empty() && pod.containers.empty() && pod.proxy != "gateway") return false;
  if (pod.name == found_->name) return true;
  const bool by_own_name = workload_ == found_->name || workload_ == found_->name + "." + found_->ns;
  return !by_own_name && pod.owner == found_->owner;
}

Outcome<std::vector<LogSource>> LogSources::Present(const local::MeshStatus& status) {
  std::vector<LogSource> now;
  if (const auto own = OwnLogPath(status, workload_)) {
    now.push_back(SourceOf(workload_, *own));
    return now;
  }
  if (!workload_.empty() && running() == 0) {
    Outcome<local::WorkloadStatus> found = FindWorkload(status, workload_);
    if (!found) return std::unexpected(found.error());
    found_ = std::move(*found);
  }
  for (const local::WorkloadStatus& w : status.workloads)
    if (IsMeant(w)) now.push_back(SourceOf(w.name + "." + w.ns, LogPathOf(status, w, container_)));
  return now;
}

Outcome<> LogSources::Update(const local::MeshStatus& status) {
  std::erase_if(list_, [&](LogSource& source) { return !Runs(status, source) && std::exchange(source.gone, true); });
  Outcome<std::vector<LogSource>> now = Present(status);
  if (!now) return std::unexpected(now.error());
  for (LogSource& source : *now) {
    const auto known = std::find_if(list_.begin(), list_.end(),
                                    [&](const LogSource& one) { return one.tail.path() == source.tail.path(); });
    if (known == list_.end())
      list_.push_back(std::move(source));
    else
      known->gone = false;
  }
  several_ = several_ || running() > 1;
  for (LogSource& source : list_) {
    source.one_of_several = several_;
    source.workload = several_ ? source.pod : workload_;
  }
  return {};
}

}  // namespace plait::cli
