#include "control/model/decode.h"

#include <algorithm>
#include <array>

#include "control/model/finding_limit.h"
#include "control/model/known_kinds.h"
#include "control/model/reader.h"
#include "control/model/unread_kinds.h"
#include "control/model/unread_policies.h"
#include "core/base/strings.h"
#include "core/yaml/parse.h"
#include "core/yaml/suggest.h"

namespace plait::control::model {
namespace {

struct DecodedKind {
  std::string_view group;
  Kind kind;
  bool namespaced;
  std::vector<std::string_view> versions;  // the first is the one to use
  void (*decode)(ObjectReader&, Decoded&);
};

const std::vector<DecodedKind>& DecodedKinds() {
  static const std::vector<std::string_view> core{"v1"};
  static const std::vector<std::string_view> networking{"v1", "v1beta1", "v1alpha3"};
  static const std::vector<std::string_view> security{"v1", "v1beta1"};
  constexpr std::string_view kNetworkingGroup = "networking.istio.io";
  static const std::vector<DecodedKind> kinds{
      {"", Kind::kNamespace, false, core, DecodeNamespace},
      {"", Kind::kService, true, core, DecodeService},
      {"", Kind::kServiceAccount, true, core, DecodeServiceAccount},
      {"", Kind::kPod, true, core, DecodePod},
      {"apps", Kind::kDeployment, true, core, DecodeDeployment},
      {"apps", Kind::kStatefulSet, true, core, DecodeStatefulSet},
      {"batch", Kind::kJob, true, core, DecodeJob},
      {"", Kind::kNode, false, core, DecodeNode},
      {"discovery.k8s.io", Kind::kEndpointSlice, true, core, DecodeEndpointSlice},
      {"", Kind::kEndpoints, true, core, DecodeEndpoints},
      {"", Kind::kConfigMap, true, core, DecodeConfigMap},
      {"", Kind::kSecret, true, core, DecodeSecret},
      {kNetworkingGroup, Kind::kVirtualService, true, networking, DecodeVirtualService},
      {kNetworkingGroup, Kind::kDestinationRule, true, networking, DecodeDestinationRule},
      {kNetworkingGroup, Kind::kGateway, true, networking, DecodeGateway},
      {kNetworkingGroup, Kind::kServiceEntry, true, networking, DecodeServiceEntry},
      {kSecurityGroup, Kind::kPeerAuthentication, true, security, DecodePeerAuthentication},
      {kSecurityGroup, Kind::kAuthorizationPolicy, true, security, DecodeAuthorizationPolicy},
      {kSecurityGroup, Kind::kRequestAuthentication, true, security, DecodeRequestAuthentication},
  };
  return kinds;
}

void Fail(Decoded& out, const std::string& file, yaml::Mark at, std::string message, std::string hint = {}) {
  out.findings.push_back({Severity::kError,
                          {.message = std::move(message), .at = yaml::At(file, at), .hint = std::move(hint)},
                          "IST0106"});
}

// Of which more than nothing is known.
bool IsOurs(std::string_view group) {
  const auto of_group = [&](const auto& known) { return known.group == group; };
  return std::ranges::any_of(DecodedKinds(), of_group) || std::ranges::any_of(UnreadIstioKinds(), of_group);
}

// The kind of a group that is probably meant; empty: none.
std::string NearKind(std::string_view group, std::string_view kind) {
  std::vector<std::string_view> names;
  for (const DecodedKind& known : DecodedKinds())
    if (known.group == group) names.push_back(KindName(known.kind));
  for (const UnreadIstioKind& known : UnreadIstioKinds())
    if (known.group == group) names.push_back(known.kind);
  return yaml::Nearest(kind, names);
}

// What an object says of itself.
struct Head {
  const yaml::Node& kind;
  const yaml::Node& version;
  std::string_view group;   // of the version: "" is Kubernetes' own
  std::string_view number;  // "v1"
};

// A kind that we do not read: nullopt when it may be passed over, else why it is a mistake. All kinds of Istio's groups
// are known: another one is a mistake.
std::optional<Diagnostic> MistakenKind(const Head& head, const yaml::Node& document, const std::string& near,
                                       const std::string& file) {
  const std::string& kind = head.kind.text;
  if (head.group.empty() && EqualsIgnoreCase(kind, "List")) {
    if (kind == "List")
      return Diagnostic{
          .message = "\"List\" is of version v1", .at = yaml::At(file, head.version.at), .hint = "use v1"};
    return Diagnostic{
        .message = "unknown kind " + kind, .at = yaml::At(file, head.kind.at), .hint = "did you mean \"List\"?"};
  }
  if (head.group != kSecurityGroup && MeantPolicy(document))
    return Diagnostic{
        .message = kind + " is no kind of " + std::string(head.group.empty() ? head.version.text : head.group),
        .at = yaml::At(file, head.version.at),
        .hint = "use " + std::string(kSecurityGroup) + "/v1"};
  if (!IsOurs(head.group) || FindUnreadKind(head.group, kind)) return std::nullopt;
  if (!head.group.ends_with(".istio.io") && !EqualsIgnoreCase(near, kind)) return std::nullopt;
  return Diagnostic{.message = "unknown kind " + kind,
                    .at = yaml::At(file, head.kind.at),
                    .hint = near.empty() ? "Istio has no such kind" : "did you mean \"" + near + "\"?"};
}

// False when it is a mistake.
bool PassOver(const Head& head, const yaml::Node& document, const std::string& file, Decoded& out) {
  const std::string& kind = head.kind.text;
  const std::string near = NearKind(head.group, kind);
  if (auto mistake = MistakenKind(head, document, near, file)) {
    out.findings.push_back({Severity::kError, *std::move(mistake), "IST0106"});
    return false;
  }
  const std::optional<UnreadKind> unread = FindUnreadKind(head.group, kind);
  // What nobody knows in a group that we know is probably written wrongly; Istio had more groups than it has.
  const bool warned = unread ? unread->warned : IsOurs(head.group) || head.group.ends_with(".istio.io");
  if (!warned) {
    out.ignored_kinds.push_back(head.version.text + " " + kind);
    return true;
  }
  std::string hint = near.empty() ? "" : "did you mean \"" + near + "\"?";
  if (unread) hint = unread->hint;
  out.findings.push_back(
      {Severity::kWarning,
       {.message = "kind " + kind + " of " + head.version.text + " is not honoured yet; it is ignored",
        .at = yaml::At(file, head.kind.at),
        .hint = std::move(hint)},
       "IST0133"});
  return true;
}

// What to do with a document that is no object, by the name of its file.
std::string NextStep(std::string_view file) {
  const std::string_view name = file.substr(file.rfind('/') + 1);  // npos + 1 is 0
  if (name == "Chart.yaml" || (name.starts_with("values") && name.ends_with(".yaml"))) return kRenderHelm;
  if (name == "kustomization.yaml" || name == "kustomization.yml") return std::string(kRenderKustomization);
  return "every object begins with apiVersion and kind";
}

// Whether an error stands where Helm's templates have something, or right behind.
bool IsTemplate(const yaml::Part& part, const Diagnostic& error) {
  std::uint32_t line = part.line;
  for (const std::string_view text : Split(part.text, '\n')) {
    if (line > error.at.line) return false;
    if (line + 1 >= error.at.line && text.find("{{") != std::string_view::npos) return true;
    ++line;
  }
  return false;
}

std::optional<Head> ReadHead(const yaml::Node& document, const std::string& file, Decoded& out) {
  if (!document.is_mapping()) {
    Fail(out, file, document.at, "a Kubernetes object is expected, not " + yaml::Describe(document),
         "begin it with apiVersion and kind; put --- between objects");
    return std::nullopt;
  }
  for (const char* key : {"kind", "apiVersion"}) {
    const yaml::Node* value = document.Find(key);
    if (value && value->is_scalar()) continue;
    const std::string name = std::string("\"") + key + "\"";
    Fail(out, file, value ? value->at : document.at,
         value ? name + " must be text, not " + yaml::Describe(*value) : name + " is missing", NextStep(file));
    return std::nullopt;
  }
  const yaml::Node& version = *document.Find("apiVersion");
  const auto [first, second] = SplitOnce(version.text, '/');  // "v1" has no group
  return Head{*document.Find("kind"), version, second ? first : std::string_view(), second.value_or(first)};
}

// Codecs of Istio's kinds read nothing but `spec`.
void CheckFieldsBesideSpec(ObjectReader& reader) {
  const std::vector<std::string_view> fields{"apiVersion", "kind", "metadata", "spec", "status"};
  for (const yaml::Entry& entry : reader.root().entries)
    if (std::ranges::find(fields, entry.key) == fields.end())
      reader.Report({.message = "unknown field \"" + entry.key + "\"",
                     .at = yaml::At(reader.file(), entry.at),
                     .hint = yaml::Suggest(entry.key, fields)});
}

// False when nothing of the document is used, for a reason that is told.
bool DecodeObject(const yaml::Node& document, const std::string& file, const DecodeContext& context, Decoded& out) {
  const std::optional<Head> head = ReadHead(document, file, out);
  if (!head) return false;
  if (head->version.text == "v1" && head->kind.text.ends_with("List")) {
    const yaml::Node* items = document.Find("items");
    if (!items || !(items->is_sequence() || items->is_null())) {
      Fail(out, file, items ? items->at : document.at,
           items ? "\"items\" must be a list, not " + yaml::Describe(*items) : "\"items\" is missing",
           "the objects of a list stand in items");
      return false;
    }
    for (const yaml::Node& item : items->items) DecodeDocument(item, file, context, out);
    return true;
  }
  const auto& kinds = DecodedKinds();
  const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const DecodedKind& k) {
    return k.group == head->group && KindName(k.kind) == head->kind.text;
  });
  if (known == kinds.end()) return PassOver(*head, document, file, out);
  if (std::find(known->versions.begin(), known->versions.end(), head->number) == known->versions.end()) {
    Fail(out, file, head->version.at, head->kind.text + " has no version \"" + std::string(head->number) + "\"",
         "use " + (head->group.empty() ? "" : std::string(head->group) + "/") + std::string(known->versions[0]));
    return false;
  }
  Meta meta;
  if (!DecodeMeta(document, known->kind, known->namespaced, file, context, meta, out.findings)) return false;
  ObjectReader reader(document, file, std::move(meta), out.findings);
  if (known->group.ends_with(".istio.io")) CheckFieldsBesideSpec(reader);
  known->decode(reader, out);
  return true;
}

