#include "local/mesh_network.h"

#include <unistd.h>

#include <span>

#include "core/base/log.h"
#include "node/sysctl.h"

namespace plait::local {
namespace {

log::Component kLog("supervisor");

constexpr std::uint32_t kMtu = 65535;          // nothing leaves the host: twice the throughput of 1500
constexpr std::uint32_t kV4Base = 0x0af40000;  // 10.244.0.0
constexpr std::uint16_t kRouterNumber = 1;

io::IpAddress V4Of(std::uint16_t number) { return io::IpAddress::V4(kV4Base | number); }
io::IpAddress V6Of(std::uint16_t number) {  // fd00:10:244::<number>
  return io::IpAddress::V6({0xfd, 0, 0, 0x10, 0x02, 0x44, 0, 0, 0, 0, 0, 0, 0, 0,
                            static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

// In the family of `ip`.
io::IpAddress RouterFor(const io::IpAddress& ip) { return ip.is_v4() ? V4Of(kRouterNumber) : V6Of(kRouterNumber); }
io::Cidr EverywhereOf(const io::IpAddress& ip) { return {ip.is_v4() ? io::IpAddress() : io::IpAddress::V6({}), 0}; }

// Locally administered; one number each way, so both ends are known without asking.
node::MacAddress MacOf(std::uint8_t side, std::uint16_t number) {
  return {2, 0, side, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}
constexpr std::uint8_t kWorkloadSide = 0xa;
constexpr std::uint8_t kMeshSide = 0xb;
const node::MacAddress kRouterMac = {2, 0, 0xa, 0, 0, 1};

std::string LinkName(std::uint16_t number) { return "w" + std::to_string(number); }

// Settings that a kernel may lack are not worth failing for; those that we rely on are.
Outcome<> Write(std::string_view name, std::string_view value, bool needed) {
  Outcome<> written = node::WriteNetSysctl(name, value);
  return written || (!needed && written.error().code == Errc::kNotFound) ? Outcome<>{} : written;
}

struct Setting {
  const char* name;
  const char* value;
  bool needed;
};
Outcome<> WriteAll(std::span<const Setting> settings) {
  for (const Setting& setting : settings)
    if (Outcome<> written = Write(setting.name, setting.value, setting.needed); !written) return written;
  return {};
}

constexpr Setting kRouterSettings[] = {
    {"ipv4/ip_forward", "1", true},
    {"ipv4/conf/all/send_redirects", "0", true},
    {"ipv4/conf/default/send_redirects", "0", true},
    {"ipv4/conf/all/rp_filter", "0", false},
    {"ipv6/conf/all/forwarding", "1", false},
    {"ipv6/conf/default/accept_dad", "0", false},
    {"bridge/bridge-nf-call-iptables", "0", false},
    {"bridge/bridge-nf-call-ip6tables", "0", false},
    {"bridge/bridge-nf-call-arptables", "0", false},
};
// Before eth0 exists: it takes the defaults over.
constexpr Setting kWorkloadSettings[] = {
    {"ipv4/ip_unprivileged_port_start", "0", true},  // applications without power bind port 80
    {"ipv4/ping_group_range", "0 0", false},
    {"ipv4/tcp_tw_reuse", "1", false},  // the proxy's connections from 127.0.0.6 and ::6
    {"ipv4/conf/all/accept_redirects", "0", false},
    {"ipv4/conf/default/accept_redirects", "0", false},
    {"ipv6/conf/all/accept_redirects", "0", false},
    {"ipv6/conf/default/accept_redirects", "0", false},
    {"ipv6/conf/default/accept_ra", "0", false},
    {"ipv6/conf/default/accept_dad", "0", false},
};

io::Cidr Whole(const io::IpAddress& ip) { return {ip, static_cast<std::uint8_t>(ip.is_v4() ? 32 : 128)}; }

}  // namespace

io::IpAddress MeshNetwork::RouterIp() { return V4Of(kRouterNumber); }
io::SocketAddress MeshNetwork::ControlAddress() const {
  constexpr Port kXds{15012};
  return {.ip = RouterIp(), .port = kXds, .unix_path = {}};
}
std::vector<io::Cidr> MeshNetwork::Ranges() { return {{V4Of(0), 16}, {V6Of(0), 64}}; }

Outcome<std::unique_ptr<MeshNetwork>> MeshNetwork::Make(std::string named) {
  Outcome<io::UniqueFd> home = node::CurrentNetns();
  if (!home) return std::unexpected(home.error());
  Outcome<node::RouteSocket> routes = node::RouteSocket::Open();
  if (!routes) return std::unexpected(routes.error());
  std::unique_ptr<MeshNetwork> mesh(new MeshNetwork(std::move(*home), std::move(*routes)));
  mesh->named_ = std::move(named);
  if (Outcome<> made = mesh->MakeRouter(); !made) return std::unexpected(made.error());
  return mesh;
}

Outcome<> MeshNetwork::MakeRouter() {
  has_v6_ = access("/proc/sys/net/ipv6", F_OK) == 0;
  if (Outcome<> made = routes_.Apply(node::RouteBatch().LinkUp("lo").AddBridge("plait0", kRouterMac, kMtu)); !made)
    return made;
  Outcome<int> index = routes_.IndexOf("plait0");
  if (!index) return std::unexpected(index.error());
  bridge_ = *index;
  if (Outcome<> written = WriteAll(kRouterSettings); !written) return written;
  node::RouteBatch batch;
  batch.LinkUp("plait0").AddAddress(bridge_, V4Of(kRouterNumber), 16);
  if (has_v6_) batch.AddAddress(bridge_, V6Of(kRouterNumber), 64);
  if (Outcome<> done = routes_.Apply(batch); !done) return done;
  // Links of workloads are ports of the bridge: no addresses of their own.
  return Write("ipv6/conf/default/disable_ipv6", "1", false);
}

std::uint16_t MeshNetwork::NextNumber() {
  // Numbers go round: an address is not given again soon, so nobody's cache takes a new workload for an old one.
  for (int tries = 0; tries < 65536; ++tries) {
    ++last_number_;
    const auto last_byte = static_cast<std::uint8_t>(last_number_);
    if (last_number_ > kRouterNumber && last_byte != 0 && last_byte != 255 && !in_use_[last_number_])
      return last_number_;
  }
  return 0;
}

Outcome<PodNetwork> MeshNetwork::Add(const Wanted& wanted) {
  PodNetwork pod;
  pod.number = NextNumber();
  if (pod.number == 0) return Explain(Errc::kLimit, "no address is left for a further workload");
  pod.application = V4Of(pod.number);
  pod.ips.push_back(pod.application);
  if (has_v6_) pod.ips.push_back(V6Of(pod.number));
  Outcome<io::UniqueFd> netns = node::NewNetns(home_.get());
  if (!netns) return std::unexpected(netns.error());
  pod.netns = std::move(*netns);
  in_use_[pod.number] = true;
  Outcome<> done = Within(pod, [] {
                     return WriteAll(kWorkloadSettings);
                   }).value_or(Explain(Errc::kInternal, "cannot enter a workload's network"));
  if (done) done = Link(pod);
  if (done) {
    auto inside = Within(pod, [&] { return SetUpInside(pod, wanted); });
    done = inside ? *inside : Outcome<>(std::unexpected(inside.error()));
  }
  if (!done) {
    Remove(pod);
    return std::unexpected(done.error());
  }
  return pod;
}

Outcome<> MeshNetwork::Link(PodNetwork& pod) {
  node::RouteBatch batch;
  batch.AddVeth({.name = LinkName(pod.number),
                 .mac = MacOf(kMeshSide, pod.number),
                 .peer_name = "eth0",
                 .peer_mac = MacOf(kWorkloadSide, pod.number),
                 .peer_netns = pod.netns.get(),
                 .master = bridge_,
                 .mtu = kMtu});
  batch.LinkUp(LinkName(pod.number));
  for (const io::IpAddress& ip : pod.ips) batch.AddPermanentNeighbour(bridge_, ip, MacOf(kWorkloadSide, pod.number));
  return routes_.Apply(batch);
}

Outcome<> MeshNetwork::SetUpInside(PodNetwork& pod, const Wanted& wanted) {
  constexpr int kLoopback = 1;
  Outcome<node::RouteSocket> inside = node::RouteSocket::Open();
  if (!inside) return std::unexpected(inside.error());
  Outcome<int> eth = inside->IndexOf("eth0");
  if (!eth) return std::unexpected(eth.error());
  node::RouteBatch batch;
  batch.LinkUp("lo").LinkUp("eth0");
  if (has_v6_) batch.AddAddress(kLoopback, *io::IpAddress::Parse("::6"), 128);
  for (const io::IpAddress& ip : pod.ips) {
    const io::IpAddress router = RouterFor(ip);
    batch.AddAddress(*eth, ip, Whole(ip).length)
        .AddPermanentNeighbour(*eth, router, kRouterMac)
        .AddRoute(Whole(router), *eth, nullptr)
        .AddRoute(EverywhereOf(ip), *eth, &router);
  }
  if (Outcome<> done = inside->Apply(batch); !done) return done;
  // Sockets first: once rules stand, what they catch must have somewhere to go.
  if (wanted.proxy_sockets) {
    node::ProxySockets which{.capture = wanted.rules || wanted.dns, .dns_at = {}, .dns_alone = wanted.own_sockets};
    if (wanted.dns) which.dns_at = pod.ips;
    Outcome<std::vector<node::NamedSocket>> sockets = node::OpenProxySockets(which);
    if (!sockets) return std::unexpected(sockets.error());
    pod.sockets = std::move(*sockets);
  }
  return wanted.rules ? Capture(pod, *wanted.rules) : Outcome<>{};
}

Outcome<> MeshNetwork::Capture(PodNetwork& pod, const node::CaptureRules& rules) {
  const std::string commands = node::ToNft(rules);
  if (Outcome<> loaded = nft_.Run(commands); !loaded) return loaded;
  pod.captured = true;
  if (Outcome<io::UniqueFd> monitor = node::MonitorRules()) {
    pod.rules_monitor = *std::move(monitor);
  } else {  // it is captured all the same
    kLog.Warn("the workload at " + pod.application.ToString() +
              " is captured, but rules that it loses are not loaded again: " + monitor.error().ToString());
  }
  // Listed in the kernel's words, for they are what can be compared later. Hardly any workload has rules of its own.
  std::erase_if(listed_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const PodNetwork::Rules>& known = listed_[commands];
  pod.rules = known.lock();
  if (pod.rules) return {};
  const bool services = !rules.service_ranges.empty();
  Outcome<std::string> list = List(services);
  if (!list) {  // it is captured all the same
    kLog.Warn(
        "the workload at " + pod.application.ToString() +
        " is captured, but `plait check` cannot tell whether it stays so, nor are rules that it loses loaded again: " +
        list.error().ToString());
    return {};
  }
  pod.rules = std::make_shared<const PodNetwork::Rules>(commands, *std::move(list), services);
  known = pod.rules;
  return {};
}

Outcome<std::string> MeshNetwork::CheckCapture(const PodNetwork& pod) {
  if (!pod.captured) return "";
  if (!pod.rules)
    return Explain(Errc::kUnavailable, "how the rules stood was not listed",
                   "`plait logs" + named_ + " supervisor` has the reason; a new pod is listed again");
  return pod.cut_off.empty() ? Difference(pod) : pod.cut_off;
}

Outcome<std::string> MeshNetwork::List(bool services) {
  return services ? nft_.ListWithSetsOf("inet plait") : nft_.List();
}

Outcome<std::string> MeshNetwork::Difference(const PodNetwork& pod) {
  const auto list = Within(pod, [&] { return List(pod.rules->services); });
  if (!list) return std::unexpected(list.error());
  if (!*list) return std::unexpected(list->error());
  return node::RulesDifference(pod.rules->listed, **list);
}

std::string MeshNetwork::RestoreCapture(PodNetwork& pod) {
  // What cannot be told may be anything.
  const auto wrong = [&] {
    const Outcome<std::string> found = Difference(pod);
    return found ? *found : found.error().message;
  };
  const std::string lost = wrong();
  if (!lost.empty()) {
    // The namespace is the workload's alone: what others have added goes, too. One transaction, so that no connection
    // meets half of the rules.
    const Outcome<> loaded = Load(pod.netns.get(), "flush ruleset\n" + pod.rules->commands);
    const std::string left = loaded ? wrong() : loaded.error().message;
    if (!left.empty()) {
      const Outcome<> cut = LeadBeyondRouter(pod, false);
      pod.cut_off = lost + ", and loading them again does not mend it (" + left + "): its network is " +
                    (cut ? "cut off" : "NOT cut off, for " + cut.error().message);
      return lost;
    }
  }
  if (pod.cut_off.empty()) return lost;
  const Outcome<> back = LeadBeyondRouter(pod, true);
  pod.cut_off =
      back ? "" : "the capture rules are loaded again, but its network stays cut off: " + back.error().message;
  return lost;
}

// The router itself, where plaitd is, stays reachable: a proxy that is cut off can still be told, and ended in order.
Outcome<> MeshNetwork::LeadBeyondRouter(const PodNetwork& pod, bool leads) {
  const Outcome<Outcome<>> done = Within(pod, [&]() -> Outcome<> {
    Outcome<node::RouteSocket> inside = node::RouteSocket::Open();
    if (!inside) return std::unexpected(inside.error());
    const Outcome<int> eth = inside->IndexOf("eth0");
    if (!eth) return std::unexpected(eth.error());
    node::RouteBatch batch;
    for (const io::IpAddress& ip : pod.ips) {
      const io::IpAddress router = RouterFor(ip);
      if (leads)
        batch.AddRoute(EverywhereOf(ip), *eth, &router);
      else
        batch.AddUnreachable(EverywhereOf(ip));
    }
    return inside->Apply(batch);
  });
  return done ? *done : std::unexpected(done.error());
}

Outcome<> MeshNetwork::Load(int netns, const std::string& commands) {
  auto scope = node::NetnsScope::Enter(netns, home_.get());
  return scope ? nft_.Run(commands) : Outcome<>(std::unexpected(scope.error()));
}

void MeshNetwork::Remove(PodNetwork& pod) {
  if (pod.number == 0) return;
  // The link goes with the namespace too, but only when its last process has ended. A neighbour that stays would let
  // callers hang instead of being refused.
  node::RouteBatch batch;
  for (const io::IpAddress& ip : pod.ips) batch.DeleteNeighbour(bridge_, ip);
  batch.DeleteLink(LinkName(pod.number));
  [[maybe_unused]] const Outcome<> gone = routes_.Apply(batch);  // half-made networks lack some of it
  in_use_[pod.number] = false;
  pod = PodNetwork{};
}

}  // namespace plait::local
