// Deployment, StatefulSet, Job and Node.
#include <k8s.io/api/apps/v1/generated.pb.h>
#include <k8s.io/api/batch/v1/generated.pb.h>
#include <k8s.io/api/core/v1/generated.pb.h>

#include <algorithm>
#include <utility>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/pod_reading.h"
#include "control/model/protobuf_reading.h"

namespace plait::control::model {
namespace {
namespace apps = k8s::io::api::apps::v1;
namespace batch = k8s::io::api::batch::v1;
namespace core = k8s::io::api::core::v1;
namespace api = k8s::io::apimachinery::pkg::apis::meta::v1;

constexpr std::int32_t kMaxPods = 1000;

// A number of pods; `out` stays when the field is absent.
bool ReadCount(ObjectReader& reader, const char* field, bool present, std::int32_t from, std::int32_t least,
               std::uint32_t& out) {
  if (!present) return true;
  if (from < least || from > kMaxPods) {
    reader.Error(std::string("spec.") + field,
                 std::string(field) + " must be between " + std::to_string(least) + " and " + std::to_string(kMaxPods),
                 {}, {});
    return false;
  }
  out = static_cast<std::uint32_t>(from);
  return true;
}

// Pods that their own selector does not match would be made without end.
bool CheckSelector(ObjectReader& reader, const api::LabelSelector& selector, const Labels& labels) {
  const Labels wanted(selector.matchlabels().begin(), selector.matchlabels().end());
  if (wanted.empty() && selector.matchexpressions_size() == 0) {
    reader.Error("spec.selector", "spec.selector.matchLabels is missing", "repeat the labels of the template", {});
    return false;
  }
  if (Selects(wanted, labels)) return true;
  reader.Error("spec.selector", "the selector does not match the labels of the template",
               "write the same labels in both", {});
  return false;
}

bool CheckAlwaysRestarts(ObjectReader& reader, const PodSpec& spec) {
  if (spec.restart_policy == "Always") return true;
  reader.Error(
      "spec.template.spec.restartPolicy",
      "the pods of a " + std::string(KindName(reader.meta().key.kind)) + " restart always, not " + spec.restart_policy,
      "leave it out, or make it a Job", {});
  return false;
}

bool ReadOrder(ObjectReader& reader, const apps::StatefulSetSpec& spec, StatefulSet& set) {
  const std::string& policy = spec.podmanagementpolicy();
  set.parallel = policy == "Parallel";
  if (!policy.empty() && policy != "Parallel" && policy != "OrderedReady") {
    reader.Error("spec.podManagementPolicy", "there is no policy \"" + policy + "\"", "OrderedReady or Parallel", {});
    return false;
  }
  if (spec.ordinals().start() < 0) {
    reader.Error("spec.ordinals.start", "the first ordinal must not be negative", {}, {});
    return false;
  }
  set.first_ordinal = static_cast<std::uint32_t>(spec.ordinals().start());
  if (const auto& update = spec.updatestrategy(); update.type() == "OnDelete" || update.rollingupdate().partition() > 0)
    reader.Warning("spec.updateStrategy",
                   "updateStrategy is not honoured: a changed template is rolled out to all pods", {}, {});
  return true;
}

// "region/zone/subzone" as far as the labels say it; a zone without a region is "/zone".
std::string LocalityOf(const Labels& labels) {
  std::string out, gap;
  for (const char* key :
       {"topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"}) {
    if (const auto found = labels.find(key); found != labels.end() && !found->second.empty())
      out += std::exchange(gap, "") + found->second;
    gap += "/";
  }
  return out;
}
}  // namespace

void DecodeDeployment(ObjectReader& reader, Decoded& out) {
  apps::Deployment message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  const apps::DeploymentSpec& spec = message.spec();
  Deployment deployment{.meta = reader.meta()};
  if (ReadCount(reader, "replicas", spec.has_replicas(), spec.replicas(), 0, deployment.replicas) &&
      ReadPodTemplate(reader, spec.template_(), deployment.pod) &&
      CheckSelector(reader, spec.selector(), deployment.pod.labels) && CheckAlwaysRestarts(reader, deployment.pod.spec))
    Keep(out, std::move(deployment));
}

void DecodeStatefulSet(ObjectReader& reader, Decoded& out) {
  apps::StatefulSet message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  const apps::StatefulSetSpec& spec = message.spec();
  StatefulSet set{
      .meta = reader.meta(), .service_name = spec.servicename(), .service_name_at = {reader.At("spec.serviceName")}};
  if (!set.service_name.empty() && !IsDnsLabel(set.service_name))
    return reader.Error("spec.serviceName", "\"" + set.service_name + "\" is not the name of a Service",
                        "name a headless Service of this namespace", {});
  std::set<std::string> claims;
  for (const auto& claim : spec.volumeclaimtemplates()) claims.insert(claim.metadata().name());
  if (!claims.empty())
    reader.Info("spec.volumeClaimTemplates", "volumes are not mounted when the pod runs as a process");
  if (!ReadCount(reader, "replicas", spec.has_replicas(), spec.replicas(), 0, set.replicas) ||
      !ReadOrder(reader, spec, set) || !ReadPodTemplate(reader, spec.template_(), set.pod, claims) ||
      !CheckSelector(reader, spec.selector(), set.pod.labels) || !CheckAlwaysRestarts(reader, set.pod.spec))
    return;
  // As Kubernetes: each pod is called by its own name, in the set's Service.
  set.pod.spec.hostname.clear();
  set.pod.spec.subdomain = set.service_name;
  Keep(out, std::move(set));
}

void DecodeJob(ObjectReader& reader, Decoded& out) {
  batch::Job message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  const batch::JobSpec& spec = message.spec();
  Job job{.meta = reader.meta(), .suspended = spec.suspend()};
  if (!ReadCount(reader, "parallelism", spec.has_parallelism(), spec.parallelism(), 0, job.parallelism)) return;
  job.completions = std::max(1U, job.parallelism);
  if (!ReadCount(reader, "completions", spec.has_completions(), spec.completions(), 1, job.completions) ||
      !ReadCount(reader, "backoffLimit", spec.has_backofflimit(), spec.backofflimit(), 0, job.backoff_limit) ||
      !ReadPodTemplate(reader, spec.template_(), job.pod))
    return;
  if (job.pod.spec.restart_policy == "Always")
    return reader.Error("spec.template.spec.restartPolicy", "the pods of a Job must end: restartPolicy is required",
                        "OnFailure restarts a container that failed; Never makes a new pod", {});
  if (spec.completionmode() == "Indexed")
    reader.Warning("spec.completionMode", "completionMode Indexed is not honoured: pods have no completion index", {},
                   {});
  if (spec.has_activedeadlineseconds())
    reader.Warning("spec.activeDeadlineSeconds", "activeDeadlineSeconds is not honoured: the Job may take any time", {},
                   {});
  Keep(out, std::move(job));
}

void DecodeNode(ObjectReader& reader, Decoded& out) {
  core::Node message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  Keep(out, Node{.meta = reader.meta(), .locality = LocalityOf(reader.meta().labels)});
}

}  // namespace plait::control::model
