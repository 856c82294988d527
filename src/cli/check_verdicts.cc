#include "cli/check_verdicts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace plait::cli {
namespace {

constexpr double kSplitTolerance = 4;  // percentage points
constexpr std::string_view kDenied = "RBAC: access denied";

std::string Number(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.0f", value);
  return text;
}

double Percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// "80.4 %", "100 %"
std::string PercentText(double percent) {
  char text[32];
  snprintf(text, sizeof text, percent == std::floor(percent) ? "%.0f %%" : "%.1f %%", percent);
  return text;
}

double Share(const LoadReport& report) { return Percent(report.ok(), report.sent); }

bool IsUnmeshed(const Sample& sample, const std::vector<std::string>& unmeshed) {
  const std::string source =
      std::string(sample.Label("source_workload_namespace")) + "/" + std::string(sample.Label("source_workload"));
  return source == "unknown/unknown" || std::find(unmeshed.begin(), unmeshed.end(), source) != unmeshed.end();
}

std::string StatusText(const Answer& answer) {
  return answer.status == 0 ? "no answer" : std::to_string(answer.status);
}

}  // namespace

std::string HintFor(std::string_view hint, const std::string& named) {
  constexpr std::string_view kProgram = "plait ";
  std::string out;
  for (std::size_t at = 0; at < hint.size();) {
    const std::size_t program = std::min(hint.find(kProgram, at), hint.size());
    const std::size_t verb = std::min(program + kProgram.size(), hint.size());
    const std::size_t end = std::min(hint.find_first_of(" ;,", verb), hint.size());
    out.append(hint.substr(at, end - at)).append(program < hint.size() ? named : "");
    at = end;
  }
  return out;
}

void CountInMesh(const std::vector<Sample>& of_one_proxy, const std::vector<std::string>& unmeshed, InMeshTraffic& to) {
  for (const Sample& sample : of_one_proxy) {
    if (sample.name != "istio_requests_total" && sample.name != "istio_tcp_connections_opened_total") continue;
    if (sample.Label("reporter") != "destination" || IsUnmeshed(sample, unmeshed)) continue;
    to.all += sample.value;
    if (sample.Label("connection_security_policy") == "mutual_tls") {
      to.mutual += sample.value;
    } else if (sample.value > 0) {
      to.plaintext.push_back(std::string(sample.Label("source_workload")) + " -> " +
                             std::string(sample.Label("destination_workload")));
    }
  }
}

CheckResult JudgeMtls(const InMeshTraffic& traffic, const PlaintextDials& dials) {
  CheckResult result{.name = "mTLS",
                     .detail = Number(traffic.mutual) + "/" + Number(traffic.all) +
                               " in-mesh requests and TCP connections over mutual TLS; ",
                     .numbers = {{"in_mesh", traffic.all},
                                 {"mutual_tls", traffic.mutual},
                                 {"plaintext_tried", static_cast<double>(dials.report.sent)},
                                 {"plaintext_answered", static_cast<double>(dials.report.answers())}}};
  const bool refused = dials.report.sent > 0 && dials.report.answers() == 0 && dials.logged;
  if (refused) {
    result.detail += "plaintext to echo refused (" + std::to_string(dials.report.sent) + " of " +
                     std::to_string(dials.report.sent) + ")";
  } else if (dials.report.answers() > 0) {
    result.detail += "plaintext to echo was answered " + std::to_string(dials.report.answers()) + " of " +
                     std::to_string(dials.report.sent) + " times";
  } else {
    result.detail += "plaintext to echo did not get through (" + dials.report.WhatFailed() +
                     "), but its proxy did not log that it refused it";
  }
  if (!traffic.plaintext.empty()) result.detail += "; plaintext: " + traffic.plaintext.front();
  result.passed = refused && traffic.all > 0 && traffic.mutual == traffic.all;
  result.hint = "plait logs -c istio-proxy echo-v1.plait-test";
  return result;
}

CheckResult JudgeSplit(const LoadReport& report, double v1_share) {
  const double v1 = Percent(report.With("v1"), report.sent);
  const double v2 = Percent(report.With("v2"), report.sent);
  CheckResult result{.name = "traffic split",
                     .detail = "v1 " + PercentText(v1) + ", v2 " + PercentText(v2) + " of " +
                               std::to_string(report.sent) + " (want " + Number(v1_share) + "/" +
                               Number(100 - v1_share) + " ±" + Number(kSplitTolerance) + ")",
                     .numbers = {{"requests", static_cast<double>(report.sent)},
                                 {"v1_percent", v1},
                                 {"v2_percent", v2},
                                 {"failed", static_cast<double>(report.failed)}},
                     .hint = "plait pc route client.plait-test"};
  if (report.failed > 0) result.detail += "; failed: " + report.WhatFailed();
  result.passed = report.sent > 0 && report.failed == 0 && std::abs(v1 - v1_share) <= kSplitTolerance &&
                  report.With("v1") + report.With("v2") == report.sent;
  return result;
}

