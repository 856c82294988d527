#include "local/places.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/base/strings.h"

namespace plait::local {
namespace {

constexpr std::string_view kBegin = "${plait.";
constexpr std::string_view kAddress = "addr.";

bool Names(const Outlet& outlet, std::string_view service, std::string_view ns) {
  if (service == outlet.name) return !outlet.kubernetes || outlet.ns == ns;
  if (!outlet.kubernetes) return false;
  const std::string full = outlet.name + "." + outlet.ns;
  return service == full || service == full + ".svc" || service == full + ".svc.cluster.local";
}

// "reviews" or "reviews:9080".
std::optional<std::string> Address(std::string_view service, const PodNetwork& network, std::string_view ns) {
  if (network.netns) return std::string(service);
  const auto [name, port] = SplitOnce(service, ':');
  for (const Outlet& outlet : network.outlets) {
    if (!Names(outlet, name, ns)) continue;
    if (!port) return outlet.at.ip.ToString();
    if (*port == std::to_string(outlet.port.value) || (!port->empty() && *port == outlet.port_name))
      return outlet.at.ToString();
  }
  return std::nullopt;
}

std::optional<std::string> Place(std::string_view what, const PodNetwork& network, std::string_view ns) {
  if (what.starts_with(kAddress)) return Address(what.substr(kAddress.size()), network, ns);
  if (what != "bind") return std::nullopt;
  if (!network.netns) return network.application.ToString();
  return network.ips.size() > 1 ? "::" : "0.0.0.0";
}

// As Kubernetes makes names of variables: reviews-v1 -> REVIEWS_V1.
std::string VariableName(std::string_view name) {
  std::string out;
  for (const char c : name)
    out += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                                                       : '_';
  return out;
}

}  // namespace

std::string ExpandPlaces(std::string_view text, const PodNetwork& network, std::string_view ns, std::string* unknown) {
  std::string out;
  for (;;) {
    const std::size_t begin = text.find(kBegin);
    const std::size_t end = begin == std::string_view::npos ? begin : text.find('}', begin);
    if (end == std::string_view::npos) break;
    out += text.substr(0, begin);
    const std::string_view what = text.substr(begin + kBegin.size(), end - begin - kBegin.size());
    const std::optional<std::string> place = Place(what, network, ns);
    out += place ? std::string_view(*place) : text.substr(begin, end + 1 - begin);
    if (!place && unknown && unknown->empty()) *unknown = "plait." + std::string(what);
    text.remove_prefix(end + 1);
  }
  return out + std::string(text);
}

std::vector<EnvVar> ServiceVariables(const PodNetwork& network, const std::vector<MeshHost>& hosts,
                                     std::string_view ns) {
  std::vector<EnvVar> out;
  const auto add = [&](const std::string& service, const io::IpAddress& ip, const std::string& port_name, Port at) {
    const std::string prefix = VariableName(service) + "_SERVICE_";
    const bool first = std::none_of(out.begin(), out.end(), [&](const EnvVar& v) { return v.name == prefix + "HOST"; });
    const std::string port = std::to_string(at.value);
    if (first) out.push_back({prefix + "HOST", ip.ToString(), ""});
    if (first) out.push_back({prefix + "PORT", port, ""});
    if (!port_name.empty()) out.push_back({prefix + "PORT_" + VariableName(port_name), port, ""});
  };
  for (const Outlet& outlet : network.outlets)
    if (outlet.kubernetes && outlet.ns == ns) add(outlet.name, outlet.at.ip, outlet.port_name, outlet.at.port);
  if (!network.netns) return out;
  for (const MeshHost& host : hosts)
    if (host.kubernetes && host.ns == ns)
      for (const auto& [port_name, port] : host.ports) add(host.name, host.vip, port_name, port);
  return out;
}

}  // namespace plait::local
