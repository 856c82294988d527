#include "proxy/worker/sockets.h"

#include <sys/socket.h>

#include <algorithm>
#include <optional>

#include "core/base/strings.h"

namespace plait::proxy::worker {

namespace {

std::string_view PortOf(std::string_view name) { return name.substr(0, name.find('@')); }

// "15001@10.96.3.4@9080" -> 10.96.3.4:9080
std::optional<io::SocketAddress> DestinationIn(std::string_view name) {
  const std::vector<std::string_view> parts = Split(name, '@');
  if (parts.size() != 3) return std::nullopt;
  const auto ip = io::IpAddress::Parse(parts[1]);
  const auto port = ParsePort(parts[2]);
  if (!ip || !port) return std::nullopt;
  return io::SocketAddress{.ip = *ip, .port = *port, .unix_path = {}};
}

// As the kernel does where nobody listens.
void Reset(io::UniqueFd connection) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(connection.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

Sockets::Sockets(std::vector<io::InheritedFd> inherited, Bind bind) : bind_(bind), inherited_(std::move(inherited)) {
  for (const io::InheritedFd& fd : inherited_) {
    io::SocketAddress bound = io::LocalAddress(fd.fd.get());
    if (const auto destination = DestinationIn(fd.name)) destinations_.emplace(bound.ToString(), *destination);
    if (const auto port = ParsePort(PortOf(fd.name))) given_.insert(*port);
    const auto port = ParsePort(fd.name);
    if (port && !bound.is_unix() && (bound.port != *port || bound.ip.is_loopback()))
      stand_ins_.push_back({std::move(bound), *port});
  }
}

void Sockets::ServeGateway(std::vector<io::IpAddress> own, Duration patience) {
  own_ = std::move(own);
  more_are_given_ = !given_.empty();
  patience_ = patience;
}

io::SocketAddress Sockets::AsConfigured(io::SocketAddress local) const {
  const StandIn* found = nullptr;
  for (const StandIn& one : stand_ins_) {
    if (one.bound.port != local.port) continue;
    // The same port may be another one in the network of another socket, of all addresses.
    if (one.bound.ip == local.ip) found = &one;
    if (one.bound.ip.is_unspecified() && found == nullptr) found = &one;
  }
  if (found == nullptr) return local;
  local.port = found->port;
  if (!local.ip.is_loopback() || std::ranges::find(own_, local.ip) != own_.end()) return local;
  const auto own = std::ranges::find(own_, local.ip.is_v4(), &io::IpAddress::is_v4);
  if (own != own_.end()) local.ip = *own;
  return local;
}

// Inherited sockets stand for all addresses of their port.
bool Sockets::Serves(const Open& open, const io::SocketAddress& address) {
  return open.inherited.empty() ? open.address == address.ToString()
                                : PortOf(open.inherited) == std::to_string(address.port.value);
}

bool Sockets::Find(const std::string& listener, const io::SocketAddress& address, std::vector<int>& into) const {
  bool found = false;
  for (const Open& open : open_) {
    if (open.left != Ticket::kNone || open.listener != listener || !Serves(open, address)) continue;
    if (std::ranges::find(into, open.fd.get()) == into.end()) into.push_back(open.fd.get());
    found = true;
  }
  return found;
}

void Sockets::TakeOver(const std::string& listener, const io::SocketAddress& address) {
  if (!address.port) return;  // any port: not the one that somebody had
  for (Open& open : open_) {
    if (open.left == Ticket::kNone || !Serves(open, address)) continue;
    open.listener = listener;
    open.address = address.ToString();
    open.left = Ticket::kNone;
  }
  for (io::InheritedFd& fd : inherited_) {
    if (PortOf(fd.name) == std::to_string(address.port.value))
      open_.push_back({listener, address.ToString(), fd.name, std::move(fd.fd)});
  }
  std::erase_if(inherited_, [](const io::InheritedFd& fd) { return !fd.fd; });
}

Outcome<std::vector<int>> Sockets::For(const xds::Listener& listener, bool patient) {
  std::vector<int> sockets;
  if (!listener.bind_to_port || bind_ == Bind::kNever) return sockets;
  Outcome<> all;
  for (const xds::ListenerAddress& wanted : listener.addresses) {
    if (Outcome<> have = Have(listener, wanted, patient, sockets); all && !have) all = std::move(have);
  }
  if (!all) return std::unexpected(std::move(all.error()));
  return sockets;
}

Outcome<> Sockets::Have(const xds::Listener& listener, const xds::ListenerAddress& wanted, bool patient,
                        std::vector<int>& into) {
  if (Find(listener.name, wanted.address, into)) return {};
  TakeOver(listener.name, wanted.address);
  if (Find(listener.name, wanted.address, into)) return {};
  if (patient && MayBeGiven(wanted.address.port))
    return Explain(Errc::kUnavailable, "listener " + listener.name + ": the socket of port " +
                                           std::to_string(wanted.address.port.value) + " is not here yet");
  io::ListenOptions options;
  if (listener.backlog) options.backlog = static_cast<int>(*listener.backlog);
  options.transparent = listener.transparent;
  options.v6_only = !wanted.address.ip.is_v4() && !wanted.ipv4_compat;
  Outcome<io::UniqueFd> own = io::ListenOn(wanted.address, options);
  if (!own) {
    own.error().message = "listener " + listener.name + ": " + own.error().message;
    for (const Open& open : open_) {
      if (open.left != Ticket::kNone || io::LocalAddress(open.fd.get()).port != wanted.address.port) continue;
      own.error().hint = "listener " + open.listener + " has " + open.address + ": give one of them another port";
    }
    return std::unexpected(own.error());
  }
  into.push_back(own->get());
  open_.push_back({listener.name, wanted.address.ToString(), "", std::move(*own)});
  return {};
}

std::vector<int> Sockets::Has(const xds::Listener& listener) const {
  std::vector<int> sockets;
  for (const xds::ListenerAddress& wanted : listener.addresses) Find(listener.name, wanted.address, sockets);
  return sockets;
}

bool Sockets::MayBeGiven(Port port) const { return more_are_given_ && port && !given_.contains(port); }

bool Sockets::MayComeFree(const xds::Listener& listener) const {
  const auto is_left = [&](const io::SocketAddress& wanted) {
    return std::ranges::any_of(open_, [&](const Open& open) {
      return open.left != Ticket::kNone && io::LocalAddress(open.fd.get()).port == wanted.port;
    });
  };
  return std::ranges::any_of(listener.addresses, [&](const xds::ListenerAddress& wanted) {
    return MayBeGiven(wanted.address.port) || is_left(wanted.address);
  });
}

bool Sockets::IsWanted(const Open& open, const xds::Listener& form) {
  return form.bind_to_port && std::ranges::any_of(form.addresses, [&](const xds::ListenerAddress& one) {
           return Serves(open, one.address);
         });
}

bool Sockets::IsLetGo(const Open& open, const Forms& forms) {
  const auto form = forms.find(open.listener);
  return open.left == Ticket::kNone && form != forms.end() && !IsWanted(open, *form->second);
}

bool Sockets::IsLetGoBy(const Forms& forms, const xds::Listener& listener) const {
  return std::ranges::any_of(open_, [&](const Open& open) {
    return open.listener != listener.name && IsLetGo(open, forms) &&
           std::ranges::any_of(listener.addresses, [port = io::LocalAddress(open.fd.get()).port](const auto& wanted) {
             return wanted.address.port == port;
           });
  });
}

bool Sockets::HasAllOnce(const Forms& forms, const xds::Listener& listener) const {
  return std::ranges::all_of(listener.addresses, [&](const xds::ListenerAddress& wanted) {
    return std::ranges::any_of(open_, [&](const Open& open) {
      if (!Serves(open, wanted.address)) return false;
      if (open.left == Ticket::kNone && open.listener == listener.name) return true;
      return wanted.address.port && (open.left != Ticket::kNone || IsLetGo(open, forms));
    });
  });
}

Sockets::Ticket Sockets::LetGo(const std::string& listener, const std::vector<const xds::Listener*>& wanted) {
  const auto is_wanted = [&](const Open& open) {
    return std::ranges::any_of(wanted, [&](const xds::Listener* form) { return IsWanted(open, *form); });
  };
  const Ticket ticket{tickets_ + 1};
  bool any = false;
  for (Open& open : open_) {
    if (open.listener != listener || open.left != Ticket::kNone || is_wanted(open)) continue;
    open.left = ticket;
    any = true;
  }
  if (!any) return Ticket::kNone;
  ++tickets_;
  return ticket;
}

void Sockets::Release(Ticket ticket) {
  for (Open& open : open_) {
    if (open.left != ticket || open.inherited.empty()) continue;
    // Inherited sockets are kept: whoever gave them may want the port served again.
    inherited_.push_back({open.inherited, std::move(open.fd)});
  }
  std::erase_if(open_, [&](const Open& open) { return open.left == ticket; });
}

void Sockets::ReleaseAndRefuse(Ticket ticket, io::Loop& loop) {
  for (const Open& open : open_) {
    if (open.left != ticket || open.inherited.empty() || left_) continue;
    refusing_.push_back(std::make_unique<io::Listener>(loop, open.fd.get(), false, &Reset));
  }
  Release(ticket);
}

void Sockets::Leave() noexcept {
  left_ = true;
  refusing_.clear();
}

io::UniqueFd Sockets::Take(std::string_view name) {
  const auto found =
      std::find_if(inherited_.begin(), inherited_.end(), [&](const auto& fd) { return fd.name == name; });
  if (found == inherited_.end()) return {};
  io::UniqueFd fd = std::move(found->fd);
  inherited_.erase(found);
  return fd;
}

std::vector<io::UniqueFd> Sockets::TakeAll(std::string_view prefix) {
  std::vector<io::UniqueFd> all;
  for (io::InheritedFd& fd : inherited_) {
    if (std::string_view(fd.name).starts_with(prefix)) all.push_back(std::move(fd.fd));
  }
  std::erase_if(inherited_, [](const io::InheritedFd& fd) { return !fd.fd; });
  return all;
}

std::vector<io::SocketAddress> Sockets::AddressesOf(const std::string& listener) const {
  std::vector<io::SocketAddress> addresses;
  for (const Open& open : open_) {
    if (open.listener == listener) addresses.push_back(io::LocalAddress(open.fd.get()));
  }
  return addresses;
}

std::vector<io::SocketAddress> Sockets::AddressesOf(const xds::Listener& listener) const {
  std::vector<io::SocketAddress> addresses;
  for (const xds::ListenerAddress& wanted : listener.addresses) {
    bool inherited = false;
    for (const Open& open : open_) {
      if (open.listener != listener.name || open.left != Ticket::kNone) continue;
      const bool stands_for_many = open.inherited.contains('@');  // one of many destinations
      inherited = inherited || (!open.inherited.empty() && !stands_for_many);
      if (open.address == wanted.address.ToString() && (open.inherited.empty() || stands_for_many))
        addresses.push_back(io::LocalAddress(open.fd.get()));
    }
    if (inherited) addresses.push_back(wanted.address);
  }
  return addresses;
}

}  // namespace plait::proxy::worker
