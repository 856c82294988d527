#include "cli/tour.h"

#include <stdio.h>

#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "cli/tour_guide.h"
#include "cli/workloads.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

constexpr const char* kSplit = "reviews-split.yaml";
constexpr const char* kPolicy = "policy.yaml";
constexpr const char* kDetails = "http://details:9080/details/0";
// So many answers of one colour in a row do not happen while one of five is to be of the other: 1 in 3 * 10^10.
constexpr int kRow = 15;

using Step = Outcome<TourStep>;

std::string After(double seconds) {
  char text[64];
  snprintf(text, sizeof text, "%.2f s after the file was saved", seconds);
  return std::string(text) + (seconds > 1 ? ", more than the second that is promised: is this machine busy?" : "");
}

class Tour {
 public:
  Tour(const TourGuide& guide, EditedFile split, EditedFile policy)
      : guide_(guide), split_(std::move(split)), policy_(std::move(policy)) {}

  Step Look();
  Step EditARoute();
  Step MakeAMistake();
  Step SeeADenial();
  Step AllowIt();
  Step Undo();
  // Also when a step failed.
  Outcome<> PutBack() {
    const Outcome<> split = split_.Restore();
    const Outcome<> policy = policy_.Restore();
    return split ? policy : split;
  }

 private:
  Outcome<Moment> Save(EditedFile& file, const char* name, const std::vector<TextEdit>& edits) {
    const Outcome<std::string> after = Edited(file.original(), edits);
    if (!after) return Explain(Errc::kNotFound, std::string(name) + ": " + after.error().message);
    guide_.TellEdit(name, file.original(), *after);
    const Moment saved = std::chrono::steady_clock::now();
    if (const Outcome<> applied = file.Apply(edits); !applied) return std::unexpected(applied.error());
    return saved;
  }
  // Seconds from `since` to the first of many answers, one after the other, that are all of this colour.
  Outcome<double> UntilAll(const std::string& colour, Moment since) const {
    int row = 0;
    Moment first = since;
    const Outcome<double> whole = guide_.SecondsUntil(since, [&]() -> Outcome<bool> {
      while (row < kRow) {
        const Outcome<std::string> seen = guide_.Stars();
        if (!seen) return std::unexpected(seen.error());
        if (row == 0) first = std::chrono::steady_clock::now();
        if (*seen != colour) {
          row = 0;
          return false;
        }
        ++row;
      }
      return true;
    });
    if (!whole || *whole < 0) return whole;
    return std::chrono::duration<double>(first - since).count();
  }
  Outcome<double> UntilAsked(int status, Moment since) const {
    return guide_.SecondsUntil(since, [&]() -> Outcome<bool> {
      const Outcome<Answer> answer = guide_.access().Get("reviews-v1", kDetails);
      if (!answer) return std::unexpected(answer.error());
      return answer->status == status;
    });
  }
  TourStep Seen(const char* title, double seconds, const std::string& effect, const std::string& hint) const {
    if (seconds < 0) return {.title = title, .detail = "not seen: " + effect, .hint = hint};
    return {.title = title, .passed = true, .detail = effect + ", " + After(seconds), .seconds = seconds};
  }

  const TourGuide& guide_;
  EditedFile split_, policy_;
};

Step Tour::Look() {
  guide_.Tell(
      "Six processes that know nothing of a mesh. A plait-proxy beside each takes its connections; between the");
  guide_.Tell("proxies they are mutual TLS. Open " + guide_.url() +
              "/productpage and reload it: some stars are red.\n");
  const Outcome<std::map<std::string, int>> counts = guide_.CountStars(60);
  if (!counts) return std::unexpected(counts.error());
  const auto of = [&](const char* colour) { return counts->contains(colour) ? counts->at(colour) : 0; };
  TourStep step{.title = "the application",
                .passed = of("black") > 0 && of("red") > 0 && of("") == 0,
                .detail = std::to_string(of("black")) + " black stars (reviews v2), " + std::to_string(of("red")) +
                          " red ones (v3): " + kSplit + " says 80 and 20"};
  if (step.passed) return step;
  step.detail += "; without stars or answer: " + std::to_string(of(""));
  step.hint = "plait check" + guide_.named() + "; plait logs" + guide_.named() + " -A --flag UF,UH,NR";
  return step;
}

Step Tour::EditARoute() {
  guide_.Tell("The split is a VirtualService in a file. All of it to v3:\n");
  const Outcome<Moment> saved = Save(split_, kSplit, {{"weight: 80", "weight: 0"}, {"weight: 20", "weight: 100"}});
  if (!saved) return std::unexpected(saved.error());
  const Outcome<double> seconds = UntilAll("red", *saved);
  if (!seconds) return std::unexpected(seconds.error());
  guide_.Tell("\nReload the page: the stars are red. Nothing was restarted.");
  return Seen("edit a route", *seconds, "all stars are red", "plait ps" + guide_.named());
}

