// Real namespaces, links and rules, in a child that unshares a user and a network namespace of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>

#include "core/io/socket.h"
#include "node/capture_rules.h"
#include "node/capture_sockets.h"
#include "node/netns.h"
#include "node/nft.h"
#include "node/route_netlink.h"
#include "node/service_rules.h"
#include "node/sysctl.h"

namespace plait::node {
namespace {

void WriteFile(const char* path, const std::string& text) {
  io::UniqueFd fd(open(path, O_WRONLY));
  if (write(fd.get(), text.data(), text.size()) < 0) _exit(98);
}

// Runs `body` as root of a new user and network namespace; its return value is empty or says what went wrong.
std::string InNamespaces(const std::function<std::string()>& body) {
  int report[2];
  EXPECT_EQ(pipe(report), 0);
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const pid_t child = fork();
  if (child == 0) {
    std::string text = "no namespaces";
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
      WriteFile("/proc/self/setgroups", "deny");
      WriteFile("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
      WriteFile("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
      text = body();
    }
    if (write(report[1], text.data(), text.size()) < 0) _exit(99);
    _exit(0);
  }
  close(report[1]);
  std::string text(4096, '\0');
  const ssize_t n = read(report[0], text.data(), text.size());
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  close(report[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : text + " (child died)";
}

template <class T>
std::string Why(const Outcome<T>& outcome) {
  return outcome ? "" : outcome.error().ToString();
}

int Named(const std::vector<NamedSocket>& sockets, const std::string& name) {
  for (const NamedSocket& socket : sockets)
    if (socket.name == name) return socket.fd.get();
  return -1;
}

// 0, or why it cannot be done.
int ConnectTo(const std::string& to, io::UniqueFd& client) {
  sockaddr_storage native{};
  const socklen_t length = io::SocketAddress::Parse(to)->ToNative(native);
  client.Reset(::socket(native.ss_family, SOCK_STREAM, 0));
  return connect(client.get(), reinterpret_cast<sockaddr*>(&native), length) == 0 ? 0 : errno;
}
int ConnectTo(const std::string& to) {
  io::UniqueFd client;
  return ConnectTo(to, client);
}

io::IpAddress Ip(const char* text) { return *io::IpAddress::Parse(text); }

TEST(CaptureRules, TextNamesWhatIsLeftOut) {
  const auto rules =
      RulesFromAnnotations({{"traffic.sidecar.istio.io/excludeOutboundPorts", "25, 3306"},
                            {"traffic.sidecar.istio.io/includeInboundPorts", "*"},
                            {"traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.9.0.0/16,fd01::/64"}});
  ASSERT_TRUE(rules.has_value());
  const std::string text = ToNft(*rules);
  EXPECT_NE(text.find("elements = { 25, 3306 }"), std::string::npos);
  EXPECT_NE(text.find("elements = { 10.9.0.0/16 }"), std::string::npos);
  EXPECT_NE(text.find("elements = { fd01::/64 }"), std::string::npos);
  EXPECT_NE(text.find("meta l4proto tcp redirect to :15006"), std::string::npos);
}

TEST(CaptureRules, RefusesAPortThatIsNone) {
  const auto rules = RulesFromAnnotations({{"traffic.sidecar.istio.io/excludeInboundPorts", "80,http"}});
  ASSERT_FALSE(rules.has_value());
  EXPECT_NE(rules.error().message.find("\"http\" is not a port"), std::string::npos);
}

using Kind = Ruling::Kind;
const CaptureRules kAll;

Ruling Out(const CaptureRules& rules, const char* to, bool own = false) {
  return RulingOut(rules, io::SocketAddress::Parse(to).value(), own);
}
Ruling In(const CaptureRules& rules, std::uint16_t port, Dialler dialler = Dialler::kOther) {
  return RulingIn(rules, Port{port}, dialler);
}

TEST(CaptureRules, SayWhichAnnotationLeavesAConnectionOut) {
  EXPECT_EQ(Out(kAll, "10.96.0.7:9080").kind, Kind::kToProxy);
  EXPECT_EQ(In(kAll, 9080).kind, Kind::kToProxy);
  EXPECT_EQ(Out(kAll, "127.0.0.1:9080").why, "127.0.0.1 is the workload itself");
  EXPECT_EQ(Out(kAll, "[::1]:9080").why, "::1 is the workload itself");

  const CaptureRules some = RulesFromAnnotations({{"traffic.sidecar.istio.io/excludeOutboundPorts", "9080"},
                                                  {"traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.9.0.0/16"},
                                                  {"traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8"},
                                                  {"traffic.sidecar.istio.io/excludeInboundPorts", "22"},
                                                  {"traffic.sidecar.istio.io/includeInboundPorts", "80,22"}})
                                .value();
  EXPECT_EQ(Out(some, "10.96.0.7:9080").why, "port 9080 is one of traffic.sidecar.istio.io/excludeOutboundPorts");
  EXPECT_EQ(Out(some, "10.9.0.7:80").why, "10.9.0.7 is in traffic.sidecar.istio.io/excludeOutboundIPRanges");
  EXPECT_EQ(Out(some, "192.0.2.1:80").why, "192.0.2.1 is not in traffic.sidecar.istio.io/includeOutboundIPRanges");
  EXPECT_EQ(Out(some, "192.0.2.1:80").kind, Kind::kPast);
  EXPECT_EQ(Out(some, "10.96.0.7:80").kind, Kind::kToProxy);
  EXPECT_EQ(In(some, 22).why, "port 22 is one of traffic.sidecar.istio.io/excludeInboundPorts");
  EXPECT_EQ(In(some, 81).why, "port 81 is none of traffic.sidecar.istio.io/includeInboundPorts");
  EXPECT_EQ(In(some, 81).kind, Kind::kPast);
  EXPECT_EQ(In(some, 80).kind, Kind::kToProxy);
  // An empty list takes nothing, as in Istio.
  const CaptureRules none = RulesFromAnnotations({{"traffic.sidecar.istio.io/includeOutboundIPRanges", ""}}).value();
  EXPECT_EQ(Out(none, "10.96.0.7:80").kind, Kind::kPast);
}

TEST(CaptureRules, TakeEveryConnectionToPort53ToTheDnsOfTheProxy) {
  const CaptureRules excluded = RulesFromAnnotations({{"traffic.sidecar.istio.io/excludeOutboundPorts", "53"}}).value();
  for (const char* to : {"127.0.0.53:53", "[::1]:53", "10.96.0.7:53", "192.0.2.1:53"}) {
    EXPECT_EQ(Out(kAll, to).kind, Kind::kToDns) << to;
    EXPECT_EQ(Out(excluded, to).kind, Kind::kToDns) << to;
  }
  EXPECT_EQ(In(kAll, 53).kind, Kind::kToProxy) << "from outside it is a port as others";
  CaptureRules left = kAll;
  left.capture_dns = false;
  EXPECT_EQ(Out(left, "10.96.0.7:53").kind, Kind::kToProxy);
}

TEST(CaptureRules, RefuseWhoDialsACapturePort) {
  const CaptureRules excluded = RulesFromAnnotations({{"traffic.sidecar.istio.io/excludeInboundPorts", "15006"},
                                                      {"traffic.sidecar.istio.io/excludeOutboundPorts", "15001"}})
                                    .value();
  for (const CaptureRules& rules : {kAll, excluded}) {
    for (const Dialler dialler : {Dialler::kOther, Dialler::kItself, Dialler::kOwnProxy}) {
      EXPECT_EQ(In(rules, 15006, dialler).kind, Kind::kRefused);
      EXPECT_EQ(In(rules, 15001, dialler).kind, Kind::kRefused);
    }
    EXPECT_EQ(Out(rules, "10.244.0.2:15001", /*own=*/true).kind, Kind::kRefused);
    EXPECT_EQ(Out(rules, "127.0.0.1:15006").kind, Kind::kRefused);
  }
  EXPECT_EQ(Out(kAll, "10.244.0.3:15006").kind, Kind::kToProxy) << "of another workload: its rules refuse it";
  EXPECT_EQ(Out(excluded, "10.244.0.3:15001").kind, Kind::kPast);
}

TEST(CaptureRules, LeaveTheOpenPortsOfTheProxyToItAndWhatAWorkloadSendsItselfToTheSideThatDialled) {
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{15020, 15021, 15090}) {
    EXPECT_EQ(In(kAll, port).kind, Kind::kToOwnPort) << port;
    EXPECT_EQ(In(kAll, port, Dialler::kOwnProxy).kind, Kind::kToProxy) << port;
  }
  EXPECT_EQ(In(kAll, 15000).kind, Kind::kToProxy) << "it is open at the loopback only";
  const CaptureRules excluded = RulesFromAnnotations({{"traffic.sidecar.istio.io/excludeInboundPorts", "80"}}).value();
  EXPECT_EQ(In(excluded, 80).kind, Kind::kPast);
  EXPECT_EQ(In(excluded, 80, Dialler::kOwnProxy).kind, Kind::kToProxy);
  EXPECT_EQ(In(kAll, 80, Dialler::kItself).why, "it comes from the workload itself");
}

TEST(CaptureRules, AreToldWhenTheyAreNotTheSameAnyMore) {
  const std::string rules = "table inet plait {\n\tchain output {\n\t\ta\n\t\tb\n\t}\n}\n";
  EXPECT_EQ(RulesDifference(rules, rules), "");
  EXPECT_EQ(RulesDifference(rules, ""), "the capture rules (table inet plait) are gone");
  EXPECT_EQ(RulesDifference(rules, "table inet filter {\n}\n"), "the capture rules (table inet plait) are gone");
  EXPECT_EQ(RulesDifference(rules, "table inet plait {\n\tchain output {\n\t\ta\n\t}\n}\n"),
            "the capture rules have lost \"b\"");
  EXPECT_EQ(RulesDifference(rules, rules + "table ip x {\n}\n"), "besides the capture rules there is \"table ip x {\"");
  EXPECT_EQ(RulesDifference(rules, "table inet plait {\n\tchain output {\n\t\tb\n\t\ta\n\t}\n}\n"),
            "the capture rules stand in another order");
}

TEST(Nft, LoadsTheRulesWithEveryChoice) {
  EXPECT_EQ(InNamespaces([] {
              CaptureRules rules;
              rules.mesh_ranges = {*io::Cidr::Parse("10.244.0.0/16"), *io::Cidr::Parse("fd00:10:244::/64")};
              rules.exclude_inbound_ports = {Port{22}};
              rules.exclude_outbound_ports = {Port{25}};
              rules.exclude_outbound_ranges = {*io::Cidr::Parse("10.1.0.0/16"), *io::Cidr::Parse("fd01::/64")};
              rules.limit_inbound_ports = rules.limit_outbound_ranges = true;
              rules.include_inbound_ports = {Port{80}};
              rules.include_outbound_ranges = {*io::Cidr::Parse("10.96.0.0/16")};
              return Why(Nft().Run(ToNft(rules)));
            }),
            "");
}

TEST(Nft, LoadsRulesWithManyDescriptorsOpen) {
  EXPECT_EQ(InNamespaces([] {
              Nft nft;
              std::vector<io::UniqueFd> many;  // libnftables cannot wait on a number from 1024 on
              for (int i = 0; i < 1100; ++i) many.emplace_back(open("/dev/null", O_RDONLY));
              return many.back() ? Why(nft.Run(ToNft({}))) : "";
            }),
            "");
}

TEST(Nft, ListsTheSameForTheSameRulesAndSomethingElseOnceTheyChange) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              Nft nft;
              if (auto empty = nft.List(); !empty || !empty->empty()) return "rules in a new namespace";
              CaptureRules rules;
              rules.exclude_outbound_ports = {Port{25}, Port{22}};
              std::string listed[2];
              for (std::string& one : listed) {
                if (auto loaded = nft.Run(ToNft(rules)); !loaded) return Why(loaded);
                auto list = nft.List();
                if (!list) return Why(list);
                one = *list;
                if (auto gone = nft.Run("flush ruleset"); !gone) return Why(gone);
              }
              if (listed[0] != listed[1]) return listed[0] + listed[1];
              if (listed[0].find("redirect to :15001") == std::string::npos) return listed[0];
              if (auto list = nft.List(); !list || !list->empty()) return "rules after the flush";
              return "";
            }),
            "");
}

