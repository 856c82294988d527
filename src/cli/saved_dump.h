#pragma once
// What people save of a proxy for `plait pc --file`: a whole /config_dump, one of ?resource= or with a mask, or
// /clusters?format=json. Pure.
#include <optional>
#include <string>
#include <string_view>

#include "cli/render.h"

namespace plait::cli {

// The dump in the text of such a file; of /clusters, a dump of the clusters and endpoints that it names. Errors say
// what the text is instead, and what to save.
Outcome<Json> DumpIn(std::string_view text);
// Why the dump cannot show `what` (cluster, listener, route, endpoint, secret, bootstrap), and what to save. nullopt:
// it can, or it is a whole dump, which has all that there is.
std::optional<Diagnostic> LackOf(const std::string& what, const Json& dump);

}  // namespace plait::cli
