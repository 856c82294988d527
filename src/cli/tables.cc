#include "cli/tables.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/json_access.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

// Where each column of a resource type is found: its name in Istio's fields, the end of its name in `types`.
struct Column {
  const char* title;
  const char* field;
  const char* message;
};
constexpr Column kColumns[] = {{"CDS", "cluster", ".Cluster"},
                               {"LDS", "listener", ".Listener"},
                               {"EDS", "endpoint", ".ClusterLoadAssignment"},
                               {"RDS", "route", ".RouteConfiguration"},
                               {"SDS", "secret", ".Secret"},
                               {"INDEX", "address", ".Address"}};

const Json& TypesOf(const Json& proxy) {
  static const Json kNone = Json::object();
  const auto found = proxy.find("types");
  return found != proxy.end() && found->is_object() ? *found : kNone;
}

// After a restart of plaitd a proxy that has everything is sent nothing.
bool HoldsSomething(const Json& proxy, const Column& column) {
  for (const auto& [name, type] : TypesOf(proxy).items()) {
    if (!name.ends_with(column.message) || !type.is_object()) continue;
    const auto held = type.find("resources");
    return held != type.end() && held->is_number_unsigned() && held->get<std::uint64_t>() > 0;
  }
  return false;
}

// Why the proxy refused the type; empty: it did not.
std::string ErrorOf(const Json& type) {
  const Json& error = At(type, "error");
  return error.is_string() ? error.get<std::string>() : "";
}

std::string StateOf(const Json& proxy, const Column& column) {
  for (const auto& [name, type] : TypesOf(proxy).items())
    if (name.ends_with(column.message) && !ErrorOf(type).empty()) return "NACK";
  const std::string sent = Text(proxy, {std::string(column.field) + "_sent"});
  const std::string acked = Text(proxy, {std::string(column.field) + "_acked"});
  if (sent.empty()) return HoldsSomething(proxy, column) ? "SYNCED" : kNotSent;
  return sent == acked ? "SYNCED" : acked.empty() ? "STALE (Never Acknowledged)" : "STALE";
}

// "7s", "3m", "5h", "2d": as kubectl's.
std::string Age(Duration age) {
  using namespace std::chrono;
  const auto whole = duration_cast<seconds>(age).count();
  if (whole < 120) return std::to_string(std::max<std::int64_t>(whole, 0)) + "s";
  if (whole < 2 * 3600) return std::to_string(whole / 60) + "m";
  return whole < 2 * 86400 ? std::to_string(whole / 3600) + "h" : std::to_string(whole / 86400) + "d";
}

std::string AgeOf(const Json& proxy, WallTime now) {
  std::optional<WallTime> last;
  for (const auto& [name, type] : TypesOf(proxy).items())
    for (const char* field : {"sent_at", "answered_at"})
      if (const auto at = ParseRfc3339(Text(type, {field})); at && (!last || *at > *last)) last = at;
  return last ? Age(std::chrono::duration_cast<Duration>(now - *last)) : "-";
}

// A stock Envoy says which Istio's interfaces it was started for, not which Envoy it is (envoys.h).
std::string VersionOf(const Json& proxy) {
  return Text(proxy, {"program"}) == "envoy" ? "Envoy" : Text(proxy, {"istio_version"});
}

// As kubectl counts: sidecars too, other init containers not.
std::string Ready(const local::WorkloadStatus& w) {
  const std::size_t proxies = w.proxy_pid > 0 || w.containers.empty() ? 1 : 0;
  std::size_t ready = w.ready ? proxies : 0;
  std::size_t all = w.containers.size() + proxies;
  for (const local::ContainerStatus& c : w.containers) ready += c.ready ? 1U : 0U;
  for (const local::ContainerStatus& c : w.init_containers) {
    all += c.sidecar ? 1U : 0U;
    ready += c.sidecar && c.ready ? 1U : 0U;
  }
  return std::to_string(ready) + "/" + std::to_string(all);
}

// A pod's phase as kubectl words it.
std::string StatusWord(const std::string& phase) {
  return phase == "Succeeded" ? "Completed" : phase == "Failed" ? "Error" : phase;
}

}  // namespace

Table WorkloadTable(const local::MeshStatus& status) {
  Table table{{"NAME", "NAMESPACE", "READY", "STATUS", "RESTARTS", "IP", "PID", "REASON"}, {}};
  for (const local::WorkloadStatus& w : status.workloads)
    table.rows.push_back({w.name, w.ns, Ready(w), StatusWord(w.phase), std::to_string(w.restarts), w.ip,
                          std::to_string(w.pid), w.reason});
  return table;
}

Table ProxyTable(const Json& syncz, WallTime now) {
  Table table{{"NAME", "CLUSTER"}, {}};
  for (const Column& column : kColumns) table.columns.emplace_back(column.title);
  table.columns.insert(table.columns.end(), {"AGE", "ISTIOD", "VERSION"});
  for (const Json& proxy : syncz) {
    if (!proxy.is_object()) continue;
    if (At(proxy, "connected") == false) {
      table.rows.push_back({Text(proxy, {"proxy"}), "-", kNotConnected});
      table.rows.back().resize(table.columns.size(), "-");
      continue;
    }
    std::vector<std::string> row = {Text(proxy, {"proxy"}), Text(proxy, {"cluster_id"})};
    for (const Column& column : kColumns) row.push_back(StateOf(proxy, column));
    row.insert(row.end(), {AgeOf(proxy, now), Text(proxy, {"istiod"}), VersionOf(proxy)});
    table.rows.push_back(std::move(row));
  }
  std::sort(table.rows.begin(), table.rows.end());
  return table;
}

void AddNotConnected(Json& syncz, const local::MeshStatus& status) {
  std::set<std::string> connected;
  for (const Json& proxy : syncz) connected.insert(Text(proxy, {"proxy"}));
  for (const local::WorkloadStatus& workload : status.workloads) {
    const std::string name = workload.name + "." + workload.ns;
    if (HasProxy(workload) && !IsOver(workload) && !connected.contains(name))
      syncz.push_back({{"proxy", name}, {"connected", false}});
  }
}

std::vector<std::string> Refusals(const Json& syncz) {
  std::vector<std::string> out;
  for (const Json& proxy : syncz) {
    if (!proxy.is_object()) continue;
    for (const auto& [name, type] : TypesOf(proxy).items()) {
      const std::string error = ErrorOf(type);
      if (!error.empty())
        out.push_back(Text(proxy, {"proxy"}) + " refuses " + name.substr(name.rfind('.') + 1) + ": " + error);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace plait::cli
