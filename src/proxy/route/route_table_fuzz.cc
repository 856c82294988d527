// Requests of clients against one table: the input is the authority, NUL, the path, NUL, the Cookie field. Checked: the
// virtual host is the one that Envoy's order of domains names, a path match means what it is called, a redirect stays
// at the host that was asked for, and the hash of a cookie is the hash of its value alone.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "proxy/lb/hash.h"
#include "proxy/route/route_table.h"

namespace {
using namespace plait;
using proxy::route::RouteTable;
using Kind = xds::PathMatch::Kind;

constexpr std::string_view kDomains[] = {"*",   "*.example", "*.b.example", "*-x.example",
                                         "a.*", "a.b.*",     "a.example",   "a.example:80"};

xds::Route RouteTo(const std::string& name, Kind kind, const std::string& value, bool case_sensitive) {
  xds::Route route;
  route.name = name;
  route.match.path.kind = kind;
  route.match.path.value = value;
  route.match.path.case_sensitive = case_sensitive;
  xds::WeightedCluster cluster;
  cluster.name = name;
  xds::RouteAction action;
  action.clusters = {cluster};
  xds::HashPolicy cookie;
  cookie.kind = xds::HashPolicy::Kind::kCookie;
  cookie.name = "id";
  action.hash = {cookie};
  route.action = action;
  return route;
}

std::vector<xds::Route> Routes(const std::string& domain) {
  std::vector<xds::Route> routes = {
      RouteTo("exact", Kind::kExact, "/exact", true), RouteTo("separated", Kind::kPathSeparatedPrefix, "/sep", true),
      RouteTo("regex", Kind::kRegex, "/r/[0-9]+", true), RouteTo("no_case", Kind::kPrefix, "/Case", false)};
  xds::Route redirect = RouteTo("redirect", Kind::kPrefix, "/old", true);
  xds::RedirectAction https;
  https.https_redirect = true;
  https.prefix_rewrite = "/new";
  redirect.action = https;
  routes.push_back(redirect);
  xds::Route rewrite = RouteTo("rewrite", Kind::kPrefix, "/from/", true);
  std::get<xds::RouteAction>(rewrite.action).prefix_rewrite = "/to/";
  routes.push_back(rewrite);
  routes.push_back(RouteTo(domain, Kind::kPrefix, "/", true));
  return routes;
}

std::shared_ptr<const RouteTable> Table() {
  auto config = std::make_shared<xds::RouteConfiguration>();
  for (const std::string_view domain : kDomains) {
    xds::VirtualHost host;
    host.name = domain;
    host.domains = {host.name};
    host.routes = Routes(host.name);
    config->virtual_hosts.push_back(std::move(host));
  }
  return *RouteTable::Compile(std::move(config));
}

// Exact, the longest "*suffix", the longest "prefix*", all.
std::string_view DomainOf(const std::string& host) {
  std::string_view suffix;
  std::string_view prefix;
  for (const std::string_view domain : kDomains) {
    if (domain == host) return domain;
    if (domain == "*" || host.size() < domain.size()) continue;  // the star is at least one character
    if (domain.starts_with('*') && host.ends_with(domain.substr(1)) && domain.size() > suffix.size()) suffix = domain;
    if (domain.ends_with('*') && host.starts_with(domain.substr(0, domain.size() - 1)) && domain.size() > prefix.size())
      prefix = domain;
  }
  return !suffix.empty() ? suffix : !prefix.empty() ? prefix : "*";
}

std::string_view RouteOf(std::string_view path, std::string_view domain) {
  const auto begins = [&](std::string_view prefix) { return path.starts_with(prefix); };
  if (path == "/exact") return "exact";
  if (path == "/sep" || begins("/sep/")) return "separated";
  if (begins("/r/") && path.size() > 3 && std::all_of(path.begin() + 3, path.end(), IsDigit)) return "regex";
  if (EqualsIgnoreCase(path.substr(0, 5), "/case")) return "no_case";
  if (begins("/old")) return "redirect";
  if (begins("/from/")) return "rewrite";
  return begins("/") ? domain : "";
}

std::optional<std::uint64_t> CookieHash(std::string_view cookies) {
  for (const std::string_view pair : Split(cookies, ';')) {
    const auto [name, value] = SplitOnce(Trim(pair), '=');
    if (name != "id" || !value) continue;
    std::string_view text = Trim(*value);
    if (text.size() > 1 && text.starts_with('"') && text.ends_with('"')) text = text.substr(1, text.size() - 2);
    return text.empty() ? std::nullopt : std::optional(proxy::lb::Hash64(text));
  }
  return std::nullopt;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  static const std::shared_ptr<const RouteTable> table = Table();
  const std::vector<std::string_view> parts = Split({reinterpret_cast<const char*>(data), size}, '\0');
  http::RequestHead head;
  head.method = "GET";
  head.authority = parts[0];
  if (parts.size() > 1) head.path = parts[1];
  if (parts.size() > 2) head.headers.Add("cookie", parts[2]);
  const std::string path(http::PathOnly(head.path));
  const std::string rest = head.path.substr(path.size());
  const proxy::route::RouteMatch match = table->Match(head, {});
  const std::string_view domain = DomainOf(ToLower(head.authority));
  const std::string_view expected = RouteOf(path, domain);
  PLAIT_CHECK((match.route != nullptr) == !expected.empty());
  PLAIT_CHECK(table->KnowsHost(head.authority) == (domain != "*"));
  if (match.route == nullptr) return 0;
  PLAIT_CHECK(match.route->virtual_host->name == domain && match.route->config->name == expected);
  proxy::record::StreamRecord record;
  record.request = &head;
  if (match.route->redirect != nullptr) {
    const std::string location = proxy::route::MakeRedirect(match, head).location;
    PLAIT_CHECK(location.starts_with("https://"));
    PLAIT_CHECK(location.find("/new" + path.substr(4)) != std::string::npos);
    return 0;
  }
  PLAIT_CHECK(match.cluster == expected);
  PLAIT_CHECK(proxy::route::RequestHash(match, head, record, nullptr) ==
              CookieHash(parts.size() > 2 ? parts[2] : std::string_view()));
  proxy::route::FinalizeRequest(match, head, record, /*keep_originals=*/true);
  PLAIT_CHECK(head.path == (expected == "rewrite" ? "/to/" + path.substr(6) + rest : path + rest));
  return 0;
}
