// Containers and those of a pod as processes of the host (mode loopback): their life, without a mesh around them.
#include "local/container.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <map>

#include "local/loopback_network.h"
#include "local/mounts.h"
#include "local/paths.h"
#include "local/pod_containers.h"
#include "node/netns.h"

namespace plait::local {
namespace {
using namespace std::chrono_literals;

class ContainerTest : public testing::Test, public ProbeTarget {
 protected:
  ContainerTest() {
    char name[] = "/var/tmp/plait-container-XXXXXX";
    folder_ = mkdtemp(name);
    options_.paths = {.name = "test", .run = folder_ + "/run", .state = folder_ + "/state"};
    options_.search_path = "/usr/bin:/bin";
    filter_ = SyscallFilter::Make().value();
    init_.Reset(open((BinaryFolder() + "/plait-init").c_str(), O_RDONLY | O_CLOEXEC));
    mesh_.init = init_.get();
    pod_.name = "a-0";
    pod_.ns = "default";
    pod_.grace = 5s;
    network_.ips = {io::IpAddress::V4(0x7f000001)};
  }
  ~ContainerTest() override { RemoveTree(folder_); }

  std::unique_ptr<io::Stream> ConnectTo(Port, Duration) override { return nullptr; }
  Pending RunInside(const std::string&, const std::vector<std::string>& argv,
                    std::move_only_function<void(int)> done) override {
    ++asked_[argv[0]];
    if (argv[0] == "forever") return loop_.After(1h, [done = std::move(done)]() mutable { done(0); });
    if (const auto held = held_.find(argv[0]); held != held_.end()) {
      held->second = std::move(done);
      return {};
    }
    return loop_.After(0ms, [code = codes_[argv[0]], done = std::move(done)]() mutable { done(code); });
  }
  std::string Host() const override { return "127.0.0.1"; }

  static ProbeSpec Probe(const std::string& name) {
    ProbeSpec probe;
    probe.kind = ProbeSpec::Kind::kExec;
    probe.argv = {name};
    probe.period = 20ms;
    probe.failure_threshold = 1;
    return probe;
  }
  static ContainerSpec Sleeper(const std::string& name) {
    ContainerSpec spec;
    spec.name = name;
    spec.argv = {"sleep", "1000"};
    return spec;
  }
  static HookSpec Hook(const std::string& name) { return {.kind = HookSpec::Kind::kExec, .argv = {name}}; }
  std::string LogOf(const std::string& container) {
    return ReadWholeFile(options_.paths.LogOf(pod_.ns, pod_.name, container));
  }
  Container::Surroundings Around() { return {pod_, network_, *this}; }
  bool Until(const std::function<bool()>& done) { return loop_.RunUntil(done, 10s); }

  std::string folder_;
  io::Loop loop_;
  Reaper reaper_{loop_};
  LoopbackNetwork networks_;
  ResolverSockets resolvers_{loop_, [] { return false; }};
  UpOptions options_;
  SyscallFilter filter_;
  io::UniqueFd init_;
  MeshContext mesh_{.loop = loop_,
                    .reaper = reaper_,
                    .networks = networks_,
                    .cluster_ips = nullptr,
                    .resolvers = resolvers_,
                    .options = options_,
                    .filter = filter_,
                    .ids = {},
                    .init = -1,
                    .hello = {},
                    .gateway_sockets = {}};
  PodSpec pod_;
  PodNetwork network_;
  std::map<std::string, int> asked_;                                // probes, by name
  std::map<std::string, int> codes_;                                // what they end with
  std::map<std::string, std::move_only_function<void(int)>> held_;  // that end when the test says so
};

TEST_F(ContainerTest, StoppedWhileItStartsIsKilledOnceItRunsIfItsGracePeriodIsOver) {
  // In the place of plait-init, since that hands on SIGTERM: it has all signals blocked, and takes none but the last.
  const io::UniqueFd python(open("/usr/bin/python3", O_RDONLY | O_CLOEXEC));
  mesh_.init = python.get();
  const std::string script = folder_ + "/deaf.py";
  ASSERT_TRUE(WritePrivate(script,
                           "import signal\nsignal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGRTMIN])\n"
                           "while True: signal.pause()\n"));
  ContainerSpec spec;
  spec.name = "deaf";
  spec.argv = {script};
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_EQ(container.state(), Container::State::kStarting);
  container.Stop(0ms);
  EXPECT_TRUE(Until([&] { return container.state() == Container::State::kEnded; }));
  EXPECT_FALSE(container.started());
}

TEST_F(ContainerTest, IsNotAskedAgainWhetherItHasStarted) {
  ContainerSpec spec = Sleeper("main");
  spec.startup = Probe("startup");
  spec.readiness = Probe("readiness");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.ready(); })) << container.reason();
  codes_["startup"] = 1;
  const int before = asked_["readiness"];
  ASSERT_TRUE(Until([&] { return asked_["readiness"] >= before + 5; }));
  EXPECT_EQ(asked_["startup"], 1);
  EXPECT_TRUE(container.ready());
  EXPECT_EQ(container.restarts(), 0);
}

