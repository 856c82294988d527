#include "control/model/delegates.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/model/hosts.h"
#include "control/model/warnings.h"

namespace plait::control::model {
namespace {

using Kind = StringMatch::Kind;

// Whether what `leaf` matches is not a part of what `root` matches. Of regular expressions nobody can tell.
bool Contradicts(const StringMatch& root, const StringMatch& leaf) {
  if (root.kind == Kind::kPresent || leaf.kind == Kind::kPresent) return false;
  if (root.kind == Kind::kRegex || leaf.kind == Kind::kRegex) return true;
  if (root.kind == Kind::kExact) return leaf != root;
  return !leaf.value.starts_with(root.value);
}
bool Contradicts(const std::optional<StringMatch>& root, const std::optional<StringMatch>& leaf) {
  return root && leaf && Contradicts(*root, *leaf);
}
template <class Value>
bool Contradicts(const std::map<std::string, Value>& root, const std::map<std::string, Value>& leaf) {
  return std::any_of(leaf.begin(), leaf.end(), [&](const auto& entry) {
    const auto same = root.find(entry.first);
    if (same == root.end()) return false;
    if constexpr (std::is_same_v<Value, StringMatch>) return Contradicts(same->second, entry.second);
    return !(same->second == entry.second);
  });
}
template <class Value>
bool Differ(const Value& root, const Value& leaf) {
  return root != Value{} && leaf != Value{} && root != leaf;
}

bool Contradicts(const SourceMatch& root, const SourceMatch& leaf) {
  if (Contradicts(root.labels, leaf.labels) || Differ(root.name_space, leaf.name_space) || Differ(root.port, leaf.port))
    return true;
  return !root.gateways.empty() && std::any_of(leaf.gateways.begin(), leaf.gateways.end(), [&](const auto& gateway) {
    return std::find(root.gateways.begin(), root.gateways.end(), gateway) == root.gateways.end();
  });
}

bool Contradicts(const HttpMatch& root, const HttpMatch& leaf) {
  return root.ignore_uri_case != leaf.ignore_uri_case || Contradicts(root.source, leaf.source) ||
         Contradicts(root.uri, leaf.uri) || Contradicts(root.scheme, leaf.scheme) ||
         Contradicts(root.method, leaf.method) || Contradicts(root.authority, leaf.authority) ||
         Contradicts(root.headers, leaf.headers) || Contradicts(root.without_headers, leaf.without_headers) ||
         Contradicts(root.query, leaf.query);
}

template <class Value>
void Inherit(const Value& root, Value& leaf) {
  if (leaf == Value{}) leaf = root;
}
void InheritName(const std::string& root, std::string& leaf) {
  if (!root.empty()) leaf = leaf.empty() ? root : root + "-" + leaf;
}

HttpMatch Both(const HttpMatch& root, HttpMatch leaf) {
  InheritName(root.name, leaf.name);
  leaf.source.labels.insert(root.source.labels.begin(), root.source.labels.end());
  Inherit(root.source.name_space, leaf.source.name_space);
  Inherit(root.source.gateways, leaf.source.gateways);
  Inherit(root.source.port, leaf.source.port);
  Inherit(root.uri, leaf.uri);
  Inherit(root.scheme, leaf.scheme);
  Inherit(root.method, leaf.method);
  Inherit(root.authority, leaf.authority);
  leaf.headers.insert(root.headers.begin(), root.headers.end());
  leaf.without_headers.insert(root.without_headers.begin(), root.without_headers.end());
  leaf.query.insert(root.query.begin(), root.query.end());
  return leaf;
}

// Each match of the leaf must lie within one of the root's; nullopt when one does not.
std::optional<std::vector<HttpMatch>> Both(const std::vector<HttpMatch>& root, const std::vector<HttpMatch>& leaf) {
  if (root.empty()) return leaf;
  if (leaf.empty()) return root;
  std::vector<HttpMatch> out;
  for (const HttpMatch& inner : leaf) {
    const std::size_t before = out.size();
    for (const HttpMatch& outer : root)
      if (!Contradicts(outer, inner)) out.push_back(Both(outer, inner));
    if (out.size() == before) return std::nullopt;
  }
  return out;
}

class Resolver {
 public:
  Resolver(const std::vector<const VirtualService*>& services, const MeshConfig& mesh) : mesh_(mesh) {
    for (const VirtualService* service : services) by_key_.emplace(KeyOf(service->meta), service);
  }

  std::unique_ptr<VirtualService> Whole(const VirtualService& root) {
    const auto delegates = [](const HttpRule& rule) { return rule.delegate.has_value(); };
    if (std::none_of(root.http.begin(), root.http.end(), delegates)) return nullptr;
    auto out = std::make_unique<VirtualService>(root);
    out->http.clear();
    for (const HttpRule& rule : root.http) {
      if (!rule.delegate) {
        out->http.push_back(rule);
      } else if (const VirtualService* leaf = FindLeaf(root, rule)) {
        Insert(root, rule, *leaf, out->http);
      }
    }
    return out;
  }

