#include "local/desired.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "local/bootstrap.h"

namespace plait::local {
namespace {

constexpr const char* kPods =
    R"({"type":"pods","pods":[{"uid":"1","name":"web-0","namespace":"shop","service_account":"web",
"labels":{"app":"web"},"annotations":{"a":"b"},"owner":"web","owner_kind":"Job","completions":3,"restart_policy":"OnFailure","max_restarts":2,"grace_seconds":7,"service_links":false,"proxy":true,
"containers":[{"name":"main","argv":["serve","80"],"env":[{"name":"A","value":"1"},{"name":"IP","field":"status.podIP"}],
"ports":[{"port":80,"protocol":"TCP","name":"http"},{"port":80,"protocol":"UDP","name":"quic"}],
"readiness":{"kind":"http","port":80,"path":"/ok","period_ms":500,"headers":[{"name":"X","value":"y"}]}}]}]})";

PodSpec ThePod() { return std::get<DesiredPods>(*DecodePlaitdMessage(kPods)).pods.at(0); }

TEST(Desired, ReadsAPodWithItsProbe) {
  const PodSpec pod = ThePod();
  EXPECT_EQ(pod.name, "web-0");
  EXPECT_EQ(pod.hostname, "web-0");
  EXPECT_EQ(pod.owner_kind, "Job");
  EXPECT_EQ(pod.completions, 3);
  EXPECT_EQ(pod.restart_policy, RestartPolicy::kOnFailure);
  EXPECT_EQ(pod.max_restarts, 2);
  EXPECT_EQ(pod.proxy, ProxyKind::kSidecar);
  EXPECT_FALSE(pod.service_links);
  EXPECT_EQ(pod.grace, std::chrono::seconds(7));
  ASSERT_EQ(pod.containers.size(), 1u);
  EXPECT_EQ(pod.containers[0].ports, (std::vector<std::pair<std::string, Port>>{{"http", Port{80}}})) << "TCP";
  ASSERT_TRUE(pod.containers[0].readiness.has_value());
  EXPECT_EQ(pod.containers[0].readiness->path, "/ok");
  EXPECT_EQ(pod.containers[0].readiness->period, std::chrono::milliseconds(500));
  EXPECT_EQ(pod.containers[0].readiness->timeout, std::chrono::seconds(1));
  EXPECT_EQ(pod.containers[0].readiness->headers.at(0).second, "y");
}

TEST(Desired, TellsInitContainersThatEndFromSidecars) {
  const auto message = DecodePlaitdMessage(
      R"({"type":"pods","pods":[{"uid":"1","name":"a","containers":[{"name":"main"}],
"init_containers":[{"name":"first"},{"name":"beside","sidecar":true}]}]})");
  ASSERT_TRUE(message.has_value());
  const PodSpec& pod = std::get<DesiredPods>(*message).pods.at(0);
  ASSERT_EQ(pod.init_containers.size(), 2U);
  EXPECT_TRUE(pod.service_links) << "unless it says otherwise";
  EXPECT_EQ(pod.init_containers[0].kind, ContainerSpec::Kind::kInit);
  EXPECT_EQ(pod.init_containers[1].kind, ContainerSpec::Kind::kSidecar);
  EXPECT_EQ(pod.containers.at(0).kind, ContainerSpec::Kind::kApplication);
}

TEST(Desired, ReadsVolumesAndWhoMountsThem) {
  const auto message = DecodePlaitdMessage(
      R"({"type":"pods","pods":[{"uid":"1","name":"a","volumes":[{"name":"tmp","empty_dir":true,"files":[]},
{"name":"conf","empty_dir":false,"files":[{"path":"a/b","mode":256,"base64":"AP8="},{"path":"n","mode":420,"field":"metadata.name"}]}],
"containers":[{"name":"main","mounts":[{"volume":"conf","path":"/etc/x","sub_path":"a/b","read_only":true}]}]}]})");
  ASSERT_TRUE(message.has_value());
  const PodSpec& pod = std::get<DesiredPods>(*message).pods.at(0);
  ASSERT_EQ(pod.volumes.size(), 2U);
  EXPECT_TRUE(pod.volumes[0].empty_dir);
  ASSERT_EQ(pod.volumes[1].files.size(), 2U);
  EXPECT_EQ(pod.volumes[1].files[0].text, std::string("\0\xff", 2));
  EXPECT_EQ(pod.volumes[1].files[0].mode, 0400U);
  EXPECT_EQ(pod.volumes[1].files[1].field, "metadata.name");
  const MountSpec& mount = pod.containers.at(0).mounts.at(0);
  EXPECT_EQ(mount.volume + " " + mount.path + " " + mount.sub_path, "conf /etc/x a/b");
  EXPECT_TRUE(mount.read_only);
}

