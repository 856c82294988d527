#include "proxy/admin/pages.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "proxy/admin/json.h"

namespace plait::proxy::admin {
namespace {

std::string_view HealthName(xds::HealthStatus health) noexcept {
  switch (health) {
    case xds::HealthStatus::kUnknown:  // nothing speaks against it; Envoy says so, too
    case xds::HealthStatus::kHealthy: return "HEALTHY";
    case xds::HealthStatus::kUnhealthy:
    case xds::HealthStatus::kTimeout: return "UNHEALTHY";  // as Envoy says it
    case xds::HealthStatus::kDraining: return "DRAINING";
    case xds::HealthStatus::kDegraded: return "DEGRADED";
  }
  return "UNKNOWN";
}

// "healthy", or Envoy's flags: /failed_outlier_check/failed_eds_health
std::string HealthFlags(const cluster::Host& host) {
  std::string flags;
  if (host.ejected()) flags += "/failed_outlier_check";
  const xds::HealthStatus health = host.health();
  if (health == xds::HealthStatus::kUnhealthy || health == xds::HealthStatus::kTimeout) flags += "/failed_eds_health";
  if (host.degraded()) flags += "/degraded_eds_health";
  if (health == xds::HealthStatus::kDraining) flags += "/eds_status_draining";
  return flags.empty() ? "healthy" : flags;
}

void WriteAddress(Json& json, const io::SocketAddress& address) {
  json.Open('{');
  if (address.is_unix()) {
    json.Key("pipe").Open('{').Key("path").Text(address.unix_path).Close('}');
  } else {
    json.Key("socket_address")
        .Open('{')
        .Key("address")
        .Text(address.ip.ToString())
        .Key("port_value")
        .Number(address.port.value)
        .Close('}');
  }
  json.Close('}');
}

struct NamedStat {
  std::string_view name;
  std::uint64_t value;
  bool gauge;
};
std::vector<NamedStat> StatsOf(const cluster::HostStats& stats) {
  const auto get = [](const auto& atomic) { return std::uint64_t{atomic.load(std::memory_order_relaxed)}; };
  return {{"cx_connect_fail", get(stats.cx_connect_fail), false},
          {"cx_total", get(stats.cx_total), false},
          {"rq_error", get(stats.rq_error), false},
          {"rq_success", get(stats.rq_success), false},
          {"rq_timeout", get(stats.rq_timeout), false},
          {"rq_total", get(stats.rq_total), false},
          {"cx_active", get(stats.cx_active), true},
          {"rq_active", get(stats.rq_active), true}};
}

void WriteHost(Json& json, const cluster::Host& host, std::size_t priority) {
  json.Open('{').Key("address");
  WriteAddress(json, host.address());
  json.Key("stats").Open('[');
  for (const NamedStat& stat : StatsOf(host.stats())) {
    json.Open('{');
    if (stat.gauge) json.Key("type").Text("GAUGE");
    json.Key("name").Text(stat.name);
    if (stat.value != 0) json.Key("value").Text(stat.value);
    json.Close('}');
  }
  json.Close(']').Key("health_status").Open('{').Key("eds_health_status").Text(HealthName(host.health()));
  if (host.ejected()) json.Key("failed_outlier_check").Bool(true);
  json.Close('}').Key("weight").Number(host.weight());
  if (!host.facts().hostname.empty()) json.Key("hostname").Text(host.facts().hostname);
  if (priority > 0) json.Key("priority").Number(priority);
  const xds::Locality& locality = host.facts().locality;
  json.Key("locality").Open('{');
  if (!locality.region.empty()) json.Key("region").Text(locality.region);
  if (!locality.zone.empty()) json.Key("zone").Text(locality.zone);
  if (!locality.sub_zone.empty()) json.Key("sub_zone").Text(locality.sub_zone);
  json.Close('}').Close('}');
}

// Those that take no load, too.
std::vector<const cluster::Host*> HostsOf(const cluster::PriorityHosts& priority) {
  std::vector<const cluster::Host*> hosts;
  for (const auto* list : {&priority.all, &priority.idle}) {
    for (const cluster::HostPtr& host : *list) hosts.push_back(host.get());
  }
  return hosts;
}

void WriteBreakers(Json& json, std::string_view priority, const cluster::ClusterLimits& limits) {
  json.Open('{');
  if (!priority.empty()) json.Key("priority").Text(priority);
  json.Key("max_connections").Number(limits.connections.most());
  json.Key("max_pending_requests").Number(limits.pending.most());
  json.Key("max_requests").Number(limits.requests.most());
  json.Key("max_retries").Number(limits.retries_most()).Close('}');
}

// A Timestamp without a fraction, as protobuf's JSON form writes it.
std::string WholeSeconds(WallTime time) {
  std::string text = FormatRfc3339(time);
  if (text.ends_with(".000Z")) text.replace(text.size() - 5, 5, "Z");
  return text;
}

void WriteCertificates(Json& json, const std::vector<CertificateInfo>& certificates, WallTime now) {
  json.Open('[');
  for (const CertificateInfo& one : certificates) {
    json.Open('{').Key("path").Text(one.path).Key("serial_number").Text(one.serial_number);
    json.Key("subject_alt_names").Open('[');
    for (const std::string& uri : one.uri_sans) json.Open('{').Key("uri").Text(uri).Close('}');
    for (const std::string& dns : one.dns_sans) json.Open('{').Key("dns").Text(dns).Close('}');
    const auto days = std::chrono::duration_cast<std::chrono::days>(one.expires - now).count();
    json.Close(']').Key("days_until_expiration").Text(static_cast<std::uint64_t>(std::max<std::int64_t>(days, 0)));
    json.Key("valid_from").Text(WholeSeconds(one.valid_from));
    json.Key("expiration_time").Text(WholeSeconds(one.expires)).Close('}');
  }
  json.Close(']');
}

std::string Seconds(Duration value) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(value).count()) + "s";
}

}  // namespace