TEST(RouteSocket, MakesPlacesUnreachableAndReachableAgain) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              auto socket = RouteSocket::Open();
              if (!socket) return Why(socket);
              if (auto up = socket->Apply(RouteBatch().LinkUp("lo")); !up) return Why(up);
              const auto reached = [](const char* to) {
                const auto address = *io::SocketAddress::Parse(to);
                const io::UniqueFd fd(::socket(address.ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                sockaddr_storage native{};
                const socklen_t size = address.ToNative(native);
                return connect(fd.get(), reinterpret_cast<const sockaddr*>(&native), size) == 0;
              };
              const io::Cidr v4 = *io::Cidr::Parse("0.0.0.0/0"), v6 = *io::Cidr::Parse("::/0");
              std::string seen;
              // Done twice, as when it is tried again and again.
              for (const bool leads : {true, false, false, true, true}) {
                RouteBatch routes;
                if (leads)
                  routes.AddRoute(v4, 1, nullptr).AddRoute(v6, 1, nullptr);
                else
                  routes.AddUnreachable(v4).AddUnreachable(v6);
                if (auto done = socket->Apply(routes); !done) return Why(done);
                for (const char* to : {"192.0.2.1:53", "[2001:db8::1]:53"}) seen += reached(to) ? '1' : '0';
              }
              return seen == "1100001111" ? "" : seen;
            }),
            "");
}

