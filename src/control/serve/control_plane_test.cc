// The whole control plane with a supervisor's end of the channel and a proxy's end of ADS.
#include "control/serve/control_plane.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/encoding.h"
#include "core/conn/http_client.h"
#include "core/tls/certificate.h"
#include "core/tls/stream.h"
#include "core/xds/ads_stream.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;
using namespace xds::type_url;  // NOLINT: the names of types
constexpr Duration kLimit = std::chrono::seconds(10);

constexpr char kApplication[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-v1}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, version: v1}}
    spec:
      serviceAccountName: web
      containers: [{name: web, image: example/web, command: [/bin/web], ports: [{containerPort: 8080}]}]
)";

constexpr char kRules[] = R"(
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [{route: [{destination: {host: web}}], timeout: TIMEOUT}]}
)";

// Keeps what it was sent, by type and name.
struct Held : xds::Subscriber {
  std::vector<xds::Rejection> OnUpdate(const xds::Update& update) override {
    ++updates[std::string(update.type_url)];
    for (const auto& resource : update.added) names[std::string(update.type_url)][resource.name] = resource.bytes;
    return {};
  }
  bool Has(std::string_view type, const std::string& name) { return names[std::string(type)].contains(name); }
  std::map<std::string, std::map<std::string, std::string>> names;
  std::map<std::string, int> updates;
};

// The supervisor's end: the last message of each type.
struct Supervisor : io::StreamEvents {
  void OnOpen() override {}
  void OnReadable() override {
    while (stream->Read(in, 65536).value_or(0) > 0) {
    }
    for (std::size_t end; (end = in.Find("\n")) != SIZE_MAX; in.Drain(end + 1)) {
      const Json json = Json::parse(in.ToString().substr(0, end));
      last[json.at("type")] = json;
      types += json.at("type").get<std::string>() + " ";
      if (json.at("type") == "message") messages += json.at("text").get<std::string>() + "\n";
    }
  }
  void OnWritable() override {}
  void OnFailed(Error) override {}
  void Send(const Json& json) {
    Buffer out;
    out.Append(json.dump() + "\n");
    ASSERT_TRUE(stream->Write(out));
  }
  std::unique_ptr<io::Stream> stream;
  Buffer in;
  std::map<std::string, Json> last;
  std::string messages;
  std::string types;  // in the order in which they came
};

