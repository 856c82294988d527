#include "local/mode.h"

namespace plait::local {

const char* NameOf(Mode mode) {
  switch (mode) {
    case Mode::kRootless: return "rootless";
    case Mode::kNetns: return "netns";
    case Mode::kLoopback: return "loopback";
  }
  return "";
}

std::optional<Mode> ParseMode(std::string_view name) {
  for (const Mode mode : {Mode::kRootless, Mode::kNetns, Mode::kLoopback})
    if (name == NameOf(mode)) return mode;
  return std::nullopt;
}

const std::vector<std::string>& LimitsOf(Mode mode) {
  static const std::vector<std::string> kRootless = {
      "only TCP leaves the mesh (and DNS, through the proxies); no ping, no UDP to the outside",
      "from other hosts nothing enters; the gateway's ports are on this host's 127.0.0.1",
      "all applications are one user of this host, the one who started the mesh: they share its files and its limits"};
  static const std::vector<std::string> kNetns = {
      "only TCP leaves the mesh (and DNS, through the proxies); no ping, no UDP to the outside",
      "from other hosts nothing enters; the gateway's ports are on this host's 127.0.0.1",
      "plaitd and the proxies run as the host's root (confined); all applications as one user that owns nothing here, "
      "so "
      "what only you can read they cannot"};
  static const std::vector<std::string> kLoopback = {
      "nothing is captured: applications listen at ${plait.bind} and dial ${plait.addr.SERVICE} (docs/local-mode.md); "
      "what they dial otherwise passes no proxy, policy or metrics",
      "any process of this host can reach the applications past their proxies, without policy and mutual TLS",
      "applications are ordinary processes of the user who started the mesh: they can read its keys and end its "
      "proxies",
      "no names of the mesh, no headless services, no services for workloads without a proxy, no stock Envoy, no "
      "volumes, IPv4 only, no plait test"};
  switch (mode) {
    case Mode::kRootless: return kRootless;
    case Mode::kNetns: return kNetns;
    case Mode::kLoopback: break;
  }
  return kLoopback;
}

}  // namespace plait::local
