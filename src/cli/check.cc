// plait check: is the mesh well? Its workloads, certificates, capture and configuration; each failure with a fix.
#include <nlohmann/json.hpp>

#include "cli/envoys.h"
#include "cli/gateways.h"
#include "cli/health.h"
#include "cli/json_access.h"
#include "cli/verbs.h"
#include "cli/workloads.h"
#include "core/base/strings.h"
#include "local/capture_check.h"

namespace plait::cli {
namespace {

std::shared_ptr<const Json> Parsed(const Outcome<std::string>& text) {
  if (!text) return nullptr;
  Json json = Json::parse(*text, nullptr, false);
  return json.is_structured() ? Data(std::move(json)) : nullptr;
}

// Pages of plaitd. Once it has not answered it is asked nothing more: each question would take its time.
class ControlPlane {
 public:
  explicit ControlPlane(const local::MeshStatus& status) : status_(status) {}
  // Null: with the reason in `error`.
  std::shared_ptr<const Json> Ask(const std::string& path, std::string& error) {
    if (silent_.empty()) {
      const Outcome<std::string> text = AskControlPlane(status_, path, kShortPatience);
      if (auto page = Parsed(text)) return page;
      error = text ? "its " + path + " is not JSON" : text.error().message;
      if (!text && text.error().code == Errc::kUnavailable) silent_ = error;
    } else {
      error = silent_;
    }
    return nullptr;
  }

 private:
  const local::MeshStatus& status_;
  std::string silent_;  // why it did not answer; empty: it did
};

// What the supervisor finds in the kernel now.
Outcome<std::string> AskCapture(const MeshOptions& mesh, const std::string& workload) {
  const Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return std::unexpected(client.error());
  return local::CheckCapture(*client, workload);
}

ProxyFacts AskFacts(const MeshOptions& mesh, const local::WorkloadStatus& workload) {
  ProxyFacts facts{.workload = workload.name + "." + workload.ns};
  if (workload.proxy == "sidecar") {
    Outcome<std::string> capture = AskCapture(mesh, facts.workload);
    if (capture)
      facts.capture = *std::move(capture);
    else
      facts.capture_unasked = std::move(capture.error());
  }
  const Outcome<std::string> info = AskProxy(mesh, facts.workload, "/server_info", kShortPatience);
  if (!info) {
    facts.error = info.error().message;
    return facts;
  }
  const Json page = Json::parse(*info, nullptr, false);
  facts.ready = Text(page, {"state"});
  if (HasEnvoy(workload)) facts.envoy = EnvoyVersion(page);
  facts.listeners = Parsed(AskProxy(mesh, facts.workload, "/listeners?format=json", kShortPatience));
  if (const auto dump =
          Parsed(AskProxy(mesh, facts.workload, "/config_dump?resource=dynamic_listeners", kShortPatience)))
    facts.listener_failures = ListenerFailures(*dump);
  facts.certificates = Parsed(AskProxy(mesh, facts.workload, "/certs", kShortPatience));
  return facts;
}

int CheckMesh(const MeshOptions& mesh) {
  Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return Report(status.error());
  MeshFacts facts{.status = *std::move(status), .now = SystemClock().Wall()};
  ControlPlane plaitd(facts.status);
  if (const auto page = plaitd.Ask("/version", facts.control_error)) facts.control_plane = Text(*page, {"version"});
  facts.syncz = plaitd.Ask("/debug/syncz", facts.syncz_error);
  facts.push_status = plaitd.Ask("/debug/push_status", facts.push_status_error);
  for (const local::WorkloadStatus& workload : facts.status.workloads)
    if (HasProxy(workload) && !IsOver(workload)) facts.proxies.push_back(AskFacts(mesh, workload));
  return Show(mesh.format, ChecksOutput(JudgeHealth(facts)));
}

}  // namespace

Command CheckCommand(MeshOptions& mesh) {
  return {.name = "check",
          .summary = "is the mesh well? workloads, certificates, capture, configuration",
          .details =
              "Each failure comes with a fix. The JSON has the shape of `linkerd check -o json`. Warnings do not "
              "make it fail.",
          .run = [&mesh] { return CheckMesh(mesh); }};
}

}  // namespace plait::cli