class Plane : public testing::Test {
 protected:
  Plane() {
    std::string name = testing::TempDir() + "plaitd-XXXXXX";
    root = ::mkdtemp(name.data());
    fs::create_directories(root / "mesh");
    Write("web.yaml", kApplication);
  }
  ~Plane() override {
    stream.reset();
    plane.reset();
    fs::remove_all(root);
  }
  void Write(const std::string& file, const std::string& text) { std::ofstream(root / "mesh" / file) << text; }
  void WriteRules(const std::string& timeout) {
    std::string text = kRules;
    Write("rules.yaml", text.replace(text.find("TIMEOUT"), 7, timeout));
  }
  // `running`: what the supervisor runs already, and says at once; null: it says nothing yet.
  void Start(const Json& running = Json::array()) {
    const Outcome<> started = TryToStart(running);
    ASSERT_TRUE(started) << started.error().ToString();
  }
  Outcome<> TryToStart(const Json& running = Json::array()) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const std::string first = Json{{"type", "running"}, {"pods", running}}.dump() + "\n";
    if (!running.is_null()) {
      EXPECT_EQ(::write(ends[0], first.data(), first.size()), static_cast<ssize_t>(first.size()));
    }
    supervisor.stream = io::AdoptSocket(loop, io::UniqueFd(ends[0]));
    supervisor.stream->SetEvents(&supervisor);
    ControlPlaneOptions options;
    options.directories = {(root / "mesh").string()};
    options.state_dir = (root / "state").string();
    options.tell_hosts = true;
    options.end_limit = end_limit;
    options.listen = {*io::SocketAddress::Parse("127.0.0.1:0")};
    options.debug_address = *io::SocketAddress::Parse("127.0.0.1:0");
    options.inherited.push_back({"supervisor", io::UniqueFd(ends[1])});
    fs::create_directories(root / "state");
    plane = std::make_unique<ControlPlane>(loop, std::move(options), [this] { ended = true; });
    return plane->Start();
  }
  bool Wait(const std::function<bool()>& done) { return loop.RunUntil(done, kLimit); }
  // Tells that the desired pods run.
  void RunPods() {
    ASSERT_TRUE(Wait([&] { return supervisor.last.contains("pods") && !supervisor.last["pods"]["pods"].empty(); }));
    SayThatRun(supervisor.last["pods"]["pods"]);
  }
  void SayThatRun(const Json& pods) {
    Json statuses = Json::array();
    int n = 4;
    for (const Json& pod : pods) {
      ++n;
      statuses.push_back(
          {{"uid", pod["uid"]},
           {"ips", {"10.244.0." + std::to_string(n)}},
           {"ready", true},
           {"phase", "Running"},
           {"token_sha256", HexEncode(AsBytes(tls::Sha256("token of " + pod["name"].get<std::string>())))},
           {"restarts", 0},
           {"reason", ""}});
    }
    supervisor.Send({{"type", "status"}, {"pods", statuses}});
  }
  void ConnectProxy() {
    xds::Node node;
    node.id = "sidecar~10.244.0.5~web-v1-0.default~default.svc.cluster.local";
    node.metadata_json = R"({"NAMESPACE":"default","SERVICE_ACCOUNT":"web","LABELS":{"app":"web","version":"v1"}})";
    node.user_agent_name = "plait-proxy";
    client = std::make_unique<xds::DeltaClient>(node, held);
    client->SubscribeAll(kListener);
    client->Subscribe(kCluster, "outbound|80||web.default.svc.cluster.local");
    client->Subscribe(kEndpoint, "outbound|80||web.default.svc.cluster.local");
    client->Subscribe(kRoute, "80");
    client->Subscribe(kSecret, "ROOTCA");
    client->Subscribe(kAddress, "/10.244.0.5");
    stream = std::make_unique<xds::AdsStream>(loop, *client, [this]() -> Outcome<xds::AdsStream::Connection> {
      tls::ContextOptions options;
      options.bundle_pem = plane->authority().bundle_pem();
      options.peer.sans = {{.type = tls::SanMatcher::Type::kDns, .value = "plaitd.plait-system.svc"}};
      options.alpn = {"h2"};
      return xds::AdsStream::Connection{
          .stream = tls::Wrap(loop, io::Connect(loop, plane->xds_address()), *tls::Context::Make(options),
                              {.sni = "plaitd.plait-system.svc"}),
          .options = {.authority = "plaitd", .tls = true, .authorization = "Bearer token of web-v1-0"}};
    });
    stream->Start();
  }
  std::string Get(const std::string& path) {
    conn::FetchRequest request;
    request.to = plane->debug_address();
    request.head.method = "GET";
    request.head.path = path;
    request.head.authority = "localhost";
    std::optional<Result<conn::FetchResponse>> got;
    const Pending pending =
        conn::Fetch(loop, std::move(request), [&](Result<conn::FetchResponse> result) { got = std::move(result); });
    EXPECT_TRUE(Wait([&] { return got.has_value(); }));
    return got && *got ? (*got)->body : std::string();
  }

  io::Loop loop;
  fs::path root;
  Supervisor supervisor;
  std::unique_ptr<ControlPlane> plane;
  Held held;
  std::unique_ptr<xds::DeltaClient> client;
  std::unique_ptr<xds::AdsStream> stream;
  bool ended = false;
  Duration end_limit = ControlPlaneOptions{}.end_limit;
};

TEST_F(Plane, TellsTheSupervisorWhatShouldRun) {
  Start();
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("pods") && supervisor.last.contains("hello"); }));
  const Json& pod = supervisor.last["pods"]["pods"][0];
  EXPECT_EQ(pod["name"], "web-v1-0");
  EXPECT_EQ(pod["service_account"], "web");
  EXPECT_EQ(supervisor.last["hello"]["root_pem"], plane->authority().bundle_pem());
}

