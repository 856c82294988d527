#include "proxy/worker/name_service.h"

#include <utility>

#include "core/base/strings.h"
#include "core/io/socket.h"
#include "proxy/upstream/helper_connector.h"

namespace plait::proxy::worker {
namespace {

std::vector<io::UniqueFd> ResolversOverUdp(Sockets& sockets) {
  std::vector<io::UniqueFd> given = sockets.TakeAll("resolver-udp");
  if (given.empty()) given = dns::ConnectToNameservers("/etc/resolv.conf", io::kMarkOutbound);
  return given;
}

std::unique_ptr<upstream::Connector> NewConnector(io::Loop& loop, const std::string& helper) {
  if (helper.empty()) return std::make_unique<upstream::DirectConnector>(loop);
  return std::make_unique<upstream::HelperConnector>(
      loop, upstream::DialHelperOptions{.path = helper, .inside = {}, .loopback_is_inside = false});
}

// Resolvers are asked over TCP where they are asked over UDP.
dns::Forwarder NewForwarder(io::Loop& loop, std::vector<io::UniqueFd> udp, upstream::Connector& connector) {
  std::vector<dns::Forwarder::Dial> tcp;
  tcp.reserve(udp.size());
  for (const io::UniqueFd& fd : udp) {
    tcp.emplace_back([&connector, to = io::PeerAddress(fd.get())] {
      io::ConnectOptions options;
      options.mark = io::kMarkOutbound;
      return connector.Connect(to, options);
    });
  }
  return dns::Forwarder(loop, std::move(udp), std::move(tcp));
}

}  // namespace

NodePlace PlaceOf(const xds::Node& node) {
  NodePlace place;
  if (const auto found = node.metadata.find("NAMESPACE"); found != node.metadata.end())
    place.name_space = found->second;
  const auto parts = Split(node.id, '~');
  if (parts.size() != 4) return place;
  place.ip = parts[1];
  constexpr std::string_view kSvc = ".svc.";
  if (const auto at = parts[3].find(kSvc); at != std::string_view::npos) {
    place.domain = parts[3].substr(at + kSvc.size());
    if (place.name_space.empty()) place.name_space = parts[3].substr(0, at);
  }
  return place;
}

NameService::NameService(io::Loop& loop, const xds::Node& node, const cluster::DestinationIndex& index,
                         telemetry::Registry& registry, Sockets& sockets, Options options)
    : loop_(loop),
      registry_(registry),
      domain_(PlaceOf(node).domain),
      index_(index, domain_, PlaceOf(node).name_space),
      connector_(NewConnector(loop, options.helper)),
      forwarder_(NewForwarder(loop, ResolversOverUdp(sockets), *connector_)),
      resolver_(loop, forwarder_, &index_, {.more_hosts = std::move(options.more_hosts)}),
      capture_{.udp = sockets.TakeAll("15053-udp"), .tcp = sockets.TakeAll("15053-tcp")} {}

void NameService::Serve() {
  if (server_ != nullptr || (capture_.udp.empty() && capture_.tcp.empty())) return;
  server_ = std::make_unique<dns::DnsServer>(loop_, dns::DnsServerOptions{.domain = domain_}, index_, forwarder_,
                                             registry_, std::move(capture_));
}

void NameService::Stop() {
  server_.reset();
  capture_ = {};
}

}  // namespace plait::proxy::worker