std::string_view StateName(ServerState state) noexcept {
  switch (state) {
    case ServerState::kLive: return "LIVE";
    case ServerState::kDraining: return "DRAINING";
    case ServerState::kPreInitializing: return "PRE_INITIALIZING";
    case ServerState::kInitializing: return "INITIALIZING";
  }
  return "INITIALIZING";
}

std::string ServerInfoJson(const ServerInfo& info) {
  Json json;
  json.Open('{').Key("version").Text(info.version).Key("state").Text(StateName(info.state));
  json.Key("uptime_current_epoch").Text(Seconds(info.uptime));
  json.Key("uptime_all_epochs").Text(Seconds(info.uptime));
  json.Key("hot_restart_version").Text(info.hot_restart_version);
  json.Key("command_line_options").Open('{').Key("concurrency").Number(info.concurrency);
  json.Key("config_path").Text(info.config_path).Key("mode").Text(info.mode).Key("log_level").Text(info.log_level);
  json.Key("service_cluster").Text(info.service_cluster).Key("service_node").Text(info.service_node);
  json.Key("drain_time").Text(Seconds(info.drain_time)).Key("drain_strategy").Text("Immediate");
  json.Key("disable_hot_restart").Bool(true).Key("restart_epoch").Number(0).Close('}');
  const NodeInfo& node = info.node;
  json.Key("node").Open('{').Key("id").Text(node.id).Key("cluster").Text(node.cluster);
  json.Key("metadata").Raw(node.metadata_json.empty() ? "{}" : node.metadata_json);
  json.Key("user_agent_name").Text(node.user_agent_name).Key("user_agent_version").Text(node.user_agent_version);
  json.Close('}').Close('}');
  return json.Take() + "\n";
}

std::string ClustersText(const std::vector<ClusterInfo>& clusters) {
  std::string out;
  for (const auto& [one, added_via_api] : clusters) {
    const std::string& name = one->name();
    const auto line = [&](std::string_view key, std::string_view value) {
      out.append(name).append("::").append(key).append("::").append(value).append("\n");
    };
    line("observability_name", one->config->alt_stat_name.empty() ? name : one->config->alt_stat_name);
    if (one->config->outlier_detection)
      for (const char* origin : {"", "local_origin_"})
        for (const char* stat : {"success_rate_average", "success_rate_ejection_threshold"})
          line("outlier::" + std::string(origin) + stat, "-1");
    for (int priority = 0; priority < 2; ++priority) {
      const std::string prefix = priority == 0 ? "default_priority::" : "high_priority::";
      const cluster::ClusterLimits& limits = one->state->limits[static_cast<std::size_t>(priority)];
      line(prefix + "max_connections", std::to_string(limits.connections.most()));
      line(prefix + "max_pending_requests", std::to_string(limits.pending.most()));
      line(prefix + "max_requests", std::to_string(limits.requests.most()));
      line(prefix + "max_retries", std::to_string(limits.retries_most()));
    }
    line("added_via_api", added_via_api ? "true" : "false");
    if (!one->config->eds_service_name.empty()) line("eds_service_name", one->config->eds_service_name);
    for (std::size_t priority = 0; priority < one->priorities.size(); ++priority) {
      for (const cluster::Host* host : HostsOf(one->priorities[priority])) {
        const std::string prefix = host->address().ToString() + "::";
        std::vector<NamedStat> stats = StatsOf(host->stats());
        std::ranges::sort(stats, {}, &NamedStat::name);
        for (const NamedStat& stat : stats) line(prefix + std::string(stat.name), std::to_string(stat.value));
        line(prefix + "hostname", host->facts().hostname);
        line(prefix + "health_flags", HealthFlags(*host));
        line(prefix + "weight", std::to_string(host->weight()));
        line(prefix + "region", host->facts().locality.region);
        line(prefix + "zone", host->facts().locality.zone);
        line(prefix + "sub_zone", host->facts().locality.sub_zone);
        line(prefix + "canary", host->facts().canary ? "true" : "false");
        line(prefix + "priority", std::to_string(priority));
        line(prefix + "success_rate", "-1");
        line(prefix + "local_origin_success_rate", "-1");
      }
    }
  }
  return out;
}

