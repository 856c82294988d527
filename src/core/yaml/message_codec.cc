#include "core/yaml/message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <limits>

#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/yaml/scalar.h"
#include "core/yaml/suggest.h"
#include "core/yaml/wellknown.h"

namespace plait::yaml {
namespace {
namespace pb = google::protobuf;
using Type = pb::FieldDescriptor::CppType;

constexpr char kCorrect[] = "correct the value, or remove the field";
constexpr char kFields[] = "write its fields below it, each as \"name: value\"";

// What is wrong with a value, and the next step.
struct Mistake {
  std::string message = {};
  std::string hint = kCorrect;
};

class Decoder {
 public:
  Decoder(const std::string& file, const DecodeOptions& options) : file_(file), options_(options) {}
  void Message(const Node& node, pb::Message& message, const std::string& path, std::string_view skip = {});
  Diagnostics Take() { return std::move(errors_); }

 private:
  struct Target {
    pb::Message* message = nullptr;
    const pb::FieldDescriptor* field = nullptr;
  };
  void Object(const Node& node, pb::Message& message, const std::string& path, std::string_view skip);
  Target FindField(pb::Message& message, std::string_view key) const;
  void CollectNames(const pb::Descriptor& type, std::vector<std::string_view>& names) const;
  void UnknownField(const Entry& entry, const pb::Message& message, const std::string& path);
  bool CheckOneof(const Target& target, const Entry& entry, const std::string& path);
  void Field(const Node& node, const Target& target, const std::string& path);
  void Map(const Node& node, const Target& target, const std::string& path);
  void Single(const Node& node, const Target& target, const std::string& path);
  bool Scalar(const Node& node, const Target& target, Mistake& mistake);
  bool Enum(const Node& node, const Target& target, Mistake& mistake);
  void Any(const Node& node, pb::Message& message, const std::string& path);
  void Fail(Mark at, const std::string& path, std::string message, std::string hint = kCorrect) {
    if (errors_.size() >= options_.max_errors) return;
    if (!path.empty()) message.insert(0, path + ": ");
    errors_.push_back({.message = std::move(message), .at = At(file_, at), .hint = std::move(hint)});
  }

  const std::string& file_;
  const DecodeOptions& options_;
  Diagnostics errors_;
};

std::string Child(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

bool IsField(const pb::FieldDescriptor& field, std::string_view key) {
  return field.json_name() == key || TrueFieldName(field.name(), field.json_name()) == key;
}

Decoder::Target Decoder::FindField(pb::Message& message, std::string_view key) const {
  const pb::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    const bool inlined = options_.inlined && options_.inlined(field);
    if (!inlined && IsField(field, key)) return {&message, &field};
  }
  if (!options_.inlined) return {};
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (!options_.inlined(field)) continue;
    // Looked up in the type first: touching the message would set the field.
    const pb::Message& prototype = message.GetReflection()->GetMessage(message, &field);
    std::unique_ptr<pb::Message> probe(prototype.New());
    if (FindField(*probe, key).field) return FindField(*message.GetReflection()->MutableMessage(&message, &field), key);
  }
  return {};
}

void Decoder::CollectNames(const pb::Descriptor& type, std::vector<std::string_view>& names) const {
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (options_.inlined && options_.inlined(field))
      CollectNames(*field.message_type(), names);
    else
      names.push_back(field.json_name());
  }
}

void Decoder::UnknownField(const Entry& entry, const pb::Message& message, const std::string& path) {
  std::vector<std::string_view> names;
  CollectNames(*message.GetDescriptor(), names);
  // Snake case is understood, so `sourcelabels` and `source_label` should both find sourceLabels.
  const std::string near = Nearest(entry.key, names);
  std::string hint = "did you mean \"" + near + "\"?";
  if (near.empty()) {
    std::string listed = Suggest(entry.key, names);
    if (listed.empty()) listed = options_.fields_listed;
    hint = "remove it, or correct its name" + (listed.empty() ? "" : ": " + listed);
  }
  Fail(entry.at, {}, "unknown field \"" + Child(path, entry.key) + "\"", std::move(hint));
}

