// Why a policy did not match, in the words of AuthorizationPolicy. Whether a node holds is asked of the engine itself.
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

// Of a node that does not hold. A list of alternatives is told by its first one, with what all of them want.
Miss RbacEngine::MissOf(const Node& node, const RbacSubject& subject) const {
  const record::ConnectionInfo& connection = subject.connection;
  const auto miss = [&](std::string field, std::string has) {
    return Miss{.rule = {}, .field = std::move(field), .wants = WantedBy(node), .has = std::move(has)};
  };
  switch (node.ask) {
    case Ask::kAll:
      for (std::uint32_t i = 0; i < node.count; ++i) {
        const Node& child = nodes_[links_[node.first + i]];
        if (!Holds(child, subject)) return MissOf(child, subject);
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
    case Ask::kAny: break;
  }
  return miss("anything", "this request");
}

std::vector<Miss> RbacEngine::Misses(const RbacSubject& subject) const {
  std::vector<Miss> all;
  for (const Policy& policy : policies_) {
    const Node& permissions = nodes_[policy.permissions];
    const Node& principals = nodes_[policy.principals];
    // Who asks comes before what is asked for, as in the YAML.
    const bool who = Holds(principals, subject);
    if (who && Holds(permissions, subject)) continue;
    all.push_back(MissOf(who ? permissions : principals, subject));
    all.back().rule = policy.name;
  }
  return all;
}

filter::Forecast ForeseeRbac(const RbacEngine* rules, const RbacEngine* shadow, const RbacSubject& subject) {
  filter::Forecast forecast;
  if (shadow != nullptr && !shadow->Check(subject).allowed) forecast.note = "a policy in dry run would deny it";
  if (rules == nullptr) return forecast;
  const RbacResult result = rules->Check(subject);
  if (result.policy != nullptr) forecast.rule = *result.policy;
  if (result.allowed) return forecast;
  forecast.passes = false;
  forecast.status = 403;
  forecast.details = DeniedDetails(result.policy);
  if (result.policy == nullptr) forecast.misses = rules->Misses(subject);
  return forecast;
}

}  // namespace plait::proxy::filters
