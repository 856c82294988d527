#include "local/places.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace plait::local {
namespace {

PodNetwork OnLoopback() {
  PodNetwork network;
  network.number = 1;
  network.ips = {*io::IpAddress::Parse("127.0.16.2")};
  network.application = *io::IpAddress::Parse("127.1.16.2");
  const auto outlet = [&](const char* name, const char* ns, bool kubernetes, const char* port_name, int port,
                          const char* at) {
    network.outlets.push_back(
        {name, ns, kubernetes, port_name, Port{static_cast<std::uint16_t>(port)}, *io::SocketAddress::Parse(at)});
  };
  outlet("reviews", "default", true, "http", 9080, "127.128.0.1:9080");
  outlet("web-app", "shop", true, "http", 80, "127.128.0.2:41000");
  outlet("web-app", "shop", true, "metrics", 9090, "127.128.0.2:9090");
  outlet("api.example.com", "default", false, "tls", 443, "127.128.0.3:41001");
  return network;
}

struct PlaceCase {
  const char* text;
  const char* in_default;
};
class Places : public testing::TestWithParam<PlaceCase> {};

TEST_P(Places, AreAddressesWhereNothingIsCaptured) {
  EXPECT_EQ(ExpandPlaces(GetParam().text, OnLoopback(), "default", nullptr), GetParam().in_default);
}
INSTANTIATE_TEST_SUITE_P(All, Places,
                         testing::Values(PlaceCase{"${plait.bind}", "127.1.16.2"},
                                         PlaceCase{"${plait.addr.reviews}", "127.128.0.1"},
                                         PlaceCase{"http://${plait.addr.reviews:9080}/x", "http://127.128.0.1:9080/x"},
                                         PlaceCase{"${plait.addr.reviews.default.svc:http}", "127.128.0.1:9080"},
                                         PlaceCase{"${plait.addr.web-app.shop:80}", "127.128.0.2:41000"},
                                         PlaceCase{"${plait.addr.api.example.com:443}", "127.128.0.3:41001"},
                                         PlaceCase{"$HOME ${other} $(POD)", "$HOME ${other} $(POD)"},
                                         PlaceCase{"${plait.bind", "${plait.bind"}));

TEST(ExpandPlaces, NamesTheFirstServiceThatIsNotThere) {
  std::string unknown;
  EXPECT_EQ(ExpandPlaces("a ${plait.addr.web-app} b", OnLoopback(), "default", &unknown), "a ${plait.addr.web-app} b");
  EXPECT_EQ(unknown, "plait.addr.web-app");  // it is in another namespace
  ExpandPlaces("${plait.addr.reviews:81}", OnLoopback(), "default", &unknown);
  EXPECT_EQ(unknown, "plait.addr.web-app");
}

TEST(ExpandPlaces, KeepsNamesWhereConnectionsAreCaptured) {
  PodNetwork network;
  network.netns = io::UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  network.ips = {*io::IpAddress::Parse("10.244.0.5")};
  std::string unknown;
  EXPECT_EQ(
      ExpandPlaces("${plait.addr.reviews:9080} ${plait.addr.reviews} ${plait.bind}", network, "default", &unknown),
      "reviews:9080 reviews 0.0.0.0");
  EXPECT_EQ(unknown, "");
}

TEST(ServiceVariables, AreKubernetesOnesForTheOwnNamespace) {
  const std::vector<EnvVar> wanted = {{"WEB_APP_SERVICE_HOST", "127.128.0.2", ""},
                                      {"WEB_APP_SERVICE_PORT", "41000", ""},
                                      {"WEB_APP_SERVICE_PORT_HTTP", "41000", ""},
                                      {"WEB_APP_SERVICE_PORT_METRICS", "9090", ""}};
  EXPECT_EQ(ServiceVariables(OnLoopback(), {}, "shop"), wanted);
}

TEST(ServiceVariables, HaveTheAddressesOfServicesWhereConnectionsAreCaptured) {
  PodNetwork network;
  network.netns = io::UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto host = [](const char* name, const char* ns, bool kubernetes) {
    return MeshHost{.name = name,
                    .ns = ns,
                    .kubernetes = kubernetes,
                    .vip = *io::IpAddress::Parse("10.96.0.7"),
                    .ports = {{"http", Port{80}}, {"", Port{81}}}};
  };
  const std::vector<MeshHost> hosts = {host("web-app", "shop", true), host("other", "default", true),
                                       host("api.example.com", "shop", false)};
  const std::vector<EnvVar> wanted = {{"WEB_APP_SERVICE_HOST", "10.96.0.7", ""},
                                      {"WEB_APP_SERVICE_PORT", "80", ""},
                                      {"WEB_APP_SERVICE_PORT_HTTP", "80", ""}};
  EXPECT_EQ(ServiceVariables(network, hosts, "shop"), wanted);
}

}  // namespace
}  // namespace plait::local