Step Tour::MakeAMistake() {
  guide_.Tell("Now the file with a slip of the finger in it:\n");
  const Outcome<Moment> saved =
      Save(split_, kSplit,
           {{"weight: 80", "weight: 0"}, {"weight: 20", "weight: 100"}, {"  hosts: [reviews]", "  host: [reviews]"}});
  if (!saved) return std::unexpected(saved.error());
  std::string message;
  const Outcome<double> told = guide_.SecondsUntil(*saved, [&]() -> Outcome<bool> {
    const Outcome<ProgramEnd> check = RunProgram("plait", {"check", "--name", guide_.mesh_name(), "-o", "json"});
    if (!check) return std::unexpected(check.error());
    const Json report = Json::parse(check->out, nullptr, false);
    for (const Json& category : At(report, "categories"))
      for (const Json& one : At(category, "checks"))
        if (const std::string error = Text(one, {"error"}); error.find(kSplit) != std::string::npos) message = error;
    return !message.empty();
  });
  if (!told) return std::unexpected(told.error());
  guide_.Tell("\n$ plait check" + guide_.named() + "\n" + message + "\n");
  const Outcome<std::map<std::string, int>> counts = guide_.CountStars(20);
  if (!counts) return std::unexpected(counts.error());
  const bool stayed = counts->contains("red") && counts->at("red") == 20;
  TourStep step = Seen("make a mistake", *told, "it is told with its place", "plait logs" + guide_.named() + " plaitd");
  step.passed = step.passed && stayed;
  step.detail +=
      stayed ? "; what was in force stays: 20 of 20 answers are red as before" : "; but what was in force did not stay";
  return step;
}

Step Tour::SeeADenial() {
  guide_.Tell("Only productpage may ask details (policy.yaml). reviews tries:\n");
  const auto denials = [&]() -> Outcome<Json> {
    const Outcome<ProgramEnd> logs =
        RunProgram("plait", {"logs", "--name", guide_.mesh_name(), "--denied", "details-v1", "-o", "json"});
    if (!logs) return std::unexpected(logs.error());
    Json entries = Json::parse(logs->out, nullptr, false);
    return entries.is_array() ? std::move(entries) : Json::array();
  };
  const Outcome<Json> before = denials();
  if (!before) return std::unexpected(before.error());
  const Outcome<ProgramEnd> answer = guide_.Plait({"exec", "reviews-v1", "--", "plait-demo-app", "get", kDetails});
  if (!answer) return std::unexpected(answer.error());
  guide_.Tell(std::string(Trim(answer->out)) + "\n");
  guide_.Tell("The caller learns no more than that. The server's own log says why:\n");
  std::string explanation;
  const Outcome<double> logged = guide_.SecondsUntil(std::chrono::steady_clock::now(), [&]() -> Outcome<bool> {
    const Outcome<Json> now = denials();
    if (!now) return std::unexpected(now.error());
    if (now->size() <= before->size()) return false;
    explanation = Text(now->back(), {"explanation"});
    return true;
  });
  if (!logged) return std::unexpected(logged.error());
  guide_.Tell("$ plait logs" + guide_.named() + " --denied details-v1\n" + explanation);
  const bool denied = answer->out.find("RBAC: access denied") != std::string::npos;
  const bool explained = explanation.find("details-viewer") != std::string::npos;
  TourStep step{.title = "a denial", .passed = denied && explained};
  step.detail = step.passed ? "403, and the log names the policy, its line and what differs"
                : denied    ? "403, but the log does not say why"
                            : "reviews was not denied";
  if (!step.passed) step.hint = "plait logs" + guide_.named() + " --denied details-v1";
  return step;
}

Step Tour::AllowIt() {
  guide_.Tell("The proxies can be asked before anything is sent:\n");
  const std::vector<std::string> question = {"explain", "reviews-v1", "details:9080", "GET", "/details/0"};
  const Outcome<ProgramEnd> denied = guide_.Plait(question);
  if (!denied) return std::unexpected(denied.error());
  guide_.Tell(std::string(Trim(denied->out)) + "\n\nSo reviews is added to the rule that it names:\n");
  const std::string productpage = "\"cluster.local/ns/default/sa/bookinfo-productpage\"";
  const Outcome<Moment> saved =
      Save(policy_, kPolicy, {{productpage, productpage + ", \"cluster.local/ns/default/sa/bookinfo-reviews\""}});
  if (!saved) return std::unexpected(saved.error());
  const Outcome<double> seconds = UntilAsked(200, *saved);
  if (!seconds) return std::unexpected(seconds.error());
  guide_.Tell("");
  const Outcome<ProgramEnd> allowed = guide_.Plait(question);
  if (!allowed) return std::unexpected(allowed.error());
  guide_.Tell("exit code " + std::to_string(allowed->code) + ", where it was " + std::to_string(denied->code));
  TourStep step = Seen("explain and allow it", *seconds, "reviews gets details",
                       "plait explain" + guide_.named() + " reviews-v1 details:9080");
  if (denied->code == kNo && allowed->code == kDone) return step;
  step.passed = false;
  step.detail += "; but `plait explain` says otherwise";
  return step;
}