bool Decoder::CheckOneof(const Target& target, const Entry& entry, const std::string& path) {
  const pb::OneofDescriptor* oneof = target.field->real_containing_oneof();
  if (!oneof) return true;
  const pb::FieldDescriptor* other = target.message->GetReflection()->GetOneofFieldDescriptor(*target.message, oneof);
  if (!other) return true;
  Fail(entry.at, {},
       "\"" + Child(path, entry.key) + "\" and \"" + Child(path, other->json_name()) + "\" exclude each other",
       "keep one of them");
  return false;
}

void Decoder::Object(const Node& node, pb::Message& message, const std::string& path, std::string_view skip) {
  if (!node.is_mapping()) return Fail(node.at, path, "a mapping is expected, not " + Describe(node), kFields);
  std::vector<Target> seen;
  for (const Entry& entry : node.entries) {
    if (!skip.empty() && entry.key == skip) continue;
    const Target target = FindField(message, entry.key);
    if (!target.field) {
      UnknownField(entry, message, path);
      continue;
    }
    const auto same = [&](const Target& t) { return t.field == target.field && t.message == target.message; };
    if (std::any_of(seen.begin(), seen.end(), same)) {
      Fail(entry.at, {}, "\"" + Child(path, entry.key) + "\" stands twice, in camelCase and in snake_case",
           "keep one of them");
      continue;
    }
    seen.push_back(target);
    const bool null_matters = target.field->cpp_type() == Type::CPPTYPE_MESSAGE &&
                              WellKnownOf(target.field->message_type()->full_name()) == WellKnown::kValue;
    if (entry.value.is_null() && !null_matters) continue;
    if (CheckOneof(target, entry, path)) Field(entry.value, target, Child(path, entry.key));
  }
}

void Decoder::Message(const Node& node, pb::Message& message, const std::string& path, std::string_view skip) {
  std::string error;
  if (options_.special && options_.special(node, message, error)) {
    if (!error.empty()) Fail(node.at, path, std::move(error));
    return;
  }
  const WellKnown known = WellKnownOf(message.GetDescriptor()->full_name());
  switch (known) {
    case WellKnown::kNone:
    case WellKnown::kEmpty: return Object(node, message, path, skip);
    case WellKnown::kAny: return Any(node, message, path);
    case WellKnown::kWrapper: return Single(node, {&message, message.GetDescriptor()->FindFieldByNumber(1)}, path);
    default: break;
  }
  DecodeWellKnown(known, node, message, error);
  if (!error.empty()) Fail(node.at, path, std::move(error));
}

void Decoder::Any(const Node& node, pb::Message& message, const std::string& path) {
  if (!node.is_mapping())
    return Fail(node.at, path, "a mapping with \"@type\" is expected, not " + Describe(node), kFields);
  if (node.entries.empty()) return;
  const Node* type = node.Find("@type");
  if (!type || !type->is_scalar())
    return Fail(node.at, path, "\"@type\" is missing", "say what it is: \"@type\": type.googleapis.com/<message>");
  const std::size_t slash = type->text.rfind('/');
  const std::string name = slash == std::string::npos ? std::string() : type->text.substr(slash + 1);
  const pb::Descriptor* descriptor = message.GetDescriptor()->file()->pool()->FindMessageTypeByName(name);
  const bool generated = message.GetDescriptor()->file()->pool() == pb::DescriptorPool::generated_pool();
  // An Any that was linked in may stand in a dynamic message and the reverse.
  if (!descriptor && !generated) descriptor = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (!descriptor)
    return Fail(type->at, path, "unknown type \"" + type->text + "\"", "remove it: the extension is not supported");
  pb::MessageFactory* factory = descriptor->file()->pool() == pb::DescriptorPool::generated_pool()
                                    ? pb::MessageFactory::generated_factory()
                                    : message.GetReflection()->GetMessageFactory();
  const pb::Message* prototype = factory->GetPrototype(descriptor);
  if (!prototype)
    return Fail(type->at, path, "unknown type \"" + type->text + "\"", "remove it: the extension is not supported");
  std::unique_ptr<pb::Message> inner(prototype->New());
  const WellKnown known = WellKnownOf(name);
  if (known == WellKnown::kNone || known == WellKnown::kEmpty) {
    Message(node, *inner, path, "@type");
  } else if (const Node* value = node.Find("value")) {
    Message(*value, *inner, Child(path, "value"));
  }
  const pb::Reflection& reflection = *message.GetReflection();
  reflection.SetString(&message, message.GetDescriptor()->FindFieldByNumber(1), type->text);
  std::string bytes;
  inner->SerializePartialToString(&bytes);
  reflection.SetString(&message, message.GetDescriptor()->FindFieldByNumber(2), bytes);
}

