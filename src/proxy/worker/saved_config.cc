#include "proxy/worker/saved_config.h"

#include <utility>

#include "core/base/encoding.h"
#include "core/io/bounded_file.h"
#include "core/xds/decode.h"
#include "core/xds/type_url.h"
#include "core/yaml/parse.h"
#include "proxy/worker/explain.h"
#include "proxy/worker/name_service.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;

constexpr std::size_t kMostBytes = std::size_t{512} << 20;  // the resources of 20,000 addresses and their clusters
constexpr std::size_t kMostNodes = 20'000'000;

template <class T>
Outcome<std::shared_ptr<const T>> Shared(Outcome<T> value) {
  if (!value) return std::unexpected(value.error());
  return std::make_shared<const T>(*std::move(value));
}

std::unexpected<Diagnostic> At(const yaml::Node& node, const std::string& file, std::string message) {
  return std::unexpected(Diagnostic{.code = Errc::kInvalidInput,
                                    .message = std::move(message),
                                    .at = {.file = file, .line = node.at.line, .column = node.at.column}});
}

std::vector<std::string> Texts(const yaml::Node* list) {
  std::vector<std::string> out;
  if (list == nullptr || !list->is_sequence()) return out;
  for (const yaml::Node& item : list->items) out.push_back(item.text);
  return out;
}

// An endpoint that is a name has an address that nobody here knows.
void ForgoDns(xds::Cluster& cluster) {
  if (cluster.type != xds::Cluster::Type::kStrictDns && cluster.type != xds::Cluster::Type::kLogicalDns) return;
  cluster.type = xds::Cluster::Type::kStatic;
  for (xds::LocalityEndpoints& group : cluster.load_assignment.localities)
    for (xds::Endpoint& endpoint : group.endpoints) {
      if (endpoint.dns_name.empty()) continue;
      if (endpoint.hostname.empty()) endpoint.hostname = endpoint.dns_name;
      endpoint.address.port = Port{endpoint.dns_port};
      endpoint.dns_name.clear();
    }
}

}  // namespace

SavedConfig::SavedConfig(io::Loop& loop)
    : loop_(loop),
      clusters_(loop, registry_, nullptr, [](const cluster::ClusterUpdate&) {}),
      destinations_(loop, {},
                    {.subscribe = [](const std::string&) {},
                     .unsubscribe = [](const std::string&) {},
                     .publish = [](const cluster::IndexUpdate&) {}}) {}

Outcome<std::unique_ptr<SavedConfig>> SavedConfig::Read(io::Loop& loop, const std::string& path) {
  const Outcome<std::string> text = io::ReadBounded(path, kMostBytes, io::Pipes::kRead);
  if (!text) return std::unexpected(text.error());
  return Parse(loop, *text, path);
}

Outcome<std::unique_ptr<SavedConfig>> SavedConfig::Parse(io::Loop& loop, std::string_view text,
                                                         const std::string& file) {
  const Outcome<yaml::Node> root = yaml::ParseOne(text, file, {.bytes = kMostBytes, .nodes = kMostNodes});
  if (!root) return std::unexpected(root.error());
  const yaml::Node* node = root->Find("node");
  const yaml::Node* resources = root->Find("resources");
  if (node == nullptr || resources == nullptr || !resources->is_sequence())
    return At(*root, file, "not the resources of a proxy: node and resources are missing");
  std::unique_ptr<SavedConfig> saved(new SavedConfig(loop));
  saved->node_.id = std::string(node->FindText("id"));
  saved->destinations_.SetNetwork(std::string(node->FindText("network")));
  for (std::string& name : Texts(root->Find("secrets"))) saved->secrets_.insert(std::move(name));
  saved->clusters_.BeginBatch();
  saved->destinations_.BeginBatch();
  for (const yaml::Node& entry : resources->items) {
    const std::string name(entry.FindText("name"));
    const auto bytes = Base64Decode(entry.FindText("value"));
    if (!bytes) return At(entry, file, "resource " + name + ": value is not base64");
    if (auto taken = saved->Take(entry.FindText("type"), name, Texts(entry.Find("aliases")), *bytes); !taken)
      return At(entry, file, "resource " + name + ": " + taken.error().message);
  }
  saved->clusters_.EndBatch();
  saved->destinations_.EndBatch();
  return saved;
}

Outcome<> SavedConfig::Take(std::string_view type_url, const std::string& name, std::vector<std::string> aliases,
                            const std::string& bytes) {
  if (type_url == url::kListener) {
    const auto config = Shared(xds::DecodeListener(bytes));
    if (!config) return std::unexpected(config.error());
    auto listener = listen::CompileListener(*config, {registry_, logs_});
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(*std::move(listener));
  } else if (type_url == url::kRoute) {
    const auto config = Shared(xds::DecodeRouteConfiguration(bytes));
    if (!config) return std::unexpected(config.error());
    auto table = route::RouteTable::Compile(*config);
    if (!table) return std::unexpected(table.error());
    routes_.insert_or_assign(name, *std::move(table));
  } else if (type_url == url::kL4Routes) {
    auto routes = Shared(xds::DecodeL4Routes(bytes));
    if (!routes) return std::unexpected(routes.error());
    l4_routes_.insert_or_assign(name, *std::move(routes));
  } else if (type_url == url::kCluster) {
    Outcome<xds::Cluster> config = xds::DecodeCluster(bytes);
    if (!config) return std::unexpected(config.error());
    ForgoDns(*config);
    return clusters_.Put(std::make_shared<xds::Cluster>(*std::move(config)));
  } else if (type_url == url::kEndpoint) {
    auto assignment = Shared(xds::DecodeClusterLoadAssignment(bytes));
    if (!assignment) return std::unexpected(assignment.error());
    clusters_.PutEndpoints(*std::move(assignment));
  } else if (type_url == url::kAddress) {
    auto address = Shared(xds::DecodeAddress(bytes));
    if (!address) return std::unexpected(address.error());
    destinations_.Put(name, aliases, *std::move(address));
  } else {
    return Explain(Errc::kInvalidInput, "unknown type " + std::string(type_url));
  }
  return {};
}

Outcome<std::string> SavedConfig::Answer(const admin::ExplainQuery& query) const {
  const NodePlace place = PlaceOf(node_);
  const dns::MeshDnsIndex names(index(), place.domain, place.name_space);
  const auto has_secret = [this](const std::string& name) { return secrets_.contains(name); };
  const Outcome<ExplainAnswer> answer = TryExplain({node_, names, listeners_, has_secret}, *this, query);
  if (!answer) return std::unexpected(answer.error());
  if (answer->explanation.missing)
    return Explain(Errc::kInternal, "the file has no " + answer->explanation.missing->name);
  return ExplainJson(*answer, query);
}

std::optional<std::shared_ptr<const route::RouteTable>> SavedConfig::Routes(const std::string& name) const {
  const auto found = routes_.find(name);
  return found == routes_.end() ? nullptr : found->second;
}

std::optional<std::shared_ptr<const xds::L4Routes>> SavedConfig::L4Routes(const std::string& name) const {
  const auto found = l4_routes_.find(name);
  return found == l4_routes_.end() ? nullptr : found->second;
}

}  // namespace plait::proxy::worker
