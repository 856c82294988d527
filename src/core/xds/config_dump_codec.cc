#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <re2/re2.h>

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

// A private key, a password or a ticket key never leaves the process; everything below such a field goes as Envoy
// writes it.
void Redact(Node& node, bool secret) {
  for (Node& item : node.items) Redact(item, secret);
  for (yaml::Entry& entry : node.entries) {
    const bool below = secret || entry.key == "private_key" || entry.key == "password" ||
                       entry.key == "session_ticket_keys" || entry.key == "generic_secret" || entry.key == "pkcs12";
    if (below && entry.key == "inline_string")
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
  std::string_view resource;                // field of the element that holds the resource
  std::string_view fixed, active, warming;  // the lists; active == warming: states of one element (listeners)
  bool named;                               // elements carry the name
};
constexpr Section kClusters{
    "envoy.admin.v3.ClustersConfigDump", type_url::kCluster,         "cluster", "static_clusters",
    "dynamic_active_clusters",           "dynamic_warming_clusters", false};
constexpr Section kEndpoints{"envoy.admin.v3.EndpointsConfigDump",
                             type_url::kEndpoint,
                             "endpoint_config",
                             "static_endpoint_configs",
                             "dynamic_endpoint_configs",
                             "dynamic_endpoint_configs",
                             false};
constexpr Section kListeners{"envoy.admin.v3.ListenersConfigDump",
                             type_url::kListener,
                             "listener",
                             "static_listeners",
                             "dynamic_listeners",
                             "dynamic_listeners",
                             true};
constexpr Section kRoutes{
    "envoy.admin.v3.RoutesConfigDump", type_url::kRoute,        "route_config", "static_route_configs",
    "dynamic_route_configs",           "dynamic_route_configs", false};
constexpr Section kSecrets{"envoy.admin.v3.SecretsConfigDump", type_url::kSecret,         "secret", "static_secrets",
                           "dynamic_active_secrets",           "dynamic_warming_secrets", true};
constexpr Section kL4Routes{"plait.admin.v1.L4RoutesConfigDump",
                            type_url::kL4Routes,
                            "resource",
                            "static_l4_routes",
                            "dynamic_l4_routes",
                            "dynamic_l4_routes",
                            true};
constexpr Section kAddresses{"plait.admin.v1.AddressesConfigDump",
                             type_url::kAddress,
                             "resource",
                             "static_addresses",
                             "dynamic_addresses",
                             "dynamic_addresses",
                             true};

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

Node ElementNode(const Section& section, const DumpedResource& resource) {
  Node state = Node::Mapping();
  AddText(state, "version_info", resource.version);
  if (!resource.bytes.empty()) {
    state.Add(std::string(section.resource), AnyNode(section.type_url, resource.bytes));
    AddTime(state, "last_updated", resource.updated);
  }
  Node out = Node::Mapping();
  if (&section == &kListeners && resource.state != State::kStatic) {
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
  if (!resource.error.empty()) {
    Node error = Node::Mapping();
    AddText(error, "details", resource.error);
    AddTime(error, "last_update_attempt", resource.updated);
    out.Add("error_state", std::move(error));
  }
  return out;
}

Node SectionNode(const Section& section, std::string_view version, const std::vector<DumpedResource>& resources,
                 const re2::RE2* names) {
  Node out = Node::Mapping();
  out.Add("@type", Node::Text(std::string(kUrlPrefix) + std::string(section.dump)));
  AddText(out, "version_info", version);
  for (const DumpedResource& resource : resources) {
    if (names != nullptr && !re2::RE2::FullMatch({resource.name.data(), resource.name.size()}, *names)) continue;
    const std::string_view list = resource.state == State::kStatic    ? section.fixed
                                  : resource.state == State::kWarming ? section.warming
                                                                      : section.active;
    Node* place = FindEntry(out, list);
    if (place == nullptr) {
      out.Add(std::string(list), Node::Sequence());
      place = &out.entries.back().value;
    }
    place->items.push_back(ElementNode(section, resource));
  }
  return out;
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

// The elements of one repeated field, each with its own @type as Envoy prints them.
std::optional<Node> Elements(Node& configs, std::string_view field) {
  Node out = Node::Sequence();
  bool known = false;
  for (const Section* section : {&kClusters, &kEndpoints, &kListeners, &kRoutes, &kSecrets, &kL4Routes, &kAddresses})
    known = known || field == section->fixed || field == section->active || field == section->warming;
  if (!known) return std::nullopt;
  for (Node& config : configs.items) {
    Node* list = FindEntry(config, field);
    if (list == nullptr) continue;
    for (Node& element : list->items) out.items.push_back(std::move(element));
  }
  return out;
}

Node AllSections(const DumpedConfig& config, const DumpQuery& query, const re2::RE2* names) {
  Node out = Node::Sequence();
  if (!config.bootstrap.empty() && names == nullptr) {
    constexpr std::string_view kBootstrap = "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap";
    Node bootstrap = Node::Mapping();
    bootstrap.Add("@type", Node::Text("type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"));
    bootstrap.Add("bootstrap", ResourceNode(kBootstrap, config.bootstrap));
    AddTime(bootstrap, "last_updated", config.started);
    out.items.push_back(std::move(bootstrap));
  }
  out.items.push_back(SectionNode(kClusters, config.cluster_version, config.clusters, names));
  if (query.include_eds) out.items.push_back(SectionNode(kEndpoints, {}, config.endpoints, names));
  out.items.push_back(SectionNode(kListeners, config.listener_version, config.listeners, names));
  out.items.push_back(SectionNode(kRoutes, {}, config.routes, names));
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
    if (!names->ok()) return Explain(Errc::kInvalidInput, "name_regex \"" + query.name_regex + "\": " + names->error());
  }
  Node configs = AllSections(config, query, names.get());
  if (!query.resource.empty()) {
    std::optional<Node> elements = Elements(configs, query.resource);
    if (!elements) return Explain(Errc::kNotFound, query.resource + " not found in config dump");
    configs = std::move(*elements);
  }
  if (!query.mask.empty()) {
    const std::vector<std::string_view> paths = Split(query.mask, ',');
    for (Node& one : configs.items) Mask(one, paths);
  }
  Node out = Node::Mapping();
  out.Add("configs", std::move(configs));
  return yaml::ToPrettyJson(out);
}

}  // namespace plait::xds
