#pragma once
// What `plait test` makes of what it saw: facts in, a verdict with its numbers out. Pure.
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/load_report.h"
#include "cli/prometheus_text.h"

namespace plait::cli {

struct CheckResult {
  std::string name = {};  // "traffic split"
  bool passed = false;
  std::string detail = {};                                   // the numbers as a sentence
  std::vector<std::pair<std::string, double>> numbers = {};  // the same as data
  std::string hint = {};                                     // where to look when it failed
};

// "plait logs -c istio-proxy x" for the mesh of `named` (" --name shop"): the commands of a hint, each with it behind
// its verb.
std::string HintFor(std::string_view hint, const std::string& named);

// Which of the requests and TCP connections that arrived from workloads of the mesh were mutual TLS, counted by the
// servers' proxies.
struct InMeshTraffic {
  double all = 0;
  double mutual = 0;
  std::vector<std::string> plaintext = {};  // "client -> echo-v1"
};
// `unmeshed`: workloads without a proxy, as "namespace/name": what they say is plaintext and none of it is in-mesh.
void CountInMesh(const std::vector<Sample>& of_one_proxy, const std::vector<std::string>& unmeshed, InMeshTraffic& to);

struct PlaintextDials {
  LoadReport report = {};  // of requests in plaintext to a STRICT workload
  bool logged = false;     // its proxy wrote why it refused
};
CheckResult JudgeMtls(const InMeshTraffic& traffic, const PlaintextDials& dials);

// `report` counts by version; `v1_share` in percent.
CheckResult JudgeSplit(const LoadReport& report, double v1_share);

struct Answer {
  int status = 0;  // 0: none
  std::string body = {};
};
// Policy and rule of "...rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]...": "b rule[0]"; "" when it names
// none.
std::string PolicyInLog(std::string_view log);
CheckResult JudgeAuthz(const Answer& denied, const std::string& policy_in_log, const Answer& allowed);

// One request at a time to a server of which every tenth answer is a 503.
CheckResult JudgeRetries(const LoadReport& with_retries, const LoadReport& without);

// Requests as the client, its proxy and the servers' proxies counted them.
struct RequestCounts {
  double client = 0;
  double source = 0;
  double destination = 0;
  bool agree() const { return client == source && client == destination; }
};
CheckResult JudgeMetrics(const RequestCounts& counts);

// `renewals` succeeded while `load` ran; `replaced` of `proxies` have another certificate than before.
struct Rotation {
  LoadReport load = {};
  int renewals = 0;
  int proxies = 0;
  int replaced = 0;
};
CheckResult JudgeRotation(const Rotation& rotation);

}  // namespace plait::cli
