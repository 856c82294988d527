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

int ReportEnd(const Diagnostic& error) {
  if (error.code != Errc::kCancelled) return Report(error);
  Say("plait test: interrupted; its workloads are removed");
  return kInterrupted;
}

int Test(const MeshOptions& mesh, const TestVerb& verb) {
  const auto started = std::chrono::steady_clock::now();
  const Interrupt interrupt;
  const TestAccess access(mesh, interrupt);
  const Outcome<local::MeshStatus> status = access.Status();
  if (!status) return ReportEnd(status.error());
  Outcome<TestOverlay> overlay = TestOverlay::Add(*status);
  if (!overlay) return ReportEnd(overlay.error());
  if (verb.keep) overlay->Keep();
  if (IsTold(mesh.format)) Say("plait test: starting its workloads in namespace plait-test");
  if (Outcome<> ready = overlay->AwaitReady(access); !ready) {
    const int code = ReportEnd(ready.error());
    return code == kUnreachable ? kUnreachable : code == kInterrupted ? kInterrupted : kNo;
  }
  const Outcome<std::vector<CheckResult>> results = RunChecks(mesh, verb, access);
  if (!results) return ReportEnd(results.error());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  const int code = Conclude(mesh, *results, took);
  if (verb.keep || verb.leave) return code;
  if (Outcome<> removed = overlay->RemoveAndAwait(access); !removed) {
    const int ended = ReportEnd(removed.error());
    return code == kDone ? ended : code;
  }
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
      .run = [&mesh, verb] { return Test(mesh, *verb); }};
}

}  // namespace plait::cli
