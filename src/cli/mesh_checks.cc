#include "cli/mesh_checks.h"

#include <cmath>

#include "cli/fetch.h"

namespace plait::cli {
namespace {

constexpr const char* kClient = "client.plait-test";
constexpr const char* kStranger = "stranger.plait-test";
constexpr const char* kPlain = "plain.plait-test";  // has no proxy
constexpr const char* kEchoUrl = "http://echo:9080/";
constexpr const char* kRatingsUrl = "http://ratings:9080/ratings/0";
// Deployments of the two versions of echo.
constexpr const char* kEchos[] = {"echo-v1.plait-test", "echo-v2.plait-test"};
// How long a log line or a count may take to be written: a record waits up to 1 s for the labels of its peer.
constexpr int kRecordPatience = 5'000;

// ---- mTLS

// Plaintext from a workload without a proxy to each address of a STRICT one.
Outcome<PlaintextDials> DialInPlaintext(const TestAccess& access, const local::MeshStatus& status) {
  PlaintextDials dials;
  for (const local::WorkloadStatus& w : status.workloads) {
    if (w.ns != "plait-test" || w.owner != "echo-v1") continue;
    for (const std::string& ip : w.ips) {
      const std::string host = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
      const Outcome<LoadReport> one = access.Load(kPlain, "http://" + host + ":9080/", {"--count", "3"});
      if (!one) return std::unexpected(one.error());
      dials.report.sent += one->sent;
      dials.report.failed += one->failed;
      for (const auto& [code, count] : one->status) dials.report.status[code] += count;
      for (const auto& [reason, count] : one->failures) dials.report.failures[reason] += count;
    }
  }
  const Outcome<bool> logged = access.Until(
      [&]() -> Outcome<bool> {
        const Outcome<std::string> log = access.ProxyLog(kEchos[0]);
        if (!log) return std::unexpected(log.error());
        return log->find("plaintext_refused_by_strict_mutual_tls") != std::string::npos;
      },
      kRecordPatience);
  if (!logged) return std::unexpected(logged.error());
  dials.logged = *logged;
  return dials;
}

Outcome<CheckResult> CheckMtls(const TestAccess& access) {
  const Outcome<LoadReport> load = access.Load(kClient, kEchoUrl, {"--count", "300", "--connections", "10"});
  if (!load) return std::unexpected(load.error());
  const Outcome<local::MeshStatus> status = access.Status();
  if (!status) return std::unexpected(status.error());
  const Outcome<PlaintextDials> dials = DialInPlaintext(access, *status);
  if (!dials) return std::unexpected(dials.error());
  std::vector<std::string> unmeshed;
  for (const local::WorkloadStatus& w : status->workloads)
    if (w.proxy_pid == 0) unmeshed.push_back(w.ns + "/" + (w.owner.empty() ? w.name : w.owner));
  InMeshTraffic traffic;
  for (const local::WorkloadStatus& w : status->workloads) {
    if (w.proxy_pid == 0 || !w.ready) continue;
    const Outcome<std::vector<Sample>> samples = access.Metrics(w.name + "." + w.ns);
    if (!samples) return std::unexpected(samples.error());
    CountInMesh(*samples, unmeshed, traffic);
  }
  return JudgeMtls(traffic, *dials);
}

// ---- traffic split

Outcome<CheckResult> CheckSplit(const TestAccess& access) {
  constexpr double kShareOfV1 = 80;  // samples/plait-test
  const Outcome<LoadReport> load =
      access.Load(kClient, kEchoUrl, {"--count", "2000", "--connections", "20", "--count-by", "x-app-version"});
  if (!load) return std::unexpected(load.error());
  return JudgeSplit(*load, kShareOfV1);
}

// ---- authz

Outcome<CheckResult> CheckAuthz(const TestAccess& access) {
  const Outcome<Answer> denied = access.Get(kStranger, kEchoUrl);
  if (!denied) return std::unexpected(denied.error());
  const Outcome<Answer> allowed = access.Get(kClient, kEchoUrl);
  if (!allowed) return std::unexpected(allowed.error());
  std::string policy;
  const Outcome<bool> logged = access.Until(
      [&]() -> Outcome<bool> {
        for (const char* echo : kEchos) {
          const Outcome<std::string> log = access.ProxyLog(echo);
          if (!log) return std::unexpected(log.error());
          policy = PolicyInLog(*log);
          if (!policy.empty()) return true;
        }
        return false;
      },
      denied->status == 403 ? kRecordPatience : 0);
  if (!logged) return std::unexpected(logged.error());
  return JudgeAuthz(*denied, policy, *allowed);
}

// ---- retries

Outcome<CheckResult> CheckRetries(const TestAccess& access) {
  // One connection, so one request at a time: then each tenth of them is the server's tenth.
  const Outcome<LoadReport> without = access.Load(kClient, kRatingsUrl, {"--count", "200", "-H", "x-retries: none"});
  if (!without) return std::unexpected(without.error());
  const Outcome<LoadReport> with = access.Load(kClient, kRatingsUrl, {"--count", "200"});
  if (!with) return std::unexpected(with.error());
  return JudgeRetries(*with, *without);
}

// ---- metrics

Outcome<RequestCounts> CountRequests(const TestAccess& access) {
  RequestCounts counts;
  const Outcome<std::vector<Sample>> source = access.Metrics(kClient);
  if (!source) return std::unexpected(source.error());
  counts.source = SumOf(*source, "istio_requests_total",
                        {{"reporter", "source"}, {"destination_service_name", "echo"}, {"response_code", "200"}});
  for (const char* echo : kEchos) {
    const Outcome<std::vector<Sample>> samples = access.Metrics(echo);
    if (!samples) return std::unexpected(samples.error());
    counts.destination += SumOf(*samples, "istio_requests_total",
                                {{"reporter", "destination"}, {"source_workload", "client"}, {"response_code", "200"}});
  }
  return counts;
}

// Two readings a moment apart that are equal: nothing of earlier checks is still on its way into the counts.
Outcome<RequestCounts> CountSettledRequests(const TestAccess& access) {
  constexpr int kSettle = 150;
  RequestCounts last{.client = 0, .source = -1, .destination = -1};
  for (;;) {
    const Outcome<RequestCounts> now = CountRequests(access);
    if (!now || (now->source == last.source && now->destination == last.destination)) return now;
    last = *now;
    if (Outcome<> paused = access.Pause(kSettle); !paused) return std::unexpected(paused.error());
  }
}

Outcome<CheckResult> CheckMetrics(const TestAccess& access) {
  const Outcome<RequestCounts> before = CountSettledRequests(access);
  if (!before) return std::unexpected(before.error());
  const Outcome<LoadReport> load = access.Load(kClient, kEchoUrl, {"--count", "500", "--connections", "10"});
  if (!load) return std::unexpected(load.error());
  RequestCounts counts{.client = static_cast<double>(load->ok())};
  const Outcome<bool> agree = access.Until(
      [&]() -> Outcome<bool> {
        const Outcome<RequestCounts> after = CountRequests(access);
        if (!after) return std::unexpected(after.error());
        counts.source = after->source - before->source;
        counts.destination = after->destination - before->destination;
        return counts.agree();
      },
      kRecordPatience);
  if (!agree) return std::unexpected(agree.error());
  return JudgeMetrics(counts);
}

// ---- rotation

Outcome<std::vector<std::string>> Serials(const TestAccess& access, std::span<const char* const> workloads) {
  std::vector<std::string> serials;
  for (const char* workload : workloads) {
    const Outcome<std::string> serial = access.CertificateSerial(workload);
    if (!serial) return std::unexpected(serial.error());
    serials.push_back(*serial);
  }
  return serials;
}

Outcome<CheckResult> CheckRotation(const TestAccess& access) {
  constexpr int kRounds = 3;
  constexpr int kBetween = 400;  // milliseconds
  constexpr const char* kRotated[] = {kClient, kEchos[0], kEchos[1]};
  const Outcome<std::vector<std::string>> before = Serials(access, kRotated);
  if (!before) return std::unexpected(before.error());
  Outcome<WorkloadCommand> running = access.StartLoad(
      kClient, kEchoUrl, {"--duration", "2.5", "--connections", "20", "--rate", "300", "--new-per-second", "5"});
  if (!running) return std::unexpected(running.error());
  Rotation rotation{.proxies = static_cast<int>(std::size(kRotated))};
  for (int round = 0; round < kRounds; ++round) {
    if (Outcome<> paused = access.Pause(kBetween); !paused) return std::unexpected(paused.error());
    for (const char* workload : kRotated) {
      if (Outcome<> renewed = access.RenewCertificate(workload); !renewed) return std::unexpected(renewed.error());
      ++rotation.renewals;
    }
  }
  Outcome<LoadReport> load = access.AwaitLoad(*running);
  if (!load) return std::unexpected(load.error());
  rotation.load = std::move(*load);
  const Outcome<std::vector<std::string>> after = Serials(access, kRotated);
  if (!after) return std::unexpected(after.error());
  for (std::size_t i = 0; i < before->size(); ++i) rotation.replaced += (*before)[i] != (*after)[i] ? 1 : 0;
  return JudgeRotation(rotation);
}

constexpr MeshCheck kChecks[] = {{"mTLS", CheckMtls},       {"traffic split", CheckSplit}, {"authz", CheckAuthz},
                                 {"retries", CheckRetries}, {"metrics", CheckMetrics},     {"rotation", CheckRotation}};

}  // namespace

std::span<const MeshCheck> MeshChecks() { return kChecks; }

Outcome<CheckResult> CheckPage(const TestAccess& access, const std::vector<std::string>& paths) {
  const Outcome<local::MeshStatus> status = access.Status();
  if (!status) return std::unexpected(status.error());
  CheckResult result{.name = "page", .hint = "plait logs -c istio-proxy istio-ingressgateway"};
  if (status->url.empty()) {
    result.detail = "the mesh has no gateway";
    return result;
  }
  std::size_t bytes = 0;
  for (const std::string& path : paths) {
    const Outcome<std::string> page = HttpGet(status->url + path);
    if (!page) {
      result.detail = page.error().message.substr(0, 300);
      return result;
    }
    bytes += page->size();
  }
  result.passed = bytes > 0;
  result.detail = status->url + paths.front() + " and " + std::to_string(paths.size() - 1) +
                  " paths of its API through the gateway: " + std::to_string(paths.size()) + " x 200, " +
                  std::to_string(bytes) + " bytes";
  result.numbers = {{"pages", static_cast<double>(paths.size())}, {"bytes", static_cast<double>(bytes)}};
  return result;
}

}  // namespace plait::cli
