#include "cli/explain_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

// "virtual-service" -> "VirtualService"
std::string KindOfPathName(std::string_view name) {
  std::string kind;
  for (const std::string_view part : Split(name, '-'))
    if (!part.empty()) (kind += static_cast<char>(part[0] - 'a' + 'A')).append(part.substr(1));
  return kind;
}

std::string Placed(const std::string& object, const Positions& positions) {
  const auto found = positions.find(object);
  return found == positions.end() ? object : object + " (" + found->second + ")";
}

Mark MarkOf(const Json& step) {
  const Json& passes = At(step, "passes");
  return passes.is_null() ? Mark::kWarning : passes == false ? Mark::kFailed : Mark::kPassed;
}

// The object that decided the step, with file and line; "" when the configuration names none.
std::string DecidedBy(const Json& step, const Positions& positions) {
  if (const std::string policy = Text(step, {"policy"}); !policy.empty()) {
    const PolicyName name = ObjectOfPolicy(policy);
    return Placed(name.object, positions) + (name.rule.empty() ? "" : " " + name.rule);
  }
  const std::string object = ObjectOfPath(Text(step, {"object"}));
  return object.empty() ? "" : Placed(object, positions);
}

// Of what follows "invalid_policy[": "a/b]" is an AuthorizationPolicy, "a/b]-kind[PeerAuthentication]" another kind.
PolicyName InvalidObject(std::string_view name) {
  constexpr std::string_view kKind = "]-kind[";
  name.remove_suffix(1);
  const std::size_t at = name.find(kKind);
  const bool other = at != std::string_view::npos;
  const std::string kind(other ? name.substr(at + kKind.size()) : "AuthorizationPolicy");
  return {kind + " " + std::string(name.substr(0, at)), kind == "PeerAuthentication" ? "(invalid: STRICT)"
                                                        : kind == "DestinationRule"  ? "(invalid TLS: nothing is sent)"
                                                                                     : "(invalid: denies everything)"};
}

class StepReport {
 public:
  explicit StepReport(const Positions& positions) : positions_(positions) {}

  void Add(const Hop& hop) {
    for (const Json& step : At(*hop.answer, "steps")) AddStep(hop.workload, step);
  }
  void AddNote(const std::string& note) {
    if (!note.empty()) AddStep("", {{"step", "application"}, {"passes", true}, {"text", note}});
  }
  Output Take(const Json& verdict, bool forwarded) {
    const std::string status = Text(verdict, {"status"});
    const std::string details = Text(verdict, {"details"});
    std::string result = forwarded ? "forwarded" : status == "0" || status.empty() ? "connection closed" : status;
    for (const std::string& part : {Text(verdict, {"flag"}), details})
      if (!forwarded && !part.empty()) result += " " + part;
    if (const std::string own = Text(verdict, {"result"}); !own.empty()) result = own;
    const bool unknown = forwarded && !unknown_step_.empty();
    if (unknown) result = "unknown: forwarded if step " + unknown_step_ + " passes";
    output_.text += "  result: " + result + "\n";
    output_.names = {unknown ? "verdict/unknown" : forwarded ? "verdict/forwarded" : "verdict/refused"};
    output_.data = Data({{"forwarded", unknown ? Json() : Json(forwarded)},
                         {"result", result},
                         {"verdict", verdict},
                         {"steps", steps_},
                         {"problems", problems_}});
    output_.code = broken_ ? kBadFile : (forwarded && !unknown) || Answers(verdict) ? kDone : kNo;
    return std::move(output_);
  }
  void AddProblems(const Json& problems) {
    problems_ = problems;
    output_.warnings = ProblemTexts(problems);
    broken_ = HasErrors(problems);
  }

 private:
  // A redirect, or an answer that the route itself gives: no refusal.
  static bool Answers(const Json& verdict) {
    const Json& status = At(verdict, "status");
    return status.is_number() && status > 0 && status < 400;
  }

