#include "core/xds/encode/parts.h"
#include "envoy/config/rbac/v3/rbac.pb.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // fields that Envoy still reads and the structs still have

namespace plait::xds::encode {
namespace {
namespace pb = envoy::config::rbac::v3;

void FillPermission(const Permission& in, pb::Permission& out) {
  using Kind = Permission::Kind;
  switch (in.kind) {
    case Kind::kAny: out.set_any(true); break;
    case Kind::kAnd:
      for (const Permission& child : in.children) FillPermission(child, *out.mutable_and_rules()->add_rules());
      break;
    case Kind::kOr:
      for (const Permission& child : in.children) FillPermission(child, *out.mutable_or_rules()->add_rules());
      break;
    case Kind::kNot: FillPermission(in.children.at(0), *out.mutable_not_rule()); break;
    case Kind::kHeader: Fill(in.header, *out.mutable_header()); break;
    case Kind::kUrlPath: Fill(in.text, *out.mutable_url_path()->mutable_path()); break;
    case Kind::kDestinationIp: Fill(in.cidr, *out.mutable_destination_ip()); break;
    case Kind::kDestinationPort: out.set_destination_port(in.port_start); break;
    case Kind::kDestinationPortRange:
      out.mutable_destination_port_range()->set_start(static_cast<std::int32_t>(in.port_start));
      out.mutable_destination_port_range()->set_end(static_cast<std::int32_t>(in.port_end));
      break;
    case Kind::kRequestedServerName: Fill(in.text, *out.mutable_requested_server_name()); break;
  }
}

void FillPrincipal(const Principal& in, pb::Principal& out) {
  using Kind = Principal::Kind;
  switch (in.kind) {
    case Kind::kAny: out.set_any(true); break;
    case Kind::kAnd:
      for (const Principal& child : in.children) FillPrincipal(child, *out.mutable_and_ids()->add_ids());
      break;
    case Kind::kOr:
      for (const Principal& child : in.children) FillPrincipal(child, *out.mutable_or_ids()->add_ids());
      break;
    case Kind::kNot: FillPrincipal(in.children.at(0), *out.mutable_not_id()); break;
    case Kind::kAuthenticated:
      out.mutable_authenticated();
      if (in.has_text) Fill(in.text, *out.mutable_authenticated()->mutable_principal_name());
      break;
    case Kind::kDirectRemoteIp: Fill(in.cidr, *out.mutable_direct_remote_ip()); break;
    case Kind::kRemoteIp: Fill(in.cidr, *out.mutable_remote_ip()); break;
    case Kind::kSourceIp: Fill(in.cidr, *out.mutable_source_ip()); break;
    case Kind::kHeader: Fill(in.header, *out.mutable_header()); break;
    case Kind::kUrlPath: Fill(in.text, *out.mutable_url_path()->mutable_path()); break;
  }
}

}  // namespace

void Fill(const RbacRules& in, pb::RBAC& out) {
  constexpr pb::RBAC::Action kActions[] = {pb::RBAC::ALLOW, pb::RBAC::DENY, pb::RBAC::LOG};
  out.set_action(kActions[static_cast<std::size_t>(in.action)]);
  for (const RbacPolicy& policy : in.policies) {
    pb::Policy& to = (*out.mutable_policies())[policy.name];
    for (const Permission& permission : policy.permissions) FillPermission(permission, *to.add_permissions());
    for (const Principal& principal : policy.principals) FillPrincipal(principal, *to.add_principals());
  }
}

}  // namespace plait::xds::encode