TEST(Desired, ReadsHooksAndHowNamesAreLookedUp) {
  const auto message = DecodePlaitdMessage(
      R"({"type":"pods","pods":[{"uid":"1","name":"a","host_aliases":[{"ip":"10.0.0.1","names":["db","d"]}],
"dns":{"policy":"None","searches":["a.example"],"options":[{"name":"ndots","value":"2"}]},
"containers":[{"name":"main","post_start":{"kind":"http","argv":[],"port":9,"path":"/p","scheme":"HTTPS","headers":[{"name":"a","value":"b"}],"sleep_ms":0},
"pre_stop":{"kind":"sleep","sleep_ms":7000}},{"name":"other","pre_stop":{"kind":"exec","argv":["a","b"]}}]},{"uid":"2","name":"b"}]})");
  ASSERT_TRUE(message.has_value());
  const PodSpec& pod = std::get<DesiredPods>(*message).pods.at(0);
  ASSERT_EQ(pod.host_aliases.size(), 1U);
  EXPECT_EQ(pod.host_aliases[0].ip, "10.0.0.1");
  EXPECT_EQ(pod.host_aliases[0].names, (std::vector<std::string>{"db", "d"}));
  EXPECT_EQ(pod.dns.policy, DnsSpec::Policy::kNone);
  EXPECT_EQ(pod.dns.searches, (std::vector<std::string>{"a.example"}));
  EXPECT_EQ(pod.dns.options.at(0).second, "2");
  ASSERT_TRUE(pod.containers.at(0).post_start && pod.containers.at(0).pre_stop);
  const HookSpec& start = *pod.containers[0].post_start;
  EXPECT_EQ(start.kind, HookSpec::Kind::kHttp);
  EXPECT_EQ(std::to_string(start.port.value) + start.path, "9/p");
  EXPECT_TRUE(start.https);
  EXPECT_EQ(start.headers.at(0).second, "b");
  EXPECT_EQ(pod.containers[0].pre_stop->kind, HookSpec::Kind::kSleep);
  EXPECT_EQ(pod.containers[0].pre_stop->sleep, std::chrono::seconds(7));
  EXPECT_EQ(pod.containers.at(1).pre_stop->argv, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(pod.containers[1].post_start.has_value());
  EXPECT_EQ(std::get<DesiredPods>(*message).pods.at(1).dns.policy, DnsSpec::Policy::kClusterFirst);
}

