// Containers and those of a pod as processes of the host (mode loopback): their life, without a mesh around them.
#include "local/container.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <map>

#include "local/loopback_network.h"
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
  std::map<std::string, int> asked_;  // probes, by name
  std::map<std::string, int> codes_;  // what they end with
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
