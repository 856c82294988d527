#include "local/cluster_ips.h"

#include "core/base/log.h"

namespace plait::local {
namespace {

log::Component kLog("services");
constexpr Port kDnsPort{53};

}  // namespace

std::vector<io::Cidr> ClusterIps::Ranges() {
  return {*io::Cidr::Parse("10.96.0.0/16"), *io::Cidr::Parse("fd00:10:96::/112")};
}

io::IpAddress ClusterIps::DnsIp() { return io::IpAddress::V4(0x0a60000a); }

void ClusterIps::SetServices(std::vector<node::ServicePort> ports) {
  services_ = std::move(ports);
  Changed();
}

void ClusterIps::SetDns(std::vector<io::IpAddress> ips) {
  if (ips == dns_) return;
  dns_ = std::move(ips);
  Changed();
}

void ClusterIps::Changed() {
  std::vector<node::ServicePort> all = services_;
  for (const bool udp : {false, true}) {
    node::ServicePort& port = all.emplace_back();
    port = {.at = {.ip = DnsIp(), .port = kDnsPort, .unix_path = {}}, .udp = udp, .endpoints = {}};
    for (const io::IpAddress& ip : dns_)
      if (ip.is_v4()) port.endpoints.push_back({.ip = ip, .port = kDnsPort, .unix_path = {}});
  }
  wanted_ = node::ElementsOf(all);
  UpdateSoon();
}

void ClusterIps::UpdateSoon() {
  if (!update_ && !networks_.empty()) update_ = loop_.After(Duration::zero(), [this] { UpdateNext(); });
}

// One network a round: after a deletion the kernel lets nobody go for 8 to 40 ms, and other pods want something too.
void ClusterIps::UpdateNext() {
  update_.Cancel();
  for (auto& [uid, network] : networks_) {
    if (network.loaded == wanted_) continue;
    if (Outcome<> done = Update(network); !done) {
      kLog.Error("pod " + uid + " keeps old service addresses: " + done.error().ToString());
      network.loaded = wanted_;  // not again and again; the next change brings what differs from this
    }
    update_ = loop_.After(Duration::zero(), [this] { UpdateNext(); });
    return;
  }
}

Outcome<> ClusterIps::Update(Network& network) {
  Outcome<> done = Change(network);
  if (done || network.loaded.empty()) return done;
  // What is loaded is not what we believe: begin anew, under the live connections.
  std::string flush;
  for (const char* map : {"tcp4", "udp4", "tcp6", "udp6"})
    flush += "flush map inet plait_services " + std::string(map) + "\n";
  if (done = network_.Load(network.netns, flush); !done) return done;
  network.loaded.clear();
  return Change(network);
}

Outcome<> ClusterIps::Change(Network& network) {
  for (const std::string& change : node::ServiceChanges(network.loaded, wanted_))
    if (Outcome<> done = network_.Load(network.netns, change); !done) return done;
  network.loaded = wanted_;
  return {};
}

Outcome<> ClusterIps::Add(const std::string& uid, int netns) {
  const Outcome<> made = network_.Load(netns, node::ServiceTable(Ranges()));
  return made ? Fill(uid, netns) : made;
}

void ClusterIps::FillAgain(const std::string& uid) {
  const auto found = networks_.find(uid);
  if (found == networks_.end()) return;
  found->second.loaded.clear();
  UpdateSoon();
}

Outcome<> ClusterIps::Fill(const std::string& uid, int netns) {
  Network network{.netns = netns, .loaded = {}};
  if (wanted_.empty()) Changed();
  if (Outcome<> done = Update(network); !done) return done;
  networks_[uid] = std::move(network);
  return {};
}

}  // namespace plait::local
