// "A request from a to b arrives at b-v2": follows a request through the translated resources as a proxy would.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <map>

#include "control/model/hosts.h"
#include "control/model/testing_objects.h"
#include "control/translate/addresses.h"
#include "control/translate/clusters.h"
#include "control/translate/endpoints.h"
#include "control/translate/l4_routes.h"
#include "control/translate/listeners.h"
#include "control/translate/rbac.h"
#include "control/translate/routes.h"
#include "control/translate/secrets.h"
#include "core/xds/decode.h"
#include "core/xds/encode/encode.h"

namespace plait::control::translate {
namespace {
using model::testing::RunningPod;
using model::testing::SnapshotOf;

constexpr char kServices[] = R"(
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {clusterIP: 10.96.1.1, selector: {app: b}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: c, namespace: other}
spec: {clusterIP: 10.96.1.2, selector: {app: c}, ports: [{name: http, port: 80}, {name: tcp-db, port: 90}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: b}
spec: {host: b, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
)";

std::string Rules(const std::string& spec, const std::string& name = "rules",
                  const std::string& name_space = "default") {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name +
         ", namespace: " + name_space + "}\nspec:\n" + spec + "\n";
}
std::string Policy(const std::string& name, const std::string& spec) {
  return "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: " + name +
         "}\nspec: " + spec + "\n";
}

bool Matches(const xds::StringMatcher& matcher, std::string_view text) {
  switch (matcher.kind) {
    case xds::StringMatcher::Kind::kExact: return text == matcher.value;
    case xds::StringMatcher::Kind::kPrefix: return text.starts_with(matcher.value);
    case xds::StringMatcher::Kind::kSuffix: return text.ends_with(matcher.value);
    case xds::StringMatcher::Kind::kContains: return text.find(matcher.value) != std::string_view::npos;
    case xds::StringMatcher::Kind::kRegex: return RE2::FullMatch(std::string(text), matcher.value);
  }
  return false;
}

struct Request {
  std::string host;
  std::string path = "/";
  std::map<std::string, std::string> headers = {};
};

class Mesh {
 public:
  explicit Mesh(const std::string& yaml, model::Labels client = {{"app", "a"}})
      : snapshot(SnapshotOf(std::string(kServices) + yaml,
                            {RunningPod("a-0", "a", client, "10.244.0.1", "a"),
                             RunningPod("b-v1-0", "b-v1", {{"app", "b"}, {"version", "v1"}}, "10.244.0.2", "b"),
                             RunningPod("b-v2-0", "b-v2", {{"app", "b"}, {"version", "v2"}}, "10.244.0.3", "b"),
                             RunningPod("c-0", "c", {{"app", "c"}}, "10.244.0.4", "c", "other")})),
        proxy{.id = "a-0.default",
              .name_space = "default",
              .service_account = "a",
              .labels = std::move(client),
              .ips = {*io::IpAddress::Parse("10.244.0.1")}} {}

  // Owners of the endpoints that may answer, or what else happens.
  std::string Get(std::uint16_t port, const Request& request) const {
    const auto routes = FindRoutes(proxy, *snapshot, std::to_string(port));
    if (!routes) return "no routes";
    const xds::VirtualHost* host = HostOf(*routes, request.host);
    if (!host) return "no host";
    for (const xds::Route& route : host->routes)
      if (RouteMatches(route, request)) return Follow(route);
    return "404";
  }

  std::string At(const std::string& cluster) const {
    const auto found = FindCluster(proxy, *snapshot, cluster);
    if (!found) return "no cluster " + cluster;
    const auto endpoints = FindEndpoints(proxy, *snapshot, cluster);
    std::string out;
    for (const auto& locality : endpoints ? endpoints->localities : std::vector<xds::LocalityEndpoints>{})
      for (const xds::Endpoint& endpoint : locality.endpoints)
        out += (out.empty() ? "" : ",") + endpoint.istio_workload.substr(0, endpoint.istio_workload.find(';'));
    return out.empty() ? "nobody" : out;
  }

  model::SnapshotRef snapshot;
  model::Proxy proxy;

 private:
  static const xds::VirtualHost* HostOf(const xds::RouteConfiguration& routes, const std::string& name) {
    const xds::VirtualHost* best = nullptr;
    std::size_t length = 0;
    for (const xds::VirtualHost& host : routes.virtual_hosts)
      for (const std::string& domain : host.domains)
        if (model::HostMatches(domain, name) && domain.size() + (domain == name ? 1000 : 0) > length) {
          best = &host;
          length = domain.size() + (domain == name ? 1000 : 0);
        }
    return best;
  }
  static bool RouteMatches(const xds::Route& route, const Request& request) {
    const xds::PathMatch& path = route.match.path;
    if (path.kind == xds::PathMatch::Kind::kExact && request.path != path.value) return false;
    if (path.kind == xds::PathMatch::Kind::kPrefix && !request.path.starts_with(path.value)) return false;
    if (path.kind == xds::PathMatch::Kind::kRegex && !RE2::FullMatch(request.path, path.value)) return false;
    for (const xds::HeaderMatcher& header : route.match.headers) {
      const auto found = request.headers.find(header.name);
      const auto* text = std::get_if<xds::StringMatcher>(&header.value);
      const bool present = found != request.headers.end();
      if (text && !present && !header.treat_missing_as_empty) return false;  // also when inverted, as in Envoy
      const bool matches = text ? Matches(*text, present ? found->second : "") : present;
      if (matches == header.invert) return false;
    }
    return true;
  }
  std::string Follow(const xds::Route& route) const {
    if (const auto* redirect = std::get_if<xds::RedirectAction>(&route.action)) return "redirect " + redirect->path;
    if (const auto* direct = std::get_if<xds::DirectResponse>(&route.action)) return std::to_string(direct->status);
    std::string out;
    const auto& action = std::get<xds::RouteAction>(route.action);
    for (const xds::WeightedCluster& cluster : action.clusters)
      out += (out.empty() ? "" : " | ") + (action.clusters.size() > 1 ? std::to_string(cluster.weight) + "% " : "") +
             At(cluster.name);
    return out;
  }
};

TEST(Simulation, WithoutRulesEveryNameOfAServiceLeadsToAllItsPods) {
  const Mesh mesh("");
  for (const char* name : {"b", "b:80", "b.default", "b.default.svc", "b.default.svc.cluster.local",
                           "b.default.svc.cluster.local:80", "10.96.1.1", "10.96.1.1:80"})
    EXPECT_EQ(mesh.Get(80, {name}), "b-v1,b-v2") << name;
  EXPECT_EQ(mesh.Get(80, {"c.other"}), "c");
  EXPECT_EQ(mesh.Get(80, {"c"}), "no host") << "short names are of the client's own namespace";
  EXPECT_EQ(mesh.Get(90, {"c.other"}), "no routes") << "a TCP port has no HTTP routes";
}

TEST(Simulation, ARequestArrivesAtTheSubsetThatItsHeaderChooses) {
  const Mesh mesh(Rules(R"(  hosts: [b]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: b, subset: v2}}]
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - match: [{uri: {exact: /gone}}]
    directResponse: {status: 410}
  - route: [{destination: {host: b, subset: v1}, weight: 80}, {destination: {host: b, subset: v2}, weight: 20}]
)"));
  EXPECT_EQ(mesh.Get(80, {"b", "/", {{"end-user", "jason"}}}), "b-v2");
  EXPECT_EQ(mesh.Get(80, {"b", "/", {{"end-user", "eve"}}}), "80% b-v1 | 20% b-v2");
  EXPECT_EQ(mesh.Get(80, {"b", "/old/x"}), "redirect /new");
  EXPECT_EQ(mesh.Get(80, {"b", "/gone"}), "410");
}

TEST(Simulation, ARequestWithoutAHeaderIsWithoutEachOfItsValues) {
  const Mesh mesh(Rules(R"(  hosts: [b]
  http:
  - match:
    - {uri: {prefix: /any}, withoutHeaders: {x-debug: {}}}
    - {uri: {prefix: /one}, withoutHeaders: {x-debug: {exact: "1"}}}
    route: [{destination: {host: b, subset: v2}}]
  - route: [{destination: {host: b, subset: v1}}]
)"));
  EXPECT_EQ(mesh.Get(80, {"b", "/one"}), "b-v2");
  EXPECT_EQ(mesh.Get(80, {"b", "/one", {{"x-debug", "2"}}}), "b-v2");
  EXPECT_EQ(mesh.Get(80, {"b", "/one", {{"x-debug", "1"}}}), "b-v1");
  EXPECT_EQ(mesh.Get(80, {"b", "/any"}), "b-v2");
  EXPECT_EQ(mesh.Get(80, {"b", "/any", {{"x-debug", "2"}}}), "b-v1");
}

TEST(Simulation, SourceLabelsChooseWhoGetsARule) {
  const std::string rules = Rules(R"(  hosts: [b]
  http:
  - match: [{sourceLabels: {app: special}}]
    route: [{destination: {host: b, subset: v2}}]
  - route: [{destination: {host: b, subset: v1}}]
)");
  EXPECT_EQ(Mesh(rules).Get(80, {"b"}), "b-v1");
  EXPECT_EQ(Mesh(rules, {{"app", "special"}}).Get(80, {"b"}), "b-v2");
}

TEST(Simulation, ARuleCanTakeAHostThatIsNoService) {
  const Mesh mesh(
      Rules("  hosts: [shop.example.com]\n  http: [{route: [{destination: {host: c.other.svc.cluster.local, port: "
            "{number: 80}}}]}]"));
  EXPECT_EQ(mesh.Get(80, {"shop.example.com"}), "c");
  EXPECT_EQ(mesh.Get(80, {"other.example.com"}), "no host");
}

TEST(Simulation, ASubsetThatIsNotThereGivesNoCluster) {
  const Mesh mesh(Rules("  hosts: [b]\n  http: [{route: [{destination: {host: b, subset: v9}}]}]"));
  EXPECT_EQ(mesh.Get(80, {"b"}), "no cluster outbound|80|v9|b.default.svc.cluster.local");
}

TEST(Simulation, AGatewayTakesOnlyItsHosts) {
  Mesh mesh(
      "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {selector: {istio: gw}, "
      "servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example.com', 'other/x.org']}]}\n" +
      Rules("  hosts: [shop.example.com, x.org]\n  gateways: [g]\n  http: [{route: [{destination: {host: b, port: "
            "{number: 80}}}]}]"));
  mesh.proxy = {.type = model::Proxy::Type::kRouter, .name_space = "default", .labels = {{"istio", "gw"}}};
  const auto routes = FindRoutes(mesh.proxy, *mesh.snapshot, "http.80");
  ASSERT_TRUE(routes);
  ASSERT_EQ(routes->virtual_hosts.size(), 1U) << "x.org is open to namespace `other` only";
  EXPECT_EQ(routes->virtual_hosts[0].domains, std::vector<std::string>{"shop.example.com"});
  const auto listeners = Listeners(mesh.proxy, *mesh.snapshot);
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_EQ(listeners[0].name, "0.0.0.0_80");
  EXPECT_FALSE(FindRoutes(mesh.proxy, *mesh.snapshot, "http.81"));
}

TEST(Simulation, MutualTlsIsOfferedWhereTheServerTakesIt) {
  const std::string disable =
      "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\nspec: {selector: "
      "{matchLabels: {version: v2}}, mtls: {mode: DISABLE}}\n";
  const Mesh mesh(disable);
  const auto endpoints = FindEndpoints(mesh.proxy, *mesh.snapshot, "outbound|80||b.default.svc.cluster.local");
  ASSERT_TRUE(endpoints);
  EXPECT_TRUE(endpoints->localities[0].endpoints[0].transport_socket_match.contains("tlsMode"));
  EXPECT_FALSE(endpoints->localities[0].endpoints[1].transport_socket_match.contains("tlsMode"));
  EXPECT_EQ(std::get<xds::Workload>(FindAddress(*mesh.snapshot, "/10.244.0.3")->address.value).tls_mode,
            xds::TlsMode::kDisabled);
}

TEST(Simulation, SettingsOfAPortStandInPlaceOfThoseAroundThem) {
  const Mesh mesh(R"(---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: c, namespace: other}
spec:
  host: c
  trafficPolicy:
    tls: {mode: SIMPLE}
    connectionPool: {http: {http2MaxRequests: 7}}
    portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {maxConnections: 3}}}]
)");
  const auto cluster = [&](const std::string& port) {
    return *FindCluster(mesh.proxy, *mesh.snapshot, "outbound|" + port + "||c.other.svc.cluster.local");
  };
  EXPECT_TRUE(cluster("90").tls);
  EXPECT_EQ(cluster("90").circuit_breakers.max_requests, 7U);
  EXPECT_FALSE(cluster("80").tls);
  EXPECT_EQ(cluster("80").circuit_breakers.max_requests, UINT32_MAX);
  EXPECT_EQ(cluster("80").circuit_breakers.max_connections, 3U);
}

TEST(Simulation, PassthroughStaysAmongTheEndpointsOfAServiceThatHasSome) {
  const auto passthrough = [](const std::string& host, const std::string& name_space = "default") {
    return "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: of-" + host +
           ", namespace: " + name_space + "}\nspec: {host: " + host +
           ", trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}\n";
  };
  const auto entry = [&](const std::string& host, const std::string& resolution) {
    return "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + host +
           "}\nspec: {hosts: [" + host +
           "], addresses: [203.0.113.0/24], ports: [{number: 80, name: http, protocol: "
           "HTTP}], resolution: " +
           resolution + "}\n" + passthrough(host);
  };
  const Mesh mesh(passthrough("c", "other") + entry("named.example.com", "DNS") + entry("any.example.com", "NONE") +
                  R"(---
apiVersion: v1
kind: Service
metadata: {name: each}
spec: {clusterIP: None, selector: {app: b}, ports: [{name: http, port: 80}]}
)" + passthrough("each"));
  model::Proxy envoy = mesh.proxy;
  envoy.form = model::Proxy::Form::kEnvoy;
  const model::Proxy gateway{.type = model::Proxy::Type::kRouter, .name_space = "istio-system"};
  using Type = xds::Cluster::Type;
  const auto balanced = [&](const model::Proxy& proxy, const std::string& host, const std::string& port = "80") {
    const auto cluster = FindCluster(proxy, *mesh.snapshot, "outbound|" + port + "||" + host);
    if (!cluster) return "no cluster of " + host;
    const auto back = xds::DecodeCluster(xds::Encode(*cluster));
    EXPECT_TRUE(back && *back == *cluster) << host;
    EXPECT_EQ(FindEndpoints(proxy, *mesh.snapshot, cluster->name).has_value(), cluster->type == Type::kEds) << host;
    return (cluster->type == Type::kEds           ? std::string("EDS")
            : cluster->type == Type::kStrictDns   ? std::string("DNS")
            : cluster->type == Type::kOriginalDst ? std::string("ORIGINAL_DST")
                                                  : std::string("other")) +
           (cluster->lb.policy == xds::LbPolicy::kLeastRequest ? " balanced" : "") +
           (cluster->pin_original_dst ? " pinned" : "");
  };
  const std::string c = "c.other.svc.cluster.local";
  for (const char* port : {"80", "90"}) {
    EXPECT_EQ(balanced(mesh.proxy, c, port), "EDS balanced pinned");
    EXPECT_EQ(balanced(gateway, c, port), "EDS balanced pinned");
    EXPECT_EQ(balanced(envoy, c, port), "EDS balanced") << "Envoy knows no pin";
  }
  EXPECT_EQ(FindCluster(mesh.proxy, *mesh.snapshot, "outbound|80||" + c)->transport_socket_matches.size(), 2U)
      << "mutual TLS is the endpoint's";
  EXPECT_EQ(balanced(mesh.proxy, "each.default.svc.cluster.local"), "EDS balanced pinned");
  EXPECT_EQ(balanced(envoy, "each.default.svc.cluster.local"), "ORIGINAL_DST");
  EXPECT_EQ(balanced(mesh.proxy, "named.example.com"), "DNS balanced pinned");
  EXPECT_EQ(balanced(envoy, "named.example.com"), "DNS balanced");
  for (const model::Proxy& proxy : {mesh.proxy, envoy}) {
    EXPECT_EQ(balanced(proxy, "any.example.com"), "ORIGINAL_DST");
  }
}

TEST(Simulation, OriginatedTlsVerifiesTheServerUnlessToldOtherwise) {
  const auto cluster = [](const std::string& more) {
    const Mesh mesh(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec: {host: b, "
        "trafficPolicy: {tls: {mode: SIMPLE" +
        more + "}}}\n");
    return *FindCluster(mesh.proxy, *mesh.snapshot, "outbound|80||b.default.svc.cluster.local");
  };
  const auto validation = [&](const std::string& more) { return *cluster(more).tls->common.validation; };
  EXPECT_FALSE(validation("").accept_untrusted);
  EXPECT_EQ(validation("").trusted_ca.value, "/etc/ssl/certs/ca-certificates.crt");
  EXPECT_EQ(validation(", caCertificates: /own.pem").trusted_ca.value, "/own.pem");
  EXPECT_TRUE(validation(", insecureSkipVerify: true").accept_untrusted);
  // The name that a request asks for, unless the rule knows better.
  const auto verifies = [&](const std::string& more) {
    const xds::Cluster found = cluster(more);
    EXPECT_EQ(found.http.auto_sni, found.tls->sni.empty());
    return found.http.auto_san_validation;
  };
  EXPECT_TRUE(verifies(""));
  EXPECT_TRUE(verifies(", caCertificates: /own.pem"));
  EXPECT_FALSE(verifies(", subjectAltNames: [b.example.com]"));
  EXPECT_FALSE(verifies(", sni: b.example.com"));
  EXPECT_FALSE(verifies(", insecureSkipVerify: true"));
}

TEST(Simulation, TheServerMustBeTheEndpointsWorkloadUnlessTheRuleSaysWhoItIs) {
  const auto identity = [](const std::string& policy) {
    const Mesh mesh(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec: {host: "
        "c.other.svc.cluster.local, trafficPolicy: {" +
        policy + "}}\n");
    const auto endpoints = FindEndpoints(mesh.proxy, *mesh.snapshot, "outbound|80||c.other.svc.cluster.local");
    return endpoints->localities.at(0).endpoints.at(0).identity;
  };
  const std::string c = "spiffe://cluster.local/ns/other/sa/c";
  EXPECT_EQ(identity(""), c);
  EXPECT_EQ(identity("tls: {mode: ISTIO_MUTUAL}"), c);
  EXPECT_EQ(identity("tls: {mode: ISTIO_MUTUAL, subjectAltNames: [spiffe://cluster.local/ns/other/sa/d]}"), "");
  EXPECT_EQ(identity("tls: {mode: SIMPLE}"), "") << "the certificate is the application's own";
  EXPECT_EQ(identity("tls: {mode: MUTUAL, clientCertificate: /a, privateKey: /b}"), "");
  EXPECT_EQ(identity("portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]"), "");
  EXPECT_EQ(identity("portLevelSettings: [{port: {number: 90}, tls: {mode: SIMPLE}}]"), c) << "another port";
}

TEST(Simulation, TcpRulesSplitByAddress) {
  const Mesh mesh(
      Rules("  hosts: [c.other.svc.cluster.local]\n  tcp: [{match: [{port: 90}], route: [{destination: {host: "
            "c.other.svc.cluster.local, port: {number: 90}}, weight: 1}, {destination: {host: b, port: {number: 80}}, "
            "weight: 3}]}]"));
  const auto routes = FindL4Routes(mesh.proxy, *mesh.snapshot, "90");
  ASSERT_TRUE(routes);
  ASSERT_EQ(routes->routes.size(), 1U);
  EXPECT_EQ(routes->routes[0].destinations, std::vector<io::Cidr>{*io::Cidr::Parse("10.96.1.2")});
  EXPECT_EQ(routes->routes[0].clusters[1].weight, 3U);
  EXPECT_FALSE(FindL4Routes(mesh.proxy, *mesh.snapshot, "80"));
}

TEST(Simulation, TheIndexKnowsPodsAndServicesByAddressAndName) {
  const Mesh mesh("");
  const auto pod = FindAddress(*mesh.snapshot, "/10.244.0.3");
  ASSERT_TRUE(pod);
  EXPECT_EQ(std::get<xds::Workload>(pod->address.value).Identity(), "spiffe://cluster.local/ns/default/sa/b");
  EXPECT_EQ(
      std::get<xds::Workload>(pod->address.value).services.at("default/b.default.svc.cluster.local")[0].target_port,
      8080);
  EXPECT_EQ(FindAddress(*mesh.snapshot, pod->name)->name, pod->name);
  EXPECT_EQ(FindAddress(*mesh.snapshot, "/10.96.1.1")->name, "default/b.default.svc.cluster.local");
  EXPECT_EQ(FindAddress(*mesh.snapshot, "default/b.default.svc.cluster.local")->aliases,
            std::vector<std::string>{"/10.96.1.1"});
  EXPECT_FALSE(FindAddress(*mesh.snapshot, "/10.1.1.1"));
  EXPECT_EQ(Addresses(*mesh.snapshot).size(), 6U);
}

TEST(Simulation, AnAddressTellsOfReadinessOnlyWhereNamesOfPodsAreAnsweredByIt) {
  const auto address = [](const std::string& spec, bool ready, bool ending = false) {
    model::Workload pod = RunningPod("db-0", "db", {{"app", "db"}}, "10.244.0.9");
    pod.ready = ready;
    pod.ending = ending;
    const auto snapshot = SnapshotOf("apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: " + spec, {pod});
    return FindAddress(*snapshot, "/10.244.0.9")->address;
  };
  const std::string normal = "{selector: {app: db}, ports: [{port: 80}]}";
  const std::string headless = "{clusterIP: None, selector: {app: db}, ports: [{port: 80}]}";
  const std::string publish =
      "{clusterIP: None, publishNotReadyAddresses: true, selector: {app: db}, ports: [{port: 80}]}";
  EXPECT_EQ(address(normal, false), address(normal, true));
  EXPECT_EQ(address(normal, false, /*ending=*/true), address(normal, true));
  EXPECT_EQ(address(publish, false), address(publish, true));
  EXPECT_FALSE(std::get<xds::Workload>(address(headless, false).value).healthy);
  EXPECT_TRUE(std::get<xds::Workload>(address(headless, true).value).healthy);
}

// What ADS carries of the sidecar's listeners in a mesh with so many services, each with an address and an endpoint.
std::vector<std::string> ListenersInBytes(int services) {
  std::string yaml;
  for (int i = 0; i < services; ++i)
    yaml += "---\napiVersion: v1\nkind: Service\nmetadata: {name: s" + std::to_string(i) +
            "}\nspec: {clusterIP: 10.97." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) +
            ", selector: {app: b}, ports: [{name: http, port: " + std::to_string(1000 + i) + ", targetPort: 8080}]}\n";
  const Mesh mesh(yaml);
  EXPECT_EQ(mesh.snapshot->services().size(), static_cast<std::size_t>(services) + 2);
  std::vector<std::string> out;
  for (const xds::Listener& listener : Listeners(mesh.proxy, *mesh.snapshot)) out.push_back(xds::Encode(listener));
  return out;
}

TEST(Simulation, ASidecarsListenersHaveTheSameBytesWithTenAndWithAThousandServices) {
  const std::vector<std::string> ten = ListenersInBytes(10);
  ASSERT_EQ(ten.size(), 2U) << "virtualOutbound and virtualInbound";
  EXPECT_EQ(ten, ListenersInBytes(1000));
}

TEST(Policies, HaveIstiosNamesAndOrder) {
  const Mesh mesh(
      Policy("deny-x", "{action: DENY, rules: [{to: [{operation: {paths: ['/x']}}]}]}") +
      Policy("allow-a", "{rules: [{from: [{source: {principals: ['cluster.local/ns/default/sa/a']}}]}, {}]}"));
  const auto filters = HttpRbac(mesh.proxy, *mesh.snapshot);
  ASSERT_EQ(filters.size(), 2U);
  const auto& deny = *std::get<xds::RbacFilter>(filters[0].config).rules;
  const auto& allow = *std::get<xds::RbacFilter>(filters[1].config).rules;
  EXPECT_EQ(deny.action, xds::RbacRules::Action::kDeny);
  EXPECT_EQ(deny.policies[0].name, "ns[default]-policy[deny-x]-rule[0]");
  EXPECT_EQ(allow.policies[0].principals[0].text.value, "spiffe://cluster.local/ns/default/sa/a");
  EXPECT_EQ(allow.policies[1].name, "ns[default]-policy[allow-a]-rule[1]");
}

xds::Permission NoPermission() {
  return {.kind = xds::Permission::Kind::kNot, .children = {{.kind = xds::Permission::Kind::kAny}}};
}

TEST(Policies, OnTcpDropHttpFieldsInDenyAndNeverMatchInAllow) {
  const Mesh mesh(Policy("d", "{action: DENY, rules: [{to: [{operation: {paths: ['/x'], ports: ['90']}}]}]}") +
                  Policy("a", "{rules: [{to: [{operation: {methods: [GET]}}]}]}"));
  const auto filters = TcpRbac(mesh.proxy, *mesh.snapshot);
  ASSERT_EQ(filters.size(), 2U);
  ASSERT_EQ(filters[0].rules->policies.size(), 1U);
  EXPECT_EQ(filters[0].rules->policies[0].permissions[0].kind, xds::Permission::Kind::kDestinationPort);
  ASSERT_EQ(filters[1].rules->policies.size(), 1U) << "named, for those who ask why";
  EXPECT_EQ(filters[1].rules->policies[0].name, "ns[default]-policy[a]-rule[0]");
  EXPECT_EQ(filters[1].rules->policies[0].permissions, std::vector<xds::Permission>{NoPermission()})
      << "and so ALLOW denies";
}

TEST(Policies, ThatAreInvalidDenyEverything) {
  const Mesh mesh(Policy("bad", "{rulez: []}"));
  const auto filters = HttpRbac(mesh.proxy, *mesh.snapshot);
  ASSERT_EQ(filters.size(), 1U);
  const auto& rules = *std::get<xds::RbacFilter>(filters[0].config).rules;
  EXPECT_EQ(rules.action, xds::RbacRules::Action::kDeny);
  EXPECT_EQ(rules.policies.at(0).name, "invalid_policy[default/bad]");
  EXPECT_EQ(rules.policies[0].permissions[0].kind, xds::Permission::Kind::kAny);
}

TEST(Policies, WithoutRulesAllowNobody) {
  const Mesh mesh(Policy("none", "{}"));
  const auto filters = HttpRbac(mesh.proxy, *mesh.snapshot);
  ASSERT_EQ(filters.size(), 1U);
  const auto& policies = std::get<xds::RbacFilter>(filters[0].config).rules->policies;
  ASSERT_EQ(policies.size(), 1U) << "Istio's rbacPolicyMatchNever";
  EXPECT_EQ(policies[0].name, "ns[default]-policy[none]-rule[0]");
  EXPECT_EQ(policies[0].permissions, std::vector<xds::Permission>{NoPermission()});
  EXPECT_EQ(policies[0].principals.at(0).kind, xds::Principal::Kind::kNot);
  EXPECT_EQ(policies[0].principals.at(0).children, std::vector<xds::Principal>{xds::Principal{}}) << "not any";
}

constexpr char kCredential[] =
    "---\napiVersion: v1\nkind: Secret\nmetadata: {name: web, namespace: default}\nstringData: {tls.crt: C, tls.key: "
    "K, "
    "ca.crt: R}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: other, namespace: default}\nstringData: {tls.crt: "
    "C, tls.key: K}\n---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec: {selector: "
    "{istio: edge}, servers: [{port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: MUTUAL, credentialName: "
    "web}, hosts: ['*']}]}\n";

model::Workload EdgePod() {
  model::Workload pod{.uid = "edge", .name = "edge-0", .name_space = "default", .labels = {{"istio", "edge"}}};
  pod.service_account = "edge";
  pod.ips = {*io::IpAddress::Parse("10.244.9.9")};
  pod.gateway = true;
  return pod;
}

TEST(Secrets, GoOnlyToGatewaysThatAreToldToUseThem) {
  const auto objects = model::DecodeText(kCredential, "f.yaml").objects;
  const auto with = [&](const model::Workload& pod) {
    return model::Snapshot::Build(objects, std::make_shared<std::vector<model::Workload>>(1, pod), {});
  };
  const auto mesh = with(EdgePod());
  model::Proxy edge{.type = model::Proxy::Type::kRouter, .name_space = "default", .service_account = "edge"};
  EXPECT_TRUE(FindSecret(edge, *mesh, "R", "kubernetes://web"));
  EXPECT_TRUE(FindSecret(edge, *mesh, "R", "kubernetes://default/web"));
  EXPECT_TRUE(FindSecret(edge, *mesh, "R", "kubernetes://web-cacert"));
  EXPECT_FALSE(FindSecret(edge, *mesh, "R", "kubernetes://other")) << "no Gateway names it";
  EXPECT_FALSE(FindSecret(edge, *mesh, "R", "kubernetes://elsewhere/web"));
  model::Proxy sidecar = edge;
  sidecar.service_account = "app";
  EXPECT_FALSE(FindSecret(sidecar, *mesh, "R", "kubernetes://web")) << "a sidecar that calls itself a gateway";
  sidecar.labels = {{"istio", "edge"}};
  EXPECT_FALSE(FindSecret(sidecar, *mesh, "R", "kubernetes://web")) << "with the labels of one";
  EXPECT_TRUE(FindSecret(sidecar, *mesh, "R", "ROOTCA"));
  edge.name_space = "other";
  EXPECT_FALSE(FindSecret(edge, *mesh, "R", "kubernetes://web"));
  EXPECT_FALSE(FindSecret(edge, *mesh, "R", "kubernetes://default/web"));

  edge.name_space = "default";
  model::Workload application = EdgePod();
  application.gateway = false;
  EXPECT_FALSE(FindSecret(edge, *with(application), "R", "kubernetes://web")) << "the pod has an application";
  model::Workload unselected = EdgePod();
  unselected.labels = {{"istio", "another"}};
  EXPECT_FALSE(FindSecret(edge, *with(unselected), "R", "kubernetes://web")) << "no Gateway selects it";
}

}  // namespace
}  // namespace plait::control::translate
