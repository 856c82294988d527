#include "control/reference/experiment.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>

#include "control/model/decode.h"
#include "core/base/strings.h"
#include "core/yaml/parse.h"
#include "core/yaml/print.h"

namespace plait::control::reference {
namespace {
namespace pb = google::protobuf;
using yaml::Node;

struct Step {
  std::string name;
  bool repeated = false;
  bool map = false;
};
using Path = std::vector<Step>;

std::string Text(const Path& path) {
  std::string out;
  for (const Step& step : path)
    out += (out.empty() ? "" : ".") + step.name + (step.map ? ".KEY" : step.repeated ? "[]" : "");
  return out;
}

Node& Child(Node& parent, const std::string& name) {
  parent.kind = Node::Kind::kMapping;
  for (yaml::Entry& entry : parent.entries)
    if (yaml::SameFieldName(entry.key, name)) return entry.value;
  parent.Add(name, Node::Mapping());
  return parent.entries.back().value;
}

// The place of `step` below `parent`, which is made if it is not there: of lists and maps the first element.
Node& Reach(Node& parent, const Step& step) {
  Node& child = Child(parent, step.name);
  if (step.map) {
    if (child.entries.empty()) child.Add("key", Node::Mapping());
    return child.entries.front().value;
  }
  if (!step.repeated) return child;
  child.kind = Node::Kind::kSequence;
  if (child.items.empty()) child.items.push_back(Node::Mapping());
  return child.items.front();
}

struct Decoded {
  std::vector<model::ObjectRef> objects;
  model::Findings findings;
};

bool SameObjects(const std::vector<model::ObjectRef>& a, const std::vector<model::ObjectRef>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const model::ObjectRef& x, const model::ObjectRef& y) { return *x == *y; });
}

constexpr std::string_view kWithoutEffect = " has no effect: ";

// `"spec.http[0].match[0].statPrefix" is not honoured yet: use x` -> `use x`.
std::string Why(const std::string& message) {
  if (const auto at = message.find(kWithoutEffect); at != std::string::npos)
    return message.substr(at + kWithoutEffect.size());
  constexpr std::string_view kPhrase = " is not honoured yet";
  const auto at = message.find(kPhrase);
  if (at == std::string::npos) return message;
  const std::string rest = message.substr(at + kPhrase.size());
  if (message.starts_with('"')) return rest.starts_with(": ") ? rest.substr(2) : "";
  return message;
}

struct Trial {
  Effect effect = Effect::kUnknown;
  std::string note;
  bool unhonoured = false;  // the field as such, whatever its value
};

class Experimenter {
 public:
  explicit Experimenter(const Subject& subject) : subject_(subject) {
    for (const std::string& text : subject.samples)
      if (auto sample = yaml::ParseOne(text, "sample")) samples_.push_back(*std::move(sample));
  }

  std::vector<Field> Run() {
    Path path;
    return Message(*subject_.type, path, 0);
  }

 private:
  std::vector<Field> Message(const pb::Descriptor& type, Path& path, int depth);
  std::vector<Field> One(const pb::FieldDescriptor& field, Path& path, int depth);
  Field Leaf(const pb::FieldDescriptor& field, const Path& path);
  Field Words(const Path& path, const std::vector<std::string>& words);

  // What the value does in the sample object in which it does most.
  Trial Try(const Path& path, const Node& value) const {
    Trial best;
    for (const Node& sample : samples_) {
      const Trial trial = TryIn(sample, path, value);
      if (trial.effect > best.effect) best = trial;
      if (best.effect == Effect::kHonoured) break;
    }
    return best;
  }
  Trial TryIn(const Node& sample, const Path& path, const Node& value) const;
  Decoded Decode(const Node& object, const Node& message) const;
  // The message's own tree within the object.
  Node MessageIn(const Node& object) const;
  bool IsSpecial(const pb::Descriptor& type) const;
  std::vector<Node> Values(const pb::FieldDescriptor& field) const;

  const Subject& subject_;
  std::vector<Node> samples_;
};

Node Experimenter::MessageIn(const Node& object) const {
  if (subject_.root.empty()) return object;
  const Node& place = yaml::Locate(object, subject_.root);
  if (!subject_.embedded) return place;
  auto inner = yaml::ParseOne(place.text, "sample");
  return inner ? *std::move(inner) : Node::Mapping();
}

