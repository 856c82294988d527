#include "control/model/meta.h"
#include "control/model/finding.h"
#include "core/base/strings.h"

#include <tuple>

namespace plait::control::model {

std::string Finding::ToString() const {
  std::string out = severity == Severity::kError ? "Error" : severity == Severity::kWarning ? "Warning" : "Info";
  if (!code.empty()) out += " [" + code + "]";
  return out + " " + diagnostic.ToString();
}

bool HasErrors(const Findings& findings) noexcept {
  for (const Finding& finding : findings)
    if (finding.severity == Severity::kError) return true;
  return false;
}

std::string_view KindName(Kind kind) noexcept {
  switch (kind) {
    case Kind::kNamespace: return "Namespace";
    case Kind::kService: return "Service";
    case Kind::kServiceAccount: return "ServiceAccount";
    case Kind::kPod: return "Pod";
    case Kind::kDeployment: return "Deployment";
    case Kind::kStatefulSet: return "StatefulSet";
    case Kind::kJob: return "Job";
    case Kind::kNode: return "Node";
    case Kind::kEndpointSlice: return "EndpointSlice";
    case Kind::kEndpoints: return "Endpoints";
    case Kind::kConfigMap: return "ConfigMap";
    case Kind::kSecret: return "Secret";
    case Kind::kVirtualService: return "VirtualService";
    case Kind::kDestinationRule: return "DestinationRule";
    case Kind::kGateway: return "Gateway";
    case Kind::kServiceEntry: return "ServiceEntry";
    case Kind::kPeerAuthentication: return "PeerAuthentication";
    case Kind::kAuthorizationPolicy: return "AuthorizationPolicy";
    case Kind::kRequestAuthentication: return "RequestAuthentication";
  }
  return "Object";
}

std::string_view KindPathName(Kind kind) noexcept {
  switch (kind) {
    case Kind::kVirtualService: return "virtual-service";
    case Kind::kDestinationRule: return "destination-rule";
    case Kind::kGateway: return "gateway";
    case Kind::kServiceEntry: return "service-entry";
    case Kind::kPeerAuthentication: return "peer-authentication";
    case Kind::kAuthorizationPolicy: return "authorization-policy";
    default: return "object";
  }
}

bool Selects(const Labels& wanted, const Labels& labels) noexcept {
  for (const auto& [key, value] : wanted) {
    const auto found = labels.find(key);
    if (found == labels.end() || found->second != value) return false;
  }
  return true;
}

std::string ObjectKey::ToString() const {
  std::string out(KindName(kind));
  out += ' ';
  if (!name_space.empty()) out += name_space + "/";
  return out + name;
}

std::string Meta::ConfigPath() const {
  const bool security = key.kind == Kind::kPeerAuthentication || key.kind == Kind::kAuthorizationPolicy;
  return std::string("/apis/") + (security ? "security" : "networking") + ".istio.io/v1/namespaces/" + key.name_space +
         "/" + std::string(KindPathName(key.kind)) + "/" + key.name;
}

bool IsOlder(const Meta& a, const Meta& b) noexcept {
  return std::tie(a.created, a.key.name, a.key.name_space) < std::tie(b.created, b.key.name, b.key.name_space);
}

}  // namespace plait::control::model