std::string ClustersJson(const std::vector<ClusterInfo>& clusters) {
  Json json;
  json.Open('{').Key("cluster_statuses").Open('[');
  for (const auto& [one, added_via_api] : clusters) {
    const std::string& name = one->name();
    json.Open('{').Key("name").Text(name);
    if (added_via_api) json.Key("added_via_api").Bool(true);
    bool any = false;  // without a host Envoy leaves the field out
    for (std::size_t priority = 0; priority < one->priorities.size(); ++priority) {
      for (const cluster::Host* host : HostsOf(one->priorities[priority])) {
        if (!std::exchange(any, true)) json.Key("host_statuses").Open('[');
        WriteHost(json, *host, priority);
      }
    }
    if (any) json.Close(']');
    json.Key("circuit_breakers").Open('{').Key("thresholds").Open('[');
    WriteBreakers(json, "", one->state->limits[0]);
    WriteBreakers(json, "HIGH", one->state->limits[1]);
    json.Close(']').Close('}');
    json.Key("observability_name").Text(one->config->alt_stat_name.empty() ? name : one->config->alt_stat_name);
    if (!one->config->eds_service_name.empty()) json.Key("eds_service_name").Text(one->config->eds_service_name);
    json.Close('}');
  }
  json.Close(']').Close('}');
  return json.Take() + "\n";
}

std::string ListenersText(const std::vector<ListenerInfo>& listeners) {
  std::string out;
  for (const ListenerInfo& listener : listeners) {
    for (const io::SocketAddress& address : listener.addresses) out += listener.name + "::" + address.ToString() + "\n";
  }
  return out;
}

std::string ListenersJson(const std::vector<ListenerInfo>& listeners) {
  Json json;
  json.Open('{').Key("listener_statuses").Open('[');
  for (const ListenerInfo& listener : listeners) {
    json.Open('{').Key("name").Text(listener.name);
    if (!listener.addresses.empty()) {
      json.Key("local_address");
      WriteAddress(json, listener.addresses[0]);
    }
    if (listener.addresses.size() > 1) {
      json.Key("additional_local_addresses").Open('[');
      for (std::size_t i = 1; i < listener.addresses.size(); ++i) WriteAddress(json, listener.addresses[i]);
      json.Close(']');
    }
    json.Close('}');
  }
  json.Close(']').Close('}');
  return json.Take() + "\n";
}

std::string CertificatesJson(const std::vector<CertificateEntry>& certificates, WallTime now) {
  Json json;
  json.Open('{').Key("certificates").Open('[');
  for (const CertificateEntry& entry : certificates) {
    json.Open('{').Key("ca_cert");
    WriteCertificates(json, entry.ca, now);
    json.Key("cert_chain");
    WriteCertificates(json, entry.chain, now);
    json.Close('}');
  }
  json.Close(']').Close('}');
  return json.Take() + "\n";
}

MemoryUse ReadMemoryUse() {
  const struct mallinfo2 info = mallinfo2();
  std::uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return {.allocated = info.uordblks + info.hblkhd,
          .heap_size = info.arena + info.hblkhd,
          .free = info.fordblks,
          .physical = resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
}

std::string MemoryJson() {
  const MemoryUse use = ReadMemoryUse();
  Json json;
  json.Open('{').Key("allocated").Text(use.allocated).Key("heap_size").Text(use.heap_size);
  // glibc gives pages back without counting them, and has no cache a thread that it counts apart.
  json.Key("pageheap_unmapped").Text(std::uint64_t{0}).Key("pageheap_free").Text(use.free);
  json.Key("total_thread_cache").Text(std::uint64_t{0});
  json.Key("total_physical_bytes").Text(use.physical).Close('}');
  return json.Take() + "\n";
}

std::string RuntimeJson() { return "{\"entries\":{},\"layers\":[]}\n"; }

}  // namespace plait::proxy::admin
