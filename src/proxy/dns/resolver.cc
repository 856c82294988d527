#include "proxy/dns/resolver.h"

#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/base/strings.h"
#include "proxy/dns/lookup.h"
#include "proxy/dns/message.h"

namespace plait::proxy::dns {
namespace {

using Family = xds::DnsLookupFamily;

// Of both families those that the cluster wants.
std::vector<io::IpAddress> Wanted(std::vector<io::IpAddress> all, Family family) {
  const auto keep = [&](bool v4) {
    std::vector<io::IpAddress> some;
    std::copy_if(all.begin(), all.end(), std::back_inserter(some),
                 [v4](const io::IpAddress& ip) { return ip.is_v4() == v4; });
    return some;
  };
  switch (family) {
    case Family::kAll: return all;
    case Family::kV4Only: return keep(true);
    case Family::kV6Only: return keep(false);
    case Family::kAuto:
    case Family::kV4Preferred: break;
  }
  std::vector<io::IpAddress> first = keep(family == Family::kV4Preferred);
  return first.empty() ? keep(family != Family::kV4Preferred) : first;
}

// The addresses of `name` in a file such as /etc/hosts; one that is not there has none.
void FindInHosts(const std::string& file, const std::string& name, std::vector<io::IpAddress>& found) {
  std::ifstream hosts(file);
  for (std::string line; std::getline(hosts, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string address;
    words >> address;
    const auto ip = io::IpAddress::Parse(address);
    for (std::string host; ip && words >> host;) {
      if (EqualsIgnoreCase(host, name)) found.push_back(*ip);
    }
  }
}

}  // namespace

// One name; both families are asked side by side, and what came is told when both have ended. That a name has no
// address is known only when no question failed.
struct Resolver::Lookup final : Pending::Operation {
  Family family = Family::kAuto;
  OnAnswer done;
  Pending now, v4, v6;
  int left = 0;
  bool failed = false;
  Answer answer;

  void Took(Result<Bytes> message) {
    const auto head = message ? ParseResponseHead(*message) : Fail(Errc::kUnavailable, "no answer from a resolver");
    const auto found = head && (head->code == Code::kOk || head->code == Code::kNoSuchName)
                           ? ParseAddresses(*message)
                           : Fail(Errc::kUnavailable, "a resolver that failed");
    if (!found) {
      failed = true;
    } else if (!found->addresses.empty()) {
      const Duration ttl = std::chrono::seconds(found->ttl);
      answer.ttl = std::min(answer.ttl.value_or(ttl), ttl);
      answer.addresses.insert(answer.addresses.end(), found->addresses.begin(), found->addresses.end());
    }
    if (--left > 0) return;
    OnAnswer call = std::exchange(done, nullptr);
    if (failed && answer.addresses.empty()) return call(Fail(Errc::kUnavailable, "no answer from a resolver"));
    answer.addresses = Wanted(std::move(answer.addresses), family);
    call(std::move(answer));
  }
};

std::vector<io::IpAddress> Resolver::InHosts(const std::string& name) const {
  std::vector<io::IpAddress> found;
  FindInHosts(options_.hosts_file, name, found);
  if (!options_.more_hosts.empty()) FindInHosts(options_.more_hosts, name, found);
  return found;
}

std::optional<std::vector<io::IpAddress>> Resolver::KnownHere(std::string& name) const {
  if (const auto literal = io::IpAddress::Parse(name)) return std::vector{*literal};
  if (std::vector<io::IpAddress> found = InHosts(name); !found.empty()) return found;
  if (EqualsIgnoreCase(name, "localhost"))
    return std::vector{io::IpAddress::Parse("127.0.0.1").value(), io::IpAddress::Parse("::1").value()};
  if (mesh_ == nullptr) return std::nullopt;
  Followed followed = Follow(*mesh_, name);
  // A name of the mesh is nobody else's, also while it has no address. But a ServiceEntry's cluster must not resolve to
  // the address that applications are given for it: it would dial itself.
  if (followed.end != Followed::End::kOutside && !followed.answer.entry) return std::move(followed.answer.addresses);
  if (followed.answer.alias.empty()) return std::nullopt;
  name = std::move(followed.answer.alias);
  if (std::vector<io::IpAddress> found = InHosts(name); !found.empty()) return found;
  return std::nullopt;
}

Pending Resolver::Resolve(const std::string& text, xds::DnsLookupFamily family, OnAnswer done) {
  std::string name = ToLower(text);
  if (name.ends_with('.')) name.pop_back();
  auto lookup = std::make_unique<Lookup>();
  Lookup* self = lookup.get();
  self->family = family;
  self->done = std::move(done);
  if (auto known = KnownHere(name)) {
    // What the hosts file or the mesh says may change at any time; a literal never does.
    constexpr Duration kOwnTtl = std::chrono::seconds(5);
    if (!io::IpAddress::Parse(name)) self->answer.ttl = kOwnTtl;
    self->answer.addresses = Wanted(*std::move(known), family);
    self->now = loop_.After(Duration::zero(), [self] {
      OnAnswer call = std::exchange(self->done, nullptr);
      call(std::move(self->answer));
    });
    return Pending(std::move(lookup));
  }
  const auto ask = [&](Type type) {
    ++self->left;
    const auto number = static_cast<std::uint16_t>(type);
    return forwarder_.Ask(WriteQuery(0, name, number), name, number, /*tcp=*/false,
                          [self](Result<Bytes> answer) { self->Took(answer); });
  };
  if (family != Family::kV6Only) self->v4 = ask(Type::kA);
  if (family != Family::kV4Only) self->v6 = ask(Type::kAaaa);
  return Pending(std::move(lookup));
}

std::vector<io::UniqueFd> ConnectToNameservers(const std::string& resolv_conf, std::uint32_t mark) {
  std::vector<io::UniqueFd> sockets;
  std::ifstream in(resolv_conf);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string keyword;
    std::string address;
    words >> keyword >> address;
    const auto ip = io::IpAddress::Parse(address.substr(0, address.find('%')));
    if (keyword != "nameserver" || !ip) continue;
    constexpr std::uint16_t kDnsPort = 53;
    sockaddr_storage to{};
    const socklen_t length = io::SocketAddress{.ip = *ip, .port = {kDnsPort}, .unix_path = {}}.ToNative(to);
    io::UniqueFd fd(socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) continue;
    if (mark != 0) (void)setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), length) == 0) sockets.push_back(std::move(fd));
  }
  return sockets;
}

}  // namespace plait::proxy::dns