// Where the last document begins: at the line "---" that ends the one before it. `text`: whole lines.
std::size_t LastDocument(std::string_view text) {
  std::size_t last = 0;
  for (const std::string_view line : {"\n---\n", "\n---\r", "\n--- ", "\n---\t"})
    last = std::max(last, text.rfind(line) + 1);  // npos + 1 is 0
  return last;
}
}  // namespace

const yaml::Node& ObjectReader::Spec() const noexcept {
  static const yaml::Node kNone = yaml::Node::Mapping();
  const yaml::Node* spec = root_.Find("spec");
  return spec && !spec->is_null() ? *spec : kNone;
}

void ObjectReader::Report(Severity severity, yaml::Mark at, std::string message, std::string hint, std::string code) {
  if (severity == Severity::kError) {
    ++errors_;
    if (hint.empty()) hint = "correct it, or remove the field; " + FieldsListed();
  }
  findings_.push_back({severity,
                       {.message = std::move(message),
                        .object = meta_.key.ToString(),
                        .at = yaml::At(file_, at),
                        .hint = std::move(hint)},
                       std::move(code)});
}

void ObjectReader::Report(Diagnostic diagnostic) {
  ++errors_;
  diagnostic.object = meta_.key.ToString();
  findings_.push_back({Severity::kError, std::move(diagnostic), "IST0106"});
}