TEST(Desired, GivesPodsBackAsTheyWereTold) {
  const PodSpec pod = ThePod();
  const std::string line = EncodeRunning({{.spec = pod}, {.spec = pod, .leaving = true}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["type"], "running");
  ASSERT_EQ(json["pods"].size(), 2u);
  EXPECT_EQ(json["pods"][0]["pod"], nlohmann::json::parse(kPods)["pods"][0]);
  EXPECT_EQ(json["pods"][0]["leaving"], false);
  EXPECT_EQ(json["pods"][1]["leaving"], true);
  EXPECT_EQ(nlohmann::json::parse(EncodeRunning({}))["pods"], nlohmann::json::array());
}

TEST(Desired, ReadsTheOtherMessages) {
  EXPECT_EQ(std::get<Hello>(*DecodePlaitdMessage(R"({"type":"hello","root_pem":"R","xds_port":15012,"error":null})"))
                .xds_port,
            Port{15012});
  const auto ports =
      std::get<GatewayPorts>(
          *DecodePlaitdMessage(R"({"type":"gateway_ports","ports":[{"port":80,"gateways":["a/in","a/out"],)"
                               R"("on_host":true,"scheme":"http"},{"port":1,"gateways":["a/out"],)"
                               R"("on_host":false,"scheme":""}]})"))
          .ports;
  ASSERT_EQ(ports.size(), 2u);
  PodSpec in, out;
  in.ns = out.ns = "a";
  in.proxy = out.proxy = ProxyKind::kGateway;
  in.owner = "in";
  out.owner = "out";
  EXPECT_TRUE(ports[0].IsServedBy(in) && ports[0].IsOnHostFor(in));
  EXPECT_TRUE(ports[0].IsServedBy(out) && !ports[0].IsOnHostFor(out)) << "the first has the host's";
  EXPECT_TRUE(!ports[1].IsServedBy(in) && ports[1].IsServedBy(out) && !ports[1].IsOnHostFor(out));
  EXPECT_EQ(std::get<Notice>(*DecodePlaitdMessage(R"({"type":"message","severity":"warning","text":"t"})")).text, "t");
}

TEST(Desired, RefusesWhatIsNoMessage) {
  for (const char* line :
       {"", "{", "[]", R"({"type":"other"})", R"({"type":"pods"})", R"({"type":"pods","pods":[{"labels":{"a":1}}]})"})
    EXPECT_FALSE(DecodePlaitdMessage(line).has_value()) << line;
}

TEST(Desired, TakesNoNumberThatCannotBeHeld) {
  for (const char* line : {R"({"type":"caught_up","statuses":1e300})", R"({"type":"gateway_ports","ports":[80.5]})",
                           R"({"type":"pods","pods":[{"grace_seconds":-1e300}]})"}) {
    const auto message = DecodePlaitdMessage(line);
    ASSERT_FALSE(message.has_value()) << line;
    EXPECT_NE(message.error().message.find("a number is not a whole one"), std::string::npos)
        << message.error().message;
  }
  const auto message =
      DecodePlaitdMessage(R"({"type":"pods","pods":[{"grace_seconds":9223372036854775807,"containers":[{"readiness":)"
                          R"({"initial_delay_ms":9223372036854775807,"period_ms":-9223372036854775808}}]}]})");
  ASSERT_TRUE(message.has_value());
  const PodSpec& pod = std::get<DesiredPods>(*message).pods.at(0);
  EXPECT_GE(pod.grace, std::chrono::years(290));
  EXPECT_GE(pod.containers.at(0).readiness->initial_delay, std::chrono::years(290));
  EXPECT_EQ(pod.containers.at(0).readiness->period, std::chrono::milliseconds(100));
}

TEST(Desired, ComesWithTheDefaultsThatAreInForce) {
  const auto message = DecodePlaitdMessage(R"({"type":"defaults","texts":["one","two"]})");
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(std::get<Defaults>(*message).texts, (std::vector<std::string>{"one", "two"}));
}

TEST(Desired, IsNotNestedWithoutEnd) {
  const std::string deep = R"({"type":"pods","pods":[)" + std::string(100'000, '[') + std::string(100'000, ']') + "]}";
  const auto message = DecodePlaitdMessage(deep);
  ASSERT_FALSE(message.has_value());
  EXPECT_NE(message.error().message.find("nested too deeply"), std::string::npos);
}

TEST(Bootstrap, NamesTheWorkloadAsIstioDoes) {
  const PodSpec pod = ThePod();
  const std::string text = BootstrapYaml({.pod = pod,
                                          .ips = {"10.244.0.5", "fd00:10:244::5"},
                                          .token_path = "/t",
                                          .root_path = "/r",
                                          .control_address = "10.244.0.1",
                                          .xds_port = Port{15012}});
  for (const char* part : {"sidecar~10.244.0.5~web-0.shop~shop.svc.cluster.local", "\"cluster\": \"web.shop\"",
                           "\"INSTANCE_IPS\": \"10.244.0.5,fd00:10:244::5\"", "\"WORKLOAD_NAME\": \"web\"",
                           "DELTA_GRPC", "\"max_interval\": \"2s\"", "\"keepalive_time\": 30",
                           "type.googleapis.com/plait.proxy.v1.Identity", "\"token_path\": \"/t\""})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(Bootstrap, HandsThePodsScrapeAnnotationsToItsProxy) {
  PodSpec pod = ThePod();
  const auto scraped = [&pod] {
    const std::string text = BootstrapYaml({.pod = pod});
    const auto bootstrap = nlohmann::json::parse(text.substr(text.find('\n')));  // without the comment
    return bootstrap["node"]["metadata"].value("ISTIO_PROMETHEUS_ANNOTATIONS", "none");
  };
  EXPECT_EQ(scraped(), "none");
  pod.annotations = {{"prometheus.io/scrape", "true"}, {"prometheus.io/port", "9080"}, {"prometheus.io/path", "/m"}};
  EXPECT_EQ(scraped(), R"({"path":"/m","port":"9080","scrape":"true"})");
  pod.annotations.emplace_back("prometheus.istio.io/merge-metrics", "false");
  EXPECT_EQ(scraped(), "none");
}

TEST(Bootstrap, AnswersFieldReferences) {
  const PodSpec pod = ThePod();
  EXPECT_EQ(FieldOf(pod, {"1.2.3.4", "::5"}, "status.podIP"), "1.2.3.4");
  EXPECT_EQ(FieldOf(pod, {"1.2.3.4", "::5"}, "status.podIPs"), "1.2.3.4,::5");
  EXPECT_EQ(FieldOf(pod, {}, "metadata.labels['app']"), "web");
  EXPECT_EQ(FieldOf(pod, {}, "metadata.labels"), "app=\"web\"\n");
  EXPECT_EQ(FieldOf(pod, {}, "metadata.annotations"), "a=\"b\"\n");
  EXPECT_EQ(FieldOf(pod, {}, "metadata.annotations['a']"), "b");
  EXPECT_EQ(FieldOf(pod, {}, "metadata.labels['none']"), "");
}

}  // namespace
}  // namespace plait::local
