#include "local/control_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/io/socket.h"
#include "local/capture_check.h"
#include "local/proxy_requests.h"

namespace plait::local {
namespace {

using Json = nlohmann::json;

struct Answer {
  std::optional<int> exit;                // of a command
  std::optional<std::string> difference;  // of a workload's capture
  std::vector<io::UniqueFd> fds;
};

std::unexpected<Diagnostic> Unreadable() {
  return Explain(Errc::kInternal, "the mesh gave an answer that cannot be read");
}

Outcome<Answer> Receive(int fd) {
  Result<io::FdMessage> received = io::ReceiveFds(fd);
  if (!received) return Explain(Errc::kUnavailable, "the mesh ended before it answered");
  Answer answer{.exit = {}, .difference = {}, .fds = std::move(received->fds)};
  try {  // the library's errors are exceptions; they end here
    const Json json = ParseJsonMessage<Json>(received->message);
    if (!json.is_object()) return Unreadable();
    if (const std::string error = json.value("error", ""); !error.empty())
      return Explain(Errc::kNotFound, error, json.value("hint", ""));
    if (json.contains("exit")) answer.exit = json["exit"].get<int>();
    if (json.contains("difference")) answer.difference = json["difference"].get<std::string>();
    return answer;
  } catch (const Json::exception&) {
    return Unreadable();
  }
}

// The supervisor answers each request at once, also that for a command, whose end follows later.
constexpr int kPatience = 10'000;  // ms

Outcome<> AwaitAnswer(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  int ready = 0;
  do ready = poll(&wanted, 1, kPatience);
  while (ready < 0 && errno == EINTR);
  if (ready != 0) return {};
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
  return Explain(Errc::kUnavailable, "the mesh does not answer within " + std::to_string(kPatience / 1000) + "s",
                 known ? "its supervisor hangs: kill -9 " + std::to_string(peer.pid) + " ends it, and the mesh with it"
                       : "its supervisor hangs; its log is logs/plait-system/supervisor in the mesh's run directory");
}

Outcome<Answer> Ask(int fd, const Json& request, const std::vector<int>& fds = {}) {
  const Result<> sent = io::SendFds(fd, JsonText(request), fds);
  if (!sent && sent.error().code == Errc::kLimit)
    return Explain(Errc::kLimit, "command and environment are larger than 64 KiB", "env -i COMMAND passes less of it");
  if (!sent) return Explain(Errc::kUnavailable, "the mesh does not take requests");
  if (const Outcome<> there = AwaitAnswer(fd); !there) return std::unexpected(there.error());
  return Receive(fd);
}

// The user's terminal in raw mode as long as it lives: keys, Ctrl-C too, go to the command's terminal.
class RawTerminal {
 public:
  RawTerminal() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  ~RawTerminal() { tcsetattr(STDIN_FILENO, TCSANOW, &before_); }
  RawTerminal(const RawTerminal&) = delete;

 private:
  termios before_{};
};

// False at the end of `from`.
bool Copy(int from, int to) {
  char piece[16 * 1024];
  const ssize_t n = read(from, piece, sizeof piece);
  if (n <= 0) return n < 0 && (errno == EINTR || errno == EAGAIN);
  for (ssize_t at = 0; at < n;) {
    const ssize_t written = write(to, piece + at, static_cast<std::size_t>(n - at));
    if (written < 0 && errno != EINTR) return false;
    at += std::max<ssize_t>(written, 0);
  }
  return true;
}

io::UniqueFd ConnectTo(const std::string& path) {
  io::UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_storage native{};
  const socklen_t length = io::SocketAddress{.unix_path = path}.ToNative(native);
  if (fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0) fd.Reset();
  return fd;
}

// " --mesh shop" for each mesh of this user that runs; whoever has one probably meant it.
std::string RunningMeshes(const MeshPaths& paths) {
  std::string out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(paths.run).parent_path(), error)) {
    MeshPaths other = paths;
    other.run = entry.path().string();
    if (ConnectTo(other.control_socket())) out += " --mesh " + entry.path().filename().string();
  }
  return out;
}

}  // namespace

Outcome<ControlClient> ControlClient::Connect(const MeshPaths& paths) {
  io::UniqueFd fd = ConnectTo(paths.control_socket());
  if (!fd) {
    const std::string running = RunningMeshes(paths);
    return Explain(
        Errc::kUnavailable,
        paths.name == "default" && running.empty() ? "no mesh is running" : "no mesh \"" + paths.name + "\" is running",
        running.empty() ? "start one with `plait demo` or `plait up DIRECTORY`"
                        : "name one that runs:" + running + "; or start one with `plait demo`");
  }
  return ControlClient(std::move(fd));
}

Outcome<std::string> ControlClient::StatusText() {
  Outcome<Answer> answer = Ask(fd_.get(), {{"op", "status"}});
  if (!answer) return std::unexpected(answer.error());
  if (answer->fds.size() != 1) return Explain(Errc::kInternal, "the mesh gave no status");
  std::string text;
  char piece[16 * 1024];
  for (ssize_t n; (n = read(answer->fds[0].get(), piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(n));
  return text;
}

Outcome<MeshStatus> ControlClient::Status() {
  Outcome<std::string> text = StatusText();
  if (!text) return std::unexpected(text.error());
  return DecodeMeshStatus(*text);
}

Outcome<io::UniqueFd> ControlClient::Dial(const std::string& workload, Port port) {
  Outcome<Answer> answer = Ask(fd_.get(), {{"op", "dial"}, {"workload", workload}, {"port", port.value}});
  if (!answer) return std::unexpected(answer.error());
  if (answer->fds.size() != 1) return Explain(Errc::kInternal, "the mesh gave no connection");
  return std::move(answer->fds[0]);
}

Outcome<int> ControlClient::Exec(const std::string& workload, const std::string& container,
                                 const std::vector<std::string>& argv) {
  return Run({.workload = workload, .container = container, .argv = argv});
}

Outcome<int> ControlClient::ExecWithEnvironment(const std::string& workload, const std::vector<std::string>& argv) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable; ++variable) environment.emplace_back(*variable);
  return Run({.workload = workload, .container = "", .argv = argv, .environment = std::move(environment)});
}

