#pragma once
// What may differ between two configurations, found by comparing their snapshots: most changes are of one pod, and
// then a proxy need not be compared with everything that it holds, nor be translated for anew. Pure values.
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/snapshot.h"
#include "control/serve/proxy.h"

namespace plait::control::serve {

struct Difference {
  std::set<model::Kind> rules = {};                   // of routing, policies and secrets: an object of these differs
  bool index = true;                                  // services or what every Address depends on: anything may differ
  std::set<std::string, std::less<>> hosts = {};      // hostnames of services whose endpoints differ
  std::set<std::string, std::less<>> workloads = {};  // "<namespace>/<name>" of pods that differ, came or went
  std::set<std::string, std::less<>> moved = {};      // those of them that stand on another Node or locality
  bool gateways = false;                              // one of these pods is a gateway
  // Resources of the index that differ, came or went, and the aliases that they have and had. Filled by who keeps the
  // index.
  bool all_addresses = true;
  std::vector<std::string> addresses = {};
  std::vector<std::string> address_aliases = {};

  enum class Extent : std::uint8_t { kNothing, kSome, kAll };
  // How much of a type may differ for this proxy. kSome: Touches, or `addresses`, says what.
  Extent Of(std::string_view type_url, const Proxy& proxy) const;
  // Whether a cluster or an assignment of endpoints of a sidecar may differ.
  bool Touches(std::string_view cluster) const;
  // Whether rules that differ have a part in this type.
  bool RulesTouch(std::string_view type_url, bool router, bool plait_form) const;
};

// Without `addresses`. Compares what the translators read; the cost is that of a walk over services and workloads.
Difference Compare(const model::Snapshot& before, const model::Snapshot& now);

// Calls with each object of `now` that came or changed, and each of `before` that is gone. Both lists are sorted by
// key; an object that was not read again is the same pointer.
template <class Came, class Gone, class Changed>
void WalkObjects(const std::vector<model::ObjectRef>& before, const std::vector<model::ObjectRef>& now, Came came,
                 Gone gone, Changed changed) {
  auto a = before.begin();
  auto b = now.begin();
  while (a != before.end() && b != now.end()) {
    if (*a == *b) {
      ++a, ++b;
    } else if (model::MetaOf(**a).key < model::MetaOf(**b).key) {
      gone(**a++);
    } else if (model::MetaOf(**b).key < model::MetaOf(**a).key) {
      came(**b++);
    } else {
      if (!(**a == **b)) changed(**b);
      ++a, ++b;
    }
  }
  for (; a != before.end(); ++a) gone(**a);
  for (; b != now.end(); ++b) came(**b);
}

}  // namespace plait::control::serve
