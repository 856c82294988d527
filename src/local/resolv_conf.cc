#include "local/resolv_conf.h"

#include <algorithm>
#include <string_view>

#include "core/base/strings.h"
#include "local/cluster_ips.h"

namespace plait::local {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> out;
  while (!(line = Trim(line)).empty()) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    out.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return out;
}

// As the C library: the last line of a keyword holds, but options add up.
void TakeFrom(const std::string& host, std::vector<std::string>& searches, Options& options) {
  for (const std::string_view line : Split(host, '\n')) {
    std::vector<std::string> words = Words(line);
    if (words.empty()) continue;
    const std::string keyword = words.front();
    words.erase(words.begin());
    if (keyword == "search")
      searches = std::move(words);
    else if (keyword == "options")
      for (const std::string& word : words) {
        const auto [name, value] = SplitOnce(word, ':');
        options.emplace_back(name, value.value_or(""));
      }
  }
}

}  // namespace

std::string ResolvConf(const PodSpec& pod, const std::string& host) {
  std::vector<std::string> searches;
  Options options;
  switch (pod.dns.policy) {
    case DnsSpec::Policy::kClusterFirst:
      searches = {pod.ns + ".svc.cluster.local", "svc.cluster.local", "cluster.local"};
      options = {{"ndots", "5"}};
      break;
    case DnsSpec::Policy::kDefault: TakeFrom(host, searches, options); break;
    case DnsSpec::Policy::kNone: break;
  }
  for (const std::string& search : pod.dns.searches)
    if (std::find(searches.begin(), searches.end(), search) == searches.end()) searches.push_back(search);
  for (const auto& [name, value] : pod.dns.options) {
    const auto same = std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.first == name; });
    if (same == options.end())
      options.emplace_back(name, value);
    else
      same->second = value;
  }
  std::string out = "nameserver " + ClusterIps::DnsIp().ToString() + "\n";
  if (!searches.empty()) out += "search " + Join(searches, " ") + "\n";
  std::string list;
  for (const auto& [name, value] : options) list += " " + name + (value.empty() ? "" : ":" + value);
  return list.empty() ? out : out + "options" + list + "\n";
}

std::string HostAliasLines(const std::vector<HostAlias>& aliases) {
  std::string out;
  for (const HostAlias& alias : aliases) out += alias.ip + "\t" + Join(alias.names, "\t") + "\n";
  return out;
}

}  // namespace plait::local
