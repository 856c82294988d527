#include "proxy/dns/forwarder.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <unordered_map>

#include "core/base/random.h"
#include "proxy/dns/tcp_client.h"

namespace plait::proxy::dns {

struct Forwarder::State {
  struct Question {
    std::uint64_t number = 0;  // ids come again, numbers do not
    std::vector<std::uint8_t> message;
    std::string name;
    std::uint16_t type = 0;
    bool tcp = false;
    OnAnswer done;
    int tries = 0;
    std::size_t resolver = 0;      // whose turn it is, over TCP
    std::size_t lost = 0;          // connections that ended before they answered
    std::uint64_t connection = 0;  // the one that it was sent over; 0: over UDP
    Pending timeout;
  };
  struct Asked final : Pending::Operation {
    Asked(State& of, std::uint16_t with, std::uint64_t nth) : state(of), alive(of.alive), id(with), number(nth) {}
    ~Asked() override {
      if (alive.expired()) return;
      const auto at = state.questions.find(id);
      if (at != state.questions.end() && at->second.number == number) state.questions.erase(at);
    }
    State& state;
    std::weak_ptr<int> alive;
    std::uint16_t id;
    std::uint64_t number;
  };
  // A UDP socket that is connected to one resolver.
  struct Udp final : io::FdEvents {
    Udp(State& of, io::UniqueFd socket) : state(of), fd(std::move(socket)) {
      state.loop.Watch(fd.get(), *this, EPOLLIN | EPOLLET);
    }
    ~Udp() override { state.loop.Unwatch(fd.get(), *this); }
    void OnFdReady(std::uint32_t) override {
      std::array<std::uint8_t, 65535> buffer;
      for (;;) {
        const ssize_t n = recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n >= 0) state.OnMessage(Bytes(buffer).first(static_cast<std::size_t>(n)), /*over_tcp=*/false);
        if (n < 0 && errno != EINTR && errno != ECONNREFUSED) return;  // refused: ICMP of an earlier question
      }
    }
    State& state;
    io::UniqueFd fd;
  };

  // The connection to one resolver.
  struct Tcp {
    Dial dial;
    std::unique_ptr<TcpMessages> messages;  // null: none now
    std::uint64_t number = 0;               // of the last connection
  };

  explicit State(io::Loop& on) : loop(on) {}
  void OnMessage(Bytes message, bool over_tcp);
  bool Send(std::uint16_t id, Question& question);
  bool SendOverTcp(Question& question);
  void Connect(std::size_t place);
  void OnLost(std::size_t place, std::uint64_t connection);
  void Try(std::uint16_t id);
  void Finish(std::uint16_t id, Result<Bytes> answer);
  std::optional<std::uint16_t> NewId() const;

  io::Loop& loop;
  std::vector<std::unique_ptr<Udp>> udp;
  std::vector<Tcp> tcp;
  std::unordered_map<std::uint16_t, Question> questions;
  std::size_t next = 0;
  std::uint64_t asked = 0;
  std::uint64_t connections = 0;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
};

Forwarder::Forwarder(io::Loop& loop, std::vector<io::UniqueFd> udp, std::vector<Dial> tcp)
    : state_(std::make_unique<State>(loop)) {
  for (io::UniqueFd& fd : udp) state_->udp.push_back(std::make_unique<State::Udp>(*state_, std::move(fd)));
  for (Dial& dial : tcp) state_->tcp.push_back({.dial = std::move(dial), .messages = nullptr});
}
Forwarder::~Forwarder() = default;

bool Forwarder::has_resolvers() const noexcept { return !state_->udp.empty() || !state_->tcp.empty(); }

std::optional<std::uint16_t> Forwarder::State::NewId() const {
  for (int i = 0; i < 64; ++i) {
    std::array<std::uint8_t, 2> bytes;
    FillSecret(bytes);
    const auto id = static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
    if (!questions.contains(id)) return id;
  }
  return std::nullopt;
}

