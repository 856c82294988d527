#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/encoding.h"
#include "core/yaml/message.h"
#include "core/yaml/wellknown.h"

namespace plait::yaml {
namespace {
namespace pb = google::protobuf;
using Type = pb::FieldDescriptor::CppType;

template <class T>
Node FloatNode(T value) {
  if (std::isnan(value)) return Node::Text("NaN");
  if (std::isinf(value)) return Node::Text(value < 0 ? "-Infinity" : "Infinity");
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return Node::Plain(std::string(digits, end));
}

class Encoder {
 public:
  explicit Encoder(const EncodeOptions& options) : options_(options) {}

  Node Message(const pb::Message& message) const {
    const WellKnown known = WellKnownOf(message.GetDescriptor()->full_name());
    if (known == WellKnown::kNone || known == WellKnown::kEmpty) return Object(message);
    if (known == WellKnown::kAny) return Any(message);
    if (known == WellKnown::kWrapper) return Scalar(message, *message.GetDescriptor()->FindFieldByNumber(1), -1);
    return EncodeWellKnown(known, message);
  }

 private:
  Node Object(const pb::Message& message) const {
    Node out = Node::Mapping();
    std::vector<const pb::FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const pb::FieldDescriptor* field : fields)
      out.Add(options_.snake_case ? TrueFieldName(field->name(), field->json_name()) : field->json_name(),
              Field(message, *field));
    return out;
  }

  Node Field(const pb::Message& message, const pb::FieldDescriptor& field) const {
    if (field.is_map()) return Map(message, field);
    if (!field.is_repeated()) return Value(message, field, -1);
    Node out = Node::Sequence();
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i)
      out.items.push_back(Value(message, field, i));
    return out;
  }

  // Sorted by key: hash order is no order.
  Node Map(const pb::Message& message, const pb::FieldDescriptor& field) const {
    Node out = Node::Mapping();
    const pb::Descriptor& type = *field.message_type();
    for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
      const pb::Message& pair = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      out.Add(Value(pair, *type.map_key(), -1).text, Value(pair, *type.map_value(), -1));
    }
    std::sort(out.entries.begin(), out.entries.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
    return out;
  }

  // Element `index` of a repeated field; -1 for a singular one.
  Node Value(const pb::Message& message, const pb::FieldDescriptor& field, int index) const {
    if (field.cpp_type() != Type::CPPTYPE_MESSAGE) return Scalar(message, field, index);
    const pb::Reflection& reflection = *message.GetReflection();
    return Message(index < 0 ? reflection.GetMessage(message, &field)
                             : reflection.GetRepeatedMessage(message, &field, index));
  }

  Node Scalar(const pb::Message& message, const pb::FieldDescriptor& field, int index) const {
    const pb::Reflection& r = *message.GetReflection();
    const bool one = index < 0;
    switch (field.cpp_type()) {
      case Type::CPPTYPE_INT32:
        return Node::Plain(
            std::to_string(one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index)));
      case Type::CPPTYPE_UINT32:
        return Node::Plain(
            std::to_string(one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index)));
      // 64 bits do not fit JavaScript's numbers, so protobuf writes them as strings.
      case Type::CPPTYPE_INT64:
        return Node::Text(
            std::to_string(one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index)));
      case Type::CPPTYPE_UINT64:
        return Node::Text(
            std::to_string(one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index)));
      case Type::CPPTYPE_DOUBLE:
        return FloatNode(one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index));
      case Type::CPPTYPE_FLOAT:
        return FloatNode(one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index));
      case Type::CPPTYPE_BOOL:
        return Node::Plain((one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index)) ? "true"
                                                                                                          : "false");
      case Type::CPPTYPE_ENUM: {
        const int number = one ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index);
        const pb::EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
        return value ? Node::Text(value->name()) : Node::Plain(std::to_string(number));
      }
      case Type::CPPTYPE_STRING: {
        std::string text = one ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index);
        return Node::Text(field.type() == pb::FieldDescriptor::TYPE_BYTES ? Base64Encode(AsBytes(text))
                                                                          : std::move(text));
      }
      case Type::CPPTYPE_MESSAGE: break;
    }
    return {};
  }

  Node Any(const pb::Message& message) const {
    const pb::Reflection& reflection = *message.GetReflection();
    const std::string url = reflection.GetString(message, message.GetDescriptor()->FindFieldByNumber(1));
    const std::string bytes = reflection.GetString(message, message.GetDescriptor()->FindFieldByNumber(2));
    Node out = Node::Mapping();
    if (url.empty()) return out;
    out.Add("@type", Node::Text(url));
    const std::string name = url.substr(url.rfind('/') + 1);
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    const pb::Message* prototype = type ? pb::MessageFactory::generated_factory()->GetPrototype(type) : nullptr;
    std::unique_ptr<pb::Message> inner(prototype ? prototype->New() : nullptr);
    if (!inner || !inner->ParsePartialFromString(bytes)) {
      out.Add("value", Node::Text(Base64Encode(AsBytes(bytes))));
      return out;
    }
    const WellKnown known = WellKnownOf(name);
    Node value = Message(*inner);
    if (known != WellKnown::kNone && known != WellKnown::kEmpty) {
      out.Add("value", std::move(value));
    } else {
      for (Entry& entry : value.entries) out.entries.push_back(std::move(entry));
    }
    return out;
  }

  const EncodeOptions& options_;
};
}  // namespace

Node Encode(const pb::Message& message, const EncodeOptions& options) { return Encoder(options).Message(message); }

}  // namespace plait::yaml