TEST_F(ContainerTest, IsAskedAnewWhetherItHasStartedOnceItIsRestarted) {
  ContainerSpec spec = Sleeper("main");
  spec.startup = Probe("startup");
  spec.startup->failure_threshold = 1000;
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.started(); })) << container.reason();
  codes_["startup"] = 1;
  kill(container.pid(), SIGKILL);
  ASSERT_TRUE(Until([&] { return asked_["startup"] >= 3; }));
  EXPECT_EQ(container.restarts(), 1);
  EXPECT_FALSE(container.started());
  codes_["startup"] = 0;
  EXPECT_TRUE(Until([&] { return container.started(); }));
}

TEST_F(ContainerTest, IsNotReadyBeforeItsPostStartHasEnded) {
  held_["warm up"] = {};
  ContainerSpec spec = Sleeper("main");
  spec.post_start = Hook("warm up");
  spec.startup = Probe("startup");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return asked_["warm up"] == 1; })) << container.reason();
  EXPECT_GT(container.pid(), 0);
  EXPECT_FALSE(container.started());
  EXPECT_EQ(container.reason(), "not ready: its postStart runs");
  EXPECT_EQ(asked_["startup"], 0) << "probes come after it";
  held_["warm up"](0);
  ASSERT_TRUE(Until([&] { return container.ready(); })) << container.reason();
  EXPECT_EQ(asked_["startup"], 1);
}

TEST_F(ContainerTest, WhosePostStartFailsIsEndedAndStartedAgain) {
  codes_["warm up"] = 3;
  ContainerSpec spec = Sleeper("main");
  spec.post_start = Hook("warm up");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.restarts() == 1; })) << container.reason();
  EXPECT_EQ(container.reason(), "postStart failed: the command ended with exit code 3; ended with exit code 143");
  EXPECT_NE(LogOf("main").find("plait: postStart failed: the command ended with exit code 3; the container is ended\n"),
            std::string::npos)
      << LogOf("main");
  codes_["warm up"] = 0;
  EXPECT_TRUE(Until([&] { return container.ready(); })) << container.reason();
}

TEST_F(ContainerTest, RunsItsPreStopBeforeItIsEnded) {
  held_["say goodbye"] = {};
  ContainerSpec spec = Sleeper("main");
  spec.pre_stop = Hook("say goodbye");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.ready(); })) << container.reason();
  const pid_t pid = container.pid();
  container.Stop(60s);
  ASSERT_EQ(asked_["say goodbye"], 1);
  container.Stop(60s);
  EXPECT_EQ(asked_["say goodbye"], 1) << "once";
  EXPECT_EQ(kill(pid, 0), 0);
  EXPECT_TRUE(container.in_pre_stop());
  held_["say goodbye"](1);  // that it fails changes nothing
  ASSERT_TRUE(Until([&] { return container.state() == Container::State::kEnded; }));
  EXPECT_NE(LogOf("main").find("plait: preStop failed: the command ended with exit code 1\n"), std::string::npos);
}

TEST_F(ContainerTest, IsEndedWhenItsPreStopTakesLongerThanTheGracePeriod) {
  ContainerSpec spec = Sleeper("main");
  spec.pre_stop = Hook("forever");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.ready(); })) << container.reason();
  container.Stop(20ms);
  ASSERT_TRUE(Until([&] { return container.state() == Container::State::kEnded; }));
  EXPECT_NE(LogOf("main").find("plait: preStop failed: it has not ended within the grace period\n"), std::string::npos);
}

TEST_F(ContainerTest, ThatEndsByItsPreStopIsNotStartedAgain) {
  ContainerSpec spec = Sleeper("main");
  spec.pre_stop = Hook("forever");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.ready(); })) << container.reason();
  container.PreStop(60s);
  EXPECT_TRUE(container.in_pre_stop());
  kill(container.pid(), SIGTERM);
  ASSERT_TRUE(Until([&] { return container.state() == Container::State::kEnded; }));
  EXPECT_FALSE(container.in_pre_stop());
  EXPECT_EQ(container.restarts(), 0);
}

TEST_F(ContainerTest, RunsItsPreStopWhenAProbeEndsIt) {
  ContainerSpec spec = Sleeper("main");
  spec.pre_stop = Hook("say goodbye");
  spec.liveness = Probe("liveness");
  codes_["liveness"] = 1;
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.restarts() == 2; })) << container.reason();
  EXPECT_EQ(asked_["say goodbye"], 2) << "of each of its processes";
}

