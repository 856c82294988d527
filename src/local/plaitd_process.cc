#include "local/plaitd_process.h"

#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "local/spawn.h"

namespace plait::local {
namespace {
constexpr BackOff::Limits kBackOff = {
    .first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(5), .healthy = std::chrono::seconds(10)};
}  // namespace

PlaitdProcess::PlaitdProcess(MeshContext& mesh, int debug_listener, Events events)
    : mesh_(mesh), debug_listener_(debug_listener), events_(std::move(events)), back_off_(kBackOff) {
  restart_.SetCallback([this] {
    const Outcome<> started = Start();
    if (started) return;
    RestartLater();
    events_.on_ended(started.error().ToString());
  });
}

PlaitdProcess::~PlaitdProcess() {
  if (pid_ > 0) kill(pid_, SIGKILL);
}

Outcome<> PlaitdProcess::Start() {
  const MeshPaths& paths = mesh_.options.paths;
  if (!log_) {
    auto log = LogFile::Open(mesh_.loop, mesh_.log_losses, paths.LogOf("plait-system", "plaitd", "plaitd"));
    if (!log) return std::unexpected(log.error());
    log_ = std::move(*log);
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return Explain(Errc::kLimit, std::string("cannot make a socket: ") + strerror(errno));
  io::UniqueFd ours(ends[0]);
  const io::UniqueFd theirs(ends[1]);
  SpawnPlan plan;
  plan.argv = {BinaryFolder() + "/plaitd",
               "--directory",
               mesh_.options.directory,
               "--directory",
               paths.overlay(),
               "--state-dir",
               paths.state,
               "--listen-address",
               mesh_.networks.ControlAddress().ToString(),
               "--tell-hosts"};
  plan.output = log_->writing_end();
  plan.sockets = {{"supervisor", theirs.get()}};
  if (debug_listener_ >= 0) plan.sockets.emplace_back("15014", debug_listener_);
  Outcome<pid_t> pid = Spawn(plan);
  if (!pid) return std::unexpected(pid.error());
  pid_ = *pid;
  running_since_ = mesh_.loop.Now();
  in_.Clear();
  out_.Clear();
  searched_ = 0;
  channel_ = io::AdoptSocket(mesh_.loop, std::move(ours));
  channel_->SetEvents(this);
  end_ = mesh_.reaper.Watch(pid_, [this](ProcessEnd end) { OnEnded(end); });
  events_.on_connected();
  return {};
}

void PlaitdProcess::OnReadable() {
  for (;;) {
    const Result<std::size_t> n = channel_->Read(in_, 64 * 1024);
    if (!n || *n == 0) break;
  }
  if (in_.size() > kMaxLine && in_.Find("\n") == SIZE_MAX) {
    kill(pid_, SIGKILL);  // our own program gone mad: begin anew
    return;
  }
  TakeLines();
}

void PlaitdProcess::TakeLines() {
  for (;;) {
    const std::size_t end = in_.Find("\n", searched_);
    if (end == SIZE_MAX) {
      searched_ = in_.size();
      return;
    }
    std::string line(end, '\0');
    in_.CopyOut({reinterpret_cast<std::uint8_t*>(line.data()), end});
    in_.Drain(end + 1);
    searched_ = 0;
    Outcome<PlaitdMessage> message = DecodePlaitdMessage(line);
    if (message) {
      events_.on_message(std::move(*message));
    } else {
      log_->Append("plait: " + message.error().ToString() + "\n");
    }
  }
}

void PlaitdProcess::Send(std::string line) {
  if (!channel_ || pid_ == 0) return;
  out_.Append(line);
  OnWritable();
}

void PlaitdProcess::OnWritable() {
  if (out_.empty() || !channel_) return;
  [[maybe_unused]] const auto written = channel_->Write(out_);  // a broken channel ends with its process
}

void PlaitdProcess::OnEnded(ProcessEnd end) {
  pid_ = 0;
  mesh_.loop.DeleteLater(std::move(channel_));
  log_->Drain();
  if (stopping_) return;
  back_off_.Lived(mesh_.loop.Now() - running_since_);
  RestartLater();
  events_.on_ended("plaitd ended with " + end.ToString());
}

void PlaitdProcess::RestartLater() { restart_.Start(mesh_.loop.timers(), back_off_.Next()); }

void PlaitdProcess::Stop() {
  stopping_ = true;
  restart_.Cancel();
  if (pid_ > 0) kill(pid_, SIGTERM);
}

}  // namespace plait::local
