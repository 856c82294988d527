#include "node/capture_rules.h"

#include <algorithm>
#include <span>

#include "core/base/capture_annotations.h"
#include "core/base/proxy_ports.h"
#include "core/base/strings.h"
#include "node/service_rules.h"

namespace plait::node {
namespace {

namespace annotation = capture_annotations;

std::string PortList(std::span<const Port> ports) {
  std::string out;
  for (const Port port : ports) out += (out.empty() ? "" : ", ") + std::to_string(port.value);
  return out;
}

std::string RangeList(const std::vector<io::Cidr>& ranges, bool v4) {
  std::string out;
  for (const io::Cidr& range : ranges)
    if (range.base.is_v4() == v4) out += (out.empty() ? "" : ", ") + range.ToString();
  return out;
}

std::string Set(std::string_view name, std::string_view type, const std::string& elements) {
  std::string out = "  set " + std::string(name) + " { type " + std::string(type) + "; flags interval; auto-merge;";
  if (!elements.empty()) out += " elements = { " + elements + " }";
  return out + " }\n";
}

std::string Sets(const CaptureRules& rules) {
  std::string excluded_in = PortList(proxy_ports::kOpen);
  if (!rules.exclude_inbound_ports.empty()) excluded_in += ", " + PortList(rules.exclude_inbound_ports);
  std::string out = Set("in_excl", "inet_service", excluded_in);
  out += Set("in_incl", "inet_service", PortList(rules.include_inbound_ports));
  out += Set("out_excl", "inet_service", PortList(rules.exclude_outbound_ports));
  out += Set("out_excl4", "ipv4_addr", RangeList(rules.exclude_outbound_ranges, true));
  out += Set("out_excl6", "ipv6_addr", RangeList(rules.exclude_outbound_ranges, false));
  out += Set("out_incl4", "ipv4_addr", RangeList(rules.include_outbound_ranges, true));
  out += Set("out_incl6", "ipv6_addr", RangeList(rules.include_outbound_ranges, false));
  return out;
}

// The order matters: the proxy's own marks first, then DNS (also to 127.0.0.53), then what stays local.
std::string OutputChain(const CaptureRules& rules) {
  std::string out =
      "  chain output { type nat hook output priority -100;\n"
      "    meta mark 0x539 accept\n"
      // The proxy calls its own workload by its pod address: through its inbound side, as from any other workload.
      "    meta mark 0x53a oifname != \"lo\" accept\n"
      "    meta mark 0x53a ip daddr 127.0.0.0/8 accept\n"
      "    meta mark 0x53a ip6 daddr ::1 accept\n"
      "    meta mark 0x53a meta l4proto tcp redirect to :15006\n";
  if (rules.capture_dns)
    out +=
        "    udp dport 53 redirect to :15053\n"
        "    tcp dport 53 redirect to :15053\n";
  out +=
      "    ip daddr 127.0.0.0/8 accept\n"
      "    ip6 daddr ::1 accept\n"
      "    ip daddr @out_excl4 accept\n"
      "    ip6 daddr @out_excl6 accept\n"
      "    tcp dport @out_excl accept\n";
  if (rules.limit_outbound_ranges)
    out +=
        "    ip daddr @out_incl4 meta l4proto tcp redirect to :15001\n"
        "    ip6 daddr @out_incl6 meta l4proto tcp redirect to :15001\n";
  else
    out += "    meta l4proto tcp redirect to :15001\n";
  return out + "  }\n";
}

// Capture ports have no meaning of their own: whoever dials one is refused before translation, from inside (at any own
// address) and from other workloads (where the redirect has already changed the port).
std::string CapturePortChains() {
  const std::string refused = "{ " + PortList(proxy_ports::kCapture) + " } reject with tcp reset\n  }\n";
  return "  chain own { type filter hook output priority -150;\n"
         "    oifname \"lo\" ct state new tcp dport " +
         refused +
         "  chain input { type filter hook input priority 0;\n"
         "    iifname != \"lo\" ct state new meta l4proto tcp ct original proto-dst " +
         refused;
}

// The proxy's own sockets do not leave the mesh's ranges.
std::string GuardChain(const CaptureRules& rules) {
  if (rules.mesh_ranges.empty()) return "";
  std::string out = "  chain guard { type filter hook output priority 0;\n";
  for (const bool v4 : {true, false}) {
    const std::string ranges = RangeList(rules.mesh_ranges, v4);
    out += "    ct state new meta mark { 0x539, 0x53a } meta l4proto tcp oifname != \"lo\" ";
    out += v4 ? "ip daddr != { " : "ip6 daddr != { ";
    out += ranges.empty() ? (v4 ? "127.0.0.0/8" : "::1") : ranges;
    out += " } reject with tcp reset\n";
  }
  return out + "  }\n";
}

Outcome<> ParsePorts(std::string_view name, std::string_view text, std::vector<Port>& out) {
  for (const std::string_view part : Split(text, ',')) {
    if (Trim(part).empty()) continue;
    const Result<Port> port = ParsePort(Trim(part));
    if (!port)
      return Explain(Errc::kInvalidInput,
                     "annotation " + std::string(name) + ": \"" + std::string(Trim(part)) + "\" is not a port",
                     "write a comma-separated list of ports, such as \"8080,9090\"");
    out.push_back(*port);
  }
  return {};
}

Outcome<> ParseRanges(std::string_view name, std::string_view text, std::vector<io::Cidr>& out) {
  for (const std::string_view part : Split(text, ',')) {
    if (Trim(part).empty()) continue;
    const Result<io::Cidr> range = io::Cidr::Parse(Trim(part));
    if (!range)
      return Explain(Errc::kInvalidInput,
                     "annotation " + std::string(name) + ": \"" + std::string(Trim(part)) + "\" is not an IP range",
                     "write a comma-separated list of ranges, such as \"10.0.0.0/8,fd00::/8\"");
    out.push_back(*range);
  }
  return {};
}

bool Has(const std::vector<io::Cidr>& ranges, const io::IpAddress& ip) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const io::Cidr& range) { return range.Contains(ip); });
}