TEST(Nft, TellsOfChangesAndNotOfQuestions) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              Nft nft;
              auto monitor = MonitorRules();
              if (!monitor) return Why(monitor);
              // Whether it was told of something; takes it.
              const auto told = [&] {
                char piece[64];
                int count = 0;
                while (recv(monitor->get(), piece, sizeof piece, 0) > 0) ++count;
                return count > 0;
              };
              if (told()) return "of nothing";
              if (auto loaded = nft.Run(ToNft({})); !loaded) return Why(loaded);
              if (!told()) return "nothing of rules that were loaded";
              if (auto list = nft.List(); !list) return Why(list);
              if (told()) return "of a question";
              if (auto gone = nft.Run("flush ruleset"); !gone) return Why(gone);
              return told() ? "" : "nothing of rules that are gone";
            }),
            "");
}

TEST(Nft, SaysWhatIsWrong) {
  const std::string text = InNamespaces([] { return Why(Nft().Run("add rule inet nowhere chain accept")); });
  EXPECT_NE(text.find("nftables refuses the rules"), std::string::npos) << text;
}

TEST(Nft, SaysThatItCannotListInWordsOfItsOwn) {
  const std::string text = InNamespaces([] {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const __user_cap_data_struct none[2] = {};
    if (syscall(SYS_capset, &header, none) != 0) return std::string("cannot give the rights up");
    return Why(Nft().List());
  });
  EXPECT_TRUE(text.starts_with("nftables cannot list the rules: ")) << text;
}

