// Why a policy did not match, in the words of AuthorizationPolicy, and what can be said of a subject of which not all
// is known. Whether a node holds is asked of the engine itself.
#include <algorithm>

#include "core/tls/facts.h"
#include "proxy/filters/rbac/engine.h"

namespace plait::proxy::filters {
namespace {

using Miss = filter::Forecast::Miss;

std::string PrincipalOf(const record::ConnectionInfo& connection) {
  const io::TlsFacts* tls = connection.tls;
  if (tls == nullptr || !tls->peer_certificate) return "none (no client certificate)";
  if (!tls->peer_uri_sans.empty()) return tls->peer_uri_sans.front();
  return tls->peer_dns_sans.empty() ? tls->peer_subject : tls->peer_dns_sans.front();
}

std::string HeaderField(const std::string& name) {
  if (name == ":method") return "method";
  if (name == ":authority" || name == "host") return "host";
  return "header " + name;
}

std::string OrNone(std::string text) { return text.empty() ? "none" : text; }

std::string HeaderText(const http::RequestHead& head, const std::string& name) {
  std::string scratch;
  return OrNone(std::string(match::HeaderValue(head, name, scratch).value_or("")));
}

bool HasHeader(const http::RequestHead& head, const std::string& name) {
  std::string scratch;
  return match::HeaderValue(head, name, scratch).has_value();
}

}  // namespace

std::string RbacEngine::WantedBy(const Node& node) const {
  switch (node.ask) {
    case Ask::kAuthenticated: return "any";
    case Ask::kPeerName:
    case Ask::kPath:
    case Ask::kServerName: return texts_[node.at].Describe();
    case Ask::kDirectIp:
    case Ask::kRemoteIp:
    case Ask::kDestinationIp: return cidrs_[node.at].ToString();
    case Ask::kHeader: return headers_[node.at].Describe();
    case Ask::kDestinationPort:
      return std::to_string(node.at) + (node.count > node.at + 1 ? "-" + std::to_string(node.count - 1) : "");
    case Ask::kAll:
    case Ask::kOneOf: {
      std::string wanted;
      for (std::uint32_t i = 0; i < node.count; ++i)
        wanted += (i == 0 ? "" : node.ask == Ask::kAll ? " and " : " or ") + WantedBy(nodes_[links_[node.first + i]]);
      return wanted;
    }
    case Ask::kNot: return "not " + WantedBy(nodes_[links_[node.first]]);
    case Ask::kAny: return "any";
  }
  return {};
}

// What holds of a subject of which not all is known. What is known is asked of the engine itself.
RbacEngine::Truth RbacEngine::TruthOf(const Node& node, const RbacSubject& subject) const {
  const auto child = [&](std::uint32_t i) { return TruthOf(nodes_[links_[node.first + i]], subject); };
  bool known = true;
  switch (node.ask) {
    case Ask::kAll: {
      Truth all = Truth::kYes;
      for (std::uint32_t i = 0; i < node.count; ++i) all = std::min(all, child(i));
      return all;
    }
    case Ask::kOneOf: {
      Truth any = Truth::kNo;
      for (std::uint32_t i = 0; i < node.count; ++i) any = std::max(any, child(i));
      return any;
    }
    case Ask::kNot: {
      const Truth inner = child(0);
      return inner == Truth::kUnknown ? inner : inner == Truth::kYes ? Truth::kNo : Truth::kYes;
    }
    case Ask::kAuthenticated:
    case Ask::kPeerName: known = !subject.unknown.principal; break;
    case Ask::kDirectIp: known = !subject.unknown.direct_ip; break;
    case Ask::kHeader: known = !subject.unknown.headers || HasHeader(*subject.head, headers_[node.at].name()); break;
    case Ask::kAny:
    case Ask::kRemoteIp:
    case Ask::kPath:
    case Ask::kDestinationIp:
    case Ask::kDestinationPort:
    case Ask::kServerName: break;
  }
  return !known ? Truth::kUnknown : Holds(node, subject) ? Truth::kYes : Truth::kNo;
}

// Whatever is asked: "not any", as plaitd writes a policy without rules, and on TCP a rule about requests.
bool RbacEngine::Never(const Node& node) const {
  if (node.ask == Ask::kOneOf && node.count == 1) return Never(nodes_[links_[node.first]]);
  return node.ask == Ask::kNot && nodes_[links_[node.first]].ask == Ask::kAny;
}

// Of a node without children.
Miss RbacEngine::LeafMiss(const Node& node, const RbacSubject& subject) const {
  const record::ConnectionInfo& connection = subject.connection;
  const auto miss = [&](std::string field, std::string has) {
    return Miss{.rule = {}, .field = std::move(field), .wants = WantedBy(node), .has = std::move(has)};
  };
  switch (node.ask) {
    case Ask::kAuthenticated:
    case Ask::kPeerName: return miss("principal", PrincipalOf(connection));
    case Ask::kDirectIp: return miss("source.ip", connection.remote.ip.ToString());
    case Ask::kRemoteIp: return miss("remote.ip", subject.remote.ToString());
    case Ask::kHeader:
      return miss(HeaderField(headers_[node.at].name()), HeaderText(*subject.head, headers_[node.at].name()));
    case Ask::kPath: return miss("path", std::string(http::PathOnly(subject.head->path)));
    case Ask::kDestinationIp: return miss("destination.ip", connection.local.ip.ToString());
    case Ask::kDestinationPort: return miss("port", std::to_string(connection.local.port.value));
    case Ask::kServerName: return miss("connection.sni", OrNone(connection.server_name));
    case Ask::kAny:
    case Ask::kAll:
    case Ask::kOneOf:
    case Ask::kNot: break;
  }
  return miss("anything", "this request");
}

// Of a node that certainly does not hold. A list of alternatives is told by its first one, with what all of them want.
Miss RbacEngine::MissOf(const Node& node, const RbacSubject& subject) const {
  switch (node.ask) {
    case Ask::kAll:
      for (std::uint32_t i = 0; i < node.count; ++i) {
        const Node& child = nodes_[links_[node.first + i]];
        if (TruthOf(child, subject) == Truth::kNo) return MissOf(child, subject);
      }
      break;
    case Ask::kOneOf: {
      Miss first = MissOf(nodes_[links_[node.first]], subject);
      // Alternatives of one field; rules with several fields are told by their first field alone.
      if (node.count > 1 && nodes_[links_[node.first]].ask != Ask::kAll) first.wants = WantedBy(node);
      return first;
    }
    case Ask::kNot: {
      Miss inner = MissOf(nodes_[links_[node.first]], subject);
      inner.wants = WantedBy(node);
      return inner;
    }
    default: break;
  }
  return LeafMiss(node, subject);
}

// The fields on which an unknown node depends, each once.
void RbacEngine::AddUnknowns(const Node& node, const RbacSubject& subject, std::vector<Miss>& all) const {
  if (TruthOf(node, subject) != Truth::kUnknown) return;
  if (node.ask != Ask::kAll && node.ask != Ask::kOneOf && node.ask != Ask::kNot) {
    Miss miss = LeafMiss(node, subject);
    miss.has.clear();
    miss.reason = Miss::Reason::kUnknown;
    all.push_back(std::move(miss));
    return;
  }
  const std::size_t before = all.size();
  for (std::uint32_t i = 0; i < node.count; ++i) AddUnknowns(nodes_[links_[node.first + i]], subject, all);
  // Alternatives, and what must not be, of one field are one thing to find out.
  const bool one_field = std::all_of(all.begin() + static_cast<std::ptrdiff_t>(before), all.end(),
                                     [&](const Miss& miss) { return miss.field == all[before].field; });
  if (node.ask == Ask::kAll || !one_field) return;
  all.resize(before + 1);
  all.back().wants = WantedBy(node);
}

std::optional<RbacResult> RbacEngine::Foresee(const RbacSubject& subject) const {
  if (!subject.unknown.any()) return Check(subject);
  bool may_match = false;
  for (const Policy& policy : policies_) {
    const Truth matches =
        std::min(TruthOf(nodes_[policy.permissions], subject), TruthOf(nodes_[policy.principals], subject));
    if (matches == Truth::kYes) return RbacResult{action_ != xds::RbacRules::Action::kDeny, &policy.name};
    may_match = may_match || matches == Truth::kUnknown;
  }
  if (may_match) return std::nullopt;
  return RbacResult{.allowed = action_ != xds::RbacRules::Action::kAllow};
}

std::vector<Miss> RbacEngine::Misses(const RbacSubject& subject) const {
  std::vector<Miss> all;
  for (const Policy& policy : policies_) {
    const Node& permissions = nodes_[policy.permissions];
    const Node& principals = nodes_[policy.principals];
    const Truth who = TruthOf(principals, subject);
    const Truth what = TruthOf(permissions, subject);
    const std::size_t before = all.size();
    if (Never(permissions)) {
      all.push_back({.reason = Never(principals) ? Miss::Reason::kNoRule : Miss::Reason::kOnlyHttp});
    } else if (who == Truth::kNo) {  // who asks comes before what is asked for, as in the YAML
      all.push_back(MissOf(principals, subject));
    } else if (what == Truth::kNo) {
      all.push_back(MissOf(permissions, subject));
    } else {
      AddUnknowns(principals, subject, all);
      AddUnknowns(permissions, subject, all);
    }
    for (std::size_t i = before; i < all.size(); ++i) all[i].rule = policy.name;
  }
  return all;
}

filter::Forecast ForeseeRbac(const RbacEngine* rules, const RbacEngine* shadow, const RbacSubject& subject) {
  filter::Forecast forecast;
  if (shadow != nullptr) {
    const std::optional<RbacResult> result = shadow->Foresee(subject);
    if (result && !result->allowed)
      forecast.note = result->policy != nullptr ? *result->policy + " in dry run would deny it"
                                                : "policies in dry run would deny it, since none of them allows it";
  }
  if (rules == nullptr) return forecast;
  const std::optional<RbacResult> result = rules->Foresee(subject);
  if (!result) {
    forecast.known = false;
    if (rules->allows()) forecast.misses = rules->Misses(subject);
    return forecast;
  }
  if (result->policy != nullptr) forecast.rule = *result->policy;
  if (result->allowed) return forecast;
  forecast.passes = false;
  forecast.status = 403;
  forecast.details = DeniedDetails(result->policy);
  if (result->policy == nullptr) forecast.misses = rules->Misses(subject);
  return forecast;
}

}  // namespace plait::proxy::filters
