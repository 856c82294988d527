#include "local/mode.h"

namespace plait::local {

const char* NameOf(Mode mode) { return mode == Mode::kNetns ? "netns" : "rootless"; }

std::optional<Mode> ParseMode(std::string_view name) {
  for (const Mode mode : {Mode::kRootless, Mode::kNetns})
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
  return mode == Mode::kNetns ? kNetns : kRootless;
}

}  // namespace plait::local
