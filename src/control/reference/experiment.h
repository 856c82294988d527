#pragma once
// What becomes of a field of a configuration object, found out by decoding one that has it and one that has not: the
// codecs themselves are asked, so the answer cannot differ from what they do. Pure.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/model/objects.h"
#include "core/yaml/message.h"

namespace google::protobuf {
class Descriptor;
}

namespace plait::control::reference {

enum class Effect {
  kUnknown,   // no sample object lets it be seen
  kRefused,   // an error
  kNone,      // accepted; nothing depends on it
  kWarned,    // told that it is not honoured
  kHonoured,  // the object means something else
};

struct Field {
  std::string path = {};  // "http[].match[].uri.exact", as it is written
  Effect effect = Effect::kUnknown;
  std::string note = {};  // why it is not honoured, or which of its values are not
  friend bool operator==(const Field&, const Field&) = default;
};

// A kind to experiment with.
struct Subject {
  const google::protobuf::Descriptor* type = nullptr;
  std::vector<std::string> samples;  // whole objects in YAML, each without errors; a field needs one that it can change
  std::string root = {};             // where the message stands in the object: "spec", "" or "data.mesh"
  bool embedded = false;             // it stands there as text
  // Texts to try where any text is not enough, by path; each is told apart like the values of an enumeration.
  std::map<std::string, std::vector<std::string>> words = {};
  // What is told of elsewhere, or cannot be seen field by field, by path.
  std::map<std::string, Field> told = {};
  yaml::DecodeOptions json = {};
  // What objects mean, where more than the objects themselves is to be compared: what is sent to proxies, say.
  std::function<std::string(const std::vector<model::ObjectRef>&)> meaning = {};
};

// In the order of the message's declaration. Messages of which nothing is honoured are one row.
std::vector<Field> FieldsOf(const Subject& subject);

}  // namespace plait::control::reference
