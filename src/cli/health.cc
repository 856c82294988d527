#include "cli/health.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/envoys.h"
#include "cli/gateways.h"
#include "cli/json_access.h"
#include "cli/tables.h"
#include "cli/workloads.h"
#include "core/base/strings.h"
#include "local/paths.h"

namespace plait::cli {
namespace {

constexpr const char* kMesh = "plait-mesh";
constexpr const char* kSync = "plait-sync";
constexpr const char* kIdentity = "plait-identity";
constexpr const char* kCapture = "plait-capture";
constexpr Duration kRootWarning = std::chrono::hours(24 * 30);

std::string Named(const local::MeshStatus& status) { return local::Named(status.name); }

struct Wrong {
  std::string text;
  std::string workload = {};  // to which the fix goes; empty: to none
  std::string fix = {};       // where another one mends it than what is wrong besides
};

struct Few {
  std::size_t shown = 3;
  const char* between = "; ";
};
constexpr Few kLines{.shown = 20, .between = "\n"};

// The first few, and how many more.
std::string Some(const std::vector<Wrong>& all, const Few& few) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < few.shown; ++i) text += (i == 0 ? "" : few.between) + all[i].text;
  return all.size() > few.shown ? text + few.between + "and " + std::to_string(all.size() - few.shown) + " more" : text;
}

// "23h59m", "12d4h": in the two largest units, rounded down.
std::string Span(Duration span) {
  const std::int64_t all = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  const auto in = [all](std::int64_t large, const char* name, std::int64_t small, const char* smaller) {
    return std::to_string(all / large) + name + std::to_string(all % large / small) + smaller;
  };
  if (all < 60) return std::to_string(all) + "s";
  if (all < 3600) return in(60, "m", 1, "s");
  return all < 2 * 86400 ? in(3600, "h", 60, "m") : in(86400, "d", 3600, "h");
}

// The fix is that of what is wrong first; WORKLOAD in it becomes its workload.
Check Judge(const char* category, std::string description, const std::vector<Wrong>& wrong, std::string fix,
            std::string well = "", const Few& few = {}) {
  if (wrong.empty()) return {.category = category, .description = std::move(description), .detail = std::move(well)};
  if (!wrong.front().fix.empty()) fix = wrong.front().fix;
  constexpr std::string_view kPlace = "WORKLOAD";
  if (const std::size_t at = fix.find(kPlace); at != std::string::npos && !wrong.front().workload.empty())
    fix.replace(at, kPlace.size(), wrong.front().workload);
  return {.category = category,
          .description = std::move(description),
          .result = Mark::kFailed,
          .detail = Some(wrong, few),
          .fix = std::move(fix)};
}

// What nobody could look at is not well.
Check Unasked(const char* category, std::string description, const std::string& error, const MeshFacts& facts) {
  return Judge(category, std::move(description), {{"could not be asked: " + error}},
               "plait logs" + Named(facts.status) + " plaitd");
}

void JudgeConfiguration(const MeshFacts& facts, std::vector<Check>& out) {
  constexpr const char* kWell = "the configuration has no problem";
  if (!facts.push_status) return out.push_back(Unasked(kMesh, kWell, facts.push_status_error, facts));
  std::vector<Wrong> problems;
  std::vector<Wrong> information;
  bool only_warnings = true;
  for (const auto& [metric, entries] : At(*facts.push_status, "ProxyStatus").items()) {
    if (metric == "pilot_endpoint_not_ready") continue;  // "every workload is ready" tells it
    for (const Json& problem : entries) {
      const std::string severity = Text(problem, {"severity"});
      only_warnings = only_warnings && severity != "error";
      (severity == "info" ? information : problems).push_back({Text(problem, {"message"})});
    }
  }
  const bool well = problems.empty();
  problems.insert(problems.end(), information.begin(), information.end());
  if (well) return out.push_back(Judge(kMesh, kWell, {}, "", Some(problems, kLines)));
  out.push_back(Judge(kMesh, kWell, problems, "edit what the message names; it is read again at once", "", kLines));
  if (only_warnings) out.back().result = Mark::kWarning;
}