TEST(CaptureSockets, TakeAConnectionToAnywhereAndKnowWhere) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              auto socket = RouteSocket::Open();
              if (!socket) return Why(socket);
              if (auto up = socket->Apply(RouteBatch().LinkUp("lo")); !up) return Why(up);
              // A destination must have a route before the hook sees it.
              RouteBatch routes;
              routes.AddRoute(*io::Cidr::Parse("0.0.0.0/0"), 1, nullptr).AddRoute(*io::Cidr::Parse("::/0"), 1, nullptr);
              if (auto done = socket->Apply(routes); !done) return Why(done);
              auto sockets = OpenProxySockets({.capture = true, .dns_at = {}});
              if (!sockets) return Why(sockets);
              if (auto loaded = Nft().Run(ToNft({})); !loaded) return Why(loaded);
              for (const char* to : {"10.96.1.1:80", "[fd00:10:96::1]:80"}) {
                sockaddr_storage native{};
                const auto address = *io::SocketAddress::Parse(to);
                const socklen_t length = address.ToNative(native);
                io::UniqueFd client(::socket(native.ss_family, SOCK_STREAM, 0));
                if (connect(client.get(), reinterpret_cast<sockaddr*>(&native), length) != 0) return "connect failed";
                io::UniqueFd server(accept(Named(*sockets, "15001"), nullptr, nullptr));
                const auto destination = io::OriginalDestination(server.get());
                if (!destination || destination->ToString() != to) return "wrong destination";
              }
              return "";
            }),
            "");
}

