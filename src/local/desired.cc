#include "local/desired.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/encoding.h"
#include "core/base/json_text.h"

namespace plait::local {
namespace {

using Json = nlohmann::json;

std::string Text(const Json& object, const char* key, const char* otherwise = "") {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}
std::int64_t Number(const Json& object, const char* key, std::int64_t otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}
Port PortOf(const Json& object, const char* key) { return Port{static_cast<std::uint16_t>(Number(object, key, 0))}; }
// Kubernetes' times are 32-bit seconds; what a Duration cannot hold is none of them.
template <class Unit>
Duration Time(const Json& object, const char* key, std::int64_t otherwise) {
  constexpr Unit kLongest = std::chrono::duration_cast<Unit>(Duration::max());
  return Unit(std::clamp<std::int64_t>(Number(object, key, otherwise), 0, kLongest.count()));
}
Duration Milliseconds(const Json& object, const char* key, std::int64_t otherwise) {
  return Time<std::chrono::milliseconds>(object, key, otherwise);
}

std::vector<std::pair<std::string, std::string>> Pairs(const Json& object, const char* key) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto found = object.find(key);
  if (found == object.end()) return out;
  if (found->is_object()) {
    for (const auto& [name, value] : found->items()) out.emplace_back(name, value.get<std::string>());
  } else if (found->is_array()) {  // header fields: ordered, may repeat
    for (const Json& entry : *found) out.emplace_back(Text(entry, "name"), Text(entry, "value"));
  }
  return out;
}

std::vector<std::string> Texts(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? found->get<std::vector<std::string>>()
                                                    : std::vector<std::string>{};
}

std::optional<ProbeSpec> ProbeOf(const Json& container, const char* key) {
  const auto found = container.find(key);
  if (found == container.end() || found->is_null()) return std::nullopt;
  const Json& json = *found;
  ProbeSpec probe;
  const std::string kind = Text(json, "kind");
  probe.kind = kind == "http"   ? ProbeSpec::Kind::kHttp
               : kind == "grpc" ? ProbeSpec::Kind::kGrpc
               : kind == "exec" ? ProbeSpec::Kind::kExec
                                : ProbeSpec::Kind::kTcp;
  probe.port = PortOf(json, "port");
  probe.path = Text(json, "path", "/");
  probe.https = Text(json, "scheme") == "HTTPS";
  probe.service = Text(json, "service");
  probe.headers = Pairs(json, "headers");
  probe.argv = Texts(json, "argv");
  probe.initial_delay = Milliseconds(json, "initial_delay_ms", 0);
  probe.period = std::max<Duration>(Milliseconds(json, "period_ms", 10000), std::chrono::milliseconds(100));
  probe.timeout = std::max<Duration>(Milliseconds(json, "timeout_ms", 1000), std::chrono::milliseconds(10));
  probe.success_threshold = static_cast<int>(Number(json, "success_threshold", 1));
  probe.failure_threshold = static_cast<int>(Number(json, "failure_threshold", 3));
  return probe;
}

std::optional<HookSpec> HookOf(const Json& container, const char* key) {
  const auto found = container.find(key);
  if (found == container.end() || found->is_null()) return std::nullopt;
  const Json& json = *found;
  const std::string kind = Text(json, "kind");
  return HookSpec{.kind = kind == "http"    ? HookSpec::Kind::kHttp
                          : kind == "sleep" ? HookSpec::Kind::kSleep
                          : kind == "tcp"   ? HookSpec::Kind::kTcp
                                            : HookSpec::Kind::kExec,
                  .argv = Texts(json, "argv"),
                  .port = PortOf(json, "port"),
                  .path = Text(json, "path", "/"),
                  .https = Text(json, "scheme") == "HTTPS",
                  .headers = Pairs(json, "headers"),
                  .sleep = Milliseconds(json, "sleep_ms", 0)};
}

DnsSpec DnsOf(const Json& json) {
  const std::string policy = Text(json, "policy");
  return {.policy = policy == "Default" ? DnsSpec::Policy::kDefault
                    : policy == "None"  ? DnsSpec::Policy::kNone
                                        : DnsSpec::Policy::kClusterFirst,
          .searches = Texts(json, "searches"),
          .options = Pairs(json, "options")};
}

VolumeSpec VolumeOf(const Json& json) {
  VolumeSpec out{.name = Text(json, "name"), .empty_dir = json.value("empty_dir", false), .files = {}};
  for (const Json& entry : json.value("files", Json::array()))
    out.files.push_back({.path = Text(entry, "path"),
                         .text = Base64Decode(Text(entry, "base64")).value_or(""),
                         .field = Text(entry, "field"),
                         .mode = static_cast<unsigned>(Number(entry, "mode", 0644)) & 0777U});
  return out;
}

std::vector<MountSpec> MountsOf(const Json& container) {
  std::vector<MountSpec> out;
  for (const Json& entry : container.value("mounts", Json::array()))
    out.push_back({.volume = Text(entry, "volume"),
                   .path = Text(entry, "path"),
                   .sub_path = Text(entry, "sub_path"),
                   .read_only = entry.value("read_only", false)});
  return out;
}

ContainerSpec ContainerOf(const Json& json) {
  ContainerSpec out;
  out.name = Text(json, "name");
  out.argv = Texts(json, "argv");
  out.working_dir = Text(json, "working_dir");
  if (const auto env = json.find("env"); env != json.end())
    for (const Json& entry : *env) out.env.push_back({Text(entry, "name"), Text(entry, "value"), Text(entry, "field")});
  if (const auto ports = json.find("ports"); ports != json.end())
    for (const Json& entry : *ports)
      if (Text(entry, "protocol", "TCP") == "TCP") out.ports.emplace_back(Text(entry, "name"), PortOf(entry, "port"));
  out.mounts = MountsOf(json);
  out.readiness = ProbeOf(json, "readiness");
  out.liveness = ProbeOf(json, "liveness");
  out.startup = ProbeOf(json, "startup");
  out.post_start = HookOf(json, "post_start");
  out.pre_stop = HookOf(json, "pre_stop");
  return out;
}

ProxyKind ProxyOf(const Json& json) {
  const auto found = json.find("proxy");
  if (found == json.end()) return ProxyKind::kNone;
  if (found->is_string() && *found == "gateway") return ProxyKind::kGateway;
  if (found->is_string() && *found == "dns") return ProxyKind::kDns;
  return found->is_boolean() && found->get<bool>() ? ProxyKind::kSidecar : ProxyKind::kNone;
}

PodSpec PodOf(const Json& json) {
  PodSpec out;
  out.uid = Text(json, "uid");
  out.name = Text(json, "name");
  out.ns = Text(json, "namespace", "default");
  out.service_account = Text(json, "service_account", "default");
  out.labels = Pairs(json, "labels");
  out.annotations = Pairs(json, "annotations");
  out.owner = Text(json, "owner");
  out.owner_kind = Text(json, "owner_kind");
  out.completions = static_cast<int>(Number(json, "completions", 1));
  out.hostname = Text(json, "hostname");
  if (out.hostname.empty()) out.hostname = out.name;
  out.subdomain = Text(json, "subdomain");
  const std::string policy = Text(json, "restart_policy", "Always");
  out.restart_policy = policy == "Never"       ? RestartPolicy::kNever
                       : policy == "OnFailure" ? RestartPolicy::kOnFailure
                                               : RestartPolicy::kAlways;
  if (json.contains("max_restarts")) out.max_restarts = static_cast<int>(Number(json, "max_restarts", 0));
  out.grace = Time<std::chrono::seconds>(json, "grace_seconds", 30);
  out.service_links = json.value("service_links", true);
  out.proxy = ProxyOf(json);
  out.concurrency = static_cast<int>(Number(json, "concurrency", 0));
  for (const Json& alias : json.value("host_aliases", Json::array()))
    out.host_aliases.push_back({.ip = Text(alias, "ip"), .names = Texts(alias, "names")});
  if (const auto dns = json.find("dns"); dns != json.end()) out.dns = DnsOf(*dns);
  for (const Json& volume : json.value("volumes", Json::array())) out.volumes.push_back(VolumeOf(volume));
  if (const auto containers = json.find("init_containers"); containers != json.end())
    for (const Json& entry : *containers) {
      ContainerSpec& container = out.init_containers.emplace_back(ContainerOf(entry));
      container.kind = entry.value("sidecar", false) ? ContainerSpec::Kind::kSidecar : ContainerSpec::Kind::kInit;
    }
  if (const auto containers = json.find("containers"); containers != json.end())
    for (const Json& entry : *containers) out.containers.push_back(ContainerOf(entry));
  out.told = JsonText(json);
  return out;
}

// Addresses are ours on both sides: one that cannot be read is left out.
Services ServicesOf(const Json& json) {
  Services out;
  for (const Json& entry : json.at("ports")) {
    const Result<io::SocketAddress> at = io::SocketAddress::Parse(Text(entry, "at"));
    if (!at) continue;
    node::ServicePort port{.at = *at, .udp = entry.value("udp", false), .endpoints = {}};
    for (const std::string& text : Texts(entry, "endpoints"))
      if (const auto endpoint = io::SocketAddress::Parse(text)) port.endpoints.push_back(*endpoint);
    out.ports.push_back(std::move(port));
  }
  return out;
}

MeshHosts HostsOf(const Json& json) {
  MeshHosts out;
  for (const Json& entry : json.at("hosts")) {
    const Result<io::IpAddress> vip = io::IpAddress::Parse(Text(entry, "vip"));
    if (!vip) continue;
    MeshHost host{.name = Text(entry, "name"),
                  .ns = Text(entry, "namespace"),
                  .kubernetes = entry.value("kubernetes", false),
                  .vip = *vip,
                  .ports = {}};
    for (const Json& port : entry.at("ports")) host.ports.emplace_back(Text(port, "name"), PortOf(port, "port"));
    out.hosts.push_back(std::move(host));
  }
  return out;
}

Outcome<PlaitdMessage> MessageOf(const Json& json) {
  const std::string type = Text(json, "type");
  if (type == "hello")
    return Hello{Text(json, "root_pem"), PortOf(json, "xds_port"), Text(json, "trust_domain"), Text(json, "error")};
  if (type == "message") return Notice{Text(json, "severity", "info"), Text(json, "text")};
  if (type == "defaults") return Defaults{Texts(json, "texts")};
  if (type == "gateway_ports") {
    GatewayPorts out;
    for (const Json& port : json.at("ports"))
      out.ports.push_back({.port = Port{port.at("port").get<std::uint16_t>()},
                           .gateways = Texts(port, "gateways"),
                           .on_host = port.at("on_host").get<bool>(),
                           .scheme = Text(port, "scheme")});
    return out;
  }
  if (type == "services") return ServicesOf(json);
  if (type == "hosts") return HostsOf(json);
  if (type == "caught_up") return CaughtUp{static_cast<std::uint64_t>(Number(json, "statuses", 0))};
  if (type == "pods") {
    DesiredPods out;
    for (const Json& pod : json.at("pods")) out.pods.push_back(PodOf(pod));
    return out;
  }
  return Explain(Errc::kInvalidInput, "plaitd sent a message of unknown type \"" + type + "\"");
}

const std::string* Find(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view key) {
  for (const auto& [name, value] : pairs)
    if (name == key) return &value;
  return nullptr;
}

}  // namespace

