// plait demo: the bookinfo application in a mesh, and what to try with it. With --test it proves what it claims and
// ends.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/samples.h"
#include "cli/verbs.h"
#include "local/confine.h"

namespace plait::cli {
namespace {

struct DemoVerb {
  UpVerb up;
  bool test = false;
};

void Welcome(const MeshOptions& mesh, const local::MeshStatus& status) {
  const std::string name = Named(mesh);
  Say("\n    App      " + status.url + "/productpage        reload it: 80 % black stars, 20 % red ones");
  Say("    Debug    " + status.debug_url + "/debug");
  Say("    Stop     Ctrl-C, or plait down" + name);
  Say("\n  What it is: six processes that know nothing of a mesh, each in a network namespace of its own. A "
      "plait-proxy\n"
      "  beside each takes their connections, which are mutual TLS between the proxies, routed and authorized by the\n"
      "  YAML in " +
      status.directory + ".\n");
  Say("  What to try next, in another terminal:");
  Say("    plait test" + name +
      "                                    proves mutual TLS, split, policy, retries, metrics");
  Say("    plait exec" + name + " reviews-v1 -- curl -s details:9080/details/0     is denied: only productpage may");
  Say("    plait logs" + name + " -c istio-proxy details-v1          names the policy that denied it");
  Say("    plait status" + name + ",  plait ps" + name + ",  plait pc route" + name + " productpage-v1");
  Say("    edit a weight in reviews-split.yaml, save, reload the page: it is live (in a copy: cp -r, plait up DIR)\n");
}

// `plait test` as a process of its own: it meets the mesh as any user does, while this one attends it.
pid_t StartTest(const MeshOptions& mesh) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kNo);
  local::ResetSignals();
  execl("/proc/self/exe", "plait", "test", "--name", mesh.name.c_str(), "-o",
        FormatNames()[static_cast<std::size_t>(mesh.format)].c_str(), "--leave", "--page", "/productpage", "--page",
        "/api/v1/products", "--page", "/api/v1/products/0", "--page", "/api/v1/products/0/reviews", nullptr);
  _exit(kNo);
}

int Demo(const MeshOptions& mesh, const DemoVerb& verb) {
  const Outcome<std::string> sample = SampleFolder("bookinfo");
  if (!sample) return Report(sample.error());
  if (verb.test && verb.up.detach)
    return Report({.code = Errc::kInvalidInput,
                   .message = "--test ends the mesh and --detach leaves it running",
                   .hint = "plait demo --detach, then plait test"});
  Say("plait demo: the bookinfo application, four services in a mesh, from plain Kubernetes and Istio YAML\n");
  UpVerb up = verb.up;
  up.directory = *sample;
  if (verb.test) {
    up.welcome = [](const local::MeshStatus& status) { Say("\n    App      " + status.url + "/productpage\n"); };
    up.beside = [&mesh] { return StartTest(mesh); };
  } else {
    up.welcome = [&mesh](const local::MeshStatus& status) { Welcome(mesh, status); };
  }
  return Up(mesh, up);
}

}  // namespace

Command DemoCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<DemoVerb>();
  Command command{.name = "demo",
                  .summary = "run the bookinfo application in a mesh",
                  .details = "-o is the form of what --test finds.",
                  .examples = {{"demo", "then open the page that it names"},
                               {"demo --test", "does this machine run a mesh that keeps its promises?"}},
                  .options = UpOptions(verb->up),
                  .run = [&mesh, verb] { return Demo(mesh, *verb); }};
  command.options.push_back({.names = "--test",
                             .help = "prove what it claims (as `plait test`), then stop; the exit code says",
                             .to = &verb->test});
  return command;
}

}  // namespace plait::cli
