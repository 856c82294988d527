#pragma once
// Internal to the codecs of control/model: the pod template that Deployment, StatefulSet and Job share.
#include "control/model/reader.h"

namespace k8s::io::api::core::v1 {
class PodTemplateSpec;
}

namespace plait::control::model {

// `spec.template` of the object. Findings are at its fields; false when no pod can be made from it.
bool ReadPodTemplate(ObjectReader& reader, const k8s::io::api::core::v1::PodTemplateSpec& from, PodTemplateSpec& to);

}  // namespace plait::control::model