bool ServerPort::IsServedBy(const PodSpec& pod) const {
  return pod.proxy == ProxyKind::kGateway &&
         std::find(gateways.begin(), gateways.end(), pod.OwnerKey()) != gateways.end();
}
bool ServerPort::IsOnHostFor(const PodSpec& pod) const {
  return on_host && IsServedBy(pod) && gateways.front() == pod.OwnerKey();
}

std::string PodSpec::OwnerKey() const { return ns + (owner.empty() ? "/Pod/" + name : "/" + owner); }
const std::string* PodSpec::Label(std::string_view key) const { return Find(labels, key); }
const std::string* PodSpec::Annotation(std::string_view key) const { return Find(annotations, key); }

Outcome<PlaitdMessage> DecodePlaitdMessage(std::string_view line) {
  try {  // the library's errors are exceptions; they end here
    return MessageOf(ParseJsonMessage<Json>(line));
  } catch (const Json::exception& error) {
    return Explain(Errc::kInvalidInput, std::string("plaitd sent a broken message: ") + error.what());
  }
}

std::string EncodeRunning(const std::vector<RunningPod>& pods) {
  std::string list;
  for (const RunningPod& pod : pods)
    list += (list.empty() ? "" : ",") + (R"({"leaving":)" + std::string(pod.leaving ? "true" : "false")) +
            R"(,"pod":)" + pod.spec.told + "}";
  return R"({"type":"running","pods":[)" + list + "]}\n";
}

std::string EncodeStatus(const std::vector<PodStatus>& pods) {
  Json list = Json::array();
  for (const PodStatus& pod : pods)
    list.push_back({{"uid", pod.uid},
                    {"ips", pod.ips},
                    {"ready", pod.ready},
                    {"phase", pod.phase},
                    {"token_sha256", pod.token_sha256},
                    {"restarts", pod.restarts},
                    {"reason", pod.reason}});
  return JsonText(Json{{"type", "status"}, {"pods", std::move(list)}}) + "\n";
}

}  // namespace plait::local
