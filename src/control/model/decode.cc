#include "control/model/decode.h"

#include <algorithm>
#include <array>

#include "control/model/known_kinds.h"
#include "control/model/reader.h"
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
  constexpr std::string_view kSecurityGroup = "security.istio.io";
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

constexpr std::string_view kIgnoredKinds[] = {"EnvoyFilter",   "ProxyConfig", "Sidecar",   "WorkloadEntry",
                                              "WorkloadGroup", "Telemetry",   "WasmPlugin"};

// Of a group that we read, but a kind that we do not: maybe a typing error, so say more than for foreign groups.
void UnknownKind(std::string_view api_version, std::string_view group, const yaml::Node& kind, const std::string& file,
                 Decoded& out) {
  std::vector<std::string_view> names;
  for (const DecodedKind& known : DecodedKinds())
    if (known.group == group) names.push_back(KindName(known.kind));
  const std::string near = yaml::Nearest(kind.text, names);
  // All kinds of Istio's groups are known: another one is a mistake, and a policy must not vanish by it.
  const bool real = std::ranges::find(kIgnoredKinds, kind.text) != std::end(kIgnoredKinds);
  const bool mistaken = group.ends_with(".istio.io") ? !real : EqualsIgnoreCase(near, kind.text);
  if (mistaken && near.empty()) return Fail(out, file, kind.at, "unknown kind " + kind.text, "Istio has no such kind");
  if (mistaken) return Fail(out, file, kind.at, "unknown kind " + kind.text, "did you mean \"" + near + "\"?");
  out.findings.push_back(
      {Severity::kWarning,
       {.message = "kind " + kind.text + " of " + std::string(api_version) + " is not honoured yet; it is ignored",
        .at = yaml::At(file, kind.at),
        .hint = near.empty() ? "" : "did you mean \"" + near + "\"?"},
       "IST0133"});
}
}  // namespace

const yaml::Node& ObjectReader::Spec() const noexcept {
  static const yaml::Node kNone = yaml::Node::Mapping();
  const yaml::Node* spec = root_.Find("spec");
  return spec && !spec->is_null() ? *spec : kNone;
}

void ObjectReader::Report(Severity severity, std::string_view path, std::string message, std::string hint,
                          std::string code) {
  if (severity == Severity::kError) ++errors_;
  findings_.push_back({severity,
                       {.message = std::move(message),
                        .object = meta_.key.ToString(),
                        .at = yaml::At(file_, At(path)),
                        .hint = std::move(hint)},
                       std::move(code)});
}

void ObjectReader::Report(Diagnostic diagnostic) {
  ++errors_;
  diagnostic.object = meta_.key.ToString();
  findings_.push_back({Severity::kError, std::move(diagnostic), "IST0106"});
}

void DecodeDocument(const yaml::Node& document, const std::string& file, const DecodeContext& context, Decoded& out) {
  if (!document.is_mapping())
    return Fail(out, file, document.at, "a Kubernetes object is expected, not " + yaml::Describe(document));
  const yaml::Node* kind = document.Find("kind");
  const yaml::Node* version = document.Find("apiVersion");
  if (!kind || !version || !kind->is_scalar() || !version->is_scalar())
    return Fail(out, file, document.at, std::string("\"") + (kind ? "apiVersion" : "kind") + "\" is missing",
                "every object begins with apiVersion and kind");
  if (version->text == "v1" && kind->text.ends_with("List")) {
    if (const yaml::Node* items = document.Find("items"))
      for (const yaml::Node& item : items->items) DecodeDocument(item, file, context, out);
    return;
  }
  const auto slash = version->text.find('/');
  const std::string_view group =
      slash == std::string::npos ? std::string_view() : std::string_view(version->text).substr(0, slash);
  const std::string_view number = std::string_view(version->text).substr(slash == std::string::npos ? 0 : slash + 1);
  const auto& kinds = DecodedKinds();
  const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const DecodedKind& k) {
    return k.group == group && KindName(k.kind) == kind->text;
  });
  if (known == kinds.end()) {
    const bool our_group =
        std::any_of(kinds.begin(), kinds.end(), [&](const DecodedKind& k) { return k.group == group; });
    if (our_group) return UnknownKind(version->text, group, *kind, file, out);
    return out.ignored_kinds.push_back(version->text + " " + kind->text);
  }
  if (std::find(known->versions.begin(), known->versions.end(), number) == known->versions.end())
    return Fail(out, file, version->at, kind->text + " has no version \"" + std::string(number) + "\"",
                "use " + (group.empty() ? "" : std::string(group) + "/") + std::string(known->versions[0]));
  Meta meta;
  if (!DecodeMeta(document, known->kind, known->namespaced, file, context, meta, out.findings)) return;
  ObjectReader reader(document, file, std::move(meta), out.findings);
  known->decode(reader, out);
}

std::vector<KnownKind> KnownKinds() {
  std::vector<KnownKind> out;
  for (const DecodedKind& kind : DecodedKinds()) out.push_back({kind.group, kind.kind, kind.versions});
  return out;
}

std::span<const std::string_view> IgnoredKinds() noexcept { return kIgnoredKinds; }

Decoded DecodeText(std::string_view text, const std::string& file, const DecodeContext& context) {
  Decoded out;
  auto documents = yaml::ParseAll(text, file);
  if (!documents) {
    out.findings.push_back({Severity::kError, std::move(documents.error()), "IST0106"});
    return out;
  }
  for (const yaml::Node& document : *documents) DecodeDocument(document, file, context, out);
  return out;
}

const Meta& MetaOf(const AnyObject& object) noexcept {
  return std::visit([](const auto& typed) -> const Meta& { return typed.meta; }, object);
}

}  // namespace plait::control::model
