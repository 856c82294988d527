#include "local/control_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/json_text.h"
#include "local/control_request.h"

namespace plait::local {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kSpares = 2;
constexpr Duration kPauseWithoutDescriptors = std::chrono::milliseconds(100);

// A status of hundreds of workloads is larger than a message may be.
io::UniqueFd MemoryFile(const std::string& text) {
  io::UniqueFd fd(memfd_create("answer", MFD_CLOEXEC));
  for (std::size_t at = 0; fd && at < text.size();) {
    const ssize_t n = write(fd.get(), text.data() + at, text.size() - at);
    if (n <= 0) return {};
    at += static_cast<std::size_t>(n);
  }
  if (fd) lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

Json ErrorAnswer(const Diagnostic& why) { return {{"error", why.message}, {"hint", why.hint}}; }

Json OutOf(const std::string& what, const char* why) {
  return {{"error", what + ": " + why},
          {"hint",
           "run fewer workloads, or start it anew with a higher limit of open files (ulimit -n) or more memory; "
           "`plait logs supervisor` tells what it lacks"}};
}

}  // namespace

// One client: one request, and for `exec` the life of its command: when the client goes, the command ends.
class ControlServer::Session final : public io::FdEvents {
 public:
  Session(ControlServer& server, io::UniqueFd client) : server_(server), client_(std::move(client)) {
    server_.loop_.Watch(client_.get(), *this, EPOLLIN | EPOLLRDHUP | EPOLLET);
  }
  ~Session() override {
    server_.loop_.Unwatch(client_.get(), *this);
    if (terminal_) server_.loop_.Unwatch(terminal_.get(), terminal_events_);
    if (helper_ > 0) kill(helper_, SIGKILL);
    for (const std::string& file : held_) server_.handler_.RemoveOverlay(file);
  }

 private:
  // The master of the terminal comes from the command's side; it goes on to the client.
  struct TerminalEvents final : io::FdEvents {
    explicit TerminalEvents(Session& owner) : session(owner) {}
    void OnFdReady(std::uint32_t) override { session.OnTerminal(); }
    Session& session;
  };

  void OnFdReady(std::uint32_t) override {
    for (;;) {
      Result<io::FdMessage> received = io::ReceiveFds(client_.get());
      if (!received && received.error().code == Errc::kUnavailable) return;
      if (!received && received.error().code == Errc::kLimit) {
        Answer(OutOf("the mesh cannot take the streams of the command", received.error().detail));
        continue;
      }
      if (!received) return server_.Drop(*this);
      OnRequest(DecodeControlRequest(received->message), std::move(received->fds));
    }
  }

  void OnRequest(const Outcome<ControlRequest>& request, std::vector<io::UniqueFd> fds) {
    if (!request) return Answer(ErrorAnswer(request.error()));
    switch (request->op) {
      case ControlRequest::Op::kStatus: {
        const std::string status = EncodeMeshStatus(server_.handler_.Status());
        io::UniqueFd file = MemoryFile(status);
        if (!file && server_.GiveUpSpares()) file = MemoryFile(status);
        if (!file) return Answer(OutOf("the mesh cannot tell its status", strerror(errno)));
        return Answer({{"ok", true}}, {file.get()});
      }
      case ControlRequest::Op::kDial: return OnDial(*request);
      case ControlRequest::Op::kExec: return OnExec(*request, std::move(fds));
      case ControlRequest::Op::kHold: held_.push_back(request->file); return Answer({{"ok", true}});
      case ControlRequest::Op::kReplaceProxy: return AnswerWhether(server_.handler_.ReplaceProxy(request->workload));
      case ControlRequest::Op::kRenewIdentity: return AnswerWhether(server_.handler_.RenewIdentity(request->workload));
      case ControlRequest::Op::kCheckCapture: {
        const Outcome<std::string> found = server_.handler_.CheckCapture(request->workload);
        return Answer(found ? Json{{"ok", true}, {"difference", *found}} : ErrorAnswer(found.error()));
      }
      case ControlRequest::Op::kDown: Answer({{"ok", true}}); return server_.handler_.Down();
    }
  }

  void OnDial(const ControlRequest& request) {
    const Outcome<io::UniqueFd> fd = server_.handler_.Dial(request.workload, request.port);
    if (!fd) return Answer(ErrorAnswer(fd.error()));
    Answer({{"ok", true}}, {fd->get()});
  }

