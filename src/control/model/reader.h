#pragma once
// Internal to control/model: one object while it is decoded. Collects findings with their place.
#include <string>
#include <string_view>

#include "control/model/decode.h"
#include "control/model/finding.h"
#include "control/model/security.h"
#include "core/yaml/node.h"

namespace plait::control::model {

class ObjectReader {
 public:
  ObjectReader(const yaml::Node& root, const std::string& file, Meta meta, Findings& findings)
      : root_(root), file_(file), meta_(std::move(meta)), findings_(findings) {}

  const yaml::Node& root() const noexcept { return root_; }
  const std::string& file() const noexcept { return file_; }
  const Meta& meta() const noexcept { return meta_; }
  // "spec" of the object; an empty mapping when it has none.
  const yaml::Node& Spec() const noexcept;
  yaml::Mark At(std::string_view path) const noexcept { return yaml::MarkAt(root_, path); }

  // `path` from the object's root: "spec.http[0].timeout".
  void Error(std::string_view path, std::string message, std::string hint = {}, std::string code = "IST0106") {
    Report(Severity::kError, path, std::move(message), std::move(hint), std::move(code));
  }
  void Warning(std::string_view path, std::string message, std::string hint = {}, std::string code = "IST0133") {
    Report(Severity::kWarning, path, std::move(message), std::move(hint), std::move(code));
  }
  void Info(std::string_view path, std::string message) { Report(Severity::kInfo, path, std::move(message), {}, {}); }
  void Report(Severity severity, std::string_view path, std::string message, std::string hint, std::string code) {
    Report(severity, At(path), std::move(message), std::move(hint), std::move(code));
  }
  // An error without a hint gets one that is always true.
  void Report(Severity severity, yaml::Mark at, std::string message, std::string hint, std::string code);
  void Report(Diagnostic diagnostic);  // an error from yaml::Decode
  // "plait docs configuration VirtualService lists what is honoured".
  std::string FieldsListed() const { return FieldsListedOf(KindName(meta_.key.kind)); }
  static std::string FieldsListedOf(std::string_view kind) {
    return "plait docs configuration " + std::string(kind) + " lists what is honoured";
  }
  std::size_t errors() const noexcept { return errors_; }

 private:
  const yaml::Node& root_;
  const std::string& file_;
  Meta meta_;
  Findings& findings_;
  std::size_t errors_ = 0;
};

// A codec each kind; appends to `out.objects` what may be in force.
void DecodeNamespace(ObjectReader& reader, Decoded& out);
void DecodeService(ObjectReader& reader, Decoded& out);
void DecodeServiceAccount(ObjectReader& reader, Decoded& out);
void DecodePod(ObjectReader& reader, Decoded& out);
void DecodeDeployment(ObjectReader& reader, Decoded& out);
void DecodeStatefulSet(ObjectReader& reader, Decoded& out);
void DecodeJob(ObjectReader& reader, Decoded& out);
void DecodeNode(ObjectReader& reader, Decoded& out);
void DecodeEndpointSlice(ObjectReader& reader, Decoded& out);
void DecodeEndpoints(ObjectReader& reader, Decoded& out);
void DecodeConfigMap(ObjectReader& reader, Decoded& out);
void DecodeSecret(ObjectReader& reader, Decoded& out);
void DecodeVirtualService(ObjectReader& reader, Decoded& out);
void DecodeDestinationRule(ObjectReader& reader, Decoded& out);
void DecodeGateway(ObjectReader& reader, Decoded& out);
void DecodeServiceEntry(ObjectReader& reader, Decoded& out);
void DecodePeerAuthentication(ObjectReader& reader, Decoded& out);
void DecodeAuthorizationPolicy(ObjectReader& reader, Decoded& out);
void DecodeRequestAuthentication(ObjectReader& reader, Decoded& out);

inline constexpr const char* kRenderHelm =
    "it is of a Helm chart: render it first (helm template CHART > FILE), and keep the chart out of this directory";

// metadata -> Meta; false (and findings) when it cannot be used.
bool DecodeMeta(const yaml::Node& root, Kind kind, bool namespaced, const std::string& file,
                const DecodeContext& context, Meta& meta, Findings& findings);
// As Kubernetes allows them: lower-case letters, digits and -; in names of objects also dots.
bool IsObjectName(std::string_view name) noexcept;
bool IsNamespaceName(std::string_view name) noexcept;
// Of a security policy, from the tree itself: also where nothing else of it can be read.
PolicyScope ReadPolicyScope(const ObjectReader& reader);
// Keys `mesh` and `meshNetworks` of ConfigMap istio.
std::optional<MeshConfig> DecodeMeshConfig(ObjectReader& reader, const yaml::Node& text);
std::optional<std::vector<MeshNetwork>> DecodeMeshNetworks(ObjectReader& reader, const yaml::Node& text);
// The annotation proxy.istio.io/config among those at `path`: a warning for all of it that is not honoured.
void CheckProxyConfig(ObjectReader& reader, const std::string& path);

template <class T>
void Keep(Decoded& out, T object) {
  out.objects.push_back(std::make_shared<const AnyObject>(std::move(object)));
}

}  // namespace plait::control::model
