// The tree of verbs, by CLI11.
#include <CLI/CLI.hpp>

#include "cli/verbs.h"

namespace plait::cli {
namespace {

template <class T>
using Words = std::vector<std::pair<std::string, T>>;

const Words<Format> kFormats = {
    {"table", Format::kTable}, {"short", Format::kShort}, {"json", Format::kJson}, {"yaml", Format::kYaml}};

// istioctl takes plurals and short forms too.
const Words<std::string> kConfigKinds = {
    {"cluster", "cluster"}, {"listener", "listener"}, {"route", "route"}, {"endpoint", "endpoint"},
    {"secret", "secret"},   {"clusters", "cluster"},  {"c", "cluster"},   {"listeners", "listener"},
    {"l", "listener"},      {"routes", "route"},      {"r", "route"},     {"endpoints", "endpoint"},
    {"ep", "endpoint"},     {"secrets", "secret"},    {"s", "secret"}};

// What `word` stands for; a word that is not there is wrong usage, said with the first `shown` of those that are.
template <class T>
T Choose(const Words<T>& words, std::size_t shown, const std::string& word, const char* option) {
  std::string known;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].first == word) return words[i].second;
    if (i < shown) known += (i > 0 ? ", " : "") + words[i].first;
  }
  throw CLI::ValidationError(option, "\"" + word + "\" is not one of " + known);
}

// What the verbs fill in while parsing; one parse a process.
struct Parsed {
  MeshOptions mesh;
  UpVerb up;
  DemoVerb demo;
  TestVerb test;
  bool purge = false;
  bool follow = false;
  std::string workload;
  std::string container;
  std::string what;
  std::vector<std::string> command;
  std::function<int()> run;
};

void AddOutput(CLI::App& verb, Parsed& p) {
  verb.add_option_function<std::string>(
          "-o,--output",
          [&p](const std::string& word) { p.mesh.format = Choose(kFormats, kFormats.size(), word, "--output"); },
          "table, short, json or yaml")
      ->option_text("FORMAT");
}

CLI::App& AddVerb(CLI::App& app, const char* name, const char* help, Parsed& p, std::function<int()> run) {
  CLI::App* verb = app.add_subcommand(name, help);
  verb->add_option("--name", p.mesh.name, "of the mesh")->option_text("NAME (default)");
  verb->callback([&p, run = std::move(run)] { p.run = run; });
  return *verb;
}

void AddLifeVerbs(CLI::App& app, Parsed& p) {
  CLI::App& up = AddVerb(app, "up", "run a directory of Kubernetes and Istio YAML as a mesh of processes", p,
                         [&p] { return Up(p.mesh, p.up); });
  up.add_option("directory", p.up.directory, "where the YAML is; edits are live")->required()->option_text("DIR");
  up.add_flag("-d,--detach", p.up.detach, "return when all is ready; `plait down` ends it");
  up.add_option("--port", p.up.port, "of the gateway on this host; 0: any free one")->option_text("PORT (8080)");
  up.add_option("--concurrency", p.up.concurrency, "worker threads of each proxy")
      ->check(CLI::Range(1, 64))
      ->option_text("N (2)");
  up.add_option("--net", p.up.net, "how workloads are isolated")->option_text("rootless|netns");
  up.add_flag("--no-seccomp", p.up.no_seccomp, "proxies do not restrict their system calls; for debugging");

  CLI::App& demo =
      AddVerb(app, "demo", "run the bookinfo application in a mesh", p, [&p] { return Demo(p.mesh, p.demo); });
  demo.add_flag("-d,--detach", p.demo.detach, "return when all is ready; `plait down` ends it");
  demo.add_option("--port", p.demo.port, "of the gateway on this host; 0: any free one")->option_text("PORT (8080)");
  demo.add_option("--concurrency", p.demo.concurrency, "worker threads of each proxy")
      ->check(CLI::Range(1, 64))
      ->option_text("N (2)");
  demo.add_flag("--test", p.demo.test, "prove what it claims (as `plait test`), then stop; the exit code says");
  AddOutput(demo, p);

  CLI::App& down = AddVerb(app, "down", "end the mesh and everything in it", p, [&p] { return Down(p.mesh, p.purge); });
  down.add_flag("--purge", p.purge, "remove its certificates and state too");
}

void AddTestVerb(CLI::App& app, Parsed& p) {
  CLI::App& test = AddVerb(app, "test", "prove with numbers that the running mesh does what it promises", p,
                           [&p] { return Test(p.mesh, p.test); });
  test.add_flag("--keep", p.test.keep, "leave its workloads in namespace plait-test, to look at them");
  // For `plait demo --test`: not of use to people.
  test.add_flag("--leave", p.test.leave)->group("");
  test.add_option("--page", p.test.pages)->group("");
  AddOutput(test, p);
}