TEST(CaptureSockets, RefuseThoseWhoDialThemDirectly) {
  EXPECT_EQ(
      InNamespaces([]() -> std::string {
        auto socket = RouteSocket::Open();
        RouteBatch batch;
        batch.LinkUp("lo").AddAddress(1, Ip("10.244.0.2"), 32).AddRoute(*io::Cidr::Parse("0.0.0.0/0"), 1, nullptr);
        if (auto done = socket->Apply(batch); !done) return Why(done);
        auto sockets = OpenProxySockets({.capture = true, .dns_at = {}});
        if (!sockets) return Why(sockets);
        if (auto loaded = Nft().Run(ToNft({})); !loaded) return Why(loaded);
        for (const char* to : {"127.0.0.1:15001", "127.0.0.1:15006", "[::1]:15001", "10.244.0.2:15006"})
          if (ConnectTo(to) != ECONNREFUSED) return std::string(to) + " was not refused";
        for (const char* to : {"127.0.0.1:15000", "10.244.0.2:80"})  // an admin port, a captured one
          if (const int error = ConnectTo(to); error != 0) return std::string(to) + ": " + strerror(error);
        return "";
      }),
      "");
}

TEST(CaptureSockets, CanServeDnsAtAnAddress) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              RouteBatch batch;
              batch.LinkUp("lo").AddAddress(1, Ip("10.244.0.2"), 32).AddAddress(1, Ip("fd00::2"), 128);
              if (auto done = RouteSocket::Open()->Apply(batch); !done) return Why(done);
              auto sockets = OpenProxySockets({.capture = true, .dns_at = {Ip("10.244.0.2"), Ip("fd00::2")}});
              if (!sockets) return Why(sockets);
              for (const auto& [name, at] : {std::pair{"15053-udp4", "10.244.0.2:53"},
                                             {"15053-tcp4", "10.244.0.2:53"},
                                             {"15053-udp6", "[fd00::2]:53"},
                                             {"15053-tcp6", "[fd00::2]:53"}})
                if (io::LocalAddress(Named(*sockets, name)).ToString() != at)
                  return std::string(name) + " is elsewhere";
              return "";
            }),
            "");
}

TEST(CaptureSockets, LeaveAnEnvoyItsPortsAndKeepDnsAlone) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              if (auto up = RouteSocket::Open()->Apply(RouteBatch().LinkUp("lo")); !up) return Why(up);
              auto sockets = OpenProxySockets({.capture = true, .dns_at = {}, .dns_alone = true});
              if (!sockets) return Why(sockets);
              std::string names;
              for (const NamedSocket& one : *sockets) names += one.name + " ";
              return names;
            }),
            "15053-udp4 15053-tcp4 15053-udp6 15053-tcp6 ");
}

TEST(CaptureSockets, LeaveNoRoomBesideThem) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              if (auto up = RouteSocket::Open()->Apply(RouteBatch().LinkUp("lo")); !up) return Why(up);
              auto sockets = OpenProxySockets({.capture = true, .dns_at = {}});
              if (!sockets) return Why(sockets);
              io::UniqueFd other(socket(AF_INET, SOCK_DGRAM, 0));
              const int one = 1;
              setsockopt(other.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
              setsockopt(other.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
              sockaddr_in address{
                  .sin_family = AF_INET, .sin_port = htons(15053), .sin_addr = {htonl(0x7f000001)}, .sin_zero = {}};
              return bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? "bound beside DNS"
                                                                                                   : "";
            }),
            "");
}

io::SocketAddress At(const std::string& text) { return *io::SocketAddress::Parse(text); }

