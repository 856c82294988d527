#pragma once
// For tests: applications started exactly as the supervisor does, each test in a mesh process of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "local/join_container.h"
#include "local/launch.h"
#include "local/mesh_process.h"
#include "local/mounts.h"
#include "local/paths.h"
#include "node/netns.h"

namespace plait::local {

inline std::string ReadToEnd(int fd) {
  std::string text;
  char piece[4096];
  for (ssize_t n; (n = read(fd, piece, sizeof piece)) > 0;) text.append(piece, static_cast<std::size_t>(n));
  return text;
}

// A folder of the test outside /tmp's fresh view is not needed: applications see a /tmp of their own.
class LaunchTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/plait-launch-XXXXXX";
    folder_ = mkdtemp(name);
    chmod(folder_.c_str(), 0755);
    for (const char* part : {"/run", "/run/root", "/home", "/home/state", "/elsewhere", "/open"})
      ASSERT_EQ(mkdir((folder_ + part).c_str(), 0755), 0);
    WriteWholeFile(folder_ + "/home/state/ca-key.pem", "secret-key\n").value();
  }
  void TearDown() override { RemoveTree(folder_); }

  LaunchPlan PlanFor(const Ids& ids, std::vector<std::string> argv) {
    LaunchPlan plan;
    plan.root = {.mount_point = folder_ + "/run/root",
                 .hostname = "web-0",
                 .fqdn = "",
                 .ips = {"10.244.0.9"},
                 .resolv_conf = "nameserver 10.96.0.10\n",
                 .hidden = {folder_ + "/run", folder_ + "/home/state"},
                 .shown = {}};
    plan.argv = std::move(argv);
    plan.environment = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/tmp"};
    plan.ids = ids;
    return plan;
  }

  // What `body` does in a mesh process with a plan whose output is the text that comes back.
  std::string InMesh(const std::vector<std::string>& argv, const std::function<int(LaunchPlan&)>& body) {
    int out[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    auto mesh = StartMeshProcess(Mode::kRootless, [&](const Ids& ids) {
      auto filter = SyscallFilter::Make();
      auto netns = node::NewNetns(node::CurrentNetns()->get());
      io::UniqueFd init(open((BinaryFolder() + "/plait-init").c_str(), O_RDONLY | O_CLOEXEC));
      LaunchPlan plan = PlanFor(ids, argv);
      plan.filter = &*filter;
      plan.netns = netns->get();
      plan.init = init.get();
      plan.output = out[1];
      return body(plan);
    });
    close(out[1]);
    if (!mesh) {
      close(out[0]);
      return mesh.error().ToString();
    }
    std::string text = ReadToEnd(out[0]);
    close(out[0]);
    waitpid(mesh->pid, nullptr, 0);
    return text;
  }

  // Runs one application; `change` prepares the mesh process. Output of the application, or why it did not start.
  std::string RunIn(const std::function<void(LaunchPlan&)>& change, std::vector<std::string> argv) {
    return InMesh(argv, [&](LaunchPlan& plan) {
      change(plan);
      auto launched = Launch(plan);
      if (!launched) return 1;
      fcntl(launched->report.get(), F_SETFL, 0);
      std::string told = ReadToEnd(launched->report.get());
      if (!told.starts_with("pid ") || told.find('\n') + 1 != told.size())
        if (write(plan.output, told.data(), told.size()) < 0) return 2;
      while (wait(nullptr) > 0) {
      }
      return 0;
    });
  }
  // Runs one command in a container of its own, beside a proxy. Its output and, as the last line, its exit code.
  std::string Beside(const std::vector<std::string>& argv) {
    return InMesh(argv, [&](LaunchPlan& place) {
      const JoinPlan plan{.argv = argv, .environment = place.environment, .out = place.output, .err = place.output};
      const auto joined = RunInNewContainer(place, plan);
      int status = 0;
      if (!joined || waitpid(joined->helper, &status, 0) != joined->helper) return 1;
      dprintf(place.output, "exit %d\n", WEXITSTATUS(status));
      return 0;
    });
  }
  std::string Shell(const std::string& script, const std::function<void(LaunchPlan&)>& change = [](LaunchPlan&) {}) {
    return RunIn(change, {"/bin/sh", "-c", "{ " + script + "; } 2>&1"});
  }
  std::string Python(const std::string& script, const std::function<void(LaunchPlan&)>& change = [](LaunchPlan&) {}) {
    return RunIn(change, {"/usr/bin/python3", "-c", script});
  }

  std::string folder_;
};

}  // namespace plait::local