TEST_F(Plane, SaysThatNothingRunsUntilThereIsAWorkload) {
  fs::remove(root / "mesh" / "web.yaml");
  Start();
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("pods") && supervisor.last.contains("message"); }));
  EXPECT_LT(supervisor.types.find("message"), supervisor.types.find("pods"))
      << "a mesh of no pods is ready when it hears of them";
  const std::string where = "Warning " + (root / "mesh").string() + ": nothing runs: ";
  EXPECT_TRUE(supervisor.messages.starts_with(where + "there is no file *.yaml, *.yml or *.json in this directory"))
      << supervisor.messages;
  EXPECT_NE(supervisor.messages.find("save a Deployment, StatefulSet, Job or Pod there: it starts at once"),
            std::string::npos);
  Write("other.yml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n");
  EXPECT_TRUE(Wait([&] {
    return supervisor.messages.find(where +
                                    "no workload is in the *.yaml, *.yml and *.json files of this directory "
                                    "(1, with Secret, Service)") != std::string::npos;
  })) << supervisor.messages;
  Write("web.yaml", kApplication);
  ASSERT_TRUE(Wait([&] { return supervisor.last["pods"]["pods"].size() == 1; }));
  EXPECT_TRUE(Wait([&] { return supervisor.last["message"]["severity"] == "mended"; })) << supervisor.messages;
}

TEST_F(Plane, TellsWhereItDiffersFromIstioAsLongAsNobodySaysOtherwise) {
  Start();
  const auto told = [this](std::size_t count) {
    return Wait(
        [&] { return supervisor.last.contains("defaults") && supervisor.last["defaults"]["texts"].size() == count; });
  };
  const auto text = [this](std::size_t i) { return supervisor.last["defaults"]["texts"][i].get<std::string>(); };
  ASSERT_TRUE(told(2));
  EXPECT_TRUE(text(0).starts_with("access log in ")) << text(0);
  EXPECT_TRUE(text(1).starts_with("mutual TLS STRICT ")) << text(1);
  EXPECT_NE(text(1).find("in namespace istio-system"), std::string::npos) << text(1);
  const std::string peers = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n";
  // One of a namespace or of some workloads is not the mesh's.
  Write("a.yaml", peers + "metadata: {name: a, namespace: default}\nspec: {mtls: {mode: PERMISSIVE}}\n");
  Write("b.yaml", peers +
                      "metadata: {name: b, namespace: istio-system}\n"
                      "spec: {selector: {matchLabels: {a: b}}, mtls: {mode: PERMISSIVE}}\n");
  Write("istio.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
        "data: {mesh: 'accessLogFile: /dev/stdout'}\n");
  ASSERT_TRUE(told(1));
  EXPECT_TRUE(text(0).starts_with("mutual TLS STRICT ")) << text(0);
  Write("c.yaml", peers + "metadata: {name: c, namespace: istio-system}\nspec: {mtls: {mode: STRICT}}\n");
  EXPECT_TRUE(told(0));
}

TEST_F(Plane, TellsTheSupervisorWhyItCannotStartAndHearsIt) {
  fs::create_directories(root / "state" / "plaitd.lock");  // where its file would be
  const Outcome<> started = TryToStart();
  ASSERT_FALSE(started);
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("hello"); }));
  EXPECT_EQ(supervisor.last["hello"]["error"], started.error().ToString());
  supervisor.Send({{"type", "status"}, {"pods", Json::array()}});
  for (int i = 0; i < 5; ++i) loop.RunOnce(Duration(0));
}

TEST_F(Plane, WantsNoPodBeforeItHasHeardWhichRunAlready) {
  Start(nullptr);
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("hello"); }));
  ASSERT_FALSE(Get("/debug/registryz").empty()) << "it serves";
  EXPECT_FALSE(supervisor.last.contains("pods"));
  supervisor.Send({{"type", "running"}, {"pods", Json::array()}});
  EXPECT_TRUE(Wait([&] { return supervisor.last.contains("pods"); }));
}

TEST_F(Plane, LeavesPodsAloneThatRunAlreadyWhateverBecameOfItsState) {
  Start();
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("pods"); }));
  const Json before = supervisor.last["pods"];
  plane.reset();
  supervisor.last.clear();
  for (const auto& entry : fs::directory_iterator(root / "state"))
    if (entry.path().filename() != "ca") fs::remove_all(entry.path());
  Start(Json::array({{{"leaving", false}, {"pod", before["pods"][0]}}}));
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("hello"); }));
  EXPECT_FALSE(supervisor.last.contains("pods")) << "how they are is not known yet";
  SayThatRun(before["pods"]);
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("pods"); }));
  EXPECT_EQ(supervisor.last["pods"], before);
  ConnectProxy();
  EXPECT_TRUE(Wait([&] { return held.Has(kEndpoint, "outbound|80||web.default.svc.cluster.local"); }));
}

