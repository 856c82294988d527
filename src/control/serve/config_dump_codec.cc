#include "control/serve/config_dump_codec.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/encoding.h"
#include "core/base/json_text.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using Json = nlohmann::ordered_json;
namespace util = google::protobuf::util;

// How a section of Envoy's dump is called, and where its entries keep name and resource.
struct Section {
  std::string_view type_url;
  const char* dump;  // the section's @type, after "type.googleapis.com/"
  const char* list;
  const char* resource;
  bool named;            // entries have a name
  bool in_active_state;  // the resource stands below active_state
};
constexpr Section kSections[] = {
    {xds::type_url::kCluster, "envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters", "cluster", false, false},
    {xds::type_url::kListener, "envoy.admin.v3.ListenersConfigDump", "dynamic_listeners", "listener", true, true},
    {xds::type_url::kRoute, "envoy.admin.v3.RoutesConfigDump", "dynamic_route_configs", "route_config", false, false},
    {xds::type_url::kEndpoint, "envoy.admin.v3.EndpointsConfigDump", "dynamic_endpoint_configs", "endpoint_config",
     false, false},
    {xds::type_url::kSecret, "envoy.admin.v3.SecretsConfigDump", "dynamic_active_secrets", "secret", true, false},
};
constexpr Section kOther = {"", "plait.admin.v1.ResourcesDump", "dynamic_resources", "resource", true, false};

const Section& SectionOf(std::string_view type_url) {
  for (const Section& section : kSections)
    if (section.type_url == type_url) return section;
  return kOther;
}

void Redact(Json& json) {
  if (!json.is_structured()) return;
  for (auto entry = json.begin(); entry != json.end(); ++entry) {
    if (json.is_object() && (entry.key() == "private_key" || entry.key() == "password") && entry->is_object()) {
      for (const char* field : {"inline_bytes", "inline_string"})
        if (entry->contains(field))
          (*entry)[field] = field[7] == 'b' ? Base64Encode(AsBytes(std::string_view("[redacted]"))) : "[redacted]";
    } else {
      Redact(*entry);
    }
  }
}

// With "@type" first, as a google.protobuf.Any prints.
Json ResourceJson(util::TypeResolver& resolver, std::string_view type_url, const std::string& bytes) {
  util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  Json out = {{"@type", type_url}};
  const auto status = util::BinaryToJsonString(&resolver, std::string(type_url), bytes, &text, options);
  const Json body = status.ok() ? Json::parse(text, nullptr, false) : Json();
  if (!body.is_object()) {
    out["value"] = Base64Encode(AsBytes(bytes));  // of a type that is not linked in: still there to be looked at
    return out;
  }
  out.update(body);
  Redact(out);
  return out;
}

Json Dump(util::TypeResolver& resolver, const DumpedType& type) {
  const Section& section = SectionOf(type.type_url);
  Json entries = Json::array();
  for (const ResourceRef& resource : type.resources) {
    Json entry = Json::object();
    if (section.named) entry["name"] = resource->name;
    Json& place = section.in_active_state ? entry["active_state"] : entry;
    place["version_info"] = resource->version;
    place[section.resource] = ResourceJson(resolver, type.type_url, resource->bytes);
    entries.push_back(std::move(entry));
  }
  return {{"@type", std::string("type.googleapis.com/") + section.dump}, {section.list, std::move(entries)}};
}

}  // namespace

std::string DumpResources(const DumpedType& type) {
  const std::unique_ptr<util::TypeResolver> resolver(util::NewTypeResolverForDescriptorPool(
      "type.googleapis.com", google::protobuf::DescriptorPool::generated_pool()));
  Json out = Json::array();
  for (const ResourceRef& resource : type.resources)
    out.push_back(ResourceJson(*resolver, type.type_url, resource->bytes));
  return JsonText(out, 2);
}

std::string DumpConfig(const std::vector<DumpedType>& types) {
  const std::unique_ptr<util::TypeResolver> resolver(util::NewTypeResolverForDescriptorPool(
      "type.googleapis.com", google::protobuf::DescriptorPool::generated_pool()));
  Json configs = Json::array();
  for (const DumpedType& type : types)
    if (!type.resources.empty()) configs.push_back(Dump(*resolver, type));
  return JsonText(Json{{"configs", std::move(configs)}}, 2);
}

}  // namespace plait::control::serve
