#include "proxy/dns/lookup.h"

#include <algorithm>
#include <utility>

namespace plait::proxy::dns {

Followed Follow(const DnsIndex& index, std::string_view name) {
  constexpr int kMostHops = 8;
  Followed out{.answer = index.Find(name)};
  if (!out.answer.ours) out.end = Followed::End::kOutside;
  std::string next = out.answer.alias;
  for (int hop = 0; !next.empty(); ++hop) {
    out.answer.alias = next;
    if (hop == kMostHops) {
      out.end = Followed::End::kNowhere;
      break;
    }
    NameAnswer target = index.Find(next);
    if (!target.ours) {
      out.end = Followed::End::kOutside;
      break;
    }
    out.answer.addresses = std::move(target.addresses);
    out.answer.entry = target.entry;
    next = std::move(target.alias);
  }
  return out;
}

std::vector<std::string> SearchList(std::string_view name, std::string_view name_space, std::string_view domain) {
  constexpr std::ptrdiff_t kEnoughDots = 5;
  if (name.ends_with('.')) return {std::string(name.substr(0, name.size() - 1))};
  const std::string base = std::string(name) + ".";
  const std::string zone(domain);
  std::vector<std::string> names;
  if (!name_space.empty()) names.push_back(base + std::string(name_space) + ".svc." + zone);
  names.push_back(base + "svc." + zone);
  names.push_back(base + zone);
  names.insert(std::count(name.begin(), name.end(), '.') < kEnoughDots ? names.end() : names.begin(),
               std::string(name));
  return names;
}

}  // namespace plait::proxy::dns
