#include "cli/denials.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/envoys.h"
#include "cli/explain_request.h"
#include "cli/fetch.h"
#include "cli/json_access.h"
#include "cli/workloads.h"
#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/io/address.h"

namespace plait::cli {
namespace {

constexpr Duration kFresh = std::chrono::seconds(1);       // since an answer came
constexpr Duration kLeftAlone = std::chrono::seconds(10);  // since none came
constexpr std::size_t kMostKnown = 1024;
constexpr const char* kSay = "    plait: ";
constexpr const char* kDeniedByNone = "denied, since it matches no rule of the ALLOW policies in scope";

std::string Placed(const std::string& policy, const Positions& positions) {
  const PolicyName name = ObjectOfPolicy(policy);
  const auto at = positions.find(name.object);
  return name.object + (name.rule.empty() ? "" : " " + name.rule) +
         (at == positions.end() ? "" : " (" + at->second + ")");
}

// The connection's other end, and the x-forwarded-for that it sent.
struct Origin {
  std::string ip;
  std::optional<std::string> forwarded_for;
  bool direct = false;  // `ip` is certainly the connection's
};

Origin OriginOf(const AccessLogLine& line, bool at_gateway) {
  const auto remote = io::SocketAddress::Parse(line.downstream_remote);
  Origin origin{.ip = remote ? remote->ip.ToString() : "", .direct = line.method.empty()};
  if (origin.direct || !line.forwarded_for) return origin;
  origin.direct = line.forwarded_for->empty();
  if (origin.direct) return origin;
  origin.forwarded_for = line.forwarded_for;
  if (!at_gateway) return origin;
  // A gateway has added the connection's other end itself.
  const std::size_t comma = line.forwarded_for->rfind(',');
  const std::string_view last = Trim(std::string_view(*line.forwarded_for).substr(comma + 1));
  if (!io::IpAddress::Parse(last)) return origin;
  const std::string before = comma == std::string::npos ? "" : line.forwarded_for->substr(0, comma);
  return {
      .ip = std::string(last), .forwarded_for = before.empty() ? std::nullopt : std::optional(before), .direct = true};
}

// The `plait explain` that tells what the line leaves open, with the values of `headers` to be filled in.
std::string WordsAbout(const std::string& workload, const AccessLogLine& line, const Caller& caller, bool at_gateway,
                       const std::vector<std::string>& headers) {
  const auto local = io::SocketAddress::Parse(line.downstream_local);
  const std::string from = at_gateway ? workload : caller.workload.empty() ? "CALLER" : caller.workload;
  // A gateway is asked for a host, at its own port.
  const std::string host = line.authority.empty()
                               ? line.server_name
                               : line.authority.substr(0, line.authority.find(':', line.authority.rfind(']') + 1));
  const std::string to = (at_gateway ? host : workload) + ":" + std::to_string(local ? local->port.value : 0);
  ExplainWords words{.to = to, .method = line.method, .url = {}, .headers = {}, .tcp = line.method.empty()};
  if (at_gateway) words.sni = line.server_name;
  if (words.tcp) return ShellWords(from, words);
  const bool with_host = !at_gateway && !line.authority.empty();
  words.url = (with_host ? "http://" + line.authority : "") + line.path;
  for (const std::string& name : headers) words.headers.push_back(name + ": VALUE");
  return ShellWords(from, words);
}

std::string AllMisses(const Json& answer, const Positions& positions) {
  std::string text;
  for (const Json& step : At(answer, "steps"))
    for (const Json& miss : At(step, "misses")) text += std::string(kSay) + "  " + MissText(miss, positions) + "\n";
  return text;
}

// What a proxy says whose ALLOW policies miss nothing of what was denied by them.
std::string WithoutMisses(const Json& answer) {
  bool unrouted = false;
  bool unknown = false;
  for (const Json& step : At(answer, "steps")) {
    const Json& passes = At(step, "passes");
    unrouted = unrouted || (Text(step, {"step"}) == "route" && passes == false);
    unknown = unknown || (step.is_object() && step.contains("passes") && passes.is_null());
  }
  std::string gets = Text(answer, {"verdict", "details"});
  if (gets.empty()) gets = Text(answer, {"verdict", "status"});
  // Headers choose routes, too, and policies come after them.
  if (unrouted) return "; which these are, cannot be told without its headers: it gets " + gets;
  if (unknown) return " then; those in force now may let it pass";
  const bool forwarded = At(answer, {"verdict", "forwarded"}) == true;
  return " then; " + (forwarded ? "those in force now let it pass" : "now it gets " + gets) +
         ", so they were changed since";
}

// Fields that decide and that the line does not hold, each once.
std::vector<std::string> UnknownFields(const Json& answer) {
  std::vector<std::string> fields;
  for (const Json& step : At(answer, "steps"))
    for (const Json& miss : At(step, "misses")) {
      const std::string field = Text(miss, {"field"});
      if (Text(miss, {"reason"}) == "unknown" && std::find(fields.begin(), fields.end(), field) == fields.end())
        fields.push_back(field);
    }
  return fields;
}

}  // namespace

Caller CallerOf(const local::MeshStatus& status, const AccessLogLine& line, bool at_gateway) {
  // Proxies of the mesh name the service that they call when they speak mutual TLS, and nothing else begins so.
  constexpr std::string_view kMeshName = "outbound_";
  Caller caller{.known = line.server_name.empty(), .principal = {}, .workload = {}};
  // Where a request says itself where it comes from, the address in the line is what it says, and may be anybody's.
  const Origin origin = OriginOf(line, at_gateway);
  const auto ip = io::IpAddress::Parse(origin.ip);
  if (!origin.direct || at_gateway || !ip) return caller;
  for (const local::WorkloadStatus& w : status.workloads) {
    const bool is_it = std::any_of(w.ips.begin(), w.ips.end(),
                                   [&](const std::string& one) { return io::IpAddress::Parse(one) == ip; });
    if (!is_it || !HasProxy(w)) continue;
    caller.workload = w.name + "." + w.ns;
    if (!line.server_name.starts_with(kMeshName)) return caller;
    caller.known = true;
    caller.principal = IdentityOf(status, w);
    return caller;
  }
  return caller;
}

std::string QuestionAbout(const AccessLogLine& line, const Caller& caller, bool at_gateway) {
  const auto local = io::SocketAddress::Parse(line.downstream_local);
  const Origin origin = OriginOf(line, at_gateway);
  std::string query = "direction=inbound&port=" + std::to_string(local ? local->port.value : 0);
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query.append("&").append(name).append("=").append(PercentEncode(value));
  };
  add("source", origin.ip);
  add("principal", caller.principal);
  add("sni", line.server_name);
  std::string unknown;
  if (!caller.known) unknown += ",principal";
  if (!origin.direct) unknown += ",direct_ip";
  if (line.method.empty()) {
    query += "&tcp";
  } else {
    unknown += ",headers";
    add("method", line.method);
    if (line.path.starts_with('/')) add("path", line.path);
    add("host", line.authority);
    if (!line.user_agent.empty()) add("header", "user-agent:" + line.user_agent);
    if (origin.forwarded_for) add("header", "x-forwarded-for:" + *origin.forwarded_for);
  }
  return unknown.empty() ? query : query + "&unknown=" + unknown.substr(1);
}