TEST(ServiceRules, FillTheSlotsOfAPortRoundRobin) {
  const ServiceElements elements =
      ElementsOf({{.at = At("10.96.1.1:80"), .udp = false, .endpoints = {At("10.244.0.2:8080"), At("10.244.0.3:8080")}},
                  {.at = At("10.96.1.1:81"), .udp = false, .endpoints = {}},
                  {.at = At("[fd00::1]:53"), .udp = true, .endpoints = {At("[fd00::2]:53")}}});
  EXPECT_EQ(elements.size(), 24U);
  EXPECT_EQ(elements.at({"tcp4", "10.96.1.1 . 80 . 0"}), "10.244.0.2 . 8080");
  EXPECT_EQ(elements.at({"tcp4", "10.96.1.1 . 80 . 11"}), "10.244.0.3 . 8080");
  EXPECT_EQ(elements.at({"udp6", "fd00::1 . 53 . 5"}), "fd00::2 . 53");
}

TEST(ServiceRules, ChangeOnlyWhatDiffersAndInBoundedSteps) {
  std::vector<ServicePort> many;
  for (int i = 0; i < 250; ++i)
    many.push_back(
        {.at = At("10.96.1." + std::to_string(i) + ":80"), .udp = false, .endpoints = {At("10.244.0.2:80")}});
  const ServiceElements all = ElementsOf(many);
  EXPECT_EQ(ServiceChanges({}, all).size(), 3U);
  EXPECT_TRUE(ServiceChanges(all, all).empty());
  many[7].endpoints.push_back(At("10.244.0.3:80"));
  const std::vector<std::string> changes = ServiceChanges(all, ElementsOf(many));
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].find("10.96.1.8"), std::string::npos);
  EXPECT_EQ(changes[0].find("delete element inet plait_services tcp4 { 10.96.1.7 . 80 . 1"), 0U) << changes[0];
}

// Listens on both, and says which of the two a connection came to.
class TwoServers {
 public:
  TwoServers() {
    for (io::UniqueFd* fd : {&first_, &second_}) *fd = std::move(*io::ListenOn(At(fd == &first_ ? kFirst : kSecond)));
  }
  static constexpr const char* kFirst = "10.244.0.2:8080";
  static constexpr const char* kSecond = "[fd00:10:244::3]:8080";
  std::string Reached() {
    for (const auto& [fd, name] : {std::pair{first_.get(), kFirst}, {second_.get(), kSecond}})
      if (io::UniqueFd accepted{accept(fd, nullptr, nullptr)}) return name;
    return "none";
  }

 private:
  io::UniqueFd first_, second_;
};

// The network of a pod, in which every address is reached.
Outcome<> LeadEverythingToLo() {
  RouteBatch batch;
  batch.LinkUp("lo").AddAddress(1, Ip("10.244.0.2"), 32).AddAddress(1, Ip("fd00:10:244::3"), 128);
  batch.AddRoute(*io::Cidr::Parse("0.0.0.0/0"), 1, nullptr).AddRoute(*io::Cidr::Parse("::/0"), 1, nullptr);
  return RouteSocket::Open()->Apply(batch);
}

TEST(ServiceRules, LeadToEndpointsAndRefuseWhatHasNone) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              if (auto done = LeadEverythingToLo(); !done) return Why(done);
              TwoServers servers;
              Nft nft;
              const std::string table =
                  ServiceTable({*io::Cidr::Parse("10.96.0.0/16"), *io::Cidr::Parse("fd00:10:96::/112")});
              if (auto loaded = nft.Run(table); !loaded) return Why(loaded);
              std::vector<ServicePort> ports = {
                  {.at = At("10.96.1.1:80"), .udp = false, .endpoints = {At(TwoServers::kFirst)}},
                  {.at = At("[fd00:10:96::1]:80"), .udp = false, .endpoints = {At(TwoServers::kSecond)}}};
              const ServiceElements before = ElementsOf(ports);
              for (const std::string& change : ServiceChanges({}, before))
                if (auto loaded = nft.Run(change); !loaded) return Why(loaded);
              if (ConnectTo("10.96.1.1:80") != 0 || servers.Reached() != TwoServers::kFirst) return "v4";
              if (ConnectTo("[fd00:10:96::1]:80") != 0 || servers.Reached() != TwoServers::kSecond) return "v6";
              if (ConnectTo("10.96.1.1:81") != ECONNREFUSED || ConnectTo("[fd00:10:96::2]:80") != ECONNREFUSED)
                return "what has no endpoint must be refused";
              ports[0].endpoints.clear();
              for (const std::string& change : ServiceChanges(before, ElementsOf(ports)))
                if (auto loaded = nft.Run(change); !loaded) return Why(loaded);
              return ConnectTo("10.96.1.1:80") == ECONNREFUSED ? "" : "an endpoint that is gone was reached";
            }),
            "");
}