// Whether the Job of this failed pod is done in spite of it, or goes on.
bool HasAnotherTry(const local::MeshStatus& status, const local::WorkloadStatus& failed) {
  if (failed.phase != "Failed" || failed.owner_kind != "Job") return false;
  int succeeded = 0;
  for (const local::WorkloadStatus& w : status.workloads) {
    if (w.owner != failed.owner || w.owner_kind != failed.owner_kind || w.ns != failed.ns) continue;
    if (!IsOver(w)) return true;
    succeeded += w.phase == "Succeeded" ? 1 : 0;
  }
  return succeeded >= failed.completions;
}

void JudgeMesh(const MeshFacts& facts, std::vector<Check>& out) {
  const local::MeshStatus& status = facts.status;
  std::vector<Wrong> unready;
  for (const local::WorkloadStatus& w : status.workloads) {
    const std::string name = w.name + "." + w.ns;
    if (!w.ready && w.phase != "Succeeded" && !HasAnotherTry(status, w))
      unready.push_back({name + " is " + (w.reason.empty() ? w.phase : w.reason), name});
    else if (w.reason.starts_with(local::kNotReached))
      unready.push_back({name + ": " + w.reason, name,
                         "give the server of its Gateway another port, or end what has this one (plait exec" +
                             Named(status) + " " + name + " -- ss -ltn), then: plait proxy restart" + Named(status) +
                             " WORKLOAD"});
  }
  out.push_back(Judge(kMesh, "every workload is ready", unready, "plait logs" + Named(status) + " WORKLOAD",
                      std::to_string(status.workloads.size()) + " workloads"));
  std::vector<Wrong> silent;
  if (facts.control_plane.empty()) silent.push_back({facts.control_error});
  out.push_back(Judge(kMesh, "the control plane answers", silent, "plait logs" + Named(status) + " plaitd",
                      "plaitd " + facts.control_plane));
  JudgeConfiguration(facts, out);
}

// "2 Envoys have versions of their own: 1.38.0"; empty without one.
std::string Envoys(const MeshFacts& facts) {
  std::set<std::string> versions;
  long count = 0;
  for (const ProxyFacts& proxy : facts.proxies) {
    if (proxy.envoy.empty()) continue;
    ++count;
    versions.insert(proxy.envoy);
  }
  if (count == 0) return "";
  return std::to_string(count) +
         (count == 1 ? " Envoy has a version of its own: " : " Envoys have versions of their own: ") +
         Join(std::vector<std::string>(versions.begin(), versions.end()), ", ");
}

constexpr const char* kConnected = "every proxy is connected to the control plane";
constexpr const char* kTaken = "no proxy refuses its configuration";
constexpr const char* kAcknowledged = "every proxy has acknowledged what it was sent";
constexpr const char* kOneVersion = "proxies and control plane are of one version";

// Of a listener whose port was taken the proxy learns after it has acknowledged it, and plaitd does not hear of it.
void AddListenerFailures(const MeshFacts& facts, std::vector<Wrong>& refused) {
  for (const ProxyFacts& proxy : facts.proxies) {
    for (const std::string& failure : proxy.listener_failures) {
      if (std::any_of(refused.begin(), refused.end(),
                      [&](const Wrong& known) { return known.text.find(failure) != std::string::npos; }))
        continue;
      refused.push_back({NotServed(proxy.workload, failure), proxy.workload,
                         "give it a port that is free, in the Gateway or Service that has it; if whoever had the port "
                         "is gone: plait proxy restart" +
                             Named(facts.status) + " WORKLOAD"});
    }
  }
}