void Decoder::Field(const Node& node, const Target& target, const std::string& path) {
  if (target.field->is_map()) return Map(node, target, path);
  if (!target.field->is_repeated()) return Single(node, target, path);
  if (!node.is_sequence())
    return Fail(node.at, path, "a list is expected, not " + Describe(node), "put \"- \" before each element");
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string item_path = path + "[" + std::to_string(i) + "]";
    if (node.items[i].is_null())
      Fail(node.items[i].at, item_path, "an element of a list cannot be null",
           "write a value behind the \"-\", or remove it");
    else
      Single(node.items[i], target, item_path);
  }
}

void Decoder::Map(const Node& node, const Target& target, const std::string& path) {
  if (!node.is_mapping()) return Fail(node.at, path, "a mapping is expected, not " + Describe(node), kFields);
  const pb::Descriptor& type = *target.field->message_type();
  for (const Entry& entry : node.entries) {
    pb::Message* pair = target.message->GetReflection()->AddMessage(target.message, target.field);
    // A key is text in YAML; plain, so that numbers and booleans as keys resolve.
    Node key = type.map_key()->cpp_type() == Type::CPPTYPE_STRING ? Node::Text(entry.key) : Node::Plain(entry.key);
    key.at = entry.at;
    Single(key, {pair, type.map_key()}, path);
    if (!entry.value.is_null()) Single(entry.value, {pair, type.map_value()}, Child(path, entry.key));
  }
}

void Decoder::Single(const Node& node, const Target& target, const std::string& path) {
  const pb::Reflection& reflection = *target.message->GetReflection();
  if (target.field->cpp_type() == Type::CPPTYPE_MESSAGE) {
    pb::Message* child = target.field->is_repeated() ? reflection.AddMessage(target.message, target.field)
                                                     : reflection.MutableMessage(target.message, target.field);
    return Message(node, *child, path);
  }
  Mistake mistake;
  if (!Scalar(node, target, mistake)) Fail(node.at, path, std::move(mistake.message), std::move(mistake.hint));
}

template <class T>
bool ToInteger(const Node& node, T& out, Mistake& mistake) {
  // Protobuf's JSON writes 64-bit integers as strings.
  const Node plain = node.text_only ? Node::Plain(node.text) : Node{};
  const auto value = AsInteger(node.text_only ? plain : node);
  if (!value) {
    mistake = {"a whole number is expected, not " + Describe(node), "write digits only"};
    return false;
  }
  using Limits = std::numeric_limits<T>;
  const auto limit = static_cast<std::uint64_t>(Limits::max());
  const bool fits = value->negative ? (Limits::is_signed && value->magnitude <= limit + 1) || value->magnitude == 0
                                    : value->magnitude <= limit;
  if (!fits) {
    mistake = {Describe(node) + " is outside " + std::to_string(Limits::min()) + ".." + std::to_string(Limits::max()),
               "write a number of this range"};
    return false;
  }
  out = value->negative ? static_cast<T>(0 - value->magnitude) : static_cast<T>(value->magnitude);
  return true;
}

bool ToDouble(const Node& node, double& out, Mistake& mistake) {
  const Node plain = Node::Plain(node.text == "NaN"         ? ".nan"
                                 : node.text == "Infinity"  ? ".inf"
                                 : node.text == "-Infinity" ? "-.inf"
                                                            : node.text);
  const auto value = node.is_scalar() ? AsDouble(plain) : std::nullopt;
  if (!value) {
    mistake = {"a number is expected, not " + Describe(node), "write digits, e.g. 0.5"};
    return false;
  }
  out = *value;
  return true;
}

