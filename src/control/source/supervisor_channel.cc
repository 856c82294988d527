#include "control/source/supervisor_channel.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/log.h"

namespace plait::control::source {
namespace {
using Json = nlohmann::json;
static log::Component kLog("supervisor");
constexpr std::size_t kMaxLine = std::size_t{64} << 20;

std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }
std::int64_t Milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

Json ProbeJson(const model::Probe& probe) {
  constexpr const char* kKinds[] = {"http", "tcp", "grpc", "exec"};
  Json out{{"kind", kKinds[static_cast<int>(probe.kind)]},
           {"port", probe.port},
           {"initial_delay_ms", Milliseconds(probe.initial_delay)},
           {"period_ms", Milliseconds(probe.period)},
           {"timeout_ms", Milliseconds(probe.timeout)},
           {"success_threshold", probe.success_threshold},
           {"failure_threshold", probe.failure_threshold}};
  if (probe.kind == model::Probe::Kind::kHttp) {
    out["path"] = probe.path;
    out["scheme"] = probe.scheme;
    out["headers"] = Json::array();
    for (const auto& [name, value] : probe.headers) out["headers"].push_back({{"name", name}, {"value", value}});
  }
  if (probe.kind == model::Probe::Kind::kGrpc) out["service"] = probe.path;
  if (probe.kind == model::Probe::Kind::kExec) out["argv"] = probe.argv;
  return out;
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
  if (!container.working_dir.empty()) out["working_dir"] = container.working_dir;
  if (container.readiness) out["readiness"] = ProbeJson(*container.readiness);
  if (container.liveness) out["liveness"] = ProbeJson(*container.liveness);
  if (container.startup) out["startup"] = ProbeJson(*container.startup);
  return out;
}

Json PodJson(const DesiredPod& pod) {
  const PodTemplate& spec = pod.spec;
  Json out{{"uid", pod.uid},
           {"name", pod.name},
           {"namespace", spec.name_space},
           {"service_account", spec.service_account},
           {"labels", spec.labels},
           {"annotations", spec.annotations},
           {"owner", pod.owner},
           {"owner_kind", pod.owner.empty() ? "" : model::OwnerKindName(pod.owner_kind)},
           {"hostname", spec.hostname.empty() ? pod.name : spec.hostname},
           {"subdomain", spec.subdomain},
           {"restart_policy", spec.restart_policy},
           {"grace_seconds", spec.grace_seconds},
           {"containers", Json::array()}};
  switch (spec.proxy) {
    case ProxyKind::kGateway: out["proxy"] = "gateway"; break;
    case ProxyKind::kDns: out["proxy"] = "dns"; break;
    case ProxyKind::kSidecar: out["proxy"] = true; break;
    case ProxyKind::kNone: out["proxy"] = false; break;
  }
  if (spec.max_restarts) out["max_restarts"] = *spec.max_restarts;
  if (spec.concurrency) out["concurrency"] = *spec.concurrency;
  for (const ResolvedContainer& container : spec.containers) out["containers"].push_back(ContainerJson(container));
  return out;
}

PodStatus StatusOf(const Json& json) {
  PodStatus out{.uid = json.at("uid").get<std::string>()};
  for (const Json& text : json.value("ips", Json::array()))
    if (const auto ip = io::IpAddress::Parse(text.get<std::string>())) out.ips.push_back(*ip);
  out.ready = json.value("ready", false);
  out.phase = json.value("phase", "Pending");
  out.token_sha256 = json.value("token_sha256", "");
  out.restarts = json.value("restarts", 0U);
  out.reason = json.value("reason", "");
  return out;
}
}  // namespace

std::string EncodeDesired(const std::vector<DesiredPod>& pods) {
  Json list = Json::array();
  for (const DesiredPod& pod : pods) list.push_back(PodJson(pod));
  return Dump({{"type", "pods"}, {"pods", std::move(list)}});
}

// What Kubernetes gives an address to: Services, not hosts of ServiceEntries.
std::string EncodeServices(const model::Snapshot& snapshot) {
  Json list = Json::array();
  for (const auto& view : snapshot.services()) {
    if (!view->service || view->headless) continue;
    for (const io::Cidr& vip : view->vips) {
      for (const model::ServicePort& port : view->ports) {
        Json endpoints = Json::array();
        for (const model::EndpointView& endpoint : view->EndpointsOf(port))
          for (const io::IpAddress& ip : endpoint.ips)
            if (endpoint.ready && ip.is_v4() == vip.base.is_v4())
              endpoints.push_back(io::SocketAddress{.ip = ip, .port = Port{endpoint.port}, .unix_path = {}}.ToString());
        list.push_back({{"at", io::SocketAddress{.ip = vip.base, .port = Port{port.port}, .unix_path = {}}.ToString()},
                        {"udp", port.protocol == model::Protocol::kUdp},
                        {"endpoints", std::move(endpoints)}});
      }
    }
  }
  return Dump({{"type", "services"}, {"ports", std::move(list)}});
}

