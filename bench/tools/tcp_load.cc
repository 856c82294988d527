// TCP load. Prints one JSON object: seconds, bytes, messages, errors, p50_us and p99_us: of a message's round trip
// (pingpong), of the time in which a connection gets rid of one MiB (blast).
//
// usage: bench-tcp-load blast|pingpong PORT SECONDS CONNECTIONS [MESSAGE-BYTES]
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBlastUnit = 1 << 20;

struct Connection {
  int fd = -1;
  // Of the message, or of the MiB, that is on its way, and since when.
  std::size_t moved = 0;
  Clock::time_point begun{};
};

class Load {
 public:
  Load(bool blast, std::size_t size) : blast_(blast), size_(size), buffer_(std::max<std::size_t>(size, 1 << 18)) {
    microseconds_.reserve(1 << 20);
  }

  bool Connect(std::uint16_t port, std::size_t count) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    connections_.resize(count);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (Connection& connection : connections_) {
      connection.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
      const int on = 1;
      setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      fcntl(connection.fd, F_SETFL, O_NONBLOCK);
      epoll_event event{};
      event.events = blast_ ? EPOLLOUT : EPOLLIN;
      event.data.ptr = &connection;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
    }
    return true;
  }

  void Run(double seconds) {
    begin_ = Clock::now();
    const auto end = begin_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (Connection& connection : connections_) {
      connection.begun = begin_;
      if (!blast_) Ask(connection);
    }
    std::array<epoll_event, 256> events{};
    while (Clock::now() < end && errors_ < connections_.size()) {
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < n; ++i) {
        auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (blast_)
          Blast(connection);
        else
          Receive(connection);
      }
    }
    seconds_ = std::chrono::duration<double>(Clock::now() - begin_).count();
  }

  void Print() {
    std::sort(microseconds_.begin(), microseconds_.end());
    const auto percentile = [&](double share) {
      const auto at = static_cast<std::size_t>(share * static_cast<double>(microseconds_.size()));
      return microseconds_.empty() ? 0.0 : static_cast<double>(microseconds_[std::min(at, microseconds_.size() - 1)]);
    };
    std::printf(R"({"seconds": %.3f, "bytes": %llu, "messages": %zu, "errors": %zu, "p50_us": %.1f, "p99_us": %.1f})"
                "\n",
                seconds_, bytes_, microseconds_.size(), errors_, percentile(0.5), percentile(0.99));
  }

 private:
  void Fail(Connection& connection) {
    ++errors_;
    close(connection.fd);
  }

  void Blast(Connection& connection) {
    const ssize_t n = send(connection.fd, buffer_.data(), buffer_.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return Fail(connection);
    bytes_ += static_cast<unsigned long long>(n);
    connection.moved += static_cast<std::size_t>(n);
    if (connection.moved < kBlastUnit) return;
    Took(connection);
    connection.moved -= kBlastUnit;
    connection.begun = Clock::now();
  }

  void Took(const Connection& connection) {
    microseconds_.push_back(std::chrono::duration<float, std::micro>(Clock::now() - connection.begun).count());
  }

  void Ask(Connection& connection) {
    connection.begun = Clock::now();
    connection.moved = 0;
    if (send(connection.fd, buffer_.data(), size_, MSG_NOSIGNAL) < 0) Fail(connection);
  }

  void Receive(Connection& connection) {
    const ssize_t n = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return Fail(connection);
    connection.moved += static_cast<std::size_t>(n);
    if (connection.moved < size_) return;
    Took(connection);
    Ask(connection);
  }

  bool blast_;
  std::size_t size_;
  std::vector<char> buffer_;
  std::vector<Connection> connections_;
  std::vector<float> microseconds_;
  Clock::time_point begin_{};
  double seconds_ = 0;
  unsigned long long bytes_ = 0;
  std::size_t errors_ = 0;
  int epoll_ = -1;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (argc < 5 || (mode != "blast" && mode != "pingpong")) {
    std::fprintf(stderr, "usage: bench-tcp-load blast|pingpong PORT SECONDS CONNECTIONS [MESSAGE-BYTES]\n");
    return 2;
  }
  Load load(mode == "blast", argc > 5 ? std::strtoul(argv[5], nullptr, 10) : 1024);
  if (!load.Connect(static_cast<std::uint16_t>(std::atoi(argv[2])), std::strtoul(argv[4], nullptr, 10))) {
    std::perror("bench-tcp-load: cannot connect to 127.0.0.1");
    return 1;
  }
  load.Run(std::atof(argv[3]));
  load.Print();
}