TEST_F(ContainerTest, AHookOfTcpSocketFailsAsOnKubernetes) {
  ContainerSpec spec = Sleeper("main");
  spec.post_start = HookSpec{.kind = HookSpec::Kind::kTcp};
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.restarts() == 1; }));
  EXPECT_TRUE(container.reason().starts_with("postStart failed: Kubernetes runs no hook of tcpSocket"))
      << container.reason();
}

TEST_F(ContainerTest, TheNextOneStartsOnceThePostStartOfTheOneBeforeHasEnded) {
  held_["warm up"] = {};
  pod_.containers = {Sleeper("first"), Sleeper("second")};
  pod_.containers[0].post_start = Hook("warm up");
  PodContainers containers(mesh_, Around(), [] {});
  containers.Start();
  ASSERT_TRUE(Until([&] { return asked_["warm up"] == 1; }));
  EXPECT_EQ(containers.Find("second")->state(), Container::State::kWaiting);
  held_["warm up"](0);
  EXPECT_TRUE(Until([&] { return containers.ready(); }));
}

TEST_F(ContainerTest, HooksBeforeTheEndRunAtOnceForAllOfThePod) {
  for (const char* name : {"first", "beside"}) held_[name] = {};
  pod_.init_containers = {Sleeper("beside")};
  pod_.init_containers[0].kind = ContainerSpec::Kind::kSidecar;
  pod_.init_containers[0].pre_stop = Hook("beside");
  pod_.containers = {Sleeper("first")};
  pod_.containers[0].pre_stop = Hook("first");
  PodContainers containers(mesh_, Around(), [] {});
  containers.Start();
  ASSERT_TRUE(Until([&] { return containers.ready(); }));
  containers.PreStop(60s);
  EXPECT_EQ(asked_["first"] + asked_["beside"], 2);
  held_["first"](0);
  EXPECT_TRUE(containers.in_pre_stop());
  held_["beside"](0);
  EXPECT_FALSE(containers.in_pre_stop());
  EXPECT_GT(containers.Find("first")->pid(), 0) << "SIGTERM comes with Stop";
  containers.Stop(5s);
  ASSERT_TRUE(Until([&] { return containers.ended(); }));
  EXPECT_EQ(asked_["first"] + asked_["beside"], 2) << "once";
}

TEST_F(ContainerTest, SaysInItsLogWhatTheModeLoopbackLeavesOutOfItsFiles) {
  pod_.host_aliases = {{"10.0.0.1", {"db"}}};
  pod_.dns.searches = {"a.example"};
  const ContainerSpec spec = Sleeper("main");
  Container container(mesh_, spec, Around(), [] {});
  container.Start();
  ASSERT_TRUE(Until([&] { return container.ready(); })) << container.reason();
  EXPECT_NE(LogOf("main").find("hostAliases are not in it\n"), std::string::npos) << LogOf("main");
  EXPECT_NE(LogOf("main").find("dnsPolicy and dnsConfig are not in it\n"), std::string::npos) << LogOf("main");
}

TEST_F(ContainerTest, ASidecarOfAPodThatIsAProxyAloneRunsUntilThePodStops) {
  pod_.init_containers = {Sleeper("beside")};
  pod_.init_containers[0].kind = ContainerSpec::Kind::kSidecar;
  PodContainers containers(mesh_, Around(), [] {});
  containers.Start();
  ASSERT_TRUE(Until([&] { return containers.ready(); }));
  EXPECT_FALSE(containers.ended());
  EXPECT_FALSE(containers.Find("beside")->stopping());
  EXPECT_EQ(containers.Find(""), nullptr) << "no application";
  containers.Stop(5s);
  EXPECT_TRUE(Until([&] { return containers.ended(); }));
}

TEST_F(ContainerTest, OneThatIsStoppedBeforeItEverRanHasNotSucceeded) {
  pod_.init_containers = {Sleeper("first")};
  pod_.init_containers[0].kind = ContainerSpec::Kind::kInit;
  pod_.containers = {Sleeper("main")};
  PodContainers containers(mesh_, Around(), [] {});
  containers.Start();
  ASSERT_TRUE(Until([&] { return containers.pid() > 0; }));
  containers.Stop(5s);
  ASSERT_TRUE(Until([&] { return containers.ended(); }));
  EXPECT_FALSE(containers.Find("main")->succeeded());
  PodStatus status;
  containers.Describe(status);
  EXPECT_EQ(status.phase, "Failed");
}

TEST_F(ContainerTest, APodWithoutContainersIsReadyAndEndedAsSoonAsItStops) {
  PodContainers containers(mesh_, Around(), [] {});
  containers.Start();
  EXPECT_TRUE(containers.ready());
  containers.Stop(5s);
  EXPECT_TRUE(containers.ended());
}

}  // namespace
}  // namespace plait::local
