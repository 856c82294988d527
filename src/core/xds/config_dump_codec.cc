#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/xds/config_dump.h"
#include "core/xds/type_url.h"
#include "core/yaml/message.h"
#include "core/yaml/print.h"

namespace plait::xds {
namespace {
using yaml::Node;
using State = DumpedResource::State;

constexpr std::string_view kUrlPrefix = "type.googleapis.com/";

// A private key, a password or a ticket key never leaves the process, nor where it lies; everything below such a field
// goes as Envoy writes it.
void Redact(Node& node, bool secret) {
  for (Node& item : node.items) Redact(item, secret);
  for (yaml::Entry& entry : node.entries) {
    const bool below = secret || entry.key == "private_key" || entry.key == "password" ||
                       entry.key == "session_ticket_keys" || entry.key == "generic_secret" || entry.key == "pkcs12";
    if (below && (entry.key == "inline_string" || entry.key == "filename" || entry.key == "environment_variable"))
      entry.value = Node::Text("[redacted]");
    else if (below && entry.key == "inline_bytes")
      entry.value = Node::Text(Base64Encode(AsBytes("[redacted]")));
    else
      Redact(entry.value, below);
  }
}

Node ResourceNode(std::string_view url, std::string_view bytes) {
  Node out = Node::Mapping();
  const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      std::string(type_url::MessageName(url)));
  if (descriptor != nullptr) {
    std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
    if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) out = yaml::Encode(*message);
  } else {
    out.Add("value", Node::Text(Base64Encode(AsBytes(bytes))));  // not linked in: still there to be looked at
  }
  Redact(out, false);
  return out;
}

Node AnyNode(std::string_view url, std::string_view bytes) {
  Node out = ResourceNode(url, bytes);
  out.entries.insert(out.entries.begin(), yaml::Entry{.key = "@type", .at = {}, .value = Node::Text(std::string(url))});
  return out;
}

// What a section of the dump calls its lists and the resource in their elements.
struct Section {
  std::string_view dump;                    // message name
  std::string_view type_url;                // of the resources
  std::string_view element;                 // "Cluster": the elements are StaticCluster and DynamicCluster
  std::string_view resource;                // field of the element that holds the resource
  std::string_view fixed, active, warming;  // the lists; active == warming: states of one element (listeners)
  bool named;                               // elements carry the name
};
constexpr Section kClusters{.dump = "envoy.admin.v3.ClustersConfigDump",
                            .type_url = type_url::kCluster,
                            .element = "Cluster",
                            .resource = "cluster",
                            .fixed = "static_clusters",
                            .active = "dynamic_active_clusters",
                            .warming = "dynamic_warming_clusters",
                            .named = false};
constexpr Section kEndpoints{.dump = "envoy.admin.v3.EndpointsConfigDump",
                             .type_url = type_url::kEndpoint,
                             .element = "EndpointConfig",
                             .resource = "endpoint_config",
                             .fixed = "static_endpoint_configs",
                             .active = "dynamic_endpoint_configs",
                             .warming = "dynamic_endpoint_configs",
                             .named = false};
constexpr Section kListeners{.dump = "envoy.admin.v3.ListenersConfigDump",
                             .type_url = type_url::kListener,
                             .element = "Listener",
                             .resource = "listener",
                             .fixed = "static_listeners",
                             .active = "dynamic_listeners",
                             .warming = "dynamic_listeners",
                             .named = true};
constexpr Section kRoutes{.dump = "envoy.admin.v3.RoutesConfigDump",
                          .type_url = type_url::kRoute,
                          .element = "RouteConfig",
                          .resource = "route_config",
                          .fixed = "static_route_configs",
                          .active = "dynamic_route_configs",
                          .warming = "dynamic_route_configs",
                          .named = false};
constexpr Section kSecrets{.dump = "envoy.admin.v3.SecretsConfigDump",
                           .type_url = type_url::kSecret,
                           .element = "Secret",
                           .resource = "secret",
                           .fixed = "static_secrets",
                           .active = "dynamic_active_secrets",
                           .warming = "dynamic_warming_secrets",
                           .named = true};
constexpr Section kL4Routes{.dump = "plait.admin.v1.L4RoutesConfigDump",
                            .type_url = type_url::kL4Routes,
                            .element = "L4Routes",
                            .resource = "resource",
                            .fixed = "static_l4_routes",
                            .active = "dynamic_l4_routes",
                            .warming = "dynamic_l4_routes",
                            .named = true};