// Capture that leaves port 80 out, with the addresses of services beside it.
CaptureRules WithoutPort80() {
  CaptureRules rules;
  rules.exclude_outbound_ports = {Port{80}};
  rules.mesh_ranges = {*io::Cidr::Parse("10.244.0.0/16"), *io::Cidr::Parse("fd00:10:244::/64")};
  rules.service_ranges = {*io::Cidr::Parse("10.96.0.0/16"), *io::Cidr::Parse("fd00:10:96::/112")};
  return rules;
}

TEST(CaptureRules, KnowWhetherTheyLeaveConnectionsToServicesOut) {
  const auto leaves = [](const char* name, const char* value) {
    return LeavesOutbound(RulesFromAnnotations({{"traffic.sidecar.istio.io/" + std::string(name), value}}).value());
  };
  EXPECT_FALSE(LeavesOutbound(kAll));
  EXPECT_FALSE(leaves("includeOutboundIPRanges", "*"));
  EXPECT_FALSE(leaves("excludeInboundPorts", "80"));
  EXPECT_TRUE(leaves("excludeOutboundPorts", "80"));
  EXPECT_TRUE(leaves("excludeOutboundIPRanges", "10.96.0.0/16"));
  EXPECT_TRUE(leaves("includeOutboundIPRanges", "10.244.0.0/16"));
}

TEST(ServiceRules, HaveBesideCaptureWhatItLeavesOutAndNothingElse) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              if (auto done = LeadEverythingToLo(); !done) return Why(done);
              TwoServers servers;
              auto captured = io::ListenOn(At("0.0.0.0:15001"));
              if (!captured) return Why(captured);
              Nft nft;
              if (auto loaded = nft.Run(ToNft(WithoutPort80())); !loaded) return Why(loaded);
              const ServiceElements elements =
                  ElementsOf({{.at = At("10.96.1.1:80"), .udp = false, .endpoints = {At(TwoServers::kFirst)}},
                              {.at = At("10.96.1.1:81"), .udp = false, .endpoints = {At(TwoServers::kFirst)}}});
              for (const std::string& change : ServiceChanges({}, elements))
                if (auto loaded = nft.Run(change); !loaded) return Why(loaded);
              if (ConnectTo("10.96.1.1:80") != 0 || servers.Reached() != TwoServers::kFirst)
                return "it is not led there";
              if (ConnectTo("10.96.1.1:81") != 0 || servers.Reached() != "none") return "it was not captured";
              if (ConnectTo("10.96.1.2:80") != ECONNREFUSED) return "what has no endpoint must be refused";
              io::UniqueFd proxy(socket(AF_INET, SOCK_STREAM, 0));
              const int mark = 0x539;
              sockaddr_storage to{};
              const socklen_t size = At("10.96.1.1:80").ToNative(to);
              if (setsockopt(proxy.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) return "no mark";
              return connect(proxy.get(), reinterpret_cast<sockaddr*>(&to), size) == 0 && servers.Reached() != "none"
                         ? "a socket of the proxy was led there"
                         : "";
            }),
            "");
}

