#pragma once
// Internal to the codecs of control/model: from trees to protobuf messages, with findings.
#include <optional>
#include <string>
#include <string_view>

#include "control/model/reader.h"
#include "core/base/time.h"
#include "core/yaml/message.h"

namespace google::protobuf {
class Message;
class Duration;
}  // namespace google::protobuf

namespace plait::control::model {

// How Kubernetes' JSON differs from protobuf's: IntOrString, Quantity, Time, inlined structs.
const yaml::DecodeOptions& KubernetesJson();

// Fills `message`; false after an error, which is reported.
bool ReadMessage(ObjectReader& reader, const yaml::Node& node, google::protobuf::Message& message,
                 const yaml::DecodeOptions& options = {});
// The object's root without apiVersion, kind, metadata and status, for kinds that are one message.
yaml::Node BodyOf(const yaml::Node& root);

// Reports each field of `message` that is set but not honoured (by its protobuf name, the table in unhonoured.cc):
// a warning, or in security kinds an error; what has no effect is told as information. Returns how many are not
// honoured. `path`: where the message stands in the object.
std::size_t ReportUnhonoured(ObjectReader& reader, const google::protobuf::Message& message, std::string_view path,
                             Severity severity);

Duration ToDuration(const google::protobuf::Duration& value) noexcept;

}  // namespace plait::control::model