Decoded Experimenter::Decode(const Node& object, const Node& message) const {
  Node whole = object;
  if (subject_.root.empty()) {
    whole = message;
  } else {
    Node* at = &whole;
    for (const std::string_view part : Split(subject_.root, '.')) at = &Child(*at, std::string(part));
    const yaml::Mark mark = at->at;
    *at = subject_.embedded ? Node::Text(yaml::ToJson(message)) : message;
    at->at = mark;
  }
  model::Decoded decoded;
  model::DecodeDocument(whole, "sample", {}, decoded);
  // The text itself is in the object too; what it means is what is looked at.
  if (subject_.embedded)
    for (model::ObjectRef& ref : decoded.objects)
      if (const auto* map = std::get_if<model::ConfigMap>(ref.get())) {
        model::ConfigMap meaning = *map;
        meaning.data.clear();
        ref = std::make_shared<const model::AnyObject>(std::move(meaning));
      }
  return {std::move(decoded.objects), std::move(decoded.findings)};
}

Trial Experimenter::TryIn(const Node& sample, const Path& path, const Node& value) const {
  Node without = MessageIn(sample);
  Node* parent = &without;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) parent = &Reach(*parent, path[i]);
  Node with = without;
  Node* place = &with;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) place = &Reach(*place, path[i]);
  const Step& last = path.back();
  if (last.map || last.repeated) {
    Reach(*place, last) = value;
  } else {
    Child(*place, last.name) = value;
  }
  const Decoded before = Decode(sample, without);
  const Decoded after = Decode(sample, with);
  const bool changed = !SameObjects(before.objects, after.objects) &&
                       (!subject_.meaning || subject_.meaning(before.objects) != subject_.meaning(after.objects));
  Trial told;
  for (const model::Finding& finding : after.findings) {
    const auto same = [&](const model::Finding& other) {
      return other.diagnostic.message == finding.diagnostic.message;
    };
    if (std::any_of(before.findings.begin(), before.findings.end(), same)) continue;
    const std::string& message = finding.diagnostic.message;
    // It may be kept for others, so that the objects differ.
    if (message.find(kWithoutEffect) != std::string::npos) return {Effect::kNone, Why(message), true};
    told = {finding.severity == model::Severity::kError ? Effect::kRefused : Effect::kWarned, Why(message),
            message.find(" not honoured") != std::string::npos || message.find(" not run yet") != std::string::npos};
    if (told.effect == Effect::kRefused) return told;
  }
  if (changed) return {Effect::kHonoured, ""};
  if (told.effect == Effect::kWarned) return told;
  return {model::HasErrors(before.findings) ? Effect::kUnknown : Effect::kNone, ""};
}

bool Experimenter::IsSpecial(const pb::Descriptor& type) const {
  if (type.full_name().starts_with("google.protobuf.")) return true;
  const pb::Message* prototype = pb::MessageFactory::generated_factory()->GetPrototype(&type);
  const std::unique_ptr<pb::Message> probe(prototype->New());
  std::string ignored;
  return subject_.json.special && subject_.json.special(Node::Plain("1"), *probe, ignored);
}

// What may stand for a value of the field; the first that changes something tells.
std::vector<Node> Experimenter::Values(const pb::FieldDescriptor& field) const {
  using Type = pb::FieldDescriptor::CppType;
  const auto plain = [](std::initializer_list<const char*> texts) {
    std::vector<Node> out;
    for (const char* text : texts) out.push_back(Node::Plain(text));
    return out;
  };
  switch (field.cpp_type()) {
    case Type::CPPTYPE_BOOL: return plain({"true", "false"});
    case Type::CPPTYPE_STRING:
      if (field.type() == pb::FieldDescriptor::TYPE_BYTES) return plain({"c2FtcGxl"});
      return {Node::Text("sample"),     Node::Text("/sample"),     Node::Text("sample.example.com"),
              Node::Text("10.1.2.3"),   Node::Text("10.1.0.0/16"), Node::Text("8080"),
              Node::Text("UNAVAILABLE")};
    case Type::CPPTYPE_MESSAGE: {
      const std::string& name = field.message_type()->full_name();
      if (name == "google.protobuf.Duration") return plain({"7s"});
      if (name == "google.protobuf.BoolValue") return plain({"true", "false"});
      if (name == "google.protobuf.StringValue") return plain({"sample"});
      if (name == "google.protobuf.Struct") return {Node::Mapping()};
      return plain({"7", "sample", "2026-01-02T15:04:05Z"});
    }
    default: return plain({"7", "443", "1", "0"});
  }
}