void AddWorkloadVerbs(CLI::App& app, Parsed& p) {
  CLI::App& exec = AddVerb(app, "exec", "run a command inside a workload", p,
                           [&p] { return Exec(p.mesh, p.workload, p.container, p.command); });
  exec.add_option("workload", p.workload, "pod or deployment, NAME or NAME.NAMESPACE")
      ->required()
      ->option_text("WORKLOAD");
  exec.add_option("-c,--container", p.container, "the first, unless given")->option_text("NAME");
  // Taken from after "--" before the parser runs: the command's options are not ours.

  CLI::App& run = AddVerb(app, "run", "run a command in the mesh with the identity of a workload", p,
                          [&p] { return RunAs(p.mesh, p.workload, p.command); });
  run.add_option("--as", p.workload, "pod or deployment, NAME or NAME.NAMESPACE")->required()->option_text("WORKLOAD");

  CLI::App& logs = AddVerb(app, "logs", "show what a workload has written", p,
                           [&p] { return Logs(p.mesh, p.workload, p.container, p.follow); });
  logs.add_option("workload", p.workload, "pod or deployment; plaitd, supervisor")->required()->option_text("WORKLOAD");
  logs.add_option("-c,--container", p.container, "istio-proxy: its proxy")->option_text("NAME");
  logs.add_flag("-f,--follow", p.follow, "go on with what comes");

  AddOutput(AddVerb(app, "status", "show the mesh and its workloads", p, [&p] { return Status(p.mesh); }), p);
  AddOutput(AddVerb(app, "version", "show versions", p, [&p] { return Version(p.mesh); }), p);
  AddOutput(AddVerb(app, "doctor", "can this host run a mesh?", p, [&p] { return Doctor(p.mesh); }), p);
}

void AddProxyVerbs(CLI::App& app, Parsed& p) {
  CLI::App& ps =
      AddVerb(app, "proxy-status", "what each proxy has acknowledged", p, [&p] { return ProxyStatus(p.mesh); });
  ps.alias("ps");
  AddOutput(ps, p);

  CLI::App& pc = AddVerb(app, "proxy-config", "what a workload's proxy uses", p,
                         [&p] { return ProxyConfig(p.mesh, p.what, p.workload); });
  pc.alias("pc");
  pc.add_option_function<std::string>(
        "what", [&p](const std::string& word) { p.what = Choose(kConfigKinds, 5, word, "pc"); },
        "cluster, listener, route, endpoint or secret")
      ->required()
      ->option_text("KIND");
  pc.add_option("workload", p.workload, "pod or deployment")->required()->option_text("WORKLOAD");
  AddOutput(pc, p);
}

std::string NameOf(const char* path) {
  const std::string name = std::string(path).substr(std::string(path).rfind('/') + 1);
  return name == "kubectl-plait" ? "kubectl plait" : "plait";
}

}  // namespace

int Run(int argc, char** argv) {
  Parsed parsed;
  CLI::App app(
      "Plait, a service mesh: encryption, identity, routing, policy and metrics for processes that know nothing of it",
      NameOf(argv[0]));
  app.require_subcommand(1);
  app.set_help_flag("-h,--help", "what there is");
  AddLifeVerbs(app, parsed);
  AddTestVerb(app, parsed);
  AddWorkloadVerbs(app, parsed);
  AddProxyVerbs(app, parsed);

  int own = argc;  // what comes after "--" is the command of exec
  for (int i = 1; i < argc && own == argc; ++i)
    if (std::string_view(argv[i]) == "--") own = i;
  for (int i = own + 1; i < argc; ++i) parsed.command.emplace_back(argv[i]);
  try {
    app.parse(own, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    const std::vector<CLI::App*> verbs = app.get_subcommands();
    Say(app.get_name() + ": " + error.what());
    Say("  try: " + app.get_name() + " " + (verbs.empty() ? "" : verbs.front()->get_name() + " ") + "--help");
    return kUsage;
  }
  for (const auto& [verb, usage] :
       {std::pair{"exec", "plait exec WORKLOAD -- COMMAND"}, std::pair{"run", "plait run --as WORKLOAD -- COMMAND"}}) {
    if (!app.got_subcommand(verb) || !parsed.command.empty()) continue;
    Say("plait: " + std::string(verb) + " needs a command: " + usage);
    return kUsage;
  }
  return parsed.run();
}

}  // namespace plait::cli