// "port 9080 is one of traffic.sidecar.istio.io/excludeOutboundPorts"
std::string Because(const std::string& what, const char* relation, std::string_view name) {
  return what + relation + std::string(name);
}

}  // namespace

std::string ToNft(const CaptureRules& rules) {
  std::string out = "table inet plait {\n" + Sets(rules);
  out += "  chain prerouting { type nat hook prerouting priority dstnat;\n    tcp dport @in_excl accept\n";
  out += rules.limit_inbound_ports ? "    tcp dport @in_incl redirect to :15006\n"
                                   : "    meta l4proto tcp redirect to :15006\n";
  out += "  }\n" + OutputChain(rules) + CapturePortChains() + GuardChain(rules) + "}\n";
  return rules.service_ranges.empty() ? out : out + ServiceTable(rules.service_ranges);
}

bool LeavesOutbound(const CaptureRules& rules) {
  return rules.limit_outbound_ranges || !rules.exclude_outbound_ports.empty() || !rules.exclude_outbound_ranges.empty();
}

std::string RulesDifference(const std::string& then, const std::string& now) {
  if (then == now) return "";
  if (now.find("table inet plait {") == std::string::npos) return "the capture rules (table inet plait) are gone";
  // The first line of one that the other does not have.
  const auto missing = [](const std::string& from, const std::string& of) -> std::string {
    const std::vector<std::string_view> lines = Split(of, '\n');
    for (const std::string_view line : Split(from, '\n'))
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) return "\"" + std::string(Trim(line)) + "\"";
    return "";
  };
  if (const std::string line = missing(then, now); !line.empty()) return "the capture rules have lost " + line;
  const std::string line = missing(now, then);
  return line.empty() ? "the capture rules stand in another order" : "besides the capture rules there is " + line;
}

Outcome<CaptureRules> RulesFromAnnotations(const std::vector<std::pair<std::string, std::string>>& annotations) {
  CaptureRules rules;
  for (const auto& [name, value] : annotations) {
    const bool everything = Trim(value) == "*";
    Outcome<> parsed;
    if (name == annotation::kExcludeInboundPorts) {
      parsed = ParsePorts(name, value, rules.exclude_inbound_ports);
    } else if (name == annotation::kExcludeOutboundPorts) {
      parsed = ParsePorts(name, value, rules.exclude_outbound_ports);
    } else if (name == annotation::kExcludeOutboundRanges) {
      parsed = ParseRanges(name, value, rules.exclude_outbound_ranges);
    } else if (name == annotation::kIncludeInboundPorts && !everything) {
      rules.limit_inbound_ports = true;
      parsed = ParsePorts(name, value, rules.include_inbound_ports);
    } else if (name == annotation::kIncludeOutboundRanges && !everything) {
      rules.limit_outbound_ranges = true;
      parsed = ParseRanges(name, value, rules.include_outbound_ranges);
    }
    if (!parsed) return std::unexpected(parsed.error());
  }
  return rules;
}

Ruling RulingOut(const CaptureRules& rules, const io::SocketAddress& to, bool own) {
  using enum Ruling::Kind;
  const std::string ip = to.ip.ToString();
  const bool loopback = to.ip.is_loopback();
  if ((own || loopback) && proxy_ports::Has(proxy_ports::kCapture, to.port)) return {kRefused};
  if (rules.capture_dns && to.port == proxy_ports::kDnsQuestions) return {kToDns};
  if (loopback) return {kPast, ip + " is the workload itself"};
  if (Has(rules.exclude_outbound_ranges, to.ip))
    return {kPast, Because(ip, " is in ", annotation::kExcludeOutboundRanges)};
  if (proxy_ports::Has(rules.exclude_outbound_ports, to.port))
    return {kPast, Because("port " + std::to_string(to.port.value), " is one of ", annotation::kExcludeOutboundPorts)};
  if (rules.limit_outbound_ranges && !Has(rules.include_outbound_ranges, to.ip))
    return {kPast, Because(ip, " is not in ", annotation::kIncludeOutboundRanges)};
  return {};
}

Ruling RulingIn(const CaptureRules& rules, Port port, Dialler dialler) {
  using enum Ruling::Kind;
  if (proxy_ports::Has(proxy_ports::kCapture, port)) return {kRefused};
  // What stays in the workload's network is not translated a second time on its way in.
  if (dialler == Dialler::kOwnProxy) return {};
  if (dialler == Dialler::kItself) return {kPast, "it comes from the workload itself"};
  const std::string name = "port " + std::to_string(port.value);
  if (proxy_ports::Has(proxy_ports::kOpen, port)) return {kToOwnPort};
  if (proxy_ports::Has(rules.exclude_inbound_ports, port))
    return {kPast, Because(name, " is one of ", annotation::kExcludeInboundPorts)};
  if (rules.limit_inbound_ports && !proxy_ports::Has(rules.include_inbound_ports, port))
    return {kPast, Because(name, " is none of ", annotation::kIncludeInboundPorts)};
  return {};
}

}  // namespace plait::node
