#include "cli/denials.h"

#include <nlohmann/json.hpp>

#include "cli/fetch.h"
#include "cli/json_access.h"
#include "core/io/address.h"

namespace plait::cli {
namespace {

std::string Placed(const std::string& policy, const Positions& positions) {
  const PolicyName name = ObjectOfPolicy(policy);
  const auto at = positions.find(name.object);
  return name.object + (name.rule.empty() ? "" : " " + name.rule) +
         (at == positions.end() ? "" : " (" + at->second + ")");
}

}  // namespace

std::string QuestionAbout(const AccessLogLine& line, const std::string& principal) {
  const auto local = io::SocketAddress::Parse(line.downstream_local);
  const auto remote = io::SocketAddress::Parse(line.downstream_remote);
  std::string query = "direction=inbound&port=" + std::to_string(local ? local->port.value : 0);
  if (remote) query += "&source=" + UrlEncoded(remote->ip.ToString());
  if (!principal.empty()) query += "&principal=" + UrlEncoded(principal);
  if (line.method.empty()) return query + "&tcp";
  query += "&method=" + UrlEncoded(line.method);
  if (line.path.starts_with('/')) query += "&path=" + UrlEncoded(line.path);
  return line.authority.empty() ? query : query + "&host=" + UrlEncoded(line.authority);
}

std::string ExplainDenial(const std::string& policy, const Json& answer, const Positions& positions) {
  if (policy != "none") return "    plait: denied by " + Placed(policy, positions) + "\n";
  std::string text = "    plait: denied, since it matches no rule of the ALLOW policies in scope\n";
  for (const Json& step : At(answer, "steps"))
    for (const Json& miss : At(step, "misses"))
      text += "    plait:   " + Placed(Text(miss, {"policy"}), positions) + ": " + MissText(miss) + "\n";
  return text;
}

}  // namespace plait::cli
