#include "proxy/upstream/helper_connector.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/io/peek_message.h"
#include "core/io/timer.h"

namespace plait::proxy::upstream {
namespace {
constexpr std::size_t kLongestAnswer = 64;  // two numbers
}

// Stands for a socket that has not come yet; from then on it hands everything to the stream on that socket.
class HelperConnector::PassedStream final : public io::Stream {
 public:
  PassedStream(HelperConnector& owner, std::uint32_t id, io::ConnectOptions options)
      : loop_(owner.loop_), owner_(&owner), id_(id), options_(std::move(options)) {
    limit_.SetCallback([this] { Fail(ETIMEDOUT); });
    limit_.Start(loop_.timers(), options_.timeout);
  }
  ~PassedStream() override { Forget(); }

  void Take(io::UniqueFd fd) {
    Forget();
    Become(io::AdoptConnecting(loop_, std::move(fd), options_));
  }
  void Fail(int error) {
    Forget();
    Become(io::FailedStream(loop_, error));
  }

  void SetEvents(io::StreamEvents* events) noexcept override {
    events_ = events;
    if (socket_) socket_->SetEvents(events);
  }
  Result<std::size_t> Read(Buffer& into, std::size_t max) override {
    return socket_ ? socket_->Read(into, max) : plait::Fail(Errc::kUnavailable, "stream is not open");
  }
  Result<std::size_t> Write(Buffer& from) override {
    return socket_ ? socket_->Write(from) : plait::Fail(Errc::kUnavailable, "stream is not open");
  }
  void ShutdownWrite() override {
    if (socket_) socket_->ShutdownWrite();
  }
  void Close(bool reset) noexcept override {
    Forget();
    if (socket_) socket_->Close(reset);
  }
  const io::SocketAddress& local() const noexcept override { return socket_ ? socket_->local() : none_; }
  const io::SocketAddress& remote() const noexcept override { return socket_ ? socket_->remote() : none_; }
  int fd() const noexcept override { return socket_ ? socket_->fd() : -1; }

 private:
  void Become(std::unique_ptr<io::Stream> socket) {
    socket_ = std::move(socket);
    socket_->SetEvents(events_);
  }
  void Forget() noexcept {
    limit_.Cancel();
    if (owner_ != nullptr) std::exchange(owner_, nullptr)->waiting_.erase(id_);
  }

  io::Loop& loop_;
  HelperConnector* owner_;  // null once it was answered, or nobody waits any more
  const std::uint32_t id_;
  const io::ConnectOptions options_;
  io::StreamEvents* events_ = nullptr;
  io::Timer limit_;  // for the answer; the socket has its own
  std::unique_ptr<io::Stream> socket_;
  io::SocketAddress none_;
};

HelperConnector::~HelperConnector() { Lose(); }

bool HelperConnector::IsInside(const io::SocketAddress& to, const io::ConnectOptions& options) const noexcept {
  // A source address is one of this network.
  if (to.is_unix() || options.bind) return true;
  if (to.ip.is_loopback()) return options_.loopback_is_inside;
  return std::any_of(options_.inside.begin(), options_.inside.end(),
                     [&](const io::Cidr& range) { return range.Contains(to.ip); });
}

std::unique_ptr<io::Stream> HelperConnector::Connect(const io::SocketAddress& to, const io::ConnectOptions& options) {
  if (IsInside(to, options)) return io::Connect(loop_, to, options);
  // An id that comes round again must not meet one that still waits.
  while (waiting_.contains(next_id_)) ++next_id_;
  const std::uint32_t id = next_id_++;
  if (!Reach()) return io::FailedStream(loop_, ECONNREFUSED);
  // A helper that does not read is as good as none; a full socket means thousands of questions without an answer.
  if (!io::SendFds(helper_.get(), Encode(io::DialQuestion{id, to}), {})) return io::FailedStream(loop_, ECONNREFUSED);
  auto stream = std::make_unique<PassedStream>(*this, id, options);
  waiting_[id] = stream.get();
  return stream;
}

bool HelperConnector::Reach() {
  if (helper_) return true;
  io::UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage native{};
  const socklen_t length = io::SocketAddress{.unix_path = options_.path}.ToNative(native);
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0) return false;
  helper_ = std::move(fd);
  loop_.Watch(helper_.get(), *this, EPOLLIN | EPOLLRDHUP | EPOLLET);
  return true;
}

void HelperConnector::OnFdReady(std::uint32_t) {
  while (helper_) {
    const std::string text = io::PeekMessage(helper_.get(), kLongestAnswer);
    Result<io::FdMessage> message = io::ReceiveFds(helper_.get());
    if (!message && message.error().code == Errc::kUnavailable) return;
    if (message)
      OnAnswer(std::move(*message));
    else if (message.error().code == Errc::kLimit)
      OnLostSocket(text);
    else
      Lose();
  }
}

void HelperConnector::OnAnswer(io::FdMessage message) {
  const Result<io::DialAnswer> answer = io::ParseDialAnswer(message.message);
  if (!answer) return;
  const auto found = waiting_.find(answer->id);
  if (found == waiting_.end()) return;  // given up meanwhile: the socket is closed with the message
  PassedStream& stream = *found->second;
  if (answer->error == 0 && message.fds.size() == 1) return stream.Take(std::move(message.fds[0]));
  stream.Fail(answer->error != 0 ? answer->error : ECONNREFUSED);
}

void HelperConnector::OnLostSocket(const std::string& answer) {
  const Result<io::DialAnswer> parsed = io::ParseDialAnswer(answer);
  const auto found = parsed ? waiting_.find(parsed->id) : waiting_.end();
  if (found != waiting_.end()) found->second->Fail(EMFILE);
}

void HelperConnector::Lose() {
  if (helper_) loop_.Unwatch(helper_.get(), *this);
  helper_.Reset();
  while (!waiting_.empty()) waiting_.begin()->second->Fail(ECONNREFUSED);
}

}  // namespace plait::proxy::upstream
