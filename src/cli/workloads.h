#pragma once
// What verbs about one mesh or one workload share.
#include <optional>
#include <string>

#include "cli/explain_report.h"
#include "cli/fetch.h"
#include "cli/verbs.h"
#include "local/control_client.h"

namespace plait::cli {
Outcome<local::ControlClient> ConnectTo(const MeshOptions& mesh);
Outcome<local::MeshStatus> StatusOf(const MeshOptions& mesh);
// The body of a page of plaitd's debug port.
Outcome<std::string> AskControlPlane(const local::MeshStatus& status, const std::string& path,
                                     Duration patience = kAnswerPatience);
// Where objects stand. That is told beside what is asked for, so the wait is short.
Outcome<Positions> AskPositions(const local::MeshStatus& status);
// The body of a page of the admin port of a workload's proxy, and its text as JSON.
Outcome<std::string> AskProxy(const MeshOptions& mesh, const std::string& workload, const std::string& path,
                              Duration patience = kAnswerPatience);
Outcome<Json> AskProxyForJson(const MeshOptions& mesh, const std::string& workload, const std::string& path,
                              Duration patience = kAnswerPatience);
Outcome<std::string> PostToProxy(const MeshOptions& mesh, const std::string& workload, const std::string& path);
// Whether a proxy takes its connections: a sidecar, or it is a gateway.
bool HasProxy(const local::WorkloadStatus& workload);
// A pod of a Job that has ended, well or not: it has no process any more.
bool IsOver(const local::WorkloadStatus& workload);
// "spiffe://cluster.local/ns/default/sa/reviews".
std::string IdentityOf(const local::MeshStatus& status, const local::WorkloadStatus& workload);
// As WhichPod says; of the pods of an owner the first that is ready, else the first.
Outcome<local::WorkloadStatus> FindWorkload(const local::MeshStatus& status, const std::string& workload);
// The file that a container of a pod writes (the first one unless named; istio-proxy is the proxy).
std::string LogPathOf(const local::MeshStatus& status, const local::WorkloadStatus& pod, const std::string& container);
// That of `plaitd` or `supervisor`, which are workloads of plait-system. Nothing: `workload` is neither.
std::optional<std::string> OwnLogPath(const local::MeshStatus& status, const std::string& workload);
}  // namespace plait::cli
