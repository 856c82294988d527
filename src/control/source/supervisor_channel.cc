#include "control/source/supervisor_channel.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/source/pod_json.h"
#include "core/base/json_text.h"
#include "core/base/log.h"

namespace plait::control::source {
namespace {
using Json = nlohmann::json;
static log::Component kLog("supervisor");
constexpr std::size_t kMaxLine = std::size_t{64} << 20;

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
  std::string list;
  for (const DesiredPod& pod : pods) list += (list.empty() ? "" : ",") + EncodePod(pod);
  return R"({"type":"pods","pods":[)" + list + "]}";
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
  return JsonText(Json{{"type", "services"}, {"ports", std::move(list)}});
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
  return JsonText(Json{{"type", "hosts"}, {"hosts", std::move(list)}});
}

Outcome<SupervisorMessage> DecodeSupervisorMessage(std::string_view line) {
  try {  // the library's errors are exceptions; they end here
    const Json json = ParseJsonMessage<Json>(line);
    const std::string type = json.value("type", "");
    if (type == "running") {
      RunningPods out;
      for (const Json& entry : json.at("pods")) {
        Outcome<DesiredPod> pod = DecodePod(JsonText(entry.at("pod")));
        if (!pod) return std::unexpected(pod.error());
        pod->ending = entry.at("leaving").get<bool>();
        out.push_back(std::move(*pod));
      }
      return out;
    }
    if (type != "status")
      return Explain(Errc::kInvalidInput, "the supervisor sent a message of unknown type \"" + type + "\"",
                     "plait and plaitd must be of one version");
    PodStatuses out;
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
  Line(JsonText(json));
}

void SupervisorChannel::Send(const std::vector<DesiredPod>& pods) { LineIfNew(EncodeDesired(pods), last_pods_); }

void SupervisorChannel::SendMessage(std::string_view severity, std::string_view text) {
  Line(JsonText(Json{{"type", "message"}, {"severity", severity}, {"text", text}}));
}

void SupervisorChannel::SendDefaults(const std::vector<std::string>& texts) {
  LineIfNew(JsonText(Json{{"type", "defaults"}, {"texts", texts}}), last_defaults_);
}

void SupervisorChannel::SendCaughtUp(std::uint64_t statuses) {
  Line(JsonText(Json{{"type", "caught_up"}, {"statuses", statuses}}));
}

void SupervisorChannel::SendGatewayPorts(const std::vector<GatewayPort>& ports) {
  Json list = Json::array();
  for (const GatewayPort& port : ports)
    list.push_back(
        {{"port", port.port}, {"gateways", port.gateways}, {"on_host", port.on_host}, {"scheme", port.scheme}});
  LineIfNew(JsonText(Json{{"type", "gateway_ports"}, {"ports", std::move(list)}}), last_ports_);
}

void SupervisorChannel::SendServices(const model::Snapshot& snapshot) {
  LineIfNew(EncodeServices(snapshot), last_services_);
}

void SupervisorChannel::SendHosts(const model::Snapshot& snapshot) { LineIfNew(EncodeHosts(snapshot), last_hosts_); }

void SupervisorChannel::LineIfNew(std::string line, std::string& last) {
  if (line == last) return;
  last = line;
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
    auto message = DecodeSupervisorMessage(line.ToString());
    if (!message)
      kLog.Warn(message.error().ToString());
    else if (auto* running = std::get_if<RunningPods>(&*message); running && events_.on_running)
      events_.on_running(std::move(*running));
    else if (auto* statuses = std::get_if<PodStatuses>(&*message); statuses && events_.on_status)
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
