#include "control/source/pod_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/encoding.h"
#include "core/base/json_text.h"

namespace plait::control::source {
namespace {
using Json = nlohmann::json;

constexpr const char* kProbeKinds[] = {"http", "tcp", "grpc", "exec"};
constexpr const char* kHookKinds[] = {"exec", "http", "sleep", "tcp"};

std::int64_t Milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

using Pairs = std::vector<std::pair<std::string, std::string>>;
Json PairsJson(const Pairs& pairs) {
  Json out = Json::array();
  for (const auto& [name, value] : pairs) out.push_back({{"name", name}, {"value", value}});
  return out;
}
Pairs PairsOf(const Json& json, const char* key) {
  Pairs out;
  for (const Json& entry : json.value(key, Json::array()))
    out.emplace_back(entry.at("name").get<std::string>(), entry.at("value").get<std::string>());
  return out;
}

Json ProbeJson(const model::Probe& probe) {
  Json out{{"kind", kProbeKinds[static_cast<int>(probe.kind)]},
           {"port", probe.port},
           {"initial_delay_ms", Milliseconds(probe.initial_delay)},
           {"period_ms", Milliseconds(probe.period)},
           {"timeout_ms", Milliseconds(probe.timeout)},
           {"success_threshold", probe.success_threshold},
           {"failure_threshold", probe.failure_threshold}};
  if (probe.kind == model::Probe::Kind::kHttp) {
    out["path"] = probe.path;
    out["scheme"] = probe.scheme;
    out["headers"] = PairsJson(probe.headers);
  }
  if (probe.kind == model::Probe::Kind::kGrpc) out["service"] = probe.path;
  if (probe.kind == model::Probe::Kind::kExec) out["argv"] = probe.argv;
  return out;
}

Json HookJson(const model::Hook& hook) {
  return {{"kind", kHookKinds[static_cast<int>(hook.kind)]},
          {"argv", hook.argv},
          {"port", hook.port},
          {"path", hook.path},
          {"scheme", hook.scheme},
          {"headers", PairsJson(hook.headers)},
          {"sleep_ms", Milliseconds(hook.sleep)}};
}

Json ContainerJson(const ResolvedContainer& container) {
  Json out{{"name", container.name}, {"argv", container.argv}, {"env", Json::array()}, {"ports", Json::array()}};
  for (const model::EnvVar& variable : container.env) {
    if (variable.field.empty())
      out["env"].push_back({{"name", variable.name}, {"value", variable.value}});
    else
      out["env"].push_back({{"name", variable.name}, {"field", variable.field}});
  }
  for (const model::ContainerPort& port : container.ports)
    out["ports"].push_back({{"name", port.name}, {"port", port.port}, {"protocol", port.protocol}});
  for (const model::VolumeMount& mount : container.mounts)
    out["mounts"].push_back(
        {{"volume", mount.volume}, {"path", mount.path}, {"sub_path", mount.sub_path}, {"read_only", mount.read_only}});
  if (!container.working_dir.empty()) out["working_dir"] = container.working_dir;
  if (container.readiness) out["readiness"] = ProbeJson(*container.readiness);
  if (container.liveness) out["liveness"] = ProbeJson(*container.liveness);
  if (container.startup) out["startup"] = ProbeJson(*container.startup);
  if (container.post_start) out["post_start"] = HookJson(*container.post_start);
  if (container.pre_stop) out["pre_stop"] = HookJson(*container.pre_stop);
  if (container.sidecar) out["sidecar"] = true;
  return out;
}

// Texts of files may be any bytes.
Json VolumeJson(const ResolvedVolume& volume) {
  Json files = Json::array();
  for (const VolumeFile& file : volume.files) {
    Json& out = files.emplace_back(Json{{"path", file.path}, {"mode", file.mode}});
    if (file.field.empty())
      out["base64"] = Base64Encode(AsBytes(file.text));
    else
      out["field"] = file.field;
  }
  return {{"name", volume.name}, {"empty_dir", volume.empty_dir}, {"files", std::move(files)}};
}

ResolvedVolume VolumeOf(const Json& json) {
  ResolvedVolume out{
      .name = json.at("name").get<std::string>(), .empty_dir = json.at("empty_dir").get<bool>(), .files = {}};
  for (const Json& file : json.at("files")) {
    const auto text = Base64Decode(file.value("base64", ""));
    if (!text) throw Json::other_error::create(501, "a file of a volume is not in base64", nullptr);
    out.files.push_back({.path = file.at("path").get<std::string>(),
                         .text = *text,
                         .field = file.value("field", ""),
                         .mode = file.at("mode").get<std::uint32_t>()});
  }
  return out;
}

Duration MillisecondsOf(const Json& json, const char* key) {
  constexpr std::int64_t kLongest = std::chrono::milliseconds(std::chrono::years(1)).count();
  return std::chrono::milliseconds(std::clamp<std::int64_t>(json.at(key).get<std::int64_t>(), 0, kLongest));
}

template <class Kind, std::size_t N>
Kind KindOf(const Json& json, const char* const (&names)[N]) {
  const auto kind = std::find(std::begin(names), std::end(names), json.at("kind").get<std::string>());
  if (kind == std::end(names)) throw Json::other_error::create(501, "unknown kind of probe or hook", nullptr);
  return static_cast<Kind>(kind - std::begin(names));
}

model::Probe ProbeOf(const Json& json) {
  model::Probe out;
  out.kind = KindOf<model::Probe::Kind>(json, kProbeKinds);
  out.port = json.at("port").get<std::uint16_t>();
  out.path = json.value(out.kind == model::Probe::Kind::kGrpc ? "service" : "path", "");
  out.scheme = json.value("scheme", "");
  out.headers = PairsOf(json, "headers");
  out.argv = json.value("argv", out.argv);
  out.initial_delay = MillisecondsOf(json, "initial_delay_ms");
  out.period = MillisecondsOf(json, "period_ms");
  out.timeout = MillisecondsOf(json, "timeout_ms");
  out.success_threshold = json.at("success_threshold").get<std::uint32_t>();
  out.failure_threshold = json.at("failure_threshold").get<std::uint32_t>();
  return out;
}

model::Hook HookOf(const Json& json) {
  return {.kind = KindOf<model::Hook::Kind>(json, kHookKinds),
          .argv = json.at("argv").get<std::vector<std::string>>(),
          .port = json.at("port").get<std::uint16_t>(),
          .path = json.at("path").get<std::string>(),
          .scheme = json.at("scheme").get<std::string>(),
          .headers = PairsOf(json, "headers"),
          .sleep = MillisecondsOf(json, "sleep_ms")};
}

ResolvedContainer ContainerOf(const Json& json) {
  ResolvedContainer out{.name = json.at("name").get<std::string>(),
                        .sidecar = json.value("sidecar", false),
                        .argv = json.at("argv").get<std::vector<std::string>>(),
                        .env = {},
                        .ports = {},
                        .mounts = {},
                        .working_dir = json.value("working_dir", ""),
                        .readiness = {},
                        .liveness = {},
                        .startup = {}};
  for (const Json& variable : json.at("env"))
    out.env.push_back({.name = variable.at("name").get<std::string>(),
                       .value = variable.value("value", ""),
                       .field = variable.value("field", "")});
  for (const Json& port : json.at("ports"))
    out.ports.push_back({.name = port.at("name").get<std::string>(),
                         .port = port.at("port").get<std::uint16_t>(),
                         .protocol = port.at("protocol").get<std::string>()});
  for (const Json& mount : json.value("mounts", Json::array()))
    out.mounts.push_back({.volume = mount.at("volume").get<std::string>(),
                          .path = mount.at("path").get<std::string>(),
                          .sub_path = mount.at("sub_path").get<std::string>(),
                          .read_only = mount.at("read_only").get<bool>()});
  for (const auto& [key, probe] :
       {std::pair{"readiness", &out.readiness}, {"liveness", &out.liveness}, {"startup", &out.startup}})
    if (json.contains(key)) *probe = ProbeOf(json.at(key));
  for (const auto& [key, hook] : {std::pair{"post_start", &out.post_start}, {"pre_stop", &out.pre_stop}})
    if (json.contains(key)) *hook = HookOf(json.at(key));
  return out;
}

ProxyKind ProxyOf(const Json& json) {
  if (json == "gateway") return ProxyKind::kGateway;
  if (json == "dns") return ProxyKind::kDns;
  return json.get<bool>() ? ProxyKind::kSidecar : ProxyKind::kNone;
}

model::OwnerKind OwnerKindOf(const std::string& name) {
  for (const auto kind : {model::OwnerKind::kDeployment, model::OwnerKind::kStatefulSet, model::OwnerKind::kJob})
    if (name == model::OwnerKindName(kind)) return kind;
  return model::OwnerKind::kNone;
}

model::PodDns DnsOf(const Json& json) {
  return {.policy = json.at("policy").get<std::string>(),
          .searches = json.at("searches").get<std::vector<std::string>>(),
          .options = PairsOf(json, "options")};
}

PodTemplate SpecOf(const Json& json, const std::string& name) {
  PodTemplate out;
  out.name_space = json.at("namespace").get<std::string>();
  out.service_account = json.at("service_account").get<std::string>();
  out.labels = json.at("labels").get<model::Labels>();
  out.annotations = json.at("annotations").get<model::Labels>();
  out.hostname = json.at("hostname").get<std::string>();
  if (out.hostname == name) out.hostname.clear();
  out.subdomain = json.at("subdomain").get<std::string>();
  out.node_name = json.at("node_name").get<std::string>();
  out.host_network = json.at("host_network").get<bool>();
  out.service_links = json.value("service_links", true);
  out.restart_policy = json.at("restart_policy").get<std::string>();
  out.grace_seconds = json.at("grace_seconds").get<std::uint32_t>();
  out.proxy = ProxyOf(json.at("proxy"));
  if (json.contains("max_restarts")) out.max_restarts = json.at("max_restarts").get<std::uint32_t>();
  if (json.contains("concurrency")) out.concurrency = json.at("concurrency").get<std::uint32_t>();
  for (const Json& alias : json.value("host_aliases", Json::array()))
    out.host_aliases.push_back(
        {.ip = alias.at("ip").get<std::string>(), .names = alias.at("names").get<std::vector<std::string>>()});
  if (json.contains("dns")) out.dns = DnsOf(json.at("dns"));
  for (const Json& volume : json.value("volumes", Json::array())) out.volumes.push_back(VolumeOf(volume));
  for (const Json& container : json.at("init_containers")) out.init_containers.push_back(ContainerOf(container));
  for (const Json& container : json.at("containers")) out.containers.push_back(ContainerOf(container));
  return out;
}
Json PodToJson(const DesiredPod& pod) {
  const PodTemplate& spec = pod.spec;
  Json out{{"uid", pod.uid},
           {"name", pod.name},
           {"namespace", spec.name_space},
           {"service_account", spec.service_account},
           {"labels", spec.labels},
           {"annotations", spec.annotations},
           {"owner", pod.owner},
           {"owner_kind", pod.owner.empty() ? "" : model::OwnerKindName(pod.owner_kind)},
           {"completions", pod.completions},
           {"hostname", spec.hostname.empty() ? pod.name : spec.hostname},
           {"subdomain", spec.subdomain},
           {"node_name", spec.node_name},
           {"host_network", spec.host_network},
           {"service_links", spec.service_links},
           {"restart_policy", spec.restart_policy},
           {"grace_seconds", spec.grace_seconds},
           {"hash", pod.hash},
           {"set", pod.set},
           {"index", pod.index},
           {"init_containers", Json::array()},
           {"containers", Json::array()}};
  switch (spec.proxy) {
    case ProxyKind::kGateway: out["proxy"] = "gateway"; break;
    case ProxyKind::kDns: out["proxy"] = "dns"; break;
    case ProxyKind::kSidecar: out["proxy"] = true; break;
    case ProxyKind::kNone: out["proxy"] = false; break;
  }
  if (spec.max_restarts) out["max_restarts"] = *spec.max_restarts;
  if (spec.concurrency) out["concurrency"] = *spec.concurrency;
  for (const model::HostAlias& alias : spec.host_aliases)
    out["host_aliases"].push_back({{"ip", alias.ip}, {"names", alias.names}});
  if (spec.dns != model::PodDns{})
    out["dns"] = {
        {"policy", spec.dns.policy}, {"searches", spec.dns.searches}, {"options", PairsJson(spec.dns.options)}};
  for (const ResolvedVolume& volume : spec.volumes) out["volumes"].push_back(VolumeJson(volume));
  for (const ResolvedContainer& container : spec.init_containers)
    out["init_containers"].push_back(ContainerJson(container));
  for (const ResolvedContainer& container : spec.containers) out["containers"].push_back(ContainerJson(container));
  return out;
}

DesiredPod PodFromJson(const Json& json) {
  DesiredPod out;
  out.uid = json.at("uid").get<std::string>();
  out.name = json.at("name").get<std::string>();
  out.owner = json.at("owner").get<std::string>();
  out.owner_kind = OwnerKindOf(json.at("owner_kind").get<std::string>());
  out.completions = json.value("completions", 1U);
  out.spec = SpecOf(json, out.name);
  out.hash = json.at("hash").get<std::string>();
  out.set = json.at("set").get<std::string>();
  out.index = json.at("index").get<std::uint32_t>();
  return out;
}

}  // namespace

std::string EncodePod(const DesiredPod& pod) { return JsonText(PodToJson(pod)); }

Outcome<DesiredPod> DecodePod(std::string_view text) {
  try {  // the library's errors are exceptions; they end here
    return PodFromJson(ParseJsonMessage<Json>(text));
  } catch (const Json::exception& error) {
    return Explain(Errc::kInvalidInput, std::string("a pod is not as plaitd tells it: ") + error.what());
  }
}

}  // namespace plait::control::source
