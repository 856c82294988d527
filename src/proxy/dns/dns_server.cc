#include "proxy/dns/dns_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <list>

#include "core/base/random.h"
#include "core/io/socket.h"
#include "proxy/dns/forwarder.h"
#include "proxy/dns/lookup.h"
#include "proxy/dns/message.h"
#include "proxy/dns/tcp_client.h"

namespace plait::proxy::dns {
namespace {

enum Stat : std::size_t { kRequests, kUpstreamRequests, kUpstreamFailures, kRefusedRequests };
constexpr std::array<telemetry::StatDef, 4> kStats = {{{.name = "dns_requests_total"},
                                                       {.name = "dns_upstream_requests_total"},
                                                       {.name = "dns_upstream_failures_total"},
                                                       {.name = "dns_malformed_requests_total"}}};
constexpr telemetry::Schema kSchema{"", "", {}, kStats};

using Reply = std::move_only_function<void(Bytes)>;

bool Wants(std::uint16_t type, const io::IpAddress& ip) {
  if (type == static_cast<std::uint16_t>(Type::kAny)) return true;
  return type == static_cast<std::uint16_t>(ip.is_v4() ? Type::kA : Type::kAaaa);
}

}  // namespace

struct DnsServer::State {
  struct Udp final : io::FdEvents {
    Udp(State& of, io::UniqueFd socket) : state(of), fd(std::move(socket)) {
      state.loop.Watch(fd.get(), *this, EPOLLIN | EPOLLET);
    }
    ~Udp() override { state.loop.Unwatch(fd.get(), *this); }
    void OnFdReady(std::uint32_t) override;
    State& state;
    io::UniqueFd fd;
  };
  struct TcpPort {
    io::UniqueFd fd;
    std::unique_ptr<io::Listener> listener;
  };
  using TcpClients = std::list<std::unique_ptr<TcpMessages>>;

  State(io::Loop& on, DnsServerOptions with, const DnsIndex& names, Forwarder& outside, telemetry::Registry& registry)
      : loop(on), options(std::move(with)), index(names), forwarder(outside), stats(registry.NewGroup(kSchema, {})) {}

  void Accept(io::UniqueFd socket);
  void Handle(Bytes message, bool tcp, Reply reply);
  std::vector<std::uint8_t> Answer(const Query& query, NameAnswer found, std::size_t most);
  void Forward(const Query& query, Bytes message, bool tcp, Reply reply);
  void FollowAlias(Query query, std::string alias, std::size_t most, bool tcp, Reply reply);

