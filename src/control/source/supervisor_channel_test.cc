#include "control/source/supervisor_channel.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/source/pod_json.h"
#include "core/io/socket.h"

namespace plait::control::source {
namespace {

// The supervisor's end: writes lines.
class Supervisor final : private io::StreamEvents {
 public:
  explicit Supervisor(std::unique_ptr<io::Stream> stream) : stream_(std::move(stream)) { stream_->SetEvents(this); }
  ~Supervisor() override { stream_->SetEvents(nullptr); }
  void Say(const std::string& line) {
    out_.Append(line + "\n");
    OnWritable();
  }

 private:
  void OnOpen() override { OnWritable(); }
  void OnReadable() override {}
  void OnWritable() override { static_cast<void>(stream_->Write(out_)); }
  void OnFailed(Error) override {}
  std::unique_ptr<io::Stream> stream_;
  Buffer out_;
};

TEST(SupervisorChannel, TheTableOfHundredsOfPodsIsOneLine) {
  io::Loop loop;
  auto [ours, theirs] = io::StreamPair(loop);
  std::optional<std::vector<PodStatus>> got;
  SupervisorChannel channel(std::move(ours), {.on_status = [&](std::vector<PodStatus> pods) { got = std::move(pods); },
                                              .on_closed = [](const char*) {}});
  Supervisor supervisor(std::move(theirs));
  std::string pods;
  for (int i = 0; i < 500; ++i)
    pods += (pods.empty() ? "" : ",") + std::string("{\"uid\":\"pod-") + std::to_string(i) +
            "\",\"ready\":true,\"token_sha256\":\"" + std::string(64, 'a') + "\"}";
  supervisor.Say("{\"type\":\"status\",\"pods\":[" + pods + "]}");
  ASSERT_TRUE(loop.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(10)));
  ASSERT_EQ(got->size(), 500U);
  EXPECT_EQ(got->back().uid, "pod-499");

  got.reset();
  supervisor.Say("{\"type\":\"status\",\"pods\":[]}");
  EXPECT_TRUE(loop.RunUntil([&] { return got.has_value() && got->empty(); }, std::chrono::seconds(10)));
}

DesiredPod APod() {
  using namespace std::chrono_literals;
  model::Probe http{.kind = model::Probe::Kind::kHttp, .port = 80, .path = "/ok", .scheme = "HTTPS"};
  http.headers = {{"x", "1"}, {"x", "2"}};
  http.period = 500ms;
  const model::Probe grpc{.kind = model::Probe::Kind::kGrpc, .port = 90, .path = "health", .initial_delay = 3s};
  const model::Probe exec{.kind = model::Probe::Kind::kExec, .argv = {"test", "-e", "/x"}, .failure_threshold = 9};
  DesiredPod pod{.uid = "u1", .name = "web-3", .owner = "web", .owner_kind = model::OwnerKind::kStatefulSet};
  pod.hash = "4711";
  pod.set = "shop/web";
  pod.index = 3;
  pod.spec = {.name_space = "shop",
              .service_account = "sa",
              .labels = {{"app", "web"}},
              .annotations = {{"a", "b\n"}},
              .subdomain = "webs",
              .node_name = "n",
              .restart_policy = "OnFailure",
              .max_restarts = 2,
              .grace_seconds = 7,
              .host_network = true,
              .service_links = false,
              .concurrency = 3};
  pod.spec.containers = {{.name = "main",
                          .argv = {"serve", "80"},
                          .env = {{.name = "A", .value = "1"}, {.name = "IP", .field = "status.podIP"}},
                          .ports = {{.name = "dns", .port = 53, .protocol = "UDP"}},
                          .working_dir = "/w",
                          .readiness = http,
                          .liveness = grpc,
                          .startup = exec}};
  return pod;
}

std::string Running(const std::string& pod, bool leaving) {
  return R"({"type":"running","pods":[{"leaving":)" + std::string(leaving ? "true" : "false") + R"(,"pod":)" + pod +
         "}]}";
}

TEST(SupervisorChannel, APodComesBackAsItWasTold) {
  DesiredPod pod = APod();
  for (const ProxyKind proxy : {ProxyKind::kNone, ProxyKind::kSidecar, ProxyKind::kGateway, ProxyKind::kDns}) {
    pod.spec.proxy = proxy;
    const auto message = DecodeSupervisorMessage(Running(EncodePod(pod), false));
    ASSERT_TRUE(message) << message.error().ToString();
    EXPECT_EQ(std::get<RunningPods>(*message), RunningPods{pod});
  }
  pod.ending = true;
  const auto leaving = DecodeSupervisorMessage(Running(EncodePod(pod), true));
  ASSERT_TRUE(leaving);
  EXPECT_EQ(std::get<RunningPods>(*leaving), RunningPods{pod});
}

TEST(SupervisorChannel, APodThatLacksSomethingIsRefused) {
  const auto whole = nlohmann::json::parse(EncodePod(APod()));
  for (const auto& [key, value] : whole.items()) {
    auto broken = whole;
    broken[key] = nlohmann::json::array({1, nullptr});
    EXPECT_FALSE(DecodeSupervisorMessage(Running(broken.dump(), false))) << key;
  }
}

}  // namespace
}  // namespace plait::control::source
