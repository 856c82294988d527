#include "control/reference/reference.h"

#include <nlohmann/json.hpp>

#include "control/model/known_kinds.h"
#include "control/reference/kinds.h"
#include "core/base/strings.h"

namespace plait::control::reference {
namespace {

KindReference Look(const KindSubject& subject) {
  KindReference out{.kind = subject.name.empty() ? std::string(model::KindName(subject.kind)) : subject.name,
                    .note = subject.note,
                    .foreign = subject.foreign};
  for (const model::KnownKind& known : model::KnownKinds()) {
    if (known.kind != subject.kind) continue;
    out.group = known.group;
    out.versions.assign(known.versions.begin(), known.versions.end());
  }
  if (subject.subject.type == nullptr) return out;
  const std::string prefix = subject.subject.embedded || subject.subject.root.empty() ? "" : subject.subject.root + ".";
  for (Field& field : FieldsOf(subject.subject)) {
    if (subject.foreign && field.effect == Effect::kNone) continue;
    field.path.insert(0, prefix);
    out.fields.push_back(std::move(field));
  }
  return out;
}

std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string Versions(const KindReference& kind) {
  std::string out;
  for (const std::string& version : kind.versions)
    out += (out.empty() ? "`" : ", `") + (kind.group.empty() ? "" : kind.group + "/") + version + "`";
  return out;
}

void AddFields(const KindReference& kind, std::string& out) {
  if (kind.fields.empty()) return;
  out += "\n| field | | |\n|---|---|---|\n";
  for (const Field& field : kind.fields)
    out += "| `" + field.path + "` | " + std::string(EffectName(field.effect)) + " | " + Cell(field.note) + " |\n";
}

}  // namespace

std::string_view EffectName(Effect effect) noexcept {
  switch (effect) {
    case Effect::kUnknown: return "unknown";
    case Effect::kRefused: return "refused";
    case Effect::kNone: return "accepted, without effect";
    case Effect::kWarned: return "ignored with a warning";
    case Effect::kHonoured: return "honoured";
  }
  return "unknown";
}

std::vector<KindReference> Reference() {
  std::vector<KindReference> out;
  for (const auto& kinds : {IstioKinds(), KubernetesKinds()})
    for (const KindSubject& subject : kinds) out.push_back(Look(subject));
  return out;
}

std::vector<std::string> IgnoredKinds() {
  std::vector<std::string> out;
  for (const model::UnreadIstioKind& kind : model::UnreadIstioKinds()) out.emplace_back(kind.kind);
  return out;
}

std::string ToJson(const std::vector<KindReference>& kinds) {
  nlohmann::ordered_json out = {{"kinds", nlohmann::ordered_json::array()}, {"ignoredKinds", IgnoredKinds()}};
  for (const KindReference& kind : kinds) {
    nlohmann::ordered_json fields = nlohmann::ordered_json::array();
    for (const Field& field : kind.fields) {
      nlohmann::ordered_json row = {{"field", field.path}, {"effect", EffectName(field.effect)}};
      if (!field.note.empty()) row["note"] = field.note;
      fields.push_back(std::move(row));
    }
    out["kinds"].push_back({{"kind", kind.kind},
                            {"group", kind.group},
                            {"versions", kind.versions},
                            {"note", kind.note},
                            {"fields", std::move(fields)}});
  }
  return out.dump(1);
}

std::string ToMarkdown(const std::vector<KindReference>& kinds) {
  std::string out =
      "# Configuration\n\n"
      "<!-- Made by `plait docs markdown configuration`; change the code, not this page. -->\n\n"
      "What Plait reads, and what becomes of each field. This page is made by an experiment: the program decodes "
      "objects "
      "with and\nwithout each field and looks at what changes, so it says what the code does.\nA test does the "
      "same with what proxies are sent: decoding alone honours nothing.\n\n"
      "| | |\n|---|---|\n"
      "| honoured | it means what it means in Istio or Kubernetes |\n"
      "| ignored with a warning | told with file, line and column (`plait check`, `plait status`); the rest of the "
      "object is "
      "in force |\n"
      "| refused | an error. In routing kinds the rule that has it is left out; a security policy denies instead |\n"
      "| accepted, without effect | Plait does so anyway, or nothing depends on it; where a reason is given, it is "
      "told as "
      "information (`plait check`) |\n\n"
      "A field that a kind does not have is an error, told with the name that was probably meant. A file that became "
      "bad "
      "keeps the\nmeaning of its last good version; so does one after an edit that names what is not there, until it "
      "is "
      "there\n([concepts.md](concepts.md#configuration-is-what-the-files-say)). Of Kubernetes' kinds only what is "
      "honoured or told is listed: they\ndescribe much that is no business of a mesh, and that is accepted without a "
      "word.\n\n"
      "Kinds of Istio that are ignored with a warning: " +
      Join(IgnoredKinds(), ", ") +
      ". So are, with\nwhat to write in their place, other kinds that would shape traffic, policy or what runs: "
      "NetworkPolicy of any group, Ingress, the Gateway API,\nDaemonSet, ReplicaSet, ReplicationController, CronJob. "
      "All others (PersistentVolumeClaim, HorizontalPodAutoscaler, Helm, Flux, ...) are ignored;\neach kind is told "
      "once as information. `kind: List` is opened; `status` and `managedFields` are passed over.\n\n"
      "Places of fields are written as `http[].match[]` for elements of lists and `headers.KEY` for entries of maps.\n";
  for (const KindReference& kind : kinds) {
    out += "\n## " + kind.kind + "\n\n" + Versions(kind) + ".";
    if (!kind.note.empty()) out += " " + kind.note;
    out += "\n";
    AddFields(kind, out);
  }
  return out;
}

}  // namespace plait::control::reference