Field Experimenter::Words(const Path& path, const std::vector<std::string>& words) {
  Field row{.path = Text(path)};
  std::string refused;
  std::string warned;
  for (const std::string& word : words) {
    // Quoted, so that OFF is a word; a number is one.
    const Trial trial = Try(path, ParseUint(word) ? Node::Plain(word) : Node::Text(word));
    if (trial.effect == Effect::kRefused) refused += (refused.empty() ? "" : ", ") + word;
    if (trial.effect == Effect::kWarned) warned += (warned.empty() ? "" : ", ") + word;
    if (trial.effect == Effect::kNone && row.note.empty()) row.note = trial.note;
    row.effect = std::max(row.effect, trial.effect);
  }
  if (row.effect != Effect::kNone) row.note.clear();
  if (row.effect != Effect::kHonoured && row.effect != Effect::kNone) return row;  // all of them: no more to tell
  if (!refused.empty()) row.note += (row.note.empty() ? "" : "; ") + std::string("refused: ") + refused;
  if (!warned.empty()) row.note += (row.note.empty() ? "" : "; ") + std::string("with a warning: ") + warned;
  return row;
}

Field Experimenter::Leaf(const pb::FieldDescriptor& field, const Path& path) {
  if (const auto words = subject_.words.find(Text(path)); words != subject_.words.end())
    return Words(path, words->second);
  if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM && !field.is_map()) {
    std::vector<std::string> names;
    for (int i = 0; i < field.enum_type()->value_count(); ++i) names.push_back(field.enum_type()->value(i)->name());
    return Words(path, names);
  }
  const pb::FieldDescriptor& value = field.is_map() ? *field.message_type()->map_value() : field;
  Trial best;
  for (const Node& sample : Values(value)) {
    const Trial trial = Try(path, sample);
    // A value that is refused says nothing when another one is accepted.
    if (trial.effect > best.effect) best = trial;
    if (best.effect == Effect::kHonoured) break;
  }
  return {Text(path), best.effect, best.note};
}

std::vector<Field> Experimenter::One(const pb::FieldDescriptor& field, Path& path, int depth) {
  if (const auto told = subject_.told.find(Text(path)); told != subject_.told.end())
    return {{Text(path), told->second.effect, told->second.note}};
  const bool map = field.is_map();
  const pb::FieldDescriptor& value = map ? *field.message_type()->map_value() : field;
  const bool message = value.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE && !IsSpecial(*value.message_type());
  if (!message) return {Leaf(field, path)};
  // One that is refused or warned of whatever is in it is a row of its own.
  if (const Trial empty = Try(path, Node::Mapping()); empty.unhonoured && empty.effect != Effect::kHonoured)
    return {{Text(path), empty.effect, empty.note}};
  std::vector<Field> rows = Message(*value.message_type(), path, depth + 1);
  if (value.message_type()->name() == "StringMatch" &&
      std::all_of(rows.begin(), rows.end(), [](const Field& row) { return row.effect == Effect::kHonoured; }))
    return {{Text(path), Effect::kHonoured, "exact, prefix or regex"}};
  const bool alike = std::all_of(rows.begin(), rows.end(), [&](const Field& row) {
    return row.effect == rows.front().effect && row.note == rows.front().note && row.effect != Effect::kHonoured;
  });
  if (rows.empty() || alike)
    return {{Text(path), rows.empty() ? Effect::kNone : rows.front().effect, rows.empty() ? "" : rows.front().note}};
  return rows;
}

std::vector<Field> Experimenter::Message(const pb::Descriptor& type, Path& path, int depth) {
  constexpr int kMaxDepth = 12;  // Kubernetes has a type that holds itself
  std::vector<Field> rows;
  if (depth > kMaxDepth) return rows;
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    // Kubernetes' own: read for every kind alike, or written by servers.
    if (path.empty() && (field.name() == "metadata" || field.name() == "status")) continue;
    if (subject_.json.inlined && subject_.json.inlined(field)) {
      for (Field& row : Message(*field.message_type(), path, depth + 1)) rows.push_back(std::move(row));
      continue;
    }
    path.push_back({field.json_name(), field.is_repeated() && !field.is_map(), field.is_map()});
    for (Field& row : One(field, path, depth)) rows.push_back(std::move(row));
    path.pop_back();
  }
  return rows;
}

}  // namespace

std::vector<Field> FieldsOf(const Subject& subject) { return Experimenter(subject).Run(); }

}  // namespace plait::control::reference
