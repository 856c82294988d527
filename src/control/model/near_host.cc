#include "control/model/near_host.h"

#include "control/model/warnings.h"
#include "core/yaml/suggest.h"

namespace plait::control::model {
namespace {
// "reviews.default.svc.cluster.local" -> "reviews.default": what all hosts end with would make any two of them near.
std::string_view WithoutDomain(std::string_view host, const std::string& domain) {
  const std::string suffix = ".svc." + domain;
  return host.ends_with(suffix) ? host.substr(0, host.size() - suffix.size()) : host;
}
}  // namespace

std::string NearHost::Advice(const std::string& host, const std::string& name_space) {
  if (left_ <= 0) return {};
  --left_;
  const std::string& domain = snapshot_.mesh().cluster_domain;
  // "reviews.other" is short for nothing, as in Istio.
  if (const ServiceView* meant = snapshot_.FindService(host + ".svc." + domain, name_space))
    return DidYouMean(meant->hostname);
  const std::string own = "." + name_space;
  const auto split = [](std::string_view text) { return std::pair(text.substr(0, text.find('.')), text); };
  const auto [name, written] = split(WithoutDomain(host, domain));
  const bool in_cluster = written.size() != host.size();
  std::vector<std::string_view> here;       // short names of this namespace
  std::vector<std::string_view> elsewhere;  // "reviews.other", or hosts outside
  std::string_view same_name;
  for (const auto& view : snapshot_.services()) {
    if (snapshot_.FindService(view->hostname, name_space) == nullptr) continue;
    const std::string_view candidate = WithoutDomain(view->hostname, domain);
    if ((candidate.size() != view->hostname.size()) != in_cluster) continue;
    if (in_cluster && candidate.ends_with(own))
      here.push_back(candidate.substr(0, candidate.size() - own.size()));
    else
      elsewhere.push_back(candidate);
    if (in_cluster && split(candidate).first == name) same_name = view->hostname;
  }
  // A short name means this namespace only, which is the mistake when another one has a service of that name.
  if (!same_name.empty()) return DidYouMean(std::string(same_name));
  if (in_cluster)
    if (const std::string near = yaml::Nearest(name, here); !near.empty()) return DidYouMean(near);
  const std::string near = yaml::Nearest(written, elsewhere);
  if (near.empty()) return {};
  return DidYouMean(near + (in_cluster ? ".svc." + domain : ""));
}

}  // namespace plait::control::model
