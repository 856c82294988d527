#include "control/serve/refusals.h"

#include <map>
#include <set>
#include <utility>

#include "core/xds/type_url.h"

namespace plait::control::serve {

model::Findings RefusalsOf(const std::vector<ClientStatus>& clients) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> proxies;  // of a type and a reason
  for (const ClientStatus& client : clients)
    for (const auto& [url, status] : client.types)
      if (!status.last_error.empty())
        proxies[{std::string(xds::type_url::MessageName(url)), status.last_error}].insert(client.proxy->Key());
  model::Findings out;
  for (const auto& [what, who] : proxies) {
    const bool one = who.size() == 1;
    const std::string more = one ? "" : " and " + std::to_string(who.size() - 1) + " more";
    out.push_back({.severity = model::Severity::kError,
                   .diagnostic = {.message = "proxies refuse " + what.first + ": " + what.second,
                                  .hint = *who.begin() + more + (one ? " goes" : " go") +
                                          " on with what was in force; later changes of it, policies too, are not in "
                                          "force there until this is mended; plait ps shows all"}});
  }
  return out;
}

}  // namespace plait::control::serve
