#pragma once
// A hook of a container's lifecycle (postStart, preStop), run once as the kubelet runs it: from inside the workload's
// network namespace and past its capture, like a probe.
#include <functional>
#include <string>

#include "core/base/pending.h"
#include "core/io/loop.h"
#include "local/desired.h"
#include "local/prober.h"

namespace plait::local {

// `done` is told why it failed, or "". As on Kubernetes any HTTP answer is a success, whatever its status. Nothing
// limits its time but its owner: dropping the handle ends it.
[[nodiscard]] Pending RunHook(io::Loop& loop, ProbeTarget& target, const HookSpec& hook, const std::string& container,
                              std::move_only_function<void(const std::string& failure)> done);

}  // namespace plait::local
