#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include <array>

#include "control/model/protobuf_reading.h"
#include "control/model/unhonoured.h"
#include "core/yaml/scalar.h"

namespace plait::control::model {
namespace {
namespace pb = google::protobuf;

void SetIntOrString(const yaml::Node& node, pb::Message& message) {
  const pb::Reflection& reflection = *message.GetReflection();
  const pb::Descriptor& type = *message.GetDescriptor();
  const auto number = yaml::AsInt64(node);
  reflection.SetInt64(&message, type.FindFieldByName("type"), number ? 0 : 1);
  if (number)
    reflection.SetInt32(&message, type.FindFieldByName("intVal"), static_cast<std::int32_t>(*number));
  else
    reflection.SetString(&message, type.FindFieldByName("strVal"), node.text);
}

void SetTime(const yaml::Node& node, pb::Message& message, std::string& error) {
  const auto time = ParseRfc3339(node.text);
  if (!time) {
    error = "a time such as \"2026-01-02T15:04:05Z\" is expected, not " + yaml::Describe(node);
    return;
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
  message.GetReflection()->SetInt64(&message, message.GetDescriptor()->FindFieldByName("seconds"), seconds);
}

bool ReadSpecial(const yaml::Node& node, pb::Message& message, std::string& error) {
  const std::string& name = message.GetDescriptor()->full_name();
  if (!name.starts_with("k8s.io.apimachinery.")) return false;
  if (name.ends_with(".intstr.IntOrString")) {
    if (!node.is_scalar() || node.is_null())
      error = "a number or a name is expected, not " + yaml::Describe(node);
    else
      SetIntOrString(node, message);
    return true;
  }
  if (name.ends_with(".resource.Quantity")) {
    if (!node.is_scalar())
      error = "a quantity such as 100m or 1Gi is expected, not " + yaml::Describe(node);
    else
      message.GetReflection()->SetString(&message, message.GetDescriptor()->FindFieldByName("string"), node.text);
    return true;
  }
  if (name.ends_with(".v1.Time") || name.ends_with(".v1.MicroTime")) {
    SetTime(node, message, error);
    return true;
  }
  // What a server or a controller keeps for itself; nothing here looks at it.
  return name.ends_with(".v1.FieldsV1") || name.ends_with(".v1.ManagedFieldsEntry") ||
         name.ends_with(".runtime.RawExtension");
}

bool IsInlined(const pb::FieldDescriptor& field) {
  constexpr std::array<std::string_view, 11> kInlined{"Volume.volumeSource",
                                                      "PersistentVolumeSpec.persistentVolumeSource",
                                                      "Probe.handler",
                                                      "EphemeralContainer.ephemeralContainerCommon",
                                                      "ConfigMapEnvSource.localObjectReference",
                                                      "ConfigMapKeySelector.localObjectReference",
                                                      "ConfigMapProjection.localObjectReference",
                                                      "ConfigMapVolumeSource.localObjectReference",
                                                      "SecretEnvSource.localObjectReference",
                                                      "SecretKeySelector.localObjectReference",
                                                      "SecretProjection.localObjectReference"};
  constexpr std::string_view kPackage = "k8s.io.api.core.v1.";
  const std::string& name = field.full_name();
  if (!name.starts_with(kPackage)) return false;
  for (std::string_view inlined : kInlined)
    if (std::string_view(name).substr(kPackage.size()) == inlined) return true;
  return false;
}

std::size_t Walk(ObjectReader& reader, const pb::Message& message, const std::string& path, Severity severity) {
  std::size_t found = 0;
  std::vector<const pb::FieldDescriptor*> fields;
  const pb::Reflection& reflection = *message.GetReflection();
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    const std::string at = path + "." + field->json_name();
    if (const char* why = WhyWithoutEffect(field->full_name())) {
      reader.Info(at, "\"" + at + "\" has no effect: " + why);
      continue;
    }
    if (const char* why = WhyUnhonoured(field->full_name())) {
      reader.Report(severity, at, "\"" + at + "\" is not honoured yet" + (*why ? ": " + std::string(why) : ""),
                    "remove it; " + reader.FieldsListed(), "IST0133");
      ++found;
      continue;
    }
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->is_map()) continue;
    if (!field->is_repeated()) {
      found += Walk(reader, reflection.GetMessage(message, field), at, severity);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      found +=
          Walk(reader, reflection.GetRepeatedMessage(message, field, i), at + "[" + std::to_string(i) + "]", severity);
  }
  return found;
}
}  // namespace

const yaml::DecodeOptions& KubernetesJson() {
  static const yaml::DecodeOptions options{.special = ReadSpecial, .inlined = IsInlined};
  return options;
}

bool ReadMessage(ObjectReader& reader, const yaml::Node& node, pb::Message& message,
                 const yaml::DecodeOptions& options) {
  yaml::DecodeOptions with_list = options;
  with_list.fields_listed = reader.FieldsListed();
  Diagnostics errors = yaml::Decode(node, reader.file(), message, with_list);
  for (Diagnostic& error : errors) reader.Report(std::move(error));
  return errors.empty();
}

yaml::Node BodyOf(const yaml::Node& root) {
  yaml::Node body{.kind = yaml::Node::Kind::kMapping, .at = root.at};
  for (const yaml::Entry& entry : root.entries)
    if (entry.key != "apiVersion" && entry.key != "kind" && entry.key != "metadata" && entry.key != "status")
      body.entries.push_back(entry);
  return body;
}

std::size_t ReportUnhonoured(ObjectReader& reader, const pb::Message& message, std::string_view path,
                             Severity severity) {
  return Walk(reader, message, std::string(path), severity);
}

Duration ToDuration(const pb::Duration& value) noexcept {
  // Beyond some 290 years nanoseconds overflow; no time-out means that.
  constexpr std::int64_t kMost = 9'000'000'000;
  const std::int64_t seconds = std::min(std::max(value.seconds(), -kMost), kMost);
  return std::chrono::seconds(seconds) + std::chrono::nanoseconds(value.nanos());
}

}  // namespace plait::control::model