Step Tour::Undo() {
  guide_.Tell("Both files as they were; in real life that is `git checkout` or an editor's undo.\n");
  const Moment saved = std::chrono::steady_clock::now();
  if (const Outcome<> back = PutBack(); !back) return std::unexpected(back.error());
  const Outcome<double> split = guide_.SecondsUntil(saved, [&]() -> Outcome<bool> {
    const Outcome<std::string> seen = guide_.Stars();
    if (!seen) return std::unexpected(seen.error());
    return *seen == "black";
  });
  if (!split) return std::unexpected(split.error());
  const Outcome<double> policy = UntilAsked(403, saved);
  if (!policy) return std::unexpected(policy.error());
  return Seen("undo", *split < 0 ? *split : *policy, "black stars are back and reviews is denied again",
              "plait check" + guide_.named());
}

struct Chapter {
  const char* title;
  Step (Tour::*step)();
};
constexpr Chapter kChapters[] = {{"The application", &Tour::Look},
                                 {"Edit a route", &Tour::EditARoute},
                                 {"Make a mistake", &Tour::MakeAMistake},
                                 {"A denial", &Tour::SeeADenial},
                                 {"Explain it, and allow it", &Tour::AllowIt},
                                 {"Undo", &Tour::Undo}};

Outcome<std::vector<TourStep>> Walk(const TourGuide& guide, Tour& tour) {
  std::vector<TourStep> steps;
  for (const Chapter& chapter : kChapters) {
    const std::string number = std::to_string(steps.size() + 1) + "/" + std::to_string(std::size(kChapters));
    guide.Head(number + "  " + chapter.title);
    Step step = (tour.*chapter.step)();
    if (!step && step.error().code == Errc::kCancelled) return std::unexpected(step.error());
    if (!step)
      step = TourStep{.title = ToLower(chapter.title), .detail = step.error().message, .hint = step.error().hint};
    guide.Verdict(step->passed, step->detail, step->hint);
    steps.push_back(*std::move(step));
    if (!steps.back().passed) break;
    if (steps.size() == std::size(kChapters)) break;
    if (const Outcome<> go_on = guide.Pause(); !go_on) return std::unexpected(go_on.error());
  }
  return steps;
}

int ReportEnd(const Diagnostic& error) {
  if (error.code != Errc::kCancelled) return Report(error);
  Say("\nplait demo tour: broken off; the files are as they were");
  return kInterrupted;
}

}  // namespace

std::string StarsIn(std::string_view reviews_json) {
  const Json answer = Json::parse(reviews_json, nullptr, false);
  for (const Json& review : At(answer, "reviews"))
    if (const std::string colour = Text(review, {"rating", "color"}); !colour.empty()) return colour;
  return "";
}

Output TourOutput(const std::vector<TourStep>& steps, std::size_t of) {
  Output output{.table = {{"STEP", "RESULT", "DETAIL"}, {}}};
  Json list = Json::array();
  std::size_t passed = 0;
  for (const TourStep& step : steps) {
    const std::string result = step.passed ? "success" : "error";
    passed += step.passed ? 1U : 0U;
    output.names.push_back("step/" + step.title);
    output.table.rows.push_back({step.title, result, step.detail});
    Json entry = {{"description", step.title}, {"result", result}, {"detail", step.detail}, {"hint", step.hint}};
    if (step.seconds >= 0) entry["seconds"] = step.seconds;
    list.push_back(std::move(entry));
  }
  output.code = passed == of ? kDone : kNo;
  output.data = Data({{"success", passed == of}, {"steps", std::move(list)}});
  output.text =
      "\nplait demo tour: " + std::to_string(passed) + " of " + std::to_string(of) + " steps saw their effect\n";
  if (passed == of)
    output.text +=
        "  What next: docs/first-steps.md brings an application of your own; plait test proves more with numbers.\n";
  return output;
}

int RunTour(const MeshOptions& mesh, bool pauses) {
  const Interrupt interrupt;
  const Outcome<TourGuide> guide = TourGuide::Begin(mesh, pauses, interrupt);
  if (!guide) return ReportEnd(guide.error());
  Outcome<EditedFile> split = guide->Edit(kSplit);
  if (!split) return ReportEnd(split.error());
  Outcome<EditedFile> policy = guide->Edit(kPolicy);
  if (!policy) return ReportEnd(policy.error());
  Tour tour(*guide, *std::move(split), *std::move(policy));
  const Outcome<std::vector<TourStep>> steps = Walk(*guide, tour);
  const Outcome<> back = tour.PutBack();
  if (!steps) return ReportEnd(steps.error());
  if (!back) return ReportEnd(back.error());
  return Show(mesh.format, TourOutput(*steps, std::size(kChapters)));
}

}  // namespace plait::cli
