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

}  // namespace

Outcome<> LogSources::Add(const local::MeshStatus& status, const std::string& workload,
                          std::vector<LogSource>& all) const {
  Outcome<std::string> path = LogPathOf(status, workload, container_);
  if (!path) return std::unexpected(path.error());
  const std::string file = path->substr(path->rfind('/') + 1);
  all.push_back({workload, file.substr(0, file.rfind('.')), LogTail(*path)});
  return {};
}

Outcome<> LogSources::Update(const local::MeshStatus& status) {
  std::erase_if(list_, [&](LogSource& source) { return !Runs(status, source) && std::exchange(source.gone, true); });
  std::vector<LogSource> now;
  if (workload_.empty()) {
    for (const local::WorkloadStatus& w : status.workloads)
      if (HasProxy(w) || container_ != "istio-proxy")
        if (Outcome<> added = Add(status, w.name + "." + w.ns, now); !added) return added;
  } else {
    const bool followed = std::any_of(list_.begin(), list_.end(), [](const LogSource& source) { return !source.gone; });
    if (followed) return {};
    if (Outcome<> added = Add(status, workload_, now); !added) return added;
  }
  for (LogSource& source : now) {
    const auto known = std::find_if(list_.begin(), list_.end(),
                                    [&](const LogSource& one) { return one.tail.path() == source.tail.path(); });
    if (known == list_.end())
      list_.push_back(std::move(source));
    else
      known->gone = false;
  }
  return {};
}

}  // namespace plait::cli
