// plait demo: the bookinfo application in a mesh, and what to try with it. With --test it proves what it claims and
// ends. plait demo tour: six steps through it.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "cli/samples.h"
#include "cli/tour.h"
#include "cli/verbs.h"
#include "cli/workloads.h"
#include "local/confine.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

struct DemoVerb {
  UpVerb up;
  bool test = false;
};
struct TourVerb {
  UpVerb up;
  bool yes = false;
};

// The application in a folder of this user's own, so that its files can be edited. Each demo begins with a fresh one,
// and ends with all that it made: if the mesh had no state before, with that too.
class OwnCopy {
 public:
  explicit OwnCopy(std::string state) : state_(std::move(state)) {}
  std::string folder() const { return state_ + "/demo/bookinfo"; }
  Outcome<> Make() {
    made_ = local::MissingFolders(state_);
    if (const Outcome<std::string> copy = CopySample("bookinfo", folder()); !copy) return std::unexpected(copy.error());
    copied_ = true;
    return {};
  }
  void Remove() const {
    const Outcome<bool> removed = local::RemoveTreeOrExplain(made_.empty() ? folder() : state_);
    if (!removed && copied_) static_cast<void>(Report(removed.error()));  // else its start has said why
    local::RemoveEmptyFolders(made_.empty() ? std::vector{state_ + "/demo"} : made_);
  }

 private:
  const std::string state_;
  std::vector<std::string> made_;  // that were not there: the state's and those above it, innermost first
  bool copied_ = false;
};

Outcome<> UseOwnCopy(const MeshOptions& mesh, UpVerb& up) {
  const Outcome<local::MeshPaths> paths = local::ResolvePaths(mesh.name);
  if (!paths) return std::unexpected(paths.error());
  const auto copy = std::make_shared<OwnCopy>(paths->state);
  up.directory = copy->folder();
  up.prepare = [copy] { return copy->Make(); };
  up.clean = [copy] { copy->Remove(); };
  return {};
}

void Welcome(const MeshOptions& mesh, const local::MeshStatus& status) {
  const std::string name = Named(mesh);
  Say("\n    App      " + status.url + "/productpage        reload it: 80 % black stars, 20 % red ones");
  Say("    Debug    " + status.debug_url + "/debug");
  Say("    Stop     Ctrl-C, or plait down" + name);
  Say("\n  What it is: six processes that know nothing of a mesh, each in a network namespace of its own. A "
      "plait-proxy\n"
      "  beside each takes their connections, which are mutual TLS between the proxies, routed and authorized by the\n"
      "  YAML in " +
      status.directory +
      ",\n  a copy that is yours to edit; it goes when the demo ends: cp -r it to keep what you edit.\n");
  Say("  What to try next, in another terminal:");
  const auto line = [](std::string command, const char* what) {
    constexpr std::size_t kColumn = 62;
    command.resize(std::max(command.size() + 2, kColumn), ' ');
    Say("    " + command + what);
  };
  line("plait demo tour" + name, "six steps: edit, see it, a denial explained, undo");
  line("plait test" + name, "proves mutual TLS, split, policy, retries, metrics");
  line("plait exec" + name + " reviews-v1 -- curl -s details:9080/details/0", "is denied: only productpage may");
  line("plait logs" + name + " --denied details-v1", "names the policy that denied it");
  line("plait status" + name + ", plait ps" + name + ", plait check" + name, "how it is");
  line("edit a weight in reviews-split.yaml, save, reload the page", "it is live\n");
}

// A verb as a process of its own: it meets the mesh as any user does, while this one attends it.
pid_t StartBeside(const MeshOptions& mesh, std::vector<std::string> words) {
  words.insert(words.begin(), "plait");
  words.insert(words.end(), {"--name", mesh.name, "-o", FormatNames()[static_cast<std::size_t>(mesh.format)]});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kNo);
  local::ResetSignals();
  execv("/proc/self/exe", argv.data());
  _exit(kNo);
}

pid_t StartTest(const MeshOptions& mesh) {
  return StartBeside(mesh, {"test", "--leave", "--page", "/productpage", "--page", "/api/v1/products", "--page",
                            "/api/v1/products/0", "--page", "/api/v1/products/0/reviews"});
}

int Demo(const MeshOptions& mesh, const DemoVerb& verb) {
  if (verb.test && verb.up.detach)
    return Report({.code = Errc::kInvalidInput,
                   .message = "--test ends the mesh and --detach leaves it running",
                   .hint = "plait demo --detach, then plait test"});
  UpVerb up = verb.up;
  if (const Outcome<> used = UseOwnCopy(mesh, up); !used) return Report(used.error());
  Say("plait demo: the bookinfo application, four services in a mesh, from plain Kubernetes and Istio YAML\n");
  if (verb.test) {
    up.welcome = [](const local::MeshStatus& status) { Say("\n    App      " + status.url + "/productpage\n"); };
    up.beside = [&mesh] { return StartTest(mesh); };
  } else {
    up.welcome = [&mesh](const local::MeshStatus& status) { Welcome(mesh, status); };
  }
  return Up(mesh, up);
}

// In the demo that runs, or in one of its own for as long as the tour takes.
int TourOfDemo(const MeshOptions& mesh, const TourVerb& verb) {
  if (StatusOf(mesh)) return RunTour(mesh, !verb.yes);
  UpVerb up = verb.up;
  if (const Outcome<> used = UseOwnCopy(mesh, up); !used) return Report(used.error());
  up.welcome = [](const local::MeshStatus& status) { Say("\n    App      " + status.url + "/productpage"); };
  up.beside = [&mesh, &verb] {
    std::vector<std::string> words = {"demo", "tour"};
    if (verb.yes) words.emplace_back("--yes");
    return StartBeside(mesh, words);
  };
  return Up(mesh, up);
}

Command TourCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<TourVerb>();
  Command command{.name = "tour",
                  .summary = "six steps through the demo: edit, see the effect, a denial explained, undo",
                  .details =
                      "In the demo that runs, or else in one of its own that ends with the tour. Edits files of the "
                      "application and puts them back, also after Ctrl-C. The exit code is 1 when a step did not see "
                      "its effect.",
                  .examples = {{"demo tour", "waits for Enter after each step"},
                               {"demo tour --yes -o json", "for scripts: each step with the seconds that it took"}},
                  .options = {{.names = "-y,--yes", .help = "go on without waiting for Enter", .to = &verb->yes}},
                  .run = [&mesh, verb] { return TourOfDemo(mesh, *verb); }};
  for (Option& option : UpOptions(verb->up)) {
    if (option.Long() != "--port") continue;
    option.help = "of the gateway on this host, or the next free one, if no demo runs; 0: any free one";
    command.options.push_back(std::move(option));
  }
  return command;
}

}  // namespace

Command DemoCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<DemoVerb>();
  Command command{.name = "demo",
                  .summary = "run the bookinfo application in a mesh",
                  .details = "-o is the form of what --test finds.",
                  .examples = {{"demo", "then open the page that it names"},
                               {"demo tour", "then be shown what it does, step by step"},
                               {"demo --test", "does this machine run a mesh that keeps its promises?"}},
                  .options = UpOptions(verb->up),
                  .run = [&mesh, verb] { return Demo(mesh, *verb); }};
  command.options.push_back({.names = "--test",
                             .help = "prove what it claims (as `plait test`), then stop; the exit code says",
                             .to = &verb->test});
  command.children = {TourCommand(mesh)};
  return command;
}

}  // namespace plait::cli