void JudgeSync(const MeshFacts& facts, std::vector<Check>& out) {
  if (!facts.syncz) {
    for (const char* check : {kConnected, kTaken, kAcknowledged, kOneVersion})
      out.push_back(Unasked(kSync, check, facts.syncz_error, facts));
    return;
  }
  const Json with_connections = ProxiesIn(*facts.syncz, facts.status);
  std::set<std::string> connected;
  for (const Json& proxy : with_connections) connected.insert(Text(proxy, {"proxy"}));
  std::vector<Wrong> skewed;
  for (const Json& proxy : *facts.syncz) {
    const std::string name = Text(proxy, {"proxy"});
    if (IsEnvoy(facts.status, name)) continue;  // its version says whose interfaces it speaks, not which one it is
    const std::string version = Text(proxy, {"istio_version"});
    if (!version.empty() && !facts.control_plane.empty() && version != facts.control_plane)
      skewed.push_back({std::string(name).append(" is ").append(version)});
  }
  std::vector<Wrong> missing;
  for (const ProxyFacts& proxy : facts.proxies)
    if (!connected.contains(proxy.workload)) missing.push_back({proxy.workload, proxy.workload});
  const std::string name = Named(facts.status);
  out.push_back(Judge(kSync, kConnected, missing, "plait logs" + name + " -c istio-proxy WORKLOAD",
                      std::to_string(connected.size()) + " proxies"));
  std::vector<Wrong> refused;
  for (std::string& refusal : Refusals(*facts.syncz)) refused.push_back({std::move(refusal)});
  AddListenerFailures(facts, refused);
  out.push_back(Judge(kSync, kTaken, refused,
                      "edit the object that the message names, or report the message: plaitd should not have sent it"));
  std::vector<Wrong> stale;
  const Table table = ProxyTable(with_connections, facts.now);
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      if (row[i].starts_with("STALE")) stale.push_back({row.front() + ": " + table.columns[i], row.front()});
  out.push_back(
      Judge(kSync, kAcknowledged, stale, "wait a moment; then: plait logs" + name + " -c istio-proxy WORKLOAD"));
  out.push_back(Judge(kSync, kOneVersion, skewed, "start the mesh again", Envoys(facts)));
  if (!skewed.empty()) out.back().result = Mark::kWarning;
}

// What of a proxy's certificates is judged.
struct Identities {
  std::vector<Wrong> without;
  std::vector<Wrong> expired;
  std::vector<Wrong> roots_old;
  std::set<std::string> roots;       // serial numbers
  Duration least = Duration::max();  // until the first identity ends
};

// The time that a certificate has left; nullopt when it cannot be read.
std::optional<Duration> TimeLeft(const Json& certificate, WallTime now) {
  const auto end = ParseRfc3339(Text(certificate, {"expiration_time"}));
  if (!end) return std::nullopt;
  return std::chrono::duration_cast<Duration>(*end - now);
}

std::string End(const std::optional<Duration>& left) {
  if (!left) return " expires in an unknown time";
  return *left > Duration(0) ? " expires in " + Span(*left) : " expired " + Span(-*left) + " ago";
}

// Of the mesh: by the name that Istio gives it for SDS, which Envoy does not tell; it gets nothing else in that way.
bool IsOfMesh(const Json& certificate, const char* secret, bool envoy) {
  return Text(certificate, {"path"}) == (envoy ? "<inline>" : secret);
}

// The same certificate may stand in an entry for each socket that uses it.
void AddOnce(Wrong wrong, std::vector<Wrong>& out) {
  if (std::none_of(out.begin(), out.end(), [&](const Wrong& known) { return known.text == wrong.text; }))
    out.push_back(std::move(wrong));
}

// Empty where the proxy keeps its identity itself.
std::string FixOfEnvoysIdentity(const ProxyFacts& proxy, const MeshFacts& facts) {
  return IsEnvoy(facts.status, proxy.workload) ? "plait logs" + Named(facts.status) + " -c plait-identity WORKLOAD"
                                               : "";
}

