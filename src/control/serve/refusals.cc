#include "control/serve/refusals.h"

#include <set>
#include <utility>

#include "core/xds/type_url.h"

namespace plait::control::serve {

model::Findings RefusalsOf(const std::vector<ClientStatus>& clients) {
  std::set<std::pair<std::string_view, std::string>> refused;  // type and reason
  for (const ClientStatus& client : clients)
    for (const auto& [url, status] : client.types)
      if (!status.last_error.empty()) refused.emplace(xds::type_url::MessageName(url), status.last_error);
  model::Findings out;
  for (const auto& [type, reason] : refused)
    // Without the names and the number of the proxies: the sentence stays while one after the other refuses it.
    out.push_back({.severity = model::Severity::kError,
                   .diagnostic = {.message = "proxies refuse " + std::string(type) + ": " + reason,
                                  .hint = "they go on with its last good version, and later changes of it are not in "
                                          "force there until this is mended; plait ps shows which"}});
  return out;
}

}  // namespace plait::control::serve
