#include "core/xds/rbac_codec.h"

#include <algorithm>

#include "core/xds/common_codec.h"
#include "envoy/config/rbac/v3/rbac.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::rbac::v3;
using At = DecodeContext::At;

// Istio's filter state object with the peer's SPIFFE URI: here the same as the authenticated certificate.
constexpr std::string_view kPeerPrincipal = "io.istio.peer_principal";

template <class List, class Decode>
auto Children(const List& list, DecodeContext& context, Decode decode) {
  std::vector<decltype(decode(list[0], context))> out;
  for (int i = 0; i < list.size(); ++i) {
    const At at(context, "rules", i);
    out.push_back(decode(list[i], context));
  }
  if (out.empty()) context.Reject("the set is empty");
  return out;
}

void RequireTrue(bool any, DecodeContext& context) {
  if (!any) context.Reject("any must be true");  // what false would mean is nowhere defined
}

StringMatcher DecodePath(const envoy::type::matcher::v3::PathMatcher& in, DecodeContext& context) {
  context.Honours(in, {"path"});
  return DecodeStringMatcher(in.path(), context);
}

Permission DecodePermission(const pb::Permission& in, DecodeContext& context) {
  using Kind = Permission::Kind;
  context.Honours(in, {"and_rules", "or_rules", "any", "header", "url_path", "destination_ip", "destination_port",
                       "destination_port_range", "not_rule", "requested_server_name"});
  Permission out;
  switch (in.rule_case()) {
    case pb::Permission::kAndRules:
      out.kind = Kind::kAnd, context.Honours(in.and_rules(), {"rules"}),
      out.children = Children(in.and_rules().rules(), context, DecodePermission);
      break;
    case pb::Permission::kOrRules:
      out.kind = Kind::kOr, context.Honours(in.or_rules(), {"rules"}),
      out.children = Children(in.or_rules().rules(), context, DecodePermission);
      break;
    case pb::Permission::kNotRule:
      out.kind = Kind::kNot, out.children.push_back(DecodePermission(in.not_rule(), context));
      break;
    case pb::Permission::kAny: out.kind = Kind::kAny, RequireTrue(in.any(), context); break;
    case pb::Permission::kHeader:
      out.kind = Kind::kHeader, out.header = DecodeHeaderMatcher(in.header(), context);
      break;
    case pb::Permission::kUrlPath: out.kind = Kind::kUrlPath, out.text = DecodePath(in.url_path(), context); break;
    case pb::Permission::kDestinationIp:
      out.kind = Kind::kDestinationIp, out.cidr = DecodeCidr(in.destination_ip(), context);
      break;
    case pb::Permission::kDestinationPort:
      out.kind = Kind::kDestinationPort, out.port_start = DecodePort(in.destination_port(), context);
      break;
    case pb::Permission::kDestinationPortRange:
      out.kind = Kind::kDestinationPortRange;
      out.port_start = static_cast<std::uint32_t>(in.destination_port_range().start());
      out.port_end = static_cast<std::uint32_t>(in.destination_port_range().end());
      if (in.destination_port_range().start() < 0 || in.destination_port_range().end() > 65536 ||
          out.port_start >= out.port_end)
        context.Reject("destination_port_range must be a range of 0..65536");
      break;
    case pb::Permission::kRequestedServerName:
      out.kind = Kind::kRequestedServerName, out.text = DecodeStringMatcher(in.requested_server_name(), context);
      break;
    default: context.Reject("permission has no rule that is implemented");
  }
  return out;
}

Principal DecodePrincipal(const pb::Principal& in, DecodeContext& context) {
  using Kind = Principal::Kind;
  context.Honours(in, {"and_ids", "or_ids", "any", "authenticated", "direct_remote_ip", "remote_ip", "source_ip",
                       "header", "url_path", "not_id", "filter_state"});
  Principal out;
  switch (in.identifier_case()) {
    case pb::Principal::kAndIds:
      out.kind = Kind::kAnd, context.Honours(in.and_ids(), {"ids"}),
      out.children = Children(in.and_ids().ids(), context, DecodePrincipal);
      break;
    case pb::Principal::kOrIds:
      out.kind = Kind::kOr, context.Honours(in.or_ids(), {"ids"}),
      out.children = Children(in.or_ids().ids(), context, DecodePrincipal);
      break;
    case pb::Principal::kNotId:
      out.kind = Kind::kNot, out.children.push_back(DecodePrincipal(in.not_id(), context));
      break;
    case pb::Principal::kAny: out.kind = Kind::kAny, RequireTrue(in.any(), context); break;
    case pb::Principal::kAuthenticated:
      out.kind = Kind::kAuthenticated;
      context.Honours(in.authenticated(), {"principal_name"});
      out.has_text = in.authenticated().has_principal_name();
      if (out.has_text) out.text = DecodeStringMatcher(in.authenticated().principal_name(), context);
      break;
    case pb::Principal::kFilterState:
      context.Honours(in.filter_state(), {"key", "string_match"});
      if (in.filter_state().key() != kPeerPrincipal)
        context.Reject("filter_state " + in.filter_state().key() + " is not known");
      out.kind = Kind::kAuthenticated;
      out.has_text = true;
      out.text = DecodeStringMatcher(in.filter_state().string_match(), context);
      break;
    case pb::Principal::kDirectRemoteIp:
      out.kind = Kind::kDirectRemoteIp, out.cidr = DecodeCidr(in.direct_remote_ip(), context);
      break;
    case pb::Principal::kRemoteIp: out.kind = Kind::kRemoteIp, out.cidr = DecodeCidr(in.remote_ip(), context); break;
    case pb::Principal::kSourceIp: out.kind = Kind::kSourceIp, out.cidr = DecodeCidr(in.source_ip(), context); break;
    case pb::Principal::kHeader:
      out.kind = Kind::kHeader, out.header = DecodeHeaderMatcher(in.header(), context);
      break;
    case pb::Principal::kUrlPath: out.kind = Kind::kUrlPath, out.text = DecodePath(in.url_path(), context); break;
    default: context.Reject("principal has no identifier that is implemented");
  }
  return out;
}
}  // namespace

RbacRules DecodeRbacRules(const pb::RBAC& in, DecodeContext& context) {
  context.Honours(in, {"action", "policies"});
  RbacRules out;
  out.action = in.action() == pb::RBAC::DENY  ? RbacRules::Action::kDeny
               : in.action() == pb::RBAC::LOG ? RbacRules::Action::kLog
                                              : RbacRules::Action::kAllow;
  for (const auto& [name, policy] : in.policies()) {
    const At at(context, "policies." + name);
    context.Honours(policy, {"permissions", "principals"});
    RbacPolicy compiled{.name = name, .permissions = {}, .principals = {}};
    for (const auto& permission : policy.permissions())
      compiled.permissions.push_back(DecodePermission(permission, context));
    for (const auto& principal : policy.principals())
      compiled.principals.push_back(DecodePrincipal(principal, context));
    if (compiled.permissions.empty() || compiled.principals.empty())
      context.Reject("permissions and principals must not be empty");
    out.policies.push_back(std::move(compiled));
  }
  // protobuf's maps have no order; the first that matches is the one that is reported.
  std::sort(out.policies.begin(), out.policies.end(),
            [](const RbacPolicy& a, const RbacPolicy& b) { return a.name < b.name; });
  return out;
}

}  // namespace plait::xds