// Those of a gateway's Secret or a DestinationRule's file are not renewed by the mesh.
void JudgeLeaf(const ProxyFacts& proxy, const Json& leaf, bool own, const MeshFacts& facts, Identities& out) {
  const auto left = TimeLeft(leaf, facts.now);
  if (own && left) out.least = std::min(out.least, *left);
  if (left && *left > Duration(0)) return;
  if (own)
    return AddOnce(
        {proxy.workload + ": its certificate" + End(left), proxy.workload, FixOfEnvoysIdentity(proxy, facts)},
        out.expired);
  AddOnce({proxy.workload + ": " + Text(leaf, {"path"}) + End(left), proxy.workload,
           "write a new certificate into the Secret or file that is named"},
          out.expired);
}

void JudgeCertificates(const ProxyFacts& proxy, const MeshFacts& facts, Identities& out) {
  const bool envoy = IsEnvoy(facts.status, proxy.workload);
  bool any_own = false;
  for (const Json& entry : At(*proxy.certificates, "certificates")) {
    for (const Json& leaf : At(entry, "cert_chain")) {
      const bool own = IsOfMesh(leaf, "default", envoy);
      any_own = any_own || own;
      JudgeLeaf(proxy, leaf, own, facts, out);
      break;  // the leaf stands first
    }
    for (const Json& root : At(entry, "ca_cert")) {
      if (!IsOfMesh(root, "ROOTCA", envoy)) continue;  // of a file, or the first one that the proxy was started with
      const std::string serial = Text(root, {"serial_number"});
      const auto left = TimeLeft(root, facts.now);
      if (out.roots.insert(serial).second && (!left || *left < kRootWarning))
        out.roots_old.push_back({"root " + serial + End(left)});
    }
  }
  if (!any_own) out.without.push_back({proxy.workload, proxy.workload, FixOfEnvoysIdentity(proxy, facts)});
}

void JudgeIdentity(const MeshFacts& facts, std::vector<Check>& out) {
  Identities found;
  for (const ProxyFacts& proxy : facts.proxies) {
    if (proxy.certificates)
      JudgeCertificates(proxy, facts, found);
    else if (proxy.error.empty())
      found.without.push_back({proxy.workload + " does not say which certificates it has", proxy.workload});
  }
  const std::string name = Named(facts.status);
  out.push_back(Judge(kIdentity, "every proxy has a certificate", found.without,
                      "plait logs" + name + " -c istio-proxy WORKLOAD"));
  out.push_back(Judge(kIdentity, "no certificate has expired", found.expired,
                      "plait exec" + name + " WORKLOAD -- curl -X POST 127.0.0.1:15000/plait/renew",
                      found.least == Duration::max() ? "" : "the first one in " + Span(found.least)));
  const std::size_t roots = found.roots.size();
  out.push_back(Judge(kIdentity, "the trust roots are good for 30 days", found.roots_old,
                      "plait cert rotate" + name + " --anchor: a new root, without a lost request",
                      std::to_string(roots) + (roots == 1 ? " root" : " roots")));
  if (!found.roots_old.empty()) out.back().result = Mark::kWarning;
}

// Whether a listener is bound to a port, at whichever of its addresses; 0: to any.
bool Listens(const Json& listeners, const char* name, int port) {
  const auto bound = [&](const Json& address) {
    const Json& number = At(address, {"socket_address", "port_value"});
    return number.is_number() && (port == 0 || number == port);
  };
  for (const Json& listener : At(listeners, "listener_statuses")) {
    if (Text(listener, {"name"}) != name) continue;
    bool any = bound(At(listener, "local_address"));
    for (const Json& more : At(listener, "additional_local_addresses")) any = any || bound(more);
    if (any) return true;
  }
  return false;
}

// The listeners that everything captured goes to. In mode loopback nothing is: they have a socket for each destination.
std::vector<Wrong> NotListening(const ProxyFacts& proxy, bool loopback, const std::string& fix) {
  std::vector<Wrong> out;
  for (const auto& [name, port] : {std::pair{"virtualOutbound", 15001}, std::pair{"virtualInbound", 15006}})
    if (!Listens(*proxy.listeners, name, loopback ? 0 : port))
      out.push_back({proxy.workload + " has no listener " + name + (loopback ? "" : " on " + std::to_string(port)),
                     proxy.workload, fix});
  return out;
}