  void AddStep(const std::string& workload, const Json& step) {
    const std::string decided = DecidedBy(step, positions_);
    std::string name = Text(step, {"step"});
    std::string text = Text(step, {"text"}) + (decided.empty() ? "" : ", by " + decided);
    const Mark mark = MarkOf(step);
    const bool unknown = mark == Mark::kWarning;
    Json entry = {{"workload", workload},
                  {"step", name},
                  {"passes", unknown ? Json() : Json(mark == Mark::kPassed)},
                  {"text", Text(step, {"text"})}};
    if (unknown) unknown_step_ = name;
    if (!decided.empty()) entry["decidedBy"] = decided;
    std::string more;
    for (const Json& miss : At(step, "misses")) {
      const std::string line = MissText(miss, positions_);
      entry["misses"].push_back(line);
      more += "                       " + line + "\n";
    }
    steps_.push_back(std::move(entry));
    const char* passes = unknown ? "unknown" : mark == Mark::kPassed ? "yes" : "no";
    output_.table.rows.push_back({std::to_string(steps_.size()), name, passes, text, workload});
    if (workload != at_ && !workload.empty()) output_.text += workload + "\n";
    if (!workload.empty()) at_ = workload;
    name.resize(std::max<std::size_t>(name.size(), 13), ' ');
    output_.text += (steps_.size() < 10 ? "   " : "  ") + std::to_string(steps_.size()) + " " + MarkText(mark) + " " +
                    name + " " + text + "\n" + more;
  }

  const Positions& positions_;
  Output output_{.table = {{"#", "STEP", "PASSES", "WHAT", "PROXY"}, {}, 1}};
  Json steps_ = Json::array();
  Json problems_ = Json::array();
  bool broken_ = false;
  std::string unknown_step_;
  std::string at_;
};

}  // namespace

Positions PositionsOf(const Json& objects) {
  Positions out;
  for (const Json& object : objects) {
    const Json& meta = At(object, "metadata").is_object() ? At(object, "metadata") : object;
    out.emplace(Text(object, {"kind"}) + " " + Text(meta, {"namespace"}) + "/" + Text(meta, {"name"}),
                Text(object, {"at"}));
  }
  return out;
}

std::string ObjectOfPath(std::string_view path) {
  // /apis/networking.istio.io/v1/namespaces/<ns>/<kind>/<name>
  const std::vector<std::string_view> parts = Split(path, '/');
  if (parts.size() < 8) return "";
  return KindOfPathName(parts[6]) + " " + std::string(parts[5]) + "/" + std::string(parts[7]);
}

PolicyName ObjectOfPolicy(std::string_view name) {
  constexpr std::string_view kSpace = "ns[";
  constexpr std::string_view kPolicy = "]-policy[";
  constexpr std::string_view kRule = "]-rule[";
  constexpr std::string_view kInvalid = "invalid_policy[";
  if (name.starts_with(kInvalid) && name.ends_with(']')) return InvalidObject(name.substr(kInvalid.size()));
  const std::size_t policy = name.find(kPolicy);
  const std::size_t rule = name.rfind(kRule);
  if (!name.starts_with(kSpace) || policy == std::string_view::npos || rule == std::string_view::npos || rule < policy)
    return {std::string(name), ""};
  const std::size_t from = policy + kPolicy.size();
  return {"AuthorizationPolicy " + std::string(name.substr(kSpace.size(), policy - kSpace.size())) + "/" +
              std::string(name.substr(from, rule - from)),
          std::string(name.substr(rule + 2))};
}

std::string MissText(const Json& miss, const Positions& positions) {
  const PolicyName policy = ObjectOfPolicy(Text(miss, {"policy"}));
  const std::string object = Placed(policy.object, positions);
  const std::string reason = Text(miss, {"reason"});
  if (reason == "no_rule") return object + " has no rule: allows nobody";
  const std::string rule = object + " " + policy.rule + ": ";
  const std::string field = Text(miss, {"field"});
  const std::string wants = Text(miss, {"wants"});
  if (reason == "only_http") return rule + "is about HTTP requests, so it matches no TCP connection";
  if (reason == "unknown") return rule + "depends on " + field + ", which must be " + wants;
  return rule + field + " must be " + wants + ", but is " + Text(miss, {"has"});
}

std::vector<std::string> ProblemTexts(const Json& problems) {
  std::vector<std::string> texts;
  for (const Json& problem : problems)
    if (Text(problem, {"severity"}) != "info") texts.push_back(Text(problem, {"text"}));
  return texts;
}

bool HasErrors(const Json& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Json& problem) { return Text(problem, {"severity"}) == "error"; });
}

Output ExplainOutput(const Explained& explained, const Positions& positions) {
  StepReport report(positions);
  for (const Hop& hop : explained.hops) report.Add(hop);
  report.AddNote(explained.note);
  if (explained.problems != nullptr) report.AddProblems(*explained.problems);
  const Json& verdict = explained.hops.empty() ? At(Json(), "") : At(*explained.hops.back().answer, "verdict");
  return report.Take(verdict, At(verdict, "forwarded") == true);
}

}  // namespace plait::cli