  // A VirtualService without hosts that nobody names does nothing, which its author will not have meant.
  void CheckUse(const VirtualService& service) {
    if (service.hosts.empty() && !used_.contains(&service))
      Warn(service, {}, "it has no hosts, and no VirtualService delegates to it",
           "name its hosts, or delegate to it from the rule of another");
  }

  Findings TakeFindings() { return std::move(findings_); }

 private:
  static std::string KeyOf(const Meta& meta) { return meta.name_space() + "/" + meta.name(); }
  static std::string KeyOf(const VirtualService& root, const Delegate& delegate) {
    return (delegate.name_space.empty() ? root.meta.name_space() : delegate.name_space) + "/" + delegate.name;
  }

  void Warn(const VirtualService& service, yaml::Mark at, std::string message, std::string hint) {
    findings_.push_back(WarningOf(service.meta, at, std::move(message), std::move(hint)));
  }

  const VirtualService* FindLeaf(const VirtualService& root, const HttpRule& rule) {
    const std::string key = KeyOf(root, *rule.delegate);
    const auto found = by_key_.find(key);
    const VirtualService* leaf = found == by_key_.end() ? nullptr : found->second;
    const auto& export_to =
        leaf == nullptr || leaf->export_to.empty() ? mesh_.default_virtual_service_export_to : leaf->export_to;
    if (leaf == nullptr || !IsExportedTo(export_to, leaf->meta.name_space(), root.meta.name_space())) {
      findings_.push_back(MissingName(
          root.meta, rule.delegate->at.mark, "Referenced delegate not found: \"" + key + "\"",
          leaf == nullptr ? "create it" : "export it to this namespace (exportTo)", "the rule is left out"));
      return nullptr;
    }
    used_.insert(leaf);
    if (leaf->hosts.empty()) return leaf;
    Warn(root, rule.delegate->at.mark,
         leaf == &root ? "the rule delegates to its own VirtualService"
                       : "\"" + key + "\" has hosts of its own, so nobody can delegate to it",
         "delegate to a VirtualService without hosts; until then the rule is left out");
    return nullptr;
  }

  void Insert(const VirtualService& root, const HttpRule& rule, const VirtualService& leaf,
              std::vector<HttpRule>& out) {
    for (HttpRule inner : leaf.http) {
      if (inner.delegate) {
        RefuseNested(root, leaf, inner);
        continue;
      }
      auto matches = Both(rule.matches, inner.matches);
      if (!matches) {
        Warn(leaf, inner.at, "the matches lie outside of those of the rule of " + KeyOf(root.meta) + " that delegates",
             "match a part of what that rule matches; until then this rule is left out");
        continue;
      }
      // Short names are of the namespace in which they were written.
      const auto resolve = [&](Destination& to) {
        to.host = ResolveHost(to.host, leaf.meta.name_space(), mesh_.cluster_domain);
      };
      for (WeightedDestination& to : inner.destinations) resolve(to.destination);
      for (HttpMirror& mirror : inner.mirrors) resolve(mirror.destination);
      inner.matches = std::move(*matches);
      InheritName(rule.name, inner.name);
      Inherit(rule.rewrite, inner.rewrite);
      Inherit(rule.timeout, inner.timeout);
      Inherit(rule.retries, inner.retries);
      Inherit(rule.fault, inner.fault);
      Inherit(rule.mirrors, inner.mirrors);
      Inherit(rule.cors, inner.cors);
      Inherit(rule.headers, inner.headers);
      out.push_back(std::move(inner));
    }
  }

  // One level only, as in Istio; so a circle ends here, too.
  void RefuseNested(const VirtualService& root, const VirtualService& leaf, const HttpRule& rule) {
    std::string path = KeyOf(root.meta) + " -> " + KeyOf(leaf.meta);
    std::set<const VirtualService*> seen{&root, &leaf};
    const VirtualService* from = &leaf;
    const HttpRule* at = &rule;
    while (at != nullptr) {
      const std::string key = KeyOf(*from, *at->delegate);
      path += " -> " + key;
      const auto next = by_key_.find(key);
      if (next == by_key_.end()) break;
      from = next->second;
      if (!seen.insert(from).second)
        return Warn(leaf, rule.delegate->at.mark, "the delegates form a circle: " + path,
                    "write the rules of one of them into another; until then this rule is left out");
      const auto further = std::find_if(from->http.begin(), from->http.end(),
                                        [](const HttpRule& candidate) { return candidate.delegate.has_value(); });
      at = further == from->http.end() ? nullptr : &*further;
    }
    Warn(leaf, rule.delegate->at.mark, "a delegate cannot delegate again: " + path,
         "write the rules of the last into this VirtualService; until then this rule is left out");
  }

  const MeshConfig& mesh_;
  std::map<std::string, const VirtualService*> by_key_;
  std::set<const VirtualService*> used_;
  Findings findings_;
};

}  // namespace

Delegations ResolveDelegates(const std::vector<const VirtualService*>& services, const MeshConfig& mesh) {
  Resolver resolver(services, mesh);
  Delegations out;
  for (const VirtualService* service : services)
    out.whole.push_back(service->hosts.empty() ? nullptr : resolver.Whole(*service));
  for (const VirtualService* service : services) resolver.CheckUse(*service);
  out.findings = resolver.TakeFindings();
  return out;
}

}  // namespace plait::control::model
