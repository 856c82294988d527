#pragma once
// Internal to the codecs of control/model: the pod template that Deployment, StatefulSet and Job share.
#include <set>

#include "control/model/reader.h"

namespace k8s::io::api::core::v1 {
class Container;
class PodSpec;
class PodTemplateSpec;
}  // namespace k8s::io::api::core::v1

namespace plait::control::model {

// `spec.template` of the object. Findings are at its fields; false when no pod can be made from it. `claims`: volumes
// that the object itself brings.
bool ReadPodTemplate(ObjectReader& reader, const k8s::io::api::core::v1::PodTemplateSpec& from, PodTemplateSpec& to,
                     const std::set<std::string>& claims = {});

// hostAliases, dnsPolicy and dnsConfig of a pod whose spec stands at `path`. False when Kubernetes would refuse the
// pod.
bool ReadNameResolution(ObjectReader& reader, const std::string& path, const k8s::io::api::core::v1::PodSpec& from,
                        PodSpec& to);

// The volumes of a pod whose spec stands at `path`. Kinds that a process cannot have are told once, if anybody mounts
// them. False when Kubernetes would refuse the pod.
bool ReadVolumes(ObjectReader& reader, const std::string& path, const k8s::io::api::core::v1::PodSpec& from,
                 std::vector<Volume>& to);
// The volumes that a container mounts; its spec stands at `path`.
bool ReadVolumeMounts(ObjectReader& reader, const std::string& path, const k8s::io::api::core::v1::Container& from,
                      std::vector<VolumeMount>& to);

}  // namespace plait::control::model
