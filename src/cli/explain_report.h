#pragma once
// The result of `plait explain`, made of what the proxies of both sides answered (/plait/explain). Pure.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/render.h"

namespace plait::cli {

// "AuthorizationPolicy default/details-viewer" -> "policies.yaml:3".
using Positions = std::map<std::string, std::string, std::less<>>;
// Of a list of objects: /debug/configz ({kind, metadata: {name, namespace}, at}), or of `plaitd --resources-of`.
Positions PositionsOf(const Json& objects);

// "/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews" -> "VirtualService default/reviews".
std::string ObjectOfPath(std::string_view path);
// "ns[default]-policy[viewer]-rule[0]" -> {"AuthorizationPolicy default/viewer", "rule[0]"};
// "invalid_policy[a/b]-kind[PeerAuthentication]" -> {"PeerAuthentication a/b", "(invalid: STRICT)"}.
struct PolicyName {
  std::string object;
  std::string rule;
};
PolicyName ObjectOfPolicy(std::string_view name);

// Of the problems that a source has: those for a person, and whether one is an error.
std::vector<std::string> ProblemTexts(const Json& problems);
bool HasErrors(const Json& problems);

// What one proxy said.
struct Hop {
  std::string workload;  // "reviews-v2-0.default"
  std::shared_ptr<const Json> answer;
};
struct Explained {
  std::vector<Hop> hops;
  std::string note = {};                      // of the server's side without a proxy there; empty: nothing to tell
  std::shared_ptr<const Json> problems = {};  // of the files: [{"severity", "text"}]; null: none
};
// Exit code kDone when the request reaches the application (or leaves the mesh), kNo when somebody refuses it or a step
// is unknown, kBadFile when a file has an error: what it was to say is left out of the answer.
Output ExplainOutput(const Explained& explained, const Positions& positions);

// "AuthorizationPolicy a/b (f.yaml:3) rule[0]: principal must be spiffe://..., but is spiffe://...": of an entry of
// `misses`.
std::string MissText(const Json& miss, const Positions& positions);

}  // namespace plait::cli
