#include <networking/v1alpha3/destination_rule.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/locality_reading.h"
#include "core/base/strings.h"

namespace plait::control::model {
namespace {
namespace net = istio::networking::v1alpha3;
using Problem = std::optional<LocalityProblem>;

constexpr std::string_view kTopologyLabels[] = {"topology.kubernetes.io/region", "topology.kubernetes.io/zone",
                                                "topology.istio.io/subzone"};

Problem ProblemOfLocality(const std::string& path, const std::string& locality) {
  constexpr const char* kForm = "write region, region/zone or region/zone/subzone; the last part may be *";
  const auto parts = Split(locality, '/');
  const auto wrong = [&](const char* why) {
    return LocalityProblem{path, "locality \"" + locality + "\" " + why, kForm};
  };
  if (parts.size() > 3) return wrong("has more than three parts");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) return wrong("has an empty part");
    if (parts[i].find('*') != std::string_view::npos && (parts[i] != "*" || i + 1 < parts.size()))
      return wrong("has a * that is not the whole last part");
  }
  return std::nullopt;
}

// Whether `wide` takes every locality that `narrow` takes.
bool Covers(std::string_view wide, std::string_view narrow) {
  const auto a = Split(wide, '/'), b = Split(narrow, '/');
  for (std::size_t i = 0; i < a.size() && a[i] != "*"; ++i)
    if (i >= b.size() || a[i] != b[i]) return false;
  return true;
}

// Of localities of which the first that takes one decides.
Problem ProblemOfList(const std::string& path, const std::vector<std::string>& localities) {
  for (std::size_t i = 0; i < localities.size(); ++i) {
    if (auto problem = ProblemOfLocality(path, localities[i])) return problem;
    for (std::size_t k = 0; k < i; ++k)
      if (Covers(localities[k], localities[i]))
        return LocalityProblem{path, "\"" + localities[i] + "\" is within \"" + localities[k] + "\" before it",
                               "localities must not overlap"};
  }
  return std::nullopt;
}

Problem ProblemOfShares(const std::string& path, const LocalityBalancing::Distribution& distribution) {
  std::vector<std::string> to;
  std::uint64_t sum = 0;
  for (const auto& [locality, percent] : distribution.to) {
    if (percent < 1 || percent > 100)
      return LocalityProblem{path,
                             "the share " + std::to_string(percent) + " of \"" + locality + "\" is outside 1..100",
                             "leave out what is to get nothing"};
    to.push_back(locality);
    sum += percent;
  }
  if (sum != 100)
    return LocalityProblem{path, "the shares add up to " + std::to_string(sum) + ", not to 100", "they are percents"};
  return ProblemOfList(path, to);
}

Problem ProblemOfFailover(const std::string& path, const LocalityBalancing::Failover& failover) {
  if (failover.from == failover.to)
    return LocalityProblem{path, "a region fails over to itself", "name another region in `to`"};
  for (const std::string& region : {failover.from, failover.to})
    if (region.find_first_of("/*") != std::string::npos)
      return LocalityProblem{path, "\"" + region + "\" is not the name of a region",
                             "zones within a region fail over by themselves"};
  return std::nullopt;
}

bool IsTopologyLabel(const std::string& label) {
  return std::find(std::begin(kTopologyLabels), std::end(kTopologyLabels), label) != std::end(kTopologyLabels);
}
}  // namespace

std::optional<LocalityProblem> ProblemOf(const net::LocalityLoadBalancerSetting& setting) {
  const LocalityBalancing read = ToLocalityBalancing(setting);
  if (!read.distribute.empty() && !read.failover.empty())
    return LocalityProblem{".failover", "distribute and failover exclude each other", "keep one of the two"};
  const auto topology = std::find_if(read.failover_priority.begin(), read.failover_priority.end(), IsTopologyLabel);
  if (!read.failover.empty() && topology != read.failover_priority.end())
    return LocalityProblem{".failoverPriority", "failover and the label " + *topology + " exclude each other",
                           "keep one of the two"};
  std::vector<std::string> from;
  for (std::size_t i = 0; i < read.distribute.size(); ++i) {
    const std::string path = Indexed(".distribute", i);
    if (auto problem = ProblemOfShares(path + ".to", read.distribute[i])) return problem;
    from.push_back(read.distribute[i].from);
    if (auto problem = ProblemOfList(path + ".from", from)) return problem;
  }
  for (std::size_t i = 0; i < read.failover.size(); ++i)
    if (auto problem = ProblemOfFailover(Indexed(".failover", i), read.failover[i])) return problem;
  return std::nullopt;
}

LocalityBalancing ToLocalityBalancing(const net::LocalityLoadBalancerSetting& setting) {
  LocalityBalancing out;
  out.enabled = !setting.has_enabled() || setting.enabled().value();
  for (const auto& from : setting.distribute()) {
    LocalityBalancing::Distribution& to = out.distribute.emplace_back();
    to.from = from.from();
    to.to.assign(from.to().begin(), from.to().end());
    std::sort(to.to.begin(), to.to.end());
  }
  for (const auto& from : setting.failover()) out.failover.push_back({.from = from.from(), .to = from.to()});
  out.failover_priority.assign(setting.failover_priority().begin(), setting.failover_priority().end());
  return out;
}

}  // namespace plait::control::model
