#include "proxy/worker/sockets.h"

#include <algorithm>

namespace plait::proxy::worker {

Sockets::Sockets(std::vector<io::InheritedFd> inherited) : inherited_(std::move(inherited)) {}

const Sockets::Open* Sockets::Find(const std::string& listener, const std::string& address) const {
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& open) {
    return open.listener == listener && open.address == address;
  });
  return found == open_.end() ? nullptr : &*found;
}

Outcome<std::vector<int>> Sockets::For(const xds::Listener& listener) {
  std::vector<int> sockets;
  if (!listener.bind_to_port) return sockets;
  std::vector<std::uint16_t> inherited_ports;
  for (const xds::ListenerAddress& wanted : listener.addresses) {
    const std::string text = wanted.address.ToString();
    if (const Open* open = Find(listener.name, text)) {
      if (open->inherited) inherited_ports.push_back(wanted.address.port.value);
      sockets.push_back(open->fd.get());
      continue;
    }
    // One inherited socket stands for all addresses of its port.
    const std::uint16_t port = wanted.address.port.value;
    if (std::find(inherited_ports.begin(), inherited_ports.end(), port) != inherited_ports.end()) continue;
    if (io::UniqueFd inherited = Take(std::to_string(port))) {
      inherited_ports.push_back(port);
      sockets.push_back(inherited.get());
      open_.push_back({listener.name, text, true, std::move(inherited)});
      continue;
    }
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
    open_.push_back({listener.name, text, false, std::move(*own)});
  }
  return sockets;
}

void Sockets::Release(const std::string& listener) {
  for (Open& open : open_) {
    if (open.listener != listener || !open.inherited) continue;
    // Inherited sockets are kept: whoever gave them may want the port served again.
    inherited_.push_back({std::to_string(io::LocalAddress(open.fd.get()).port.value), std::move(open.fd)});
  }
  std::erase_if(open_, [&](const Open& open) { return open.listener == listener; });
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

}  // namespace plait::proxy::worker