// Those with an IPv4 address of their own: a headless service is its pods, and a wildcard host none in particular.
std::string EncodeHosts(const model::Snapshot& snapshot) {
  Json list = Json::array();
  for (const auto& view : snapshot.services()) {
    if (view->headless || view->alias_of != nullptr) continue;
    const auto vip = std::find_if(view->vips.begin(), view->vips.end(),
                                  [](const io::Cidr& range) { return range.base.is_v4() && range.length == 32; });
    if (vip == view->vips.end()) continue;
    Json ports = Json::array();
    for (const model::ServicePort& port : view->ports)
      if (port.protocol != model::Protocol::kUdp) ports.push_back({{"name", port.name}, {"port", port.port}});
    list.push_back({{"name", view->service ? view->name : view->hostname},
                    {"namespace", view->name_space},
                    {"kubernetes", view->service != nullptr},
                    {"vip", vip->base.ToString()},
                    {"ports", std::move(ports)}});
  }
  return Dump({{"type", "hosts"}, {"hosts", std::move(list)}});
}

Outcome<std::vector<PodStatus>> DecodeStatus(std::string_view line) {
  try {  // the library's errors are exceptions; they end here
    const Json json = Json::parse(line);
    if (json.value("type", "") != "status")
      return Explain(Errc::kInvalidInput,
                     "the supervisor sent a message of unknown type \"" + json.value("type", "") + "\"",
                     "plait and plaitd must be of one version");
    std::vector<PodStatus> out;
    for (const Json& pod : json.at("pods")) out.push_back(StatusOf(pod));
    return out;
  } catch (const Json::exception& error) {
    return Explain(Errc::kInvalidInput, std::string("the supervisor sent a broken message: ") + error.what());
  }
}

SupervisorChannel::SupervisorChannel(std::unique_ptr<io::Stream> stream, Events events)
    : stream_(std::move(stream)), events_(std::move(events)) {
  stream_->SetEvents(this);
}
SupervisorChannel::~SupervisorChannel() { stream_->SetEvents(nullptr); }

void SupervisorChannel::Send(const Hello& hello) {
  Json json{{"type", "hello"},
            {"root_pem", hello.root_pem},
            {"xds_port", hello.xds_port},
            {"trust_domain", hello.trust_domain}};
  json["error"] = hello.error.empty() ? Json(nullptr) : Json(hello.error);
  Line(Dump(json));
}

void SupervisorChannel::Send(const std::vector<DesiredPod>& pods) {
  std::string line = EncodeDesired(pods);
  if (line == last_pods_) return;
  last_pods_ = line;
  Line(std::move(line));
}

void SupervisorChannel::SendMessage(std::string_view severity, std::string_view text) {
  Line(Dump({{"type", "message"}, {"severity", severity}, {"text", text}}));
}

void SupervisorChannel::SendCaughtUp(std::uint64_t statuses) {
  Line(Dump({{"type", "caught_up"}, {"statuses", statuses}}));
}

void SupervisorChannel::SendGatewayPorts(const std::vector<std::uint16_t>& ports) {
  std::string line = Dump({{"type", "gateway_ports"}, {"ports", ports}});
  if (line == last_ports_) return;
  last_ports_ = line;
  Line(std::move(line));
}

void SupervisorChannel::SendServices(const model::Snapshot& snapshot) {
  std::string line = EncodeServices(snapshot);
  if (line == last_services_) return;
  last_services_ = line;
  Line(std::move(line));
}

void SupervisorChannel::SendHosts(const model::Snapshot& snapshot) {
  std::string line = EncodeHosts(snapshot);
  if (line == last_hosts_) return;
  last_hosts_ = line;
  Line(std::move(line));
}

void SupervisorChannel::Line(std::string line) {
  if (closed_) return;
  line += '\n';
  out_.Append(line);
  Flush();
}

void SupervisorChannel::Flush() {
  while (!out_.empty() && !closed_) {
    const auto written = stream_->Write(out_);
    if (!written || *written == 0) return;  // a failure comes as OnFailed
  }
}

void SupervisorChannel::OnReadable() {
  for (;;) {
    const auto n = stream_->Read(in_, 256 * 1024);
    if (!n) {
      if (!closed_ && events_.on_closed) {
        closed_ = true;
        events_.on_closed("the supervisor closed its channel");
      }
      return;
    }
    if (*n == 0) return TakeLines();
    TakeLines();
  }
}

void SupervisorChannel::TakeLines() {
  for (std::size_t end; (end = in_.Find("\n")) != std::string::npos;) {
    Buffer line;  // a table of all pods: of any length
    line.MoveFrom(in_, end);
    in_.Drain(1);
    auto statuses = DecodeStatus(line.ToString());
    if (!statuses)
      kLog.Warn(statuses.error().ToString());
    else if (events_.on_status)
      events_.on_status(std::move(*statuses));
  }
  if (in_.size() > kMaxLine) {
    kLog.Error("the supervisor sent a line that does not end");
    in_.Clear();
  }
}

void SupervisorChannel::OnFailed(Error error) {
  if (std::exchange(closed_, true)) return;
  if (events_.on_closed) events_.on_closed(error.detail);
}

}  // namespace plait::control::source
