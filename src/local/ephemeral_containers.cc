#include "local/ephemeral_containers.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "local/workload_view.h"

namespace plait::local {
namespace {

bool HasEnded(const io::UniqueFd& pidfd) {
  pollfd end{pidfd.get(), POLLIN, 0};
  return poll(&end, 1, 0) != 0;
}

}  // namespace

EphemeralContainers::~EphemeralContainers() {
  for (const io::UniqueFd& helper : helpers_) syscall(SYS_pidfd_send_signal, helper.get(), SIGKILL, nullptr, 0U);
}

Outcome<Joined> EphemeralContainers::Run(const MeshContext& mesh, const PodSpec& pod, const PodNetwork& network,
                                         JoinPlan plan) {
  plan.environment = WithDefaults(std::move(plan.environment), VariablesOf(mesh, pod, network));
  plan.filter = &mesh.filter;
  Outcome<Joined> joined =
      network.netns ? RunInNewContainer(ContainerOf(mesh, pod, network, ""), plan) : RunInContainer(plan);
  if (!joined) return joined;
  std::erase_if(helpers_, HasEnded);
  // Not reaped yet, even if it has ended: that is for a later round.
  if (io::UniqueFd helper(static_cast<int>(syscall(SYS_pidfd_open, joined->helper, 0))); helper)
    helpers_.push_back(std::move(helper));
  return joined;
}

}  // namespace plait::local