// Its Pod has no proxy, so it needs addresses of services and somebody who knows names.
constexpr char kPlain[] = R"(
apiVersion: v1
kind: Pod
metadata: {name: plain, annotations: {sidecar.istio.io/inject: "false"}}
spec: {containers: [{name: c, image: x, command: [sleep]}]}
)";

// An application of its own.
constexpr char kOther[] = R"(
apiVersion: v1
kind: Pod
metadata: {name: other}
spec: {containers: [{name: c, image: x, command: [sleep]}]}
)";

TEST_F(Plane, TellsServiceAddressesOnlyWhereSomebodyNeedsThemAndOnceEndpointsAreKnown) {
  Write("plain.yaml", kPlain);
  end_limit = {};
  Start();
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("pods") && supervisor.last["pods"]["pods"].size() == 3; }));
  EXPECT_FALSE(supervisor.last.contains("services")) << "endpoints are not known yet";
  RunPods();
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("services"); }));
  const std::string text = supervisor.last["services"].dump();
  EXPECT_NE(text.find("10.244.0."), std::string::npos) << text;
  fs::remove(root / "mesh" / "plain.yaml");
  supervisor.last.erase("services");
  RunPods();
  ASSERT_TRUE(Wait([&] { return supervisor.last["pods"]["pods"].size() == 1; })) << "the DNS pod goes too";
  EXPECT_FALSE(supervisor.last.contains("services"));
}

TEST_F(Plane, TellsWhenEveryProxyKnowsWhatTheSupervisorSaid) {
  Start();
  RunPods();
  // Nobody is connected: whoever comes hears of it first.
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("caught_up"); }));
  EXPECT_EQ(supervisor.last["caught_up"]["statuses"], 1);
  RunPods();
  ASSERT_TRUE(Wait([&] { return supervisor.last["caught_up"]["statuses"] == 2; }));
  const Json& hosts = supervisor.last["hosts"]["hosts"];
  ASSERT_EQ(hosts.size(), 1U) << hosts.dump();
  EXPECT_EQ(hosts[0]["name"], "web");
}

// A proxy that is away goes by what it heard last, and so calls a pod that has ended meanwhile.
TEST_F(Plane, StopsAPodOnlyWhenEveryProxyThatServesKnowsOfIt) {
  Write("other.yaml", kOther);
  Start();
  ASSERT_TRUE(Wait([&] { return supervisor.last["pods"]["pods"].size() == 2; }));
  RunPods();
  ASSERT_TRUE(Wait([&] { return supervisor.last["caught_up"]["statuses"] == 1; }));
  Json others = supervisor.last["pods"]["pods"];
  others.erase(std::find_if(others.begin(), others.end(), [](const Json& pod) { return pod["name"] == "other"; }));
  fs::remove(root / "mesh" / "other.yaml");
  const MonotonicTime later = loop.Now() + 2 * source::PodsOptions{}.end_delay;
  ASSERT_TRUE(Wait([&] { return loop.Now() >= later; }));
  const auto count = [this] { return supervisor.last["pods"]["pods"].size(); };
  EXPECT_EQ(count(), 2U) << "web-v1-0 has not come";
  SayThatRun(others);  // its own proxy need not know
  ConnectProxy();
  EXPECT_TRUE(Wait([&] { return count() == 1; }));
}

TEST_F(Plane, FollowsTheFilesOfItsAuthority) {
  Start();
  const std::string before = plane->authority().bundle_pem();
  const auto other = *ca::Authority::LoadOrCreate(root / "other", {});
  std::ofstream(root / "state" / "ca" / "trusted-roots.pem") << other->bundle_pem();
  const std::string both = before + other->bundle_pem();
  ASSERT_TRUE(Wait([&] { return supervisor.last.contains("hello") && supervisor.last["hello"]["root_pem"] == both; }));
  EXPECT_EQ(plane->authority().bundle_pem(), both);
}

