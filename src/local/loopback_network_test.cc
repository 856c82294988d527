#include "local/loopback_network.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/io/socket.h"

namespace plait::local {
namespace {

// A port that no other program of this host has, on any loopback address.
Port FreePort() { return io::LocalAddress(io::ListenOn(*io::SocketAddress::Parse("0.0.0.0:0"))->get()).port; }

bool Has(const PodNetwork& pod, const std::string& name) {
  return std::any_of(pod.sockets.begin(), pod.sockets.end(), [&](const auto& socket) { return socket.name == name; });
}

TEST(LoopbackNetwork, GivesAWorkloadItsAddressesPortsAndAWayToEachService) {
  const Port port = FreePort();
  const node::CaptureRules rules{};
  LoopbackNetwork network;
  network.SetHosts({{"reviews", "default", true, *io::IpAddress::Parse("10.96.0.7"), {{"http", port}, {"", Port{1}}}}});
  const auto pod = network.Add({.proxy_sockets = true, .rules = &rules, .ports = {port, port}});
  ASSERT_TRUE(pod) << pod.error().ToString();
  const std::string ip = pod->ips.front().ToString();
  EXPECT_TRUE(ip.starts_with("127.0.")) << ip;
  EXPECT_EQ(pod->application.ToString(), "127.1." + ip.substr(6));
  EXPECT_TRUE(Has(*pod, "15006@" + ip + "@" + std::to_string(port.value)));
  EXPECT_TRUE(Has(*pod, "15001@10.96.0.7@" + std::to_string(port.value)));
  EXPECT_TRUE(Has(*pod, "15021"));
  ASSERT_EQ(pod->outlets.size(), 2U);
  EXPECT_TRUE(pod->outlets[0].at.ToString().starts_with("127.128."));
  EXPECT_EQ(pod->outlets[0].at.ip, pod->outlets[1].at.ip) << "one address a service";
  EXPECT_EQ(pod->Inside(Port{15021}).ip, pod->ips.front());
  EXPECT_EQ(pod->Inside(port).ip, pod->application);
}

TEST(LoopbackNetwork, PassesOverAddressesThatAnotherMeshHas) {
  const node::CaptureRules rules{};
  LoopbackNetwork one, other;
  const auto first = one.Add({.proxy_sockets = true, .rules = &rules, .ports = {}});
  const auto second = other.Add({.proxy_sockets = true, .rules = &rules, .ports = {}});
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->ips, second->ips);
}

TEST(LoopbackNetwork, NamesThePortThatSomebodyHasEverywhere) {
  const auto everywhere = io::ListenOn(*io::SocketAddress::Parse("0.0.0.0:0"));
  ASSERT_TRUE(everywhere);
  const Port taken = io::LocalAddress(everywhere->get()).port;
  const node::CaptureRules rules{};
  LoopbackNetwork network;
  const auto pod = network.Add({.proxy_sockets = true, .rules = &rules, .ports = {taken}});
  ASSERT_FALSE(pod);
  EXPECT_NE(pod.error().ToString().find(std::to_string(taken.value)), std::string::npos) << pod.error().ToString();
}

}  // namespace
}  // namespace plait::local