constexpr Section kAddresses{.dump = "plait.admin.v1.AddressesConfigDump",
                             .type_url = type_url::kAddress,
                             .element = "Address",
                             .resource = "resource",
                             .fixed = "static_addresses",
                             .active = "dynamic_addresses",
                             .warming = "dynamic_addresses",
                             .named = true};
constexpr std::array kSections = {&kClusters, &kEndpoints, &kListeners, &kRoutes, &kSecrets, &kL4Routes, &kAddresses};

void AddText(Node& to, std::string_view key, std::string_view text) {
  if (!text.empty()) to.Add(std::string(key), Node::Text(std::string(text)));
}
void AddTime(Node& to, std::string_view key, WallTime time) {
  to.Add(std::string(key), Node::Text(FormatRfc3339(time)));
}

Node* FindEntry(Node& mapping, std::string_view key) {
  for (yaml::Entry& entry : mapping.entries)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

// What was refused is told by its name; the control plane has the rest.
Node FailureNode(const Section& section, std::string_view name, const DumpedFailure& failure) {
  Node refused = Node::Mapping();
  refused.Add("@type", Node::Text(std::string(section.type_url)));
  AddText(refused, &section == &kEndpoints ? "cluster_name" : "name", name);
  Node error = Node::Mapping();
  error.Add("failed_configuration", std::move(refused));
  AddTime(error, "last_update_attempt", failure.attempted);
  AddText(error, "details", failure.details);
  AddText(error, "version_info", failure.version);
  return error;
}

Node ElementNode(const Section& section, const DumpedResource& resource) {
  const bool fixed = resource.state == State::kStatic;
  Node state = Node::Mapping();
  AddText(state, "version_info", resource.version);
  if (!resource.bytes.empty()) {
    state.Add(std::string(section.resource), AnyNode(section.type_url, resource.bytes));
    // Envoy does not tell since when a static secret or endpoint is there.
    if (!fixed || resource.updated != WallTime{}) AddTime(state, "last_updated", resource.updated);
  } else if (&section == &kSecrets) {
    Node awaited = Node::Mapping();
    awaited.Add("@type", Node::Text(std::string(section.type_url)));
    AddText(awaited, "name", resource.name);
    state.Add(std::string(section.resource), std::move(awaited));
  }
  Node out = Node::Mapping();
  if (&section == &kListeners && !fixed) {
    AddText(out, "name", resource.name);
    if (!resource.bytes.empty())
      out.Add(resource.state == State::kWarming    ? "warming_state"
              : resource.state == State::kDraining ? "draining_state"
                                                   : "active_state",
              std::move(state));
  } else {
    if (section.named && &section != &kListeners) AddText(out, "name", resource.name);
    for (yaml::Entry& entry : state.entries) out.Add(std::move(entry.key), std::move(entry.value));
  }
  if (resource.failure) out.Add("error_state", FailureNode(section, resource.name, *resource.failure));
  return out;
}

Node& ListIn(Node& section, std::string_view list) {
  if (Node* place = FindEntry(section, list)) return *place;
  section.Add(std::string(list), Node::Sequence());
  return section.entries.back().value;
}

bool Wanted(std::string_view name, const re2::RE2* names) {
  return names == nullptr || re2::RE2::FullMatch({name.data(), name.size()}, *names);
}

Node SectionNode(const Section& section, std::string_view version, const std::vector<DumpedResource>& resources,
                 const re2::RE2* names) {
  Node out = Node::Mapping();
  out.Add("@type", Node::Text(std::string(kUrlPrefix) + std::string(section.dump)));
  AddText(out, "version_info", version);
  for (const DumpedResource& resource : resources) {
    if (!Wanted(resource.name, names)) continue;
    const std::string_view list = resource.state == State::kStatic    ? section.fixed
                                  : resource.state == State::kWarming ? section.warming
                                                                      : section.active;
    ListIn(out, list).items.push_back(ElementNode(section, resource));
  }
  return out;
}

// Plait's own network filters hold a connection manager each.
bool SpeaksHttp(std::string_view filter) {
  return filter.ends_with(".HttpConnectionManager") || filter.starts_with("type.googleapis.com/plait.proxy.v1.");
}

// Route tables that stand in a connection manager: Envoy shows them as static ones. Whether the listener speaks HTTP at
// all.
bool AddRoutesOf(const DumpedResource& listener, const re2::RE2* names, Node& routes) {
  Node node = ResourceNode(type_url::kListener, listener.bytes);
  std::vector<Node*> chains;
  if (Node* all = FindEntry(node, "filter_chains"))
    for (Node& chain : all->items) chains.push_back(&chain);
  if (Node* chain = FindEntry(node, "default_filter_chain")) chains.push_back(chain);
  bool any = false;
  for (Node* chain : chains) {
    Node* filters = FindEntry(*chain, "filters");
    if (filters == nullptr) continue;
    for (Node& filter : filters->items) {
      Node* config = FindEntry(filter, "typed_config");
      any = any || (config != nullptr && SpeaksHttp(config->FindText("@type")));
      Node* table = config != nullptr ? FindEntry(*config, "route_config") : nullptr;
      if (table == nullptr || !Wanted(table->FindText("name"), names)) continue;
      table->entries.insert(table->entries.begin(),
                            yaml::Entry{.key = "@type", .at = {}, .value = Node::Text(std::string(type_url::kRoute))});
      Node element = Node::Mapping();
      element.Add("route_config", std::move(*table));
      AddTime(element, "last_updated", listener.updated);
      ListIn(routes, kRoutes.fixed).items.push_back(std::move(element));
    }
  }
  return any;
}

// Keeps what the paths name, "@type" always. Lists are gone through.
void Mask(Node& node, const std::vector<std::string_view>& paths) {
  for (Node& item : node.items) Mask(item, paths);
  std::vector<yaml::Entry> kept;
  for (yaml::Entry& entry : node.entries) {
    bool whole = entry.key == "@type";
    std::vector<std::string_view> inner;
    for (std::string_view path : paths) {
      const auto [head, rest] = SplitOnce(path, '.');
      if (head != entry.key) continue;
      if (rest)
        inner.push_back(*rest);
      else
        whole = true;
    }
    if (!whole && inner.empty()) continue;
    if (!whole) Mask(entry.value, inner);
    kept.push_back(std::move(entry));
  }
  node.entries = std::move(kept);
}

bool BeginsWithOneOf(const std::vector<std::string_view>& paths, std::initializer_list<std::string_view> fields) {
  return std::any_of(paths.begin(), paths.end(), [&](std::string_view path) {
    return std::find(fields.begin(), fields.end(), SplitOnce(path, '.').first) != fields.end();
  });
}

// Sections that have none of the fields go: each has fields of its own.
void MaskSections(Node& configs, const std::vector<std::string_view>& paths) {
  std::erase_if(configs.items, [&](const Node& config) {
    if (config.FindText("@type").ends_with(".BootstrapConfigDump"))
      return !BeginsWithOneOf(paths, {"bootstrap", "last_updated"});
    for (const Section* section : kSections) {
      if (!config.FindText("@type").ends_with(section->dump)) continue;
      return !BeginsWithOneOf(paths, {section->fixed, section->active, section->warming, "version_info"});
    }
    return true;
  });
  for (Node& config : configs.items) Mask(config, paths);
}

// The elements of one repeated field, each with its own @type as Envoy prints them.
Outcome<Node> Elements(Node& configs, const DumpQuery& query, const std::vector<std::string_view>& paths) {
  const std::string& field = query.resource;
  for (const std::string_view single : {"bootstrap", "last_updated", "version_info"}) {
    if (field != single) continue;
    return Explain(Errc::kInvalidInput,
                   field + " is not a repeated field. Use ?mask=" + field + " to get only this field");
  }
  const auto owner = std::find_if(kSections.begin(), kSections.end(), [&](const Section* section) {
    return field == section->fixed || field == section->active || field == section->warming;
  });
  if (owner == kSections.end()) return Explain(Errc::kNotFound, field + " not found in config dump");
  const Section& section = **owner;
  // As in Envoy what is in no section is not found, but for Plait's own, which are left out where they are empty.
  const bool there = std::any_of(configs.items.begin(), configs.items.end(),
                                 [&](const Node& config) { return config.FindText("@type").ends_with(section.dump); });
  if (!there && section.dump.starts_with("envoy."))
    return Explain(Errc::kNotFound, field + " not found in config dump" +
                                        (&section == &kEndpoints ? "; endpoints are in it with ?include_eds" : ""));
  if (!paths.empty() && !BeginsWithOneOf(paths, {"name", "version_info", section.resource, "last_updated",
                                                 "error_state", "active_state", "warming_state", "draining_state"}))
    return Explain(Errc::kInvalidInput, "FieldMask " + query.mask + " could not be successfully used.");
  const std::string type = std::string(kUrlPrefix) + std::string(section.dump) +
                           (field == section.fixed ? ".Static" : ".Dynamic") + std::string(section.element);
  Node out = Node::Sequence();
  for (Node& config : configs.items) {
    Node* list = FindEntry(config, field);
    if (list == nullptr) continue;
    for (Node& element : list->items) {
      element.entries.insert(element.entries.begin(), yaml::Entry{.key = "@type", .at = {}, .value = Node::Text(type)});
      if (!paths.empty()) Mask(element, paths);
      out.items.push_back(std::move(element));
    }
  }
  return out;
}

void Set(Node& node, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  if (Node* present = FindEntry(node, key))
    *present = Node::Text(std::string(value));
  else
    AddText(node, key, value);
}

Node BootstrapNode(const DumpedConfig& config) {
  constexpr std::string_view kBootstrap = "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap";
  Node content = ResourceNode(kBootstrap, config.bootstrap);
  if (FindEntry(content, "node") == nullptr)
    content.entries.insert(content.entries.begin(), yaml::Entry{.key = "node", .at = {}, .value = Node::Mapping()});
  Node& node = *FindEntry(content, "node");
  Set(node, "id", config.node.id);
  Set(node, "cluster", config.node.cluster);
  Set(node, "user_agent_name", config.node.user_agent_name);
  Set(node, "user_agent_version", config.node.user_agent_version);
  Node out = Node::Mapping();
  out.Add("@type", Node::Text("type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"));
  out.Add("bootstrap", std::move(content));
  AddTime(out, "last_updated", config.started);
  return out;
}

Node AllSections(const DumpedConfig& config, const DumpQuery& query, const re2::RE2* names) {
  Node out = Node::Sequence();
  if (!config.bootstrap.empty()) out.items.push_back(BootstrapNode(config));
  out.items.push_back(SectionNode(kClusters, config.cluster_version, config.clusters, names));
  if (query.include_eds) out.items.push_back(SectionNode(kEndpoints, {}, config.endpoints, names));
  out.items.push_back(SectionNode(kListeners, config.listener_version, config.listeners, names));
  Node routes = SectionNode(kRoutes, {}, config.routes, names);
  bool http = !config.routes.empty();
  for (const DumpedResource& listener : config.listeners) http = AddRoutesOf(listener, names, routes) || http;
  if (http) {                              // else Envoy has none of these sections
    Node scoped_routes = Node::Mapping();  // never any in Plait
    scoped_routes.Add("@type", Node::Text("type.googleapis.com/envoy.admin.v3.ScopedRoutesConfigDump"));
    out.items.push_back(std::move(scoped_routes));
    out.items.push_back(std::move(routes));
  }
  out.items.push_back(SectionNode(kSecrets, {}, config.secrets, names));
  if (!config.l4_routes.empty()) out.items.push_back(SectionNode(kL4Routes, {}, config.l4_routes, names));
  if (!config.addresses.empty()) out.items.push_back(SectionNode(kAddresses, {}, config.addresses, names));
  return out;
}
}  // namespace

Outcome<std::string> DumpConfig(const DumpedConfig& config, const DumpQuery& query) {
  std::unique_ptr<re2::RE2> names;
  if (!query.name_regex.empty()) {
    names = std::make_unique<re2::RE2>(query.name_regex, re2::RE2::Quiet);
    if (!names->ok())
      return Explain(Errc::kInvalidInput,
                     "Error while parsing name_regex from " + query.name_regex + ": " + names->error());
  }
  const std::vector<std::string_view> paths =
      query.mask.empty() ? std::vector<std::string_view>{} : Split(query.mask, ',');
  Node configs = AllSections(config, query, names.get());
  if (!query.resource.empty()) {
    Outcome<Node> elements = Elements(configs, query, paths);
    if (!elements) return std::unexpected(elements.error());
    configs = std::move(*elements);
  } else if (!paths.empty()) {
    MaskSections(configs, paths);
    if (configs.items.empty())
      return Explain(Errc::kInvalidInput,
                     "FieldMask " + query.mask + " could not be successfully applied to any configs.");
  }
  Node out = Node::Mapping();
  out.Add("configs", std::move(configs));
  return yaml::ToPrettyJson(out);
}

}  // namespace plait::xds