TEST(Nft, ListsTheSameWhateverTheMapsOfServicesHoldButNotWhateverElseChanges) {
  EXPECT_EQ(InNamespaces([]() -> std::string {
              Nft nft;
              if (auto loaded = nft.Run(ToNft(WithoutPort80())); !loaded) return Why(loaded);
              const auto before = nft.ListWithSetsOf("inet plait");
              if (!before) return Why(before);
              const ServiceElements elements =
                  ElementsOf({{.at = At("10.96.1.1:80"), .udp = false, .endpoints = {At(TwoServers::kFirst)}}});
              for (const std::string& change : ServiceChanges({}, elements))
                if (auto loaded = nft.Run(change); !loaded) return Why(loaded);
              if (nft.ListWithSetsOf("inet plait").value() != *before) return "an endpoint is a difference";
              for (const char* change : {"add element inet plait out_excl { 8443 }",
                                         "delete element inet plait out_excl { 8443 }\nadd rule inet "
                                         "plait_services output accept"}) {
                if (auto loaded = nft.Run(change); !loaded) return Why(loaded);
                if (RulesDifference(*before, nft.ListWithSetsOf("inet plait").value()).empty()) return change;
              }
              if (auto loaded = nft.Run("delete table inet plait"); !loaded) return Why(loaded);
              return RulesDifference(*before, nft.ListWithSetsOf("inet plait").value());
            }),
            "the capture rules (table inet plait) are gone");
}

TEST(RouteSocket, ConnectsTwoNamespaces) {
  EXPECT_EQ(
      InNamespaces([]() -> std::string {
        auto home = CurrentNetns();
        auto inner = NewNetns(home->get());
        if (!inner) return Why(inner);
        auto outside = RouteSocket::Open();
        const MacAddress bridge_mac{2, 0, 0, 0, 0, 1};
        const MacAddress mac{2, 0, 0, 0, 0, 2};
        if (auto made = outside->Apply(RouteBatch().LinkUp("lo").AddBridge("plait0", bridge_mac, 1500)); !made)
          return Why(made);
        auto bridge = outside->IndexOf("plait0");
        if (!bridge) return Why(bridge);
        RouteBatch batch;
        batch.AddAddress(*bridge, Ip("10.244.0.1"), 16)
            .LinkUp("plait0")
            .AddVeth({.name = "v2",
                      .mac = {2, 0, 0, 0, 1, 2},
                      .peer_name = "eth0",
                      .peer_mac = mac,
                      .peer_netns = inner->get(),
                      .master = *bridge,
                      .mtu = 1500})
            .LinkUp("v2")
            .AddPermanentNeighbour(*bridge, Ip("10.244.0.2"), mac);
        if (auto done = outside->Apply(batch); !done) return Why(done);
        io::UniqueFd listener;
        {
          auto scope = NetnsScope::Enter(inner->get(), home->get());
          auto inside = RouteSocket::Open();
          auto eth = inside->IndexOf("eth0");
          if (!eth) return Why(eth);
          RouteBatch in;
          const io::IpAddress gateway = Ip("10.244.0.1");
          in.LinkUp("lo").AddAddress(*eth, Ip("10.244.0.2"), 32).LinkUp("eth0");
          in.AddPermanentNeighbour(*eth, gateway, bridge_mac);
          in.AddRoute(*io::Cidr::Parse("10.244.0.1"), *eth, nullptr);
          in.AddRoute(*io::Cidr::Parse("0.0.0.0/0"), *eth, &gateway);
          if (auto done = inside->Apply(in); !done) return Why(done);
          if (auto set = WriteNetSysctl("ipv4/ip_unprivileged_port_start", "0"); !set) return Why(set);
          auto listening = io::ListenOn(*io::SocketAddress::Parse("0.0.0.0:80"));
          if (!listening) return Why(listening);
          listener = std::move(*listening);
        }
        io::UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(80), .sin_addr = {htonl(0x0af40002)}, .sin_zero = {}};
        if (connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return "connect failed";
        if (auto gone = outside->Apply(RouteBatch().DeleteNeighbour(*bridge, Ip("10.244.0.2")).DeleteLink("v2")); !gone)
          return Why(gone);
        const auto again = outside->Apply(RouteBatch().DeleteLink("v2"));
        return again ? "a removed link was there" : "";
      }),
      "");
}

}  // namespace
}  // namespace plait::node
