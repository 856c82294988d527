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
  for (const io::InheritedFd& fd : inherited_)
    if (const auto destination = DestinationIn(fd.name))
      destinations_.emplace(io::LocalAddress(fd.fd.get()).ToString(), *destination);
}

bool Sockets::Find(const std::string& listener, const std::string& address, std::vector<int>& into) const {
  bool found = false;
  for (const Open& open : open_) {
    if (open.listener != listener || open.address != address) continue;
    into.push_back(open.fd.get());
    found = true;
  }
  return found;
}

Outcome<std::vector<int>> Sockets::For(const xds::Listener& listener) {
  std::vector<int> sockets;
  if (!listener.bind_to_port || bind_ == Bind::kNever) return sockets;
  for (const xds::ListenerAddress& wanted : listener.addresses) {
    const std::string text = wanted.address.ToString();
    if (Find(listener.name, text, sockets)) continue;
    // Inherited sockets stand for all addresses of their port.
    const std::string port = std::to_string(wanted.address.port.value);
    if (std::any_of(open_.begin(), open_.end(),
                    [&](const Open& open) { return open.listener == listener.name && PortOf(open.inherited) == port; }))
      continue;
    for (io::InheritedFd& fd : inherited_)
      if (PortOf(fd.name) == port) open_.push_back({listener.name, text, fd.name, std::move(fd.fd)});
    std::erase_if(inherited_, [](const io::InheritedFd& fd) { return !fd.fd; });
    if (Find(listener.name, text, sockets)) continue;
    io::ListenOptions options;
    if (listener.backlog) options.backlog = static_cast<int>(*listener.backlog);
    options.transparent = listener.transparent;
    options.v6_only = !wanted.address.ip.is_v4() && !wanted.ipv4_compat;
    Outcome<io::UniqueFd> own = io::ListenOn(wanted.address, options);
    if (!own) {
      own.error().message = "listener " + listener.name + ": " + own.error().message;
      return std::unexpected(own.error());
    }
    sockets.push_back(own->get());
    open_.push_back({listener.name, text, "", std::move(*own)});
  }
  return sockets;
}

void Sockets::Release(const std::string& listener) {
  for (Open& open : open_) {
    if (open.listener != listener || open.inherited.empty()) continue;
    // Inherited sockets are kept: whoever gave them may want the port served again.
    inherited_.push_back({open.inherited, std::move(open.fd)});
  }
  std::erase_if(open_, [&](const Open& open) { return open.listener == listener; });
}

void Sockets::ReleaseAndRefuse(const std::string& listener, io::Loop& loop) {
  for (const Open& open : open_) {
    if (open.listener != listener || open.inherited.empty() || left_) continue;
    refusing_.push_back(std::make_unique<io::Listener>(loop, open.fd.get(), false, &Reset));
  }
  Release(listener);
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
      if (open.listener != listener.name) continue;
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