TEST_F(Plane, TellsOfFilesOfItsAuthorityThatCannotBeReadAgainUntilTheyCan) {
  Start();
  const std::string file = (root / "state" / "ca" / "trusted-roots.pem").string();
  const std::string before = plane->authority().bundle_pem();
  std::ofstream(file) << "garbage";
  const auto said = [this](const char* severity) { return supervisor.last["message"]["severity"] == severity; };
  ASSERT_TRUE(Wait([&] { return said("error"); })) << supervisor.messages;
  EXPECT_NE(supervisor.messages.find(file + ": "), std::string::npos) << supervisor.messages;
  EXPECT_NE(supervisor.messages.find("the mesh goes on with the authority that plaitd has read before"),
            std::string::npos);
  EXPECT_NE(Get("/debug/push_status").find("trusted-roots.pem"), std::string::npos);
  EXPECT_EQ(plane->authority().bundle_pem(), before);
  fs::remove(file);
  EXPECT_TRUE(Wait([&] { return said("mended"); })) << supervisor.messages;
  EXPECT_EQ(Get("/debug/push_status").find("trusted-roots.pem"), std::string::npos);
}

TEST_F(Plane, GivesAProxyItsConfigurationAndLiveEdits) {
  WriteRules("1s");
  Start();
  RunPods();
  ConnectProxy();
  ASSERT_TRUE(Wait([&] {
    return held.Has(kRoute, "80") && held.Has(kListener, "virtualInbound") && held.Has(kSecret, "ROOTCA");
  })) << stream->problem();
  EXPECT_TRUE(held.Has(kListener, "virtualOutbound"));
  EXPECT_TRUE(held.Has(kCluster, "outbound|80||web.default.svc.cluster.local"));
  ASSERT_TRUE(Wait([&] { return held.Has(kEndpoint, "outbound|80||web.default.svc.cluster.local"); }));
  EXPECT_NE(held.names[std::string(kEndpoint)].begin()->second.find("spiffe://cluster.local/ns/default/sa/web"),
            std::string::npos);
  EXPECT_EQ(held.names[std::string(kAddress)].size(), 1U);

  const auto before = held.updates;
  const std::string first = held.names[std::string(kRoute)]["80"];
  WriteRules("2s");
  ASSERT_TRUE(Wait([&] { return held.names[std::string(kRoute)]["80"] != first; }));
  loop.RunUntil([] { return false; }, std::chrono::milliseconds(50));
  auto after = before;
  ++after[std::string(kRoute)];  // one resource of one type
  EXPECT_EQ(held.updates, after);
}

TEST_F(Plane, APodThatMovesChangesItsEndpointAndAddressOnly) {
  Start();
  RunPods();
  ConnectProxy();
  ASSERT_TRUE(Wait([&] { return held.Has(kEndpoint, "outbound|80||web.default.svc.cluster.local"); }));
  ASSERT_TRUE(Wait([&] { return held.updates.size() >= 4; }));
  const auto before = held.updates;
  Json status = {{"uid", supervisor.last["pods"]["pods"][0]["uid"]},
                 {"ips", {"10.244.0.5"}},
                 {"ready", false},
                 {"phase", "Running"},
                 {"token_sha256", HexEncode(AsBytes(tls::Sha256("token of web-v1-0")))},
                 {"restarts", 0},
                 {"reason", ""}};
  supervisor.Send({{"type", "status"}, {"pods", {status}}});
  ASSERT_TRUE(Wait([&] { return held.updates[std::string(kEndpoint)] > before.at(std::string(kEndpoint)); }));
  loop.RunUntil([] { return false; }, std::chrono::milliseconds(50));
  EXPECT_EQ(held.updates[std::string(kListener)], before.at(std::string(kListener)));
  EXPECT_EQ(held.updates[std::string(kCluster)], before.at(std::string(kCluster)));
}

TEST_F(Plane, ProblemsAreToldWithTheirPlace) {
  Start();
  RunPods();
  Write("broken.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {nonsense: 1}\n");
  EXPECT_TRUE(Wait([&] { return supervisor.messages.find("broken.yaml:4:") != std::string::npos; }))
      << supervisor.messages;
  const Json status = Json::parse(Get("/debug/push_status")).at("ProxyStatus");
  EXPECT_NE(status.dump().find("broken.yaml"), std::string::npos);
}

