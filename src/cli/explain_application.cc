#include "cli/explain_application.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/proxy_ports.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

bool IsProxysOwn(Port port) {
  return proxy_ports::Has(proxy_ports::kOpen, port) || proxy_ports::Has(proxy_ports::kLoopback, port);
}

bool Has(const std::vector<std::uint16_t>& ports, Port port) {
  return std::find(ports.begin(), ports.end(), port.value) != ports.end();
}

std::string ListOf(const std::vector<std::uint16_t>& ports) {
  std::string out;
  for (const std::uint16_t port : ports) out += (out.empty() ? "" : ", ") + std::to_string(port);
  return out;
}

std::string UndeclaredText(const Party& server, const std::vector<std::uint16_t>& ports, Port port, bool by_service) {
  const std::string text = "no container of " + server.workload + " declares port " + std::to_string(port.value) +
                           (ports.empty() ? "" : " (there is " + ListOf(ports) + ")") +
                           ", so perhaps nobody listens there: ";
  if (by_service) return text + "compare the Service's targetPort with the containerPort";
  return text + (ports.empty() ? "declare it as containerPort if somebody does"
                               : "ask with :" + std::to_string(ports.front()) + " behind TO");
}

// Why nobody may answer at that port; empty: nothing speaks against it.
std::string DoubtOf(const Party& server, const Ports& ports, Port port, bool by_service) {
  std::string doubt = server.unready.empty() ? "" : server.workload + " " + server.unready;
  if (!ports || Has(*ports, port) || (ports->empty() && by_service)) return doubt;
  return doubt + (doubt.empty() ? "" : "; ") + UndeclaredText(server, *ports, port, by_service);
}

}  // namespace

Ports PortsOfBootstrap(const Json& dump) {
  for (const Json& section : At(dump, "configs")) {
    // A text, which holds JSON.
    const std::string text = Text(section, {"bootstrap", "node", "metadata", "POD_PORTS"});
    const Json list = ParseJson(text);
    if (!list.is_array()) continue;
    std::vector<std::uint16_t> ports;
    for (const Json& one : list)
      if (const Json& port = At(one, "containerPort"); port.is_number_unsigned() && port <= 65535)
        ports.push_back(port.get<std::uint16_t>());
    return ports;
  }
  return std::nullopt;
}

Outcome<Port> DefaultPort(const Party& server, const Ports& ports) {
  if (!ports || ports->empty()) return Port{80};
  if (ports->size() == 1) return Port{ports->front()};
  return Explain(Errc::kInvalidInput, server.workload + " has several ports: " + ListOf(*ports),
                 "name one of them: :" + std::to_string(ports->front()) + " behind TO");
}

void DoubtApplication(const Party& server, const Ports& ports, Port port, bool by_service, Json& answer) {
  const std::string doubt = DoubtOf(server, ports, port, by_service);
  if (doubt.empty() || !At(answer, "steps").is_array()) return;
  for (Json& step : answer["steps"]) {
    if (Text(step, {"step"}) != "application" || At(step, "passes") != true) continue;
    step["passes"] = nullptr;
    step["text"] = Text(step, {"text"}) + "; " + doubt;
  }
}

bool DecideProxyPort(const Party& server, const Ports& ports, const Arrival& at, bool accepted, Json& answer) {
  if (server.proxy != "sidecar" || !IsProxysOwn(at.port)) return false;
  const bool open = proxy_ports::Has(proxy_ports::kOpen, at.port);
  if (!open && ports && Has(*ports, at.port)) return false;
  if (!At(answer, "steps").is_array()) return true;
  for (Json& step : answer["steps"]) {
    if (Text(step, {"step"}) != "application" || At(step, "passes") != true) continue;
    const std::string name = "port " + std::to_string(at.port.value) + " is its proxy's own";
    step["text"] = name;
    if (open) continue;
    step["passes"] = false;
    step["text"] =
        name + ", open at the loopback address only; ask it there: plait exec " + server.workload + " -- COMMAND";
    answer["verdict"] = UnreachedVerdict(accepted, at.tcp, "proxy_port");
  }
  return true;
}

Json ToDns(bool tcp, bool own) {
  const std::string dns = "the DNS of its proxy";
  if (own && tcp) return AnswerOf("application", true, dns, {{"forwarded", true}});
  const std::string text =
      dns + (tcp ? ", in the place of whoever is asked" : ", which does not answer HTTP") +
      (own ? "" : "; let the server have another port than 53 (of a Service, its port: its targetPort may stay)");
  return AnswerOf("application", false, text,
                  {{"forwarded", false},
                   {"result", tcp ? "answered by the DNS of the proxy" : "no answer"},
                   {"details", "dns_port"}});
}

std::optional<io::IpAddress> OwnLoopback(const std::string& to) {
  if (EqualsIgnoreCase(to, "localhost")) return io::IpAddress::Parse("127.0.0.1").value();
  const auto ip = io::IpAddress::Parse(to);
  if (!ip || !ip->is_loopback()) return std::nullopt;
  return *ip;
}

Json ToOwnLoopback(const Party& own, const Ports& ports, const io::SocketAddress& to, bool tcp) {
  const Capture capture = CaptureOut(own, /*loopback_mode=*/false, to, /*own=*/true);
  const std::string port = "port " + std::to_string(to.port.value);
  Json answer = NoAnswer();
  switch (capture.kind) {
    case Capture::Kind::kNoRules: break;
    case Capture::Kind::kRefused: answer = NotTaken(capture.kind, {.port = to.port}); break;
    case Capture::Kind::kDns: answer = ToDns(tcp, /*own=*/true); break;
    default:
      answer = AnswerOf("application", true,
                        own.workload + "'s own application on " + port +
                            ", in plaintext; no proxy sees it, no policy of the mesh is asked",
                        {{"forwarded", true}});
      if (IsProxysOwn(to.port))
        answer["steps"][0]["text"] = port + " is its proxy's own";
      else
        DoubtApplication(own, ports, to.port, /*by_service=*/false, answer);
  }
  PutFirst(capture, answer);
  return answer;
}

Json ToHostLoopback(const io::SocketAddress& to) {
  return AnswerOf("application", nullptr,
                  "in mode loopback a workload has no loopback of its own: " + to.ToString() +
                      " is whoever listens there on this host, past every proxy",
                  {{"forwarded", true}});
}

}  // namespace plait::cli