void Denials::Refresh() {
  if (positions_ && positions_->value) positions_.reset();
  status_.reset();
  known_.clear();
}

const Positions& Denials::positions() {
  static const Positions kNone;
  if (!positions_ || clock_.Now() >= positions_->until) {
    Outcome<Positions> answer = source_.positions(status());
    const Duration holds = answer ? kFresh : kLeftAlone;
    positions_.emplace(std::move(answer), clock_.Now() + holds);
  }
  return positions_->value ? *positions_->value : kNone;
}

const local::MeshStatus& Denials::status() {
  if (!status_ || clock_.Now() >= status_->until) {
    local::MeshStatus status = source_.status().value_or(local::MeshStatus());
    status_.emplace(std::move(status), clock_.Now() + kFresh);
  }
  return status_->value;
}

Outcome<Json> Denials::AskProxy(const std::string& workload, const std::string& query) {
  if (const auto silent = silent_.find(workload); silent != silent_.end() && clock_.Now() < silent->second.until)
    return std::unexpected(silent->second.value);
  Outcome<Json> answer = source_.proxy(workload, "/plait/explain?" + query);
  if (!answer && answer.error().code == Errc::kUnavailable)
    silent_.insert_or_assign(workload, Kept<Diagnostic>{answer.error(), clock_.Now() + kLeftAlone});
  return answer;
}

std::string Denials::Explain(const std::string& workload, const AccessLogLine& line) {
  const auto policy = line.DeniedBy();
  if (!policy) return "";
  if (*policy != "none") return kSay + ("denied by " + Placed(*policy, positions())) + "\n";
  if (!line.whole)
    return kSay + std::string(kDeniedByNone) +
           "; which these are, cannot be told: the format of the log (accessLogFormat of MeshConfig) is not Istio's\n";
  const Outcome<local::WorkloadStatus> server = FindWorkload(status(), workload);
  const bool at_gateway = server && server->proxy == "gateway";
  const Question question{.workload = workload,
                          .line = line,
                          .at_gateway = at_gateway,
                          .of_envoy = server && HasEnvoy(*server),
                          .caller = CallerOf(status(), line, at_gateway)};
  const std::string query = QuestionAbout(line, question.caller, at_gateway);
  const std::string key = workload + "?" + query;
  if (const auto known = known_.find(key); known != known_.end() && clock_.Now() < known->second.until)
    return known->second.value;
  std::string text = Answer(question, query);
  if (known_.size() >= kMostKnown) known_.clear();
  known_.insert_or_assign(key, Kept<std::string>{text, clock_.Now() + kFresh});
  return text;
}

std::string Denials::Answer(const Question& question, const std::string& query) {
  const auto& [workload, line, at_gateway, of_envoy, caller] = question;
  const std::string denied = kSay + std::string(kDeniedByNone);
  if (of_envoy)
    return denied + "; its proxy is an Envoy, which does not explain; " +
           AskOffline(status(), WordsAbout(workload, line, caller, at_gateway, {})) + "\n";
  const Outcome<Json> answer = AskProxy(workload, query);
  if (!answer) {
    std::string why(Trim(answer.error().message));
    std::replace(why.begin(), why.end(), '\n', ' ');
    return denied + "; which these are, cannot be told: " + why + "\n";
  }
  const std::string misses = AllMisses(*answer, positions());
  if (misses.empty()) return denied + WithoutMisses(*answer) + "\n";
  std::string text = denied + ", as they are now:\n" + misses;
  const std::vector<std::string> fields = UnknownFields(*answer);
  if (fields.empty()) return text;
  std::vector<std::string> headers;
  for (const std::string& field : fields)
    if (field.starts_with("header ")) headers.push_back(field.substr(7));
  text += kSay + ("the log does not hold " + Join(fields, ", "));
  return text + "; with that, this tells: plait explain" + source_.named + " " +
         WordsAbout(workload, line, caller, at_gateway, headers) + "\n";
}

}  // namespace plait::cli