void DecodeDocument(const yaml::Node& document, const std::string& file, const DecodeContext& context, Decoded& out) {
  if (!DecodeObject(document, file, context, out)) KeepUnreadPolicies(document, file, context, out);
}

std::vector<KnownKind> KnownKinds() {
  std::vector<KnownKind> out;
  for (const DecodedKind& kind : DecodedKinds()) out.push_back({kind.group, kind.kind, kind.versions});
  return out;
}

Decoded DecodeText(std::string_view text, const std::string& file, const DecodeContext& context) {
  Decoded out;
  FindingLimit limit;  // of what is told; what is in force is read to the end
  for (yaml::Part& part : yaml::ParseEach(text, file)) {
    if (part.documents) {
      for (const yaml::Node& document : *part.documents) {
        DecodeDocument(document, file, context, out);
        limit.Apply(out.findings);
      }
    } else {
      if (IsTemplate(part, part.documents.error())) part.documents.error().hint = kRenderHelm;
      out.findings.push_back({Severity::kError, std::move(part.documents.error()), "IST0106"});
      KeepBrokenPolicies(part.text, part.line, file, context, out);
      limit.Apply(out.findings);
    }
  }
  limit.TellDropped(out.findings);
  return out;
}

Decoded DecodeBeginning(std::string_view text, const std::string& file, const DecodeContext& context) {
  // A part of a name would be another name.
  if (const std::size_t end = text.rfind('\n'); end != std::string_view::npos) text = text.substr(0, end + 1);
  const std::size_t cut = LastDocument(text);
  Decoded out = DecodeText(text.substr(0, cut), file, context);
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(cut), '\n') + 1;
  KeepBrokenPolicies(text.substr(cut), static_cast<std::uint32_t>(line), file, context, out);
  return out;
}

const Meta& MetaOf(const AnyObject& object) noexcept {
  return std::visit([](const auto& typed) -> const Meta& { return typed.meta; }, object);
}

}  // namespace plait::control::model
