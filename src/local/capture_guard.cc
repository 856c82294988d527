#include "local/capture_guard.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/base/log.h"

namespace plait::local {
namespace {

static log::Component kLog("supervisor");

// A deletion costs up to 40 ms (node/capture_rules.h): who changes rules again and again shall not stop the mesh.
constexpr Duration kPause = std::chrono::milliseconds(100);
constexpr Duration kRetry = std::chrono::seconds(1);

}  // namespace

CaptureGuard::CaptureGuard(io::Loop& loop, PodNetworks& networks, PodNetwork& network, std::string workload,
                           std::function<void()> on_change, std::function<void()> on_loaded)
    : loop_(loop),
      networks_(networks),
      network_(network),
      workload_(std::move(workload)),
      on_change_(std::move(on_change)),
      on_loaded_(std::move(on_loaded)),
      look_([this] { Look(); }) {
  loop_.Watch(network_.rules_monitor.get(), *this, EPOLLIN | EPOLLET);
}

CaptureGuard::~CaptureGuard() { loop_.Unwatch(network_.rules_monitor.get(), *this); }

void CaptureGuard::OnFdReady(std::uint32_t) {
  // What has changed does not matter, nor that some of it was lost (ENOBUFS): the rules are compared as a whole.
  char piece[64];
  while (recv(network_.rules_monitor.get(), piece, sizeof piece, 0) >= 0 || errno == ENOBUFS || errno == EINTR)
    continue;
  if (!look_.armed()) look_.Start(loop_.timers(), next_look_ - loop_.Now());
}

void CaptureGuard::Look() {
  next_look_ = loop_.Now() + kPause;
  const std::string before = network_.cut_off;
  const std::string lost = networks_.RestoreCapture(network_);
  if (network_.cut_off.empty() && !(lost.empty() && before.empty())) on_loaded_();
  if (!network_.cut_off.empty()) look_.Start(loop_.timers(), kRetry);
  if (network_.cut_off == before) {
    if (!lost.empty() && before.empty()) kLog.Warn(workload_ + ": " + lost + "; they are loaded again");
    return;
  }
  if (network_.cut_off.empty())
    kLog.Warn(workload_ + ": the capture rules are loaded again, and its network is there again");
  else
    kLog.Error(workload_ + ": " + network_.cut_off);
  on_change_();
}

}  // namespace plait::local