  io::Loop& loop;
  const DnsServerOptions options;
  const DnsIndex& index;
  Forwarder& forwarder;
  telemetry::Group stats;
  Random random;
  TcpClients clients;
  std::list<Pending> questions;  // to the forwarder, for clients of ours
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  std::vector<std::unique_ptr<Udp>> udp_ports;
  std::vector<TcpPort> tcp_ports;
};

void DnsServer::State::Udp::OnFdReady(std::uint32_t) {
  std::array<std::uint8_t, 4096> buffer;  // no query is longer
  for (;;) {
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    const ssize_t n =
        recvfrom(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    // The socket lives as long as the server, and replies end with it.
    state.Handle(Bytes(buffer).first(static_cast<std::size_t>(n)), /*tcp=*/false, [this, from, length](Bytes answer) {
      (void)!sendto(fd.get(), answer.data(), answer.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&from),
                    length);
    });
  }
}

void DnsServer::State::Accept(io::UniqueFd socket) {
  constexpr std::size_t kMostClients = 256;
  if (clients.size() >= kMostClients) return;
  const auto place = clients.emplace(clients.end());
  // A reply may come after the connection has ended: it finds out by this token.
  auto open = std::make_shared<TcpMessages*>(nullptr);
  *place = std::make_unique<TcpMessages>(
      loop, io::AdoptSocket(loop, std::move(socket)), std::chrono::seconds(10),
      [this, open](Bytes message) {
        Handle(message, /*tcp=*/true, [open](Bytes answer) {
          if (*open != nullptr) (*open)->Send(answer);
        });
      },
      [this, place, open, token = std::weak_ptr<int>(alive)] {
        if (token.expired()) return;
        *open = nullptr;
        loop.DeleteLater(std::move(*place));
        clients.erase(place);
      });
  *open = place->get();
}

void DnsServer::State::Handle(Bytes message, bool tcp, Reply reply) {
  stats.Add(kRequests);
  const auto query = ParseQuery(message);
  if (!query) {
    stats.Add(kRefusedRequests);
    if (query.error().code) reply(WriteError(query.error().id, *query.error().code));
    return;
  }
  const std::size_t most = tcp ? 65535 : std::min<std::size_t>(query->udp_size.value_or(512), 4096);
  constexpr std::uint16_t kInternet = 1;
  Followed found = query->question_class == kInternet ? Follow(index, query->name)
                                                      : Followed{.answer = {}, .end = Followed::End::kOutside};
  switch (found.end) {
    case Followed::End::kHere: break;
    case Followed::End::kNowhere: return reply(AnswerWriter(*query, Code::kServerFailure, true).Finish(512));
    case Followed::End::kOutside:
      if (found.answer.alias.empty()) return Forward(*query, message, tcp, std::move(reply));
      return FollowAlias(*query, std::move(found.answer.alias), most, tcp, std::move(reply));
  }
  reply(Answer(*query, std::move(found.answer), most));
}

std::vector<std::uint8_t> DnsServer::State::Answer(const Query& query, NameAnswer found, std::size_t most) {
  AnswerWriter writer(query, found.exists ? Code::kOk : Code::kNoSuchName, /*authoritative=*/true);
  bool any = false;
  if (!found.alias.empty()) {
    writer.AddCname(query.name, found.alias, options.ttl);
    any = true;
  }
  // Any order, so that clients spread over the pods of a headless service.
  for (std::size_t i = found.addresses.size(); i > 1; --i)
    std::swap(found.addresses[i - 1], found.addresses[random.Below(i)]);
  for (const io::IpAddress& ip : found.addresses) {
    if (!Wants(query.type, ip)) continue;
    writer.AddAddress(found.alias.empty() ? query.name : found.alias, ip, options.ttl);
    any = true;
  }
  if (query.type == static_cast<std::uint16_t>(Type::kSrv) || query.type == static_cast<std::uint16_t>(Type::kAny)) {
    for (const ServiceTarget& target : found.targets) {
      writer.AddSrv(query.name, target.port, target.host, options.ttl);
      any = true;
    }
  }
  constexpr std::uint32_t kNegativeTtl = 5;
  if (!any) writer.AddSoa(query.name.ends_with(options.domain) ? options.domain : query.name, kNegativeTtl);
  return std::move(writer).Finish(most);
}

void DnsServer::State::Forward(const Query& query, Bytes message, bool tcp, Reply reply) {
  stats.Add(kUpstreamRequests);
  const auto place = questions.insert(questions.end(), Pending());
  *place = forwarder.Ask({message.begin(), message.end()}, query.name, query.type, tcp,
                         [this, place, query, reply = std::move(reply)](Result<Bytes> answer) mutable {
                           const Pending done = std::move(*place);
                           questions.erase(place);
                           if (!answer) {
                             stats.Add(kUpstreamFailures);
                             return reply(AnswerWriter(query, Code::kServerFailure, false).Finish(512));
                           }
                           std::vector<std::uint8_t> bytes(answer->begin(), answer->end());
                           bytes[0] = static_cast<std::uint8_t>(query.id >> 8);
                           bytes[1] = static_cast<std::uint8_t>(query.id & 0xFF);
                           reply(bytes);
                         });
}

// A service that is another name (ExternalName): asks for that name outside and answers with both.
void DnsServer::State::FollowAlias(Query query, std::string alias, std::size_t most, bool tcp, Reply reply) {
  stats.Add(kUpstreamRequests);
  const std::uint16_t type = query.type;
  const std::string target = alias;
  const auto place = questions.insert(questions.end(), Pending());
  *place = forwarder.Ask(
      WriteQuery(0, target, type), target, type, tcp,
      [this, place, query = std::move(query), alias = std::move(alias), most,
       reply = std::move(reply)](Result<Bytes> answer) mutable {
        const Pending done = std::move(*place);
        questions.erase(place);
        const auto found = answer ? ParseAddresses(*answer) : Result<FoundAddresses>(std::unexpected(answer.error()));
        if (!found) {
          stats.Add(kUpstreamFailures);
          return reply(AnswerWriter(query, Code::kServerFailure, false).Finish(512));
        }
        NameAnswer both{.ours = true, .exists = true, .addresses = found->addresses, .alias = std::move(alias)};
        reply(Answer(query, std::move(both), most));
      });
}

DnsServer::DnsServer(io::Loop& loop, DnsServerOptions options, const DnsIndex& index, Forwarder& forwarder,
                     telemetry::Registry& registry, DnsSockets sockets)
    : state_(std::make_unique<State>(loop, std::move(options), index, forwarder, registry)) {
  State* state = state_.get();
  for (io::UniqueFd& fd : sockets.udp) state->udp_ports.push_back(std::make_unique<State::Udp>(*state, std::move(fd)));
  for (io::UniqueFd& fd : sockets.tcp) {
    State::TcpPort port{.fd = std::move(fd), .listener = nullptr};
    port.listener = std::make_unique<io::Listener>(loop, port.fd.get(), /*shared=*/false,
                                                   [state](io::UniqueFd socket) { state->Accept(std::move(socket)); });
    state->tcp_ports.push_back(std::move(port));
  }
}
DnsServer::~DnsServer() = default;

}  // namespace plait::proxy::dns
