// plait pc (proxy-config) cluster|listener|route|endpoint|secret|bootstrap|all WORKLOAD: what its proxy uses, from its
// admin port or from a saved dump; `pc log` is `plait log`. Filters are istioctl's.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/config_dump.h"
#include "cli/config_tables.h"
#include "cli/json_access.h"
#include "cli/proxy_log.h"
#include "cli/saved_dump.h"
#include "cli/verbs.h"
#include "cli/workloads.h"
#include "core/io/address.h"
#include "core/io/bounded_file.h"

namespace plait::cli {
namespace {

constexpr const char* kKinds[] = {"cluster", "listener", "route", "endpoint", "secret"};

struct ConfigVerb {
  std::string what;
  std::string workload;
  std::string file;
  ConfigFilter filter;
};

// A mesh of thousands of services has dumps of some ten megabytes.
constexpr std::size_t kMaxDump = std::size_t{256} << 20;

Outcome<Json> ReadDump(const std::string& path) {
  const bool standard_input = path == "-";
  Outcome<std::string> text = io::ReadBounded(standard_input ? "/dev/stdin" : path, kMaxDump, io::Pipes::kRead);
  if (!text) {
    text.error().hint +=
        (text.error().hint.empty() ? "" : "; ") + std::string("save one with: plait pc all WORKLOAD -o json");
    return std::unexpected(std::move(text.error()));
  }
  Outcome<Json> dump = DumpIn(*text);
  if (!dump) dump.error().at.file = standard_input ? "standard input" : path;
  return dump;
}

// Whether a saved dump can show this kind at all.
Outcome<> CheckHolds(const ConfigVerb& verb, const Json& dump) {
  if (verb.file.empty()) return {};
  std::optional<Diagnostic> lack = LackOf(verb.what, dump);
  if (!lack) return {};
  lack->at.file = verb.file;
  return std::unexpected(*std::move(lack));
}

// Another text would pass nothing, and an empty table looks like an answer.
Outcome<> CheckAddress(const std::string& address) {
  if (address.empty() || io::IpAddress::Parse(address)) return {};
  return Explain(Errc::kInvalidInput, "--address \"" + address + "\" is no IP address",
                 "an address alone, as in --address 10.244.0.3; a port goes to --port");
}

Outcome<Json> DumpOf(const MeshOptions& mesh, const ConfigVerb& verb) {
  if (const Outcome<> checked = CheckAddress(verb.filter.address); !checked) return std::unexpected(checked.error());
  if (verb.file.empty() == verb.workload.empty())
    return Explain(Errc::kInvalidInput,
                   verb.file.empty() ? "say which workload" : "give a workload or --file, not both",
                   "plait pc " + verb.what + " WORKLOAD, or plait pc " + verb.what + " --file DUMP");
  if (!verb.file.empty()) return ReadDump(verb.file);
  Outcome<Json> dump = AskProxyForJson(mesh, verb.workload, "/config_dump?include_eds");
  // Everywhere else --name is the mesh.
  if (!dump && dump.error().code == Errc::kUnavailable && mesh.name == "default" && !verb.filter.name.empty())
    dump.error().hint.insert(0, "--name filters " + (verb.what == "all" ? "routes and secrets" : verb.what + "s") +
                                    " here, --mesh names the mesh; ");
  if (!dump || (verb.what != "endpoint" && verb.what != "all")) return dump;
  // What the control plane says of an endpoint is in the dump; which ones this proxy has ejected is not.
  const Outcome<Json> clusters = AskProxyForJson(mesh, verb.workload, "/clusters?format=json");
  if (!clusters) return std::unexpected(clusters.error());
  return WithHostHealth(*std::move(dump), *clusters);
}

void AddNames(const std::string& what, const Json& resources, std::vector<std::string>& to) {
  for (const Json& resource : resources)
    to.push_back(what + "/" + Text(resource, {what == "endpoint" ? "cluster_name" : "name"}));
}

int ShowKind(const MeshOptions& mesh, const ConfigVerb& verb) {
  const Outcome<Json> dump = DumpOf(mesh, verb);
  if (!dump) return Report(dump.error());
  if (const Outcome<> holds = CheckHolds(verb, *dump); !holds) return Report(holds.error());
  const Json all = ResourcesOf(*dump, verb.what);
  const Json resources = Select(verb.what, all, verb.filter);
  Output output{.table = ConfigTable(verb.what, resources), .data = Data(resources)};
  AddNames(verb.what, resources, output.names);
  const bool empty = output.table.rows.empty();
  // Istio's sidecars know the whole mesh, so who comes from there takes an empty table for a fault, and one without any
  // service, too.
  const bool by_use = verb.what == "cluster" || verb.what == "route" || verb.what == "endpoint";
  const bool unused = verb.filter == ConfigFilter{} && !HasService(verb.what, all);
  if (by_use && (empty || unused) && verb.file.empty())
    output.warnings.push_back("no " + verb.what + (empty ? "" : " of a service") +
                              " here: a sidecar has those of the destinations that its application has asked for");
  if (empty && verb.what == "endpoint" && !verb.file.empty())
    output.warnings.push_back("no endpoint in " + verb.file + ": /config_dump has them only with ?include_eds");
  return Show(mesh.format, output);
}

int ShowBootstrap(const MeshOptions& mesh, const ConfigVerb& verb) {
  const Outcome<Json> dump = DumpOf(mesh, verb);
  if (!dump) return Report(dump.error());
  if (const Outcome<> holds = CheckHolds(verb, *dump); !holds) return Report(holds.error());
  const Json& bootstrap = BootstrapOf(*dump);
  Output output{.table = BootstrapTable(bootstrap),
                .names = {"bootstrap/" + Text(bootstrap, {"node", "id"})},
                .data = Data({{"bootstrap", bootstrap}})};
  if (bootstrap.is_null()) output.warnings.push_back("the dump has no bootstrap");
  return Show(mesh.format, output);
}

// Every kind, of each what passes; as data a dump, which --file reads again.
int ShowAll(const MeshOptions& mesh, const ConfigVerb& verb) {
  const Outcome<Json> whole = DumpOf(mesh, verb);
  if (!whole) return Report(whole.error());
  const auto dump = Data(SelectAll(*whole, verb.filter));
  Output output{.data = dump};
  for (const char* what : kKinds) {
    const Json resources = ResourcesOf(*dump, what);
    output.text += (output.text.empty() ? "" : "\n") + std::string(what) + "s" + "\n" +
                   TableText(ConfigTable(what, resources), mesh.format == Format::kWide);
    AddNames(what, resources, output.names);
  }
  return Show(mesh.format, output);
}

std::vector<Option> SourceOptions(ConfigVerb& verb) {
  return {{.names = "workload",
           .value = "WORKLOAD",
           .help = "pod or deployment",
           .to = &verb.workload,
           .offers = Offers::kWorkloads},
          {.names = "-f,--file",
           .value = "FILE",
           .help = "a saved /config_dump (whole, or of ?resource=) or /clusters?format=json, instead of a workload; -: "
                   "standard input",
           .to = &verb.file,
           .offers = Offers::kFiles}};
}

Option Filter(const char* name, const char* value, const char* help, std::string& to,
              Offers offers = Offers::kNothing) {
  return {.names = name, .value = value, .help = help, .to = &to, .offers = offers};
}

std::vector<Option> UnionOfFilters(ConfigFilter& filter);

std::vector<Option> FilterOptions(const std::string& what, ConfigFilter& filter) {
  const Option port{.names = "--port", .value = "PORT", .help = "only of this port", .to = &filter.port};
  const Option address = Filter("--address", "IP", "only of this address", filter.address);
  if (what == "cluster")
    return {
        Filter("--fqdn", "NAME", "only of services whose full name has this in it", filter.fqdn, Offers::kServiceHosts),
        port,
        {.names = "--direction",
         .value = "DIRECTION",
         .help = "inbound or outbound",
         .to = &filter.direction,
         .choices = {"inbound", "outbound"}},
        Filter("--subset", "NAME", "only of this subset", filter.subset)};
  if (what == "listener") return {address, port};
  if (what == "endpoint")
    return {address,
            port,
            Filter("--cluster", "NAME", "only of this cluster", filter.cluster, Offers::kClusters),
            {.names = "--status",
             .value = "HEALTH",
             .help = "HEALTHY, UNHEALTHY (with those that failed the outlier check), DRAINING, TIMEOUT or DEGRADED",
             .to = &filter.status,
             .choices = {"HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED"}}};
  if (what == "all") return UnionOfFilters(filter);
  if (what == "bootstrap") return {};
  if (what == "route")
    return {
        Filter("--name", "NAME", "of the route configuration: a port, or http.80", filter.name, Offers::kRouteConfigs)};
  return {Filter("--name", "NAME", "of the secret", filter.name, Offers::kSecrets)};
}

// With whom each is shared stands in its help, for here every kind is shown.
std::vector<Option> UnionOfFilters(ConfigFilter& filter) {
  std::vector<Option> all;
  for (const char* what : kKinds)
    for (Option& option : FilterOptions(what, filter)) {
      const auto same =
          std::find_if(all.begin(), all.end(), [&](const Option& other) { return other.names == option.names; });
      if (same == all.end()) {
        option.help = std::string(what) + "s: " + option.help;
        all.push_back(std::move(option));
      } else {
        same->help.insert(0, std::string(what) + "s, ");
      }
    }
  return all;
}

Command KindCommand(MeshOptions& mesh, const char* what, std::vector<std::string> aliases, const char* summary) {
  const auto verb = std::make_shared<ConfigVerb>();
  verb->what = what;
  Command command{.name = what, .aliases = std::move(aliases), .summary = summary, .options = SourceOptions(*verb)};
  for (Option& filter : FilterOptions(what, verb->filter)) command.options.push_back(std::move(filter));
  command.run = [&mesh, verb] { return ShowKind(mesh, *verb); };
  return command;
}

Command WholeCommand(MeshOptions& mesh, const char* what, const char* alias, const char* summary,
                     int (*show)(const MeshOptions&, const ConfigVerb&)) {
  const auto verb = std::make_shared<ConfigVerb>();
  verb->what = what;
  Command command{.name = what, .aliases = {alias}, .summary = summary, .options = SourceOptions(*verb)};
  for (Option& filter : FilterOptions(what, verb->filter)) command.options.push_back(std::move(filter));
  command.run = [&mesh, verb, show] { return show(mesh, *verb); };
  return command;
}

}  // namespace

Command ProxyConfigCommand(MeshOptions& mesh) {
  Command command{
      .name = "proxy-config",
      .aliases = {"pc"},
      .summary = "what a workload's proxy uses",
      .examples = {{"pc route productpage-v1 --name 9080", "its routes for port 9080"},
                   {"pc cluster productpage-v1 --fqdn reviews -o json", "with all settings"},
                   {"pc all productpage-v1 -o json > dump.json", "then: plait pc cluster --file dump.json"}}};
  command.children = {
      KindCommand(mesh, "cluster", {"clusters", "c"}, "clusters: where it can send to"),
      KindCommand(mesh, "listener", {"listeners", "l"}, "listeners: what it takes, and where that leads"),
      KindCommand(mesh, "route", {"routes", "r"}, "HTTP routes, in the order in which they are tried"),
      KindCommand(mesh, "endpoint", {"endpoints", "ep"}, "endpoints of its clusters, with health"),
      KindCommand(mesh, "secret", {"secrets", "s"}, "certificates and roots, without private keys"),
      WholeCommand(mesh, "bootstrap", "b", "what it was started with", ShowBootstrap),
      WholeCommand(mesh, "all", "a", "all of these", ShowAll),
      ProxyLogCommand(mesh)};
  return command;
}

}  // namespace plait::cli