bool Forwarder::State::Send(std::uint16_t id, Question& question) {
  question.message[0] = static_cast<std::uint8_t>(id >> 8);
  question.message[1] = static_cast<std::uint8_t>(id & 0xFF);
  question.connection = 0;
  if ((question.tcp || udp.empty()) && SendOverTcp(question)) return true;
  if (udp.empty()) return false;
  const Udp& socket = *udp[next++ % udp.size()];
  // A lost or refused datagram is like a lost answer: the next try comes after the time-out.
  (void)!send(socket.fd.get(), question.message.data(), question.message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return true;
}

bool Forwarder::State::SendOverTcp(Question& question) {
  // One that was there already may have ended for having been idle, so each resolver gets a chance beside that.
  if (question.lost > tcp.size() || tcp.empty()) return false;
  const std::size_t place = question.resolver % tcp.size();
  Tcp& to = tcp[place];
  if (!to.messages || !to.messages->Send(question.message)) {
    Connect(place);
    if (!to.messages->Send(question.message)) return false;
  }
  question.connection = to.number;
  return true;
}

void Forwarder::State::Connect(std::size_t place) {
  Tcp& to = tcp[place];
  if (to.messages) loop.DeleteLater(std::move(to.messages));
  to.number = ++connections;
  const std::weak_ptr<int> token = alive;
  to.messages = std::make_unique<TcpMessages>(
      loop, to.dial(), kIdle,
      [this, token](Bytes message) {
        if (!token.expired()) OnMessage(message, /*over_tcp=*/true);
      },
      [this, token, place, number = to.number] {
        if (!token.expired()) OnLost(place, number);
      });
}

// What was asked over it and not answered is asked again at once, of the next resolver if there is one.
void Forwarder::State::OnLost(std::size_t place, std::uint64_t connection) {
  if (tcp[place].number == connection) loop.DeleteLater(std::move(tcp[place].messages));
  std::vector<std::uint16_t> unanswered;
  for (const auto& [id, question] : questions)
    if (question.connection == connection) unanswered.push_back(id);
  for (const std::uint16_t id : unanswered) {
    const auto at = questions.find(id);  // an answer to one may have ended others
    if (at == questions.end() || at->second.connection != connection) continue;
    ++at->second.lost;
    ++at->second.resolver;
    if (!Send(id, at->second)) Finish(id, Fail(Errc::kUnavailable, "no resolver"));
  }
}

void Forwarder::State::Try(std::uint16_t id) {
  constexpr int kTries = 2;
  Question& question = questions.at(id);
  if (question.tries > 0) ++question.resolver;
  if (question.tries++ >= kTries) return Finish(id, Fail(Errc::kTimedOut, "no answer from a resolver"));
  if (!Send(id, question)) return Finish(id, Fail(Errc::kUnavailable, "no resolver"));
  question.timeout = loop.After(kTry, [this, id] { Try(id); });
}

void Forwarder::State::Finish(std::uint16_t id, Result<Bytes> answer) {
  auto node = questions.extract(id);
  if (!node.empty()) node.mapped().done(answer);
}

void Forwarder::State::OnMessage(Bytes message, bool over_tcp) {
  const auto head = ParseResponseHead(message);
  if (!head) return;
  const auto at = questions.find(head->id);
  if (at == questions.end() || at->second.name != head->name || at->second.type != head->type) return;
  if (at->second.tcp && !over_tcp && head->truncated)
    return Finish(head->id, Fail(Errc::kUnavailable, "no resolver answers over TCP"));
  Finish(head->id, message);
}

Pending Forwarder::Ask(std::vector<std::uint8_t> message, const std::string& name, std::uint16_t type, bool tcp,
                       OnAnswer done) {
  const auto id = state_->questions.size() < kMostQuestions ? state_->NewId() : std::nullopt;
  if (!id || message.size() < 12 || !has_resolvers()) {
    return state_->loop.After(Duration::zero(),
                              [done = std::move(done)]() mutable { done(Fail(Errc::kUnavailable, "no resolver")); });
  }
  State::Question& question = state_->questions[*id];
  question = {.number = ++state_->asked,
              .message = std::move(message),
              .name = name,
              .type = type,
              .tcp = tcp,
              .done = std::move(done),
              .timeout = {}};
  // The first try, too, ends in a later round.
  question.timeout = state_->loop.After(Duration::zero(), [state = state_.get(), id = *id] { state->Try(id); });
  return Pending(std::make_unique<State::Asked>(*state_, *id, question.number));
}

}  // namespace plait::proxy::dns