std::string PolicyInLog(std::string_view log) {
  constexpr std::string_view kMatched = "rbac_access_denied_matched_policy[";
  constexpr std::string_view kPolicy = "policy[";
  const std::size_t at = log.rfind(kMatched);
  if (at == std::string_view::npos) return "";
  log.remove_prefix(at + kMatched.size());
  log = log.substr(0, log.find_first_of(" \n"));
  const std::size_t policy = log.find(kPolicy);
  const std::size_t end = log.find("]-rule[", policy);
  if (policy == std::string_view::npos || end == std::string_view::npos) return "";
  const std::string_view name = log.substr(policy + kPolicy.size(), end - policy - kPolicy.size());
  const std::string_view rule = log.substr(end + 2);
  return std::string(name) + " " + std::string(rule.substr(0, rule.find(']') + 1));
}

CheckResult JudgeAuthz(const Answer& denied, const std::string& policy_in_log, const Answer& allowed) {
  CheckResult result{.name = "authz",
                     .numbers = {{"denied_status", denied.status}, {"allowed_status", allowed.status}},
                     .hint = "plait logs -c istio-proxy echo-v1.plait-test"};
  result.detail = "stranger→echo " + StatusText(denied);
  if (!policy_in_log.empty()) {
    result.detail += " by AuthorizationPolicy " + policy_in_log;
  } else if (denied.status == 403) {
    result.detail += ", but the log names no policy";
  }
  if (denied.status == 403 && denied.body != kDenied) result.detail += " with the body \"" + denied.body + "\"";
  result.detail += "; client→echo " + StatusText(allowed);
  result.passed = denied.status == 403 && denied.body == kDenied && !policy_in_log.empty() && allowed.status == 200;
  return result;
}

CheckResult JudgeRetries(const LoadReport& with_retries, const LoadReport& without) {
  const double shown = Share(without);
  const double hidden = Share(with_retries);
  CheckResult result{.name = "retries",
                     .detail = "every tenth answer a 503, hidden by retry: client success " + PercentText(hidden) +
                               " of " + std::to_string(with_retries.sent) + " (" + PercentText(shown) + " without)",
                     .numbers = {{"requests", static_cast<double>(with_retries.sent)},
                                 {"success_percent", hidden},
                                 {"success_percent_without", shown}},
                     .hint = "plait pc route client.plait-test"};
  const auto unavailable = without.status.find("503");
  const bool as_planned = unavailable != without.status.end() && unavailable->second * 10 == without.sent &&
                          without.failed == unavailable->second;
  if (!as_planned) result.detail += "; without retries: " + without.WhatFailed();
  if (with_retries.failed > 0) result.detail += "; with retries: " + with_retries.WhatFailed();
  result.passed = with_retries.sent > 0 && with_retries.failed == 0 && as_planned;
  return result;
}

CheckResult JudgeMetrics(const RequestCounts& counts) {
  CheckResult result{.name = "metrics",
                     .numbers = {{"client", counts.client},
                                 {"source_reporter", counts.source},
                                 {"destination_reporter", counts.destination}},
                     .hint = "plait exec client.plait-test -- curl -s 127.0.0.1:15000/stats/prometheus"};
  result.passed = counts.client > 0 && counts.agree();
  const char* equals = result.passed ? " = " : ", ";
  result.detail = std::string("istio_requests_total ") + (result.passed ? "agrees with" : "differs from") +
                  " the client's own count (client " + Number(counts.client) + equals + "source " +
                  Number(counts.source) + equals + "destination " + Number(counts.destination) + ")";
  return result;
}

CheckResult JudgeRotation(const Rotation& rotation) {
  CheckResult result{.name = "rotation",
                     .detail = std::to_string(rotation.replaced) + "/" + std::to_string(rotation.proxies) +
                               " certificates replaced by " + std::to_string(rotation.renewals) +
                               " renewals under load, " + std::to_string(rotation.load.failed) + " of " +
                               std::to_string(rotation.load.sent) + " requests failed",
                     .numbers = {{"proxies", rotation.proxies},
                                 {"replaced", rotation.replaced},
                                 {"renewals", rotation.renewals},
                                 {"requests", static_cast<double>(rotation.load.sent)},
                                 {"failed", static_cast<double>(rotation.load.failed)}},
                     .hint = "plait pc secret client.plait-test"};
  if (rotation.load.failed > 0) result.detail += ": " + rotation.load.WhatFailed();
  result.passed = rotation.load.sent > 0 && rotation.load.failed == 0 && rotation.renewals > 0 &&
                  rotation.replaced == rotation.proxies;
  return result;
}

}  // namespace plait::cli
