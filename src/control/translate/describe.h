#pragma once
// For golden files: xDS structs as lines that a person can review.
#include <sstream>
#include <string>

#include "core/base/strings.h"
#include "core/xds/cluster.h"
#include "core/xds/listener.h"
#include "core/xds/rbac.h"
#include "core/xds/route.h"

namespace plait::control::translate {

inline std::string Describe(const xds::StringMatcher& matcher) {
  constexpr const char* kKinds[] = {"=", "^", "$", "~", "re "};
  return kKinds[static_cast<int>(matcher.kind)] + matcher.value + (matcher.ignore_case ? " (any case)" : "");
}

inline void Describe(std::ostream& out, const xds::Route& route) {
  constexpr const char* kPaths[] = {"prefix ", "path ", "regex ", "segments ", "connect "};
  out << "    - " << (route.name.empty() ? "(no name)" : route.name) << ": "
      << kPaths[static_cast<int>(route.match.path.kind)] << route.match.path.value;
  for (const xds::HeaderMatcher& header : route.match.headers)
    out << ", " << (header.invert ? "not " : "") << header.name
        << (std::holds_alternative<xds::StringMatcher>(header.value)
                ? Describe(std::get<xds::StringMatcher>(header.value))
                : " present");
  out << "\n";
  if (const auto* action = std::get_if<xds::RouteAction>(&route.action)) {
    for (const xds::WeightedCluster& cluster : action->clusters)
      out << "      " << cluster.weight << " x " << cluster.name << "\n";
    if (action->timeout) out << "      timeout " << FormatDuration(*action->timeout) << "\n";
    if (!action->prefix_rewrite.empty()) out << "      rewrite " << action->prefix_rewrite << "\n";
    if (action->retry) {
      out << "      retry " << action->retry->num_retries << " on " << xds::FormatRetryOn(action->retry->retry_on);
      for (const std::uint16_t status : action->retry->retriable_status_codes) out << " " << status;
      out << (action->retry->avoid_previous_hosts ? ", another host" : "") << "\n";
    }
  }
}

inline void Describe(std::ostream& out, const xds::RouteConfiguration& routes) {
  out << "routes " << routes.name << "\n";
  for (const xds::VirtualHost& host : routes.virtual_hosts) {
    out << "  " << host.name << " [";
    for (std::size_t i = 0; i < host.domains.size(); ++i) out << (i > 0 ? " " : "") << host.domains[i];
    out << "]\n";
    for (const xds::Route& route : host.routes) Describe(out, route);
  }
}

inline void Describe(std::ostream& out, const xds::Cluster& cluster) {
  constexpr const char* kTypes[] = {"STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"};
  constexpr const char* kPolicies[] = {"round robin", "least request", "random", "ring hash", "maglev", "as dialled"};
  out << "cluster " << cluster.name << "\n  " << kTypes[static_cast<int>(cluster.type)] << ", "
      << kPolicies[static_cast<int>(cluster.lb.policy)] << ", requests " << cluster.circuit_breakers.max_requests
      << (cluster.pin_original_dst ? ", pinned" : "")
      << (cluster.bind_address ? ", from " + cluster.bind_address->ip.ToString() : "") << "\n";
  const auto tls = [&](const xds::UpstreamTlsContext& context) {
    out << "  tls" << (context.sni.empty() ? "" : " ") << context.sni;
    for (const auto& san : context.common.validation->subject_alt_names) out << " " << san.matcher.value;
    out << "\n";
  };
  if (cluster.tls) tls(*cluster.tls);
  for (const xds::TransportSocketMatch& match : cluster.transport_socket_matches) {
    out << "  " << match.name << "\n";
    if (match.tls) tls(*match.tls);
  }
}

inline void Describe(std::ostream& out, const xds::ClusterLoadAssignment& assignment) {
  out << "endpoints " << assignment.cluster_name << "\n";
  for (const auto& locality : assignment.localities)
    for (const xds::Endpoint& endpoint : locality.endpoints)
      out << "  " << endpoint.address.ToString() << (endpoint.health == xds::HealthStatus::kHealthy ? "" : " unhealthy")
          << (endpoint.identity.empty() ? "" : " ") << endpoint.identity << (endpoint.istio_workload.empty() ? "" : " ")
          << endpoint.istio_workload << "\n";
}

template <class Node>
void DescribeTree(std::ostream& out, const Node& node, int depth) {
  out << std::string(static_cast<std::size_t>(depth) * 2, ' ');
  using Kind = typename Node::Kind;
  if (node.kind == Kind::kAny)
    out << "any";
  else if (node.kind == Kind::kAnd)
    out << "all of";
  else if (node.kind == Kind::kOr)
    out << "one of";
  else if (node.kind == Kind::kNot)
    out << "not";
  else if (node.kind == Kind::kHeader)
    out << "header " << node.header.name
        << (std::holds_alternative<xds::StringMatcher>(node.header.value)
                ? Describe(std::get<xds::StringMatcher>(node.header.value))
                : " present");
  else
    out << "kind " << static_cast<int>(node.kind) << " " << Describe(node.text);
  out << "\n";
  for (const Node& child : node.children) DescribeTree(out, child, depth + 1);
}

inline void Describe(std::ostream& out, const xds::RbacRules& rules) {
  out << "rbac " << (rules.action == xds::RbacRules::Action::kDeny ? "DENY" : "ALLOW") << "\n";
  for (const xds::RbacPolicy& policy : rules.policies) {
    out << "  " << policy.name << "\n";
    for (const auto& principal : policy.principals) DescribeTree(out, principal, 2);
    for (const auto& permission : policy.permissions) DescribeTree(out, permission, 2);
  }
}

inline void Describe(std::ostream& out, const xds::FilterChainMatch& match) {
  if (match.destination_port) out << " to " << *match.destination_port;
  for (const io::Cidr& range : match.prefix_ranges) out << " in " << range.ToString();
  if (!match.transport_protocol.empty()) out << " " << match.transport_protocol;
  for (const std::string& name : match.server_names) out << " sni " << name;
  for (const std::string& name : match.application_protocols) out << " " << name;
}

inline void DescribeTarget(std::ostream& out, const xds::NetworkFilter& filter) {
  if (const auto* tcp = std::get_if<xds::TcpProxy>(&filter.config))
    for (const xds::L4WeightedCluster& cluster : tcp->clusters) out << " " << cluster.weight << " x " << cluster.name;
  const auto* http = std::get_if<xds::HttpConnectionManager>(&filter.config);
  if (!http) return;
  if (const auto* rds = std::get_if<xds::RdsRef>(&http->routes))
    out << " rds " << rds->name;
  else
    out << " routes " << std::get<xds::RouteConfiguration>(http->routes).name;
  for (const xds::HttpFilter& inner : http->filters) out << " " << inner.name;
}

inline void Describe(std::ostream& out, const xds::FilterChain& chain) {
  out << "  chain " << chain.name << " (";
  Describe(out, chain.match);
  out << (chain.tls ? " ) mutual TLS:" : " ):");
  for (const xds::NetworkFilter& filter : chain.filters) {
    out << " " << filter.name;
    DescribeTarget(out, filter);
  }
  out << "\n";
}

inline void Describe(std::ostream& out, const xds::Listener& listener) {
  constexpr const char* kModes[] = {"DISABLE", "PERMISSIVE", "STRICT"};
  constexpr const char* kDeclared[] = {"", " http", " tcp", " tls"};
  out << "listener " << listener.name << " at";
  for (const xds::ListenerAddress& address : listener.addresses) out << " " << address.address.ToString();
  out << (listener.bind_to_port ? "\n" : ", handed over\n");
  for (const xds::AccessLog& log : listener.access_logs)
    out << "  log " << log.path << " of " << (log.filter ? Join(log.filter->flags, ",") : "all") << "\n";
  for (const xds::ListenerFilter& filter : listener.listener_filters) {
    out << "  " << filter.name;
    for (const auto& [begin, end] : filter.disabled_ports) out << " not " << begin;
    out << "\n";
  }
  if (listener.listener_filters_timeout)
    out << "  silence " << FormatDuration(*listener.listener_filters_timeout) << "\n";
  for (const xds::FilterChain& chain : listener.filter_chains) Describe(out, chain);
  if (!listener.default_filter_chain) return;
  Describe(out, *listener.default_filter_chain);
  if (const auto* form = std::get_if<xds::Outbound>(&listener.default_filter_chain->filters[0].config))
    out << "  unknown to " << form->unknown_cluster << "\n";
  if (const auto* form = std::get_if<xds::Inbound>(&listener.default_filter_chain->filters[0].config)) {
    for (const xds::InboundPort& port : form->ports)
      out << "  " << port.port << " " << kModes[static_cast<int>(port.mode)]
          << kDeclared[static_cast<int>(port.declared)] << " " << port.cluster << "\n";
    out << "  others " << kModes[static_cast<int>(form->other.mode)] << "\n";
    for (const xds::HttpFilter& filter : form->http.filters)
      if (const auto* rbac = std::get_if<xds::RbacFilter>(&filter.config); rbac && rbac->rules)
        Describe(out, *rbac->rules);
  }
}

}  // namespace plait::control::translate