Outcome<> ControlClient::Hold(const std::string& file) {
  const Outcome<Answer> answer = Ask(fd_.get(), {{"op", "hold"}, {"file", file}});
  return answer ? Outcome<>{} : std::unexpected(answer.error());
}

Outcome<> ReplaceProxy(const ControlClient& client, const std::string& workload) {
  const Outcome<Answer> answer = Ask(client.fd(), {{"op", "replace-proxy"}, {"workload", workload}});
  return answer ? Outcome<>{} : std::unexpected(answer.error());
}

Outcome<> RenewIdentity(const ControlClient& client, const std::string& workload) {
  const Outcome<Answer> answer = Ask(client.fd(), {{"op", "renew-identity"}, {"workload", workload}});
  return answer ? Outcome<>{} : std::unexpected(answer.error());
}

Outcome<std::string> CheckCapture(const ControlClient& client, const std::string& workload) {
  const Outcome<Answer> answer = Ask(client.fd(), {{"op", "check-capture"}, {"workload", workload}});
  if (!answer) return std::unexpected(answer.error());
  return answer->difference ? Outcome<std::string>(*answer->difference) : Unreadable();
}

Outcome<int> ControlClient::Run(const ExecRequest& request) {
  const bool tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  winsize size{24, 80, 0, 0};
  if (tty) ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
  const char* term = std::getenv("TERM");
  const Json json = {{"op", "exec"},
                     {"workload", request.workload},
                     {"container", request.container},
                     {"argv", request.argv},
                     {"environment", request.environment},
                     {"tty", tty},
                     {"rows", size.ws_row},
                     {"columns", size.ws_col},
                     {"term", term ? term : ""}};
  Outcome<Answer> answer = Ask(fd_.get(), json, tty ? std::vector<int>{} : std::vector<int>{0, 1, 2});
  for (;;) {
    if (!answer) return std::unexpected(answer.error());
    if (answer->exit) return *answer->exit;
    if (answer->fds.size() == 1) return RelayTerminal(std::move(answer->fds[0]));
    answer = Receive(fd_.get());
  }
}

Outcome<> ControlClient::StartExec(const std::string& workload, const std::string& container,
                                   const std::vector<std::string>& argv, const std::array<int, 3>& streams) {
  const Json request = {{"op", "exec"}, {"workload", workload}, {"container", container}, {"argv", argv}};
  const Outcome<Answer> answer = Ask(fd_.get(), request, {streams.begin(), streams.end()});
  return answer ? Outcome<>{} : std::unexpected(answer.error());
}

Outcome<int> ControlClient::AwaitExit() {
  const Outcome<Answer> answer = Receive(fd_.get());
  if (!answer) return std::unexpected(answer.error());
  return answer->exit.value_or(1);
}

Outcome<int> ControlClient::RelayTerminal(io::UniqueFd master) {
  sigset_t resized;
  sigemptyset(&resized);
  sigaddset(&resized, SIGWINCH);
  sigprocmask(SIG_BLOCK, &resized, nullptr);
  const io::UniqueFd signals(signalfd(-1, &resized, SFD_CLOEXEC));
  std::optional<Outcome<int>> end;
  const RawTerminal raw;
  pollfd fds[4] = {
      {STDIN_FILENO, POLLIN, 0}, {master.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}, {fd_.get(), POLLIN, 0}};
  while (!end) {
    if (poll(fds, 4, -1) < 0 && errno != EINTR) break;
    if (fds[0].revents && !Copy(STDIN_FILENO, master.get())) fds[0].fd = -1;
    if (fds[1].revents && !Copy(master.get(), STDOUT_FILENO)) fds[1].fd = -1;
    if (fds[2].revents) {
      signalfd_siginfo info;
      winsize size{};
      if (read(signals.get(), &info, sizeof info) > 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
        ioctl(master.get(), TIOCSWINSZ, &size);
    }
    if (!fds[3].revents) continue;
    Outcome<Answer> answer = Receive(fd_.get());
    end = answer ? Outcome<int>(answer->exit.value_or(0)) : Outcome<int>(std::unexpected(answer.error()));
  }
  // What the command wrote last.
  fcntl(master.get(), F_SETFL, O_NONBLOCK);
  char piece[4096];
  for (ssize_t n; (n = read(master.get(), piece, sizeof piece)) > 0;)
    if (write(STDOUT_FILENO, piece, static_cast<std::size_t>(n)) < 0) break;
  return end.value_or(Explain(Errc::kInternal, "lost the terminal"));
}

Outcome<> ControlClient::Down() {
  Outcome<Answer> answer = Ask(fd_.get(), {{"op", "down"}});
  if (!answer) return std::unexpected(answer.error());
  while (io::ReceiveFds(fd_.get())) {
  }
  return {};
}

}  // namespace plait::local