// What is open is a failure; what cannot be told is none, but no success either.
Check JudgeRules(const MeshFacts& facts) {
  std::vector<Wrong> open;
  std::vector<Wrong> unasked;
  std::string next;
  for (const ProxyFacts& proxy : facts.proxies) {
    if (!proxy.capture.empty()) open.push_back({proxy.workload + ": " + proxy.capture, proxy.workload});
    if (!proxy.capture_unasked) continue;
    unasked.push_back(
        {proxy.workload + ": whether its connections are captured cannot be told: " + proxy.capture_unasked->message,
         proxy.workload});
    if (next.empty()) next = proxy.capture_unasked->hint;
  }
  const bool failed = !open.empty();
  open.insert(open.end(), unasked.begin(), unasked.end());
  if (next.empty()) next = "ask again: plait check" + Named(facts.status);
  Check check = Judge(kCapture, "every workload's connections are taken to its sidecar", open,
                      failed ? "make a new pod in place of WORKLOAD, which has the rules before it runs: change an "
                               "annotation of its pod template, or start the mesh again"
                             : next);
  if (!failed && !unasked.empty()) check.result = Mark::kWarning;
  return check;
}

// Somebody asked it to fail health checks, or it is about to end.
std::string FixOfDraining(const std::string& name) {
  return "plait exec" + name + " WORKLOAD -- curl -X POST 127.0.0.1:15000/healthcheck/ok";
}

void JudgeCapture(const MeshFacts& facts, std::vector<Check>& out) {
  std::vector<Wrong> unreachable;
  std::vector<Wrong> not_live;
  std::vector<Wrong> deaf;
  const bool loopback = facts.status.mode == "loopback";
  const std::string name = Named(facts.status);
  for (const ProxyFacts& proxy : facts.proxies) {
    if (!proxy.error.empty()) unreachable.push_back({proxy.workload + ": " + proxy.error, proxy.workload});
    if (proxy.error.empty() && proxy.ready != "LIVE")
      not_live.push_back({proxy.workload + " is " + proxy.ready, proxy.workload,
                          proxy.ready == "DRAINING" ? FixOfDraining(name) : ""});
    const local::WorkloadStatus* workload = FindPod(facts.status, proxy.workload);
    if (!workload || workload->proxy != "sidecar") continue;
    if (proxy.listeners) {
      // An Envoy has no process beside it that could take its sockets over.
      const std::string fix = HasEnvoy(*workload) ? "" : "plait proxy restart" + name + " WORKLOAD";
      for (Wrong& wrong : NotListening(proxy, loopback, fix)) deaf.push_back(std::move(wrong));
    } else if (proxy.error.empty()) {
      deaf.push_back({proxy.workload + " does not say where it listens", proxy.workload});
    }
  }
  const std::string logs = "plait logs" + name + " -c istio-proxy WORKLOAD";
  out.push_back(
      Judge(kCapture, "every proxy answers", unreachable, logs, std::to_string(facts.proxies.size()) + " proxies"));
  out.push_back(Judge(kCapture, "every proxy is live", not_live, logs));
  if (loopback) {
    out.push_back(Judge(kCapture, "every sidecar listens for its workload", deaf, logs, "nothing is captured"));
    return;
  }
  out.push_back(Judge(kCapture, "every sidecar listens on 15001 and 15006", deaf, logs));
  out.push_back(JudgeRules(facts));
}

}  // namespace

std::vector<Check> JudgeHealth(const MeshFacts& facts) {
  std::vector<Check> out;
  JudgeMesh(facts, out);
  JudgeSync(facts, out);
  JudgeIdentity(facts, out);
  JudgeCapture(facts, out);
  return out;
}

}  // namespace plait::cli
