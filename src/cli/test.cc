// plait test: proves with numbers what the mesh promises, on a mesh that runs: mutual TLS, traffic split,
// authorization, retries, metrics, rotation of certificates. Its workloads live in namespace plait-test, for as long as
// it runs.
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/mesh_checks.h"
#include "cli/test_overlay.h"
#include "cli/verbs.h"

namespace plait::cli {
namespace {

struct TestVerb {
  bool keep = false;               // leave its workloads, to look at them
  bool leave = false;              // who started it removes them with the mesh
  std::vector<std::string> pages;  // paths of the application that must be there through the gateway
};

// A check whose means failed has failed too, with the reason; only a signal ends the test.
Outcome<CheckResult> Verdict(const MeshOptions& mesh, const char* name, Outcome<CheckResult> result) {
  if (result) result->hint = HintFor(result->hint, Named(mesh));
  if (result || result.error().code == Errc::kCancelled) return result;
  return CheckResult{.name = name, .detail = result.error().message, .hint = result.error().hint};
}

// People see each check as it ends; the other formats are of the whole.
void Show(const MeshOptions& mesh, const CheckResult& result) {
  if (!IsTold(mesh.format)) return;
  CheckLine(result.passed, result.name, result.detail);
  if (!result.passed && !result.hint.empty()) Say("      try: " + result.hint);
}

Json AsJson(const CheckResult& result) {
  Json numbers = Json::object();
  for (const auto& [name, value] : result.numbers) {
    const auto whole = static_cast<std::int64_t>(value);  // counts are read as such: 500, not 500.0
    numbers[name] = static_cast<double>(whole) == value ? Json(whole) : Json(value);
  }
  return {{"description", result.name},
          {"result", result.passed ? "success" : "error"},
          {"detail", result.detail},
          {"numbers", numbers},
          {"hint", result.passed ? "" : result.hint}};
}

Outcome<std::vector<CheckResult>> RunChecks(const MeshOptions& mesh, const TestVerb& verb, const TestAccess& access) {
  std::vector<CheckResult> results;
  const auto take = [&](Outcome<CheckResult> result) {
    if (!result) return false;
    Show(mesh, *result);
    results.push_back(std::move(*result));
    return true;
  };
  for (const MeshCheck& check : MeshChecks())
    if (!take(Verdict(mesh, check.name, check.run(access)))) return Explain(Errc::kCancelled, "interrupted");
  if (!verb.pages.empty() && !take(Verdict(mesh, "page", CheckPage(access, verb.pages))))
    return Explain(Errc::kCancelled, "interrupted");
  return results;
}

int Conclude(const MeshOptions& mesh, const std::vector<CheckResult>& results, std::chrono::duration<double> took) {
  std::size_t passed = 0;
  Output output;
  Json checks = Json::array();
  for (const CheckResult& result : results) {
    passed += result.passed ? 1U : 0U;
    checks.push_back(AsJson(result));
    output.names.push_back("check/" + result.name);
  }
  const bool success = passed == results.size();
  output.code = success ? kDone : kNo;
  if (IsTold(mesh.format)) {
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%.1f s", took.count());
    Say("\nplait test: " + std::to_string(passed) + " of " + std::to_string(results.size()) + " checks passed in " +
        seconds);
    return output.code;
  }
  // The shape of `linkerd check -o json`, as doctor has it; detail and numbers are more.
  output.data = Data({{"success", success},
                      {"seconds", took.count()},
                      {"categories", {{{"categoryName", "plait-test"}, {"checks", checks}}}}});
  return Show(mesh.format, output);
}

int Test(const MeshOptions& mesh, const TestVerb& verb, const TestAccess& access, TestOverlay& overlay) {
  const auto started = std::chrono::steady_clock::now();
  if (IsTold(mesh.format)) Say("plait test: starting its workloads in namespace plait-test");
  if (Outcome<> ready = overlay.AwaitReady(access); !ready) {
    if (ready.error().code == Errc::kCancelled) return kInterrupted;
    return Report(ready.error()) == kUnreachable ? kUnreachable : kNo;
  }
  const Outcome<std::vector<CheckResult>> results = RunChecks(mesh, verb, access);
  if (!results) return results.error().code == Errc::kCancelled ? kInterrupted : Report(results.error());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  const int code = Conclude(mesh, *results, took);
  if (verb.keep || verb.leave) return code;
  if (Outcome<> removed = overlay.RemoveAndAwait(access); !removed) {
    const int ended = removed.error().code == Errc::kCancelled ? kInterrupted : Report(removed.error());
    return code == kDone || ended == kInterrupted ? ended : code;
  }
  return code;
}

// Says what becomes of its workloads, and waits for their end as long as nobody interrupts that, too.
void TidyUp(const MeshOptions& mesh, const TestVerb& verb, const TestAccess& access, TestOverlay& overlay) {
  if (verb.leave) return Say("plait test: interrupted");
  if (verb.keep) return Say("plait test: interrupted; its workloads stay in namespace plait-test");
  Say("plait test: interrupted; its workloads are being removed (Ctrl-C again: do not wait)");
  const Outcome<> removed = overlay.RemoveAndAwait(access);
  if (removed) return Say("plait test: its workloads are removed");
  if (removed.error().code != Errc::kCancelled) return static_cast<void>(Report(removed.error()));
  Say("plait test: its workloads are still being removed");
  Say("  try: plait status" + Named(mesh));
}

int TestIn(const MeshOptions& mesh, const TestVerb& verb) {
  Interrupt interrupt;
  const TestAccess access(mesh, interrupt);
  const Outcome<local::MeshStatus> status = access.Status();
  if (!status && status.error().code == Errc::kCancelled) return kInterrupted;
  if (!status) return Report(status.error());
  if (status->mode == "loopback")
    return Report({.code = Errc::kNotFound,
                   .message = "the workloads of the test are captured, and mode loopback captures nothing",
                   .hint = "plait up --net rootless (or netns), and then plait test"});
  Outcome<TestOverlay> overlay = TestOverlay::Add(*status);
  if (!overlay) return Report(overlay.error());
  if (verb.keep) overlay->Keep();
  const int code = Test(mesh, verb, access, *overlay);
  if (code != kInterrupted) return code;
  interrupt.Forget();
  TidyUp(mesh, verb, access, *overlay);
  return code;
}

}  // namespace

Command TestCommand(MeshOptions& mesh) {
  const auto verb = std::make_shared<TestVerb>();
  return {
      .name = "test",
      .summary = "prove with numbers that the running mesh does what it promises",
      .details =
          "Adds workloads of its own in namespace plait-test, drives traffic through them and compares what "
          "clients, proxies and logs say: mutual TLS, traffic split, authorization, retries, metrics, rotation "
          "of certificates.",
      .options =
          {{.names = "--keep",
            .help = "leave its workloads in namespace plait-test, to look at them",
            .to = &verb->keep},
           {.names = "--leave", .help = "for `plait demo --test`", .to = &verb->leave, .hidden = true},
           {.names = "--page", .value = "PATH", .help = "for `plait demo --test`", .to = &verb->pages, .hidden = true}},
      .run = [&mesh, verb] { return TestIn(mesh, *verb); }};
}

}  // namespace plait::cli
