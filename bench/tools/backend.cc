// A server that costs as little as it can, so that what is measured is the proxy before it. One thread, loopback only.
//
// usage: bench-backend http|echo|sink [BODY-BYTES]     prints its port
//   http  answers each request with a body of that size (1024); pipelined requests too
//   echo  sends back whatever arrives
//   sink  reads and drops; the kernel does not even copy
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

enum class Mode { kHttp, kEcho, kSink };

int Listen() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 4096) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("bench-backend: cannot listen on 127.0.0.1");
    std::exit(1);
  }
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

class Backend {
 public:
  Backend(Mode mode, std::size_t body)
      : mode_(mode),
        answer_("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: " + std::to_string(body) + "\r\nserver: backend\r\n\r\n" +
                std::string(body, 'x')) {}

  [[noreturn]] void Run() {
    listener_ = Listen();
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    Watch(listener_);
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_)
          Accept();
        else
          Read(fd);
      }
    }
  }

 private:
  void Watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void Accept() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (matched_.size() <= static_cast<std::size_t>(fd)) matched_.resize(static_cast<std::size_t>(fd) + 1);
      matched_[static_cast<std::size_t>(fd)] = 0;
      Watch(fd);
    }
  }

  void Read(int fd) {
    const ssize_t n = mode_ == Mode::kSink ? recv(fd, buffer_.data(), buffer_.size(), MSG_TRUNC) : recv(fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      close(fd);
      return;
    }
    if (mode_ == Mode::kEcho) Send(fd, {buffer_.data(), static_cast<std::size_t>(n)});
    if (mode_ == Mode::kHttp) Answer(fd, {buffer_.data(), static_cast<std::size_t>(n)});
  }

  // A request ends with its empty line: those of the load have no body.
  void Answer(int fd, std::string_view bytes) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    std::uint8_t& matched = matched_[static_cast<std::size_t>(fd)];
    if (matched == 0 && bytes.find(kEnd) == bytes.size() - kEnd.size()) return Send(fd, answer_);  // the usual case
    for (const char c : bytes) {
      matched = c == kEnd[matched] ? static_cast<std::uint8_t>(matched + 1) : c == '\r' ? 1 : 0;
      if (matched < kEnd.size()) continue;
      matched = 0;
      Send(fd, answer_);
    }
  }

  static void Send(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN) return;
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  Mode mode_;
  std::string answer_;
  int listener_ = -1;
  int epoll_ = -1;
  std::vector<char> buffer_ = std::vector<char>(1 << 18);
  std::vector<std::uint8_t> matched_;  // by descriptor: how much of the empty line has come
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode != "http" && mode != "echo" && mode != "sink") {
    std::fprintf(stderr, "usage: bench-backend http|echo|sink [BODY-BYTES]\n");
    return 2;
  }
  const std::size_t body = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024;
  Backend(mode == "http" ? Mode::kHttp : mode == "echo" ? Mode::kEcho : Mode::kSink, body).Run();
}