  void OnExec(const ControlRequest& request, std::vector<io::UniqueFd> fds) {
    JoinPlan plan{.argv = request.argv,
                  .environment = request.environment,
                  .tty = request.tty,
                  .rows = request.rows,
                  .columns = request.columns};
    if (!request.term.empty()) plan.environment.push_back("TERM=" + request.term);
    if (helper_ > 0 || plan.argv.empty() || (!plan.tty && fds.size() != 3))
      return Answer({{"error", "exec needs a command and three descriptors"}});
    if (!plan.tty) {
      plan.in = fds[0].get();
      plan.out = fds[1].get();
      plan.err = fds[2].get();
    }
    Outcome<Joined> joined = server_.handler_.Exec(request.workload, request.container, plan);
    if (!joined) return Answer(ErrorAnswer(joined.error()));
    helper_ = joined->helper;
    end_ = server_.reaper_.Watch(helper_, [this](ProcessEnd end) {
      helper_ = 0;
      OnTerminal();  // a command that ended at once: its terminal still has what it wrote
      Answer({{"exit", end.code}});
    });
    Answer({{"ok", true}});
    if (plan.tty) {
      terminal_ = std::move(joined->terminal);
      fcntl(terminal_.get(), F_SETFL, O_NONBLOCK);
      server_.loop_.Watch(terminal_.get(), terminal_events_, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
  }

  void OnTerminal() {
    if (!terminal_) return;
    Result<io::FdMessage> received = io::ReceiveFds(terminal_.get());
    if (!received && received.error().code == Errc::kUnavailable) return;
    if (received && received->fds.size() == 1) Answer({{"terminal", true}}, {received->fds[0].get()});
    server_.loop_.Unwatch(terminal_.get(), terminal_events_);
    terminal_.Reset();
  }

  void AnswerWhether(const Outcome<>& done) { Answer(done ? Json{{"ok", true}} : ErrorAnswer(done.error())); }

  void Answer(const Json& answer, const std::vector<int>& fds = {}) {
    // A client that does not take its answer is gone or broken; its socket's end tells.
    static_cast<void>(io::SendFds(client_.get(), JsonText(answer), fds));
  }

  ControlServer& server_;
  io::UniqueFd client_;
  io::UniqueFd terminal_;
  TerminalEvents terminal_events_{*this};
  pid_t helper_ = 0;
  Pending end_;
  std::vector<std::string> held_;
};

ControlServer::ControlServer(io::Loop& loop, Reaper& reaper, ControlHandler& handler)
    : loop_(loop), reaper_(reaper), handler_(handler), again_([this] { OnFdReady(EPOLLIN); }) {}

Outcome<std::unique_ptr<ControlServer>> ControlServer::Open(io::Loop& loop, Reaper& reaper, const std::string& path,
                                                            ControlHandler& handler) {
  std::unique_ptr<ControlServer> server(new ControlServer(loop, reaper, handler));
  server->socket_.Reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage native{};
  const socklen_t length = io::SocketAddress{.unix_path = path}.ToNative(native);
  unlink(path.c_str());
  if (!server->socket_ || bind(server->socket_.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0 ||
      listen(server->socket_.get(), 64) != 0)
    return Explain(Errc::kDenied, "cannot open " + path + ": " + strerror(errno));
  server->KeepSpares();
  loop.Watch(server->socket_.get(), *server, EPOLLIN | EPOLLET);
  return server;
}

ControlServer::~ControlServer() {
  if (socket_) loop_.Unwatch(socket_.get(), *this);
}

void ControlServer::OnFdReady(std::uint32_t) {
  KeepSpares();
  for (;;) {
    io::UniqueFd client(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      sessions_.push_back(std::make_unique<Session>(*this, std::move(client)));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      if (!GiveUpSpares()) return again_.Start(loop_.timers(), kPauseWithoutDescriptors);
    }
  }
}

bool ControlServer::GiveUpSpares() { return !std::exchange(spares_, {}).empty(); }

void ControlServer::KeepSpares() {
  while (spares_.size() < kSpares) {
    io::UniqueFd spare(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!spare) return;
    spares_.push_back(std::move(spare));
  }
}

void ControlServer::Drop(Session& session) {
  const auto found =
      std::find_if(sessions_.begin(), sessions_.end(), [&](const auto& s) { return s.get() == &session; });
  if (found == sessions_.end()) return;
  loop_.DeleteLater(std::move(*found));
  sessions_.erase(found);
  loop_.Defer([this] { KeepSpares(); });  // out of what that one had
}

}  // namespace plait::local