TEST_F(Plane, ProblemsThatShareAPlaceAreAllShown) {
  Start();
  const std::string head = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n";
  Write("other.yaml", head + "---\n" + head + "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\n---\n" +
                          "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n");
  ASSERT_TRUE(Wait([&] {
    return supervisor.messages.find("other.yaml:13:7: kind NetworkPolicy") != std::string::npos;
  })) << supervisor.messages;
  const Json of_files = Json::parse(Get("/debug/push_status")).at("ProxyStatus").at("plait");
  ASSERT_EQ(of_files.size(), 2U) << of_files.dump();
  std::string messages;
  for (const Json& problem : of_files) messages += problem.at("message").get<std::string>() + "\n";
  EXPECT_NE(messages.find("autoscaling/v2 HorizontalPodAutoscaler are ignored"), std::string::npos) << messages;
  EXPECT_NE(messages.find("policy/v1 PodDisruptionBudget are ignored"), std::string::npos) << messages;
  EXPECT_EQ(supervisor.messages.find("are ignored"), std::string::npos) << "no business of a mesh";
}

TEST_F(Plane, FilesWhoseNamesAreNoTextAreShownToo) {
  Start();
  Write("latin-\xe9.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {nonsense: 1}\n");
  ASSERT_TRUE(Wait([&] { return supervisor.messages.find("unknown field") != std::string::npos; }));
  EXPECT_NE(Get("/debug/push_status").find("latin-\xef\xbf\xbd.yaml"), std::string::npos);
  EXPECT_NE(Get("/debug/configz").find("web.yaml"), std::string::npos);
}

TEST_F(Plane, TheTrustDomainOfTheAuthorityIsInForceWhateverMeshConfigAsksFor) {
  Start();
  RunPods();
  ConnectProxy();
  ASSERT_TRUE(Wait([&] { return held.Has(kEndpoint, "outbound|80||web.default.svc.cluster.local"); }));
  const std::string before = Get("/debug/endpointz");
  ASSERT_NE(before.find("cluster.local/ns/default/sa/web"), std::string::npos) << before;
  Write("mesh.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n"
        "data: {mesh: \"trustDomain: corp.example\"}\n");
  ASSERT_TRUE(Wait([&] { return supervisor.messages.find("asks for trust domain corp.example") != std::string::npos; }))
      << supervisor.messages;
  EXPECT_EQ(Get("/debug/endpointz"), before);
}

TEST_F(Plane, DebugPagesShowTheModel) {
  Start();
  const Json service = Json::parse(Get("/debug/registryz")).at(0);
  EXPECT_EQ(service.at("hostname"), "web.default.svc.cluster.local");
  EXPECT_EQ(service.at("Attributes").at("Name"), "web");
  EXPECT_EQ(service.at("ports").at(0).at("protocol"), "HTTP");
  EXPECT_EQ(service.at("clusterVIPs").at("Addresses").at("Kubernetes").size(), 2U);
  const Json objects = Json::parse(Get("/debug/configz"));
  EXPECT_NE(objects.dump().find("web.yaml:"), std::string::npos);
  EXPECT_EQ(objects.at(0).at("spec").at("selector"), Json({{"app", "web"}})) << objects.dump();
  const Json status = Json::parse(Get("/debug/push_status")).at("ProxyStatus");
  EXPECT_TRUE(status.at("pilot_eds_no_instances").contains("outbound|80||web.default.svc.cluster.local"));
  EXPECT_NE(Get("/metrics").find("pilot_eds_no_instances 1\n"), std::string::npos);
  RunPods();
  ASSERT_TRUE(Wait([&] { return Get("/metrics").find("pilot_eds_no_instances 0\n") != std::string::npos; }));
  const Json endpoint = Json::parse(Get("/debug/endpointz")).at(0).at("ep").at(0);
  EXPECT_EQ(endpoint.at("endpoint").at("EndpointPort"), 8080);
  EXPECT_EQ(endpoint.at("service").at("hostname"), "web.default.svc.cluster.local");
  EXPECT_NE(Get("/debug/endpointz?brief").find("web.default.svc.cluster.local:http 10.244.0.5:8080 app=web"),
            std::string::npos);
  const Json names = Json::parse(Get("/debug/ndsz?proxyID=web-v1-0.default")).at("table");
  EXPECT_EQ(names.at("web.default.svc.cluster.local").at("shortname"), "web");
  EXPECT_NE(Get("/metrics").find("plaitd_config_objects{kind=\"Deployment\"} 1\n"), std::string::npos);
}

TEST_F(Plane, EndsWithItsSupervisor) {
  Start();
  supervisor.stream->Close(false);
  EXPECT_TRUE(Wait([&] { return ended; }));
}

}  // namespace
}  // namespace plait::control::serve
