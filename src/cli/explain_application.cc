#include "cli/explain_application.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

// Where the proxy of a workload listens itself (docs/architecture.md, Ports).
constexpr std::uint16_t kCapturePorts[] = {15001, 15006};
constexpr std::uint16_t kProxyPorts[] = {15000, 15020, 15021, 15053, 15090};
constexpr std::uint16_t kDns = 53;

template <class List>
bool Has(const List& ports, Port port) {
  return std::find(std::begin(ports), std::end(ports), port.value) != std::end(ports);
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
    const Json list = Json::parse(text, nullptr, false);
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

std::optional<io::IpAddress> OwnLoopback(const std::string& to) {
  if (EqualsIgnoreCase(to, "localhost")) return io::IpAddress::Parse("127.0.0.1").value();
  const auto ip = io::IpAddress::Parse(to);
  if (!ip || !ip->is_loopback()) return std::nullopt;
  return *ip;
}

Json ToOwnLoopback(const Party& own, const Ports& ports, const io::SocketAddress& to, bool tcp) {
  const std::string port = "port " + std::to_string(to.port.value);
  // The rules come in this order: a capture port is refused, DNS is taken, then what stays local is left alone.
  if (Has(kCapturePorts, to.port))
    return NoConnection("connection", port + " is where capture leads to; nobody connects to it by its own number",
                        "capture_port");
  if (to.port.value == kDns) {
    Json answer = tcp ? AnswerOf("application", true, "the DNS of its proxy", {{"forwarded", true}})
                      : NoConnection("application", "the DNS of its proxy, which does not answer HTTP", "dns_port");
    PutFirst({Capture::Kind::kTaken, "the connection to " + to.ToString() + " is taken to the DNS of the proxy"},
             answer);
    return answer;
  }
  const Capture capture = CaptureOut(own, /*loopback_mode=*/false, to);
  Json answer =
      AnswerOf("application", true,
               Has(kProxyPorts, to.port) ? port + " is its proxy's own"
                                         : own.workload + "'s own application on " + port +
                                               ", in plaintext; no proxy sees it, no policy of the mesh is asked",
               {{"forwarded", true}});
  if (capture.kind == Capture::Kind::kNoRules) {
    answer = NoAnswer();
  } else if (!Has(kProxyPorts, to.port)) {
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