bool ToText(const Node& node, Mistake& mistake) {
  if (node.is_string()) return true;
  mistake = {"text is expected, not " + Describe(node),
             node.is_scalar() ? "write it in quotes: \"" + node.text + "\"" : "write one value"};
  return false;
}

template <class Value, class Set, class Add>
void Store(const pb::FieldDescriptor& field, Value&& value, Set set, Add add) {
  if (field.is_repeated())
    add(std::forward<Value>(value));
  else
    set(std::forward<Value>(value));
}

// Reads one C++ type and stores it with the setter of that type.
#define PLAIT_STORE(Suffix, value)                                                  \
  Store(                                                                            \
      field, value, [&](auto&& v) { reflection.Set##Suffix(&message, &field, v); }, \
      [&](auto&& v) { reflection.Add##Suffix(&message, &field, v); })
#define PLAIT_INTEGER(Suffix, T)                        \
  {                                                     \
    T value = 0;                                        \
    if (!ToInteger(node, value, mistake)) return false; \
    PLAIT_STORE(Suffix, value);                         \
    return true;                                        \
  }

bool Decoder::Scalar(const Node& node, const Target& target, Mistake& mistake) {
  pb::Message& message = *target.message;
  const pb::FieldDescriptor& field = *target.field;
  const pb::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case Type::CPPTYPE_INT32: PLAIT_INTEGER(Int32, std::int32_t)
    case Type::CPPTYPE_INT64: PLAIT_INTEGER(Int64, std::int64_t)
    case Type::CPPTYPE_UINT32: PLAIT_INTEGER(UInt32, std::uint32_t)
    case Type::CPPTYPE_UINT64: PLAIT_INTEGER(UInt64, std::uint64_t)
    case Type::CPPTYPE_DOUBLE:
    case Type::CPPTYPE_FLOAT: {
      double value = 0;
      if (!ToDouble(node, value, mistake)) return false;
      if (field.cpp_type() == Type::CPPTYPE_DOUBLE)
        PLAIT_STORE(Double, value);
      else
        PLAIT_STORE(Float, static_cast<float>(value));
      return true;
    }
    case Type::CPPTYPE_BOOL: {
      const auto value = AsBool(node);
      if (!value)
        mistake = {"true or false is expected, not " + Describe(node), "write one of the two"};
      else
        PLAIT_STORE(Bool, *value);
      return value.has_value();
    }
    case Type::CPPTYPE_ENUM: return Enum(node, target, mistake);
    case Type::CPPTYPE_STRING: {
      if (!ToText(node, mistake)) return false;
      std::string value = node.text;
      if (field.type() == pb::FieldDescriptor::TYPE_BYTES) {
        auto bytes = Base64Decode(node.text);
        if (!bytes) mistake = {"base64 is expected, not " + Describe(node), "encode the value with base64 -w0"};
        if (!bytes) return false;
        value = std::move(*bytes);
      }
      PLAIT_STORE(String, value);
      return true;
    }
    case Type::CPPTYPE_MESSAGE: break;
  }
  return false;
}

bool Decoder::Enum(const Node& node, const Target& target, Mistake& mistake) {
  pb::Message& message = *target.message;
  const pb::FieldDescriptor& field = *target.field;
  const pb::Reflection& reflection = *message.GetReflection();
  const pb::EnumDescriptor& type = *field.enum_type();
  const pb::EnumValueDescriptor* value = nullptr;
  if (node.is_scalar()) value = type.FindValueByName(node.text);
  if (!value)
    if (const auto number = AsInt64(node); number && *number == static_cast<int>(*number))
      value = type.FindValueByNumber(static_cast<int>(*number));
  if (!value) {
    std::vector<std::string_view> names;
    for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
    mistake.message = Describe(node) + " is not a value of " + type.name();
    if (std::string near = Suggest(node.text, names); !near.empty()) mistake.hint = std::move(near);
    return false;
  }
  PLAIT_STORE(Enum, value);
  return true;
}
#undef PLAIT_INTEGER
#undef PLAIT_STORE
}  // namespace

Diagnostics Decode(const Node& node, const std::string& file, pb::Message& message, const DecodeOptions& options) {
  Decoder decoder(file, options);
  decoder.Message(node, message, {});
  return decoder.Take();
}

}  // namespace plait::yaml
