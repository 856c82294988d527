// What Istio's labels say of a caller that is going away, and of a destination that was never reached.
#include "proxy/record/istio_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <tuple>

#include "proxy/cluster/host.h"

namespace plait::proxy::record {
namespace {

constexpr char kRatings[] = "ratings.default.svc.cluster.local";

std::string AccountOf(const std::string& app) { return "spiffe://cluster.local/ns/default/sa/" + app; }

struct FakeLookup final : PeerLookup {
  Pending Lookup(const io::IpAddress&, Duration, cluster::DestinationStore::OnFound done) override {
    asked.push_back(std::move(done));
    return {};
  }
  cluster::ClusterPtr FindCluster(std::string_view name) override {
    const auto at = clusters.find(std::string(name));
    return at == clusters.end() ? nullptr : at->second;
  }
  Pending NeedCluster(std::string_view name, Duration, std::move_only_function<void(bool)> done) override {
    needed.emplace_back(name, std::move(done));
    return {};
  }
  std::vector<cluster::DestinationStore::OnFound> asked;
  std::map<std::string, cluster::ClusterPtr> clusters;
  std::vector<std::pair<std::string, std::move_only_function<void(bool)>>> needed;
};

// The proxy of productpage-v1 (10.244.0.4); ratings is the only other service.
class IstioLabels : public testing::Test {
 protected:
  IstioLabels() {
    connection_.direction = Direction::kOutbound;
    connection_.remote = At("10.244.0.4:5000");
    connection_.local = At("10.96.0.1:9080");
    head_.method = "GET";
    head_.authority = "ratings:9080";
    record_.connection = &connection_;
    record_.request = &head_;
    record_.response_code = 503;
    Put("productpage", "v1", "10.244.0.4");
    xds::Service service{.name = "ratings", .name_space = "default", .hostname = kRatings};
    service.addresses = {{"", {io::IpAddress::Parse("10.96.0.1").value(), 32}}};
    service.ports = {{.port = {.service_port = 9080, .target_port = 9080}, .name = "http"}};
    service.canonical = true;
    index_.Apply({.put = {{"svc", std::make_shared<const xds::Address>(xds::Address{service})}}});
  }
  static io::SocketAddress At(const std::string& text) { return io::SocketAddress::Parse(text).value(); }
  void Put(const std::string& app, const std::string& version, const std::string& ip) {
    xds::Workload workload{.uid = ip,
                           .name = app + "-" + version + "-0",
                           .name_space = "default",
                           .addresses = {io::IpAddress::Parse(ip).value()},
                           .service_account = app,
                           .canonical_name = app,
                           .canonical_revision = version,
                           .workload_name = app + "-" + version,
                           .cluster_id = "Kubernetes",
                           .labels = {{"app", app}, {"version", version}},
                           .tls_mode = xds::TlsMode::kIstio};
    workload.services["default/" + app + ".default.svc.cluster.local"] = {{.service_port = 9080, .target_port = 9080}};
    index_.Apply({.put = {{ip, std::make_shared<const xds::Address>(xds::Address{workload})}}});
  }
  static cluster::HostPtr Endpoint(const std::string& app, const std::string& version, const std::string& ip) {
    return std::make_shared<cluster::Host>(
        cluster::Host::Facts{.address = At(ip + ":9080"),
                             .identity = AccountOf(app),
                             .transport = 0,
                             .istio_workload = app + "-" + version + ";default;" + app + ";" + version + ";Kubernetes"},
        1, xds::HealthStatus::kHealthy);
  }
  // As plaitd makes it: mutual TLS for those endpoints that have a proxy.
  static cluster::ClusterPtr ClusterOf(std::vector<cluster::HostPtr> hosts, const std::string& subset = "") {
    auto config = std::make_shared<xds::Cluster>();
    config->name = "outbound|9080|" + subset + "|" + kRatings;
    config->istio_services = {{.host = kRatings, .name = "ratings", .name_space = "default"}};
    xds::UpstreamTlsContext tls;
    tls.common.certificate_secrets = {{.name = "default"}};
    config->transport_socket_matches = {{.name = "tlsMode-istio", .match = {{"tlsMode", "istio"}}, .tls = tls}};
    auto made = std::make_shared<cluster::Cluster>();
    made->config = config;
    made->priorities = {{.all = std::move(hosts)}};
    return made;
  }
  void GoTo(const cluster::ClusterPtr& cluster, const cluster::HostPtr& host = nullptr) {
    record_.endpoints = cluster;
    record_.cluster = cluster->config;
    record_.cluster_name = record_.route_cluster = cluster->config->name;
    record_.host = host;
  }
  IstioMetrics Metrics(PeerLookup* lookup = nullptr) {
    return {series_, {LabelsOf(*index_.FindWorkload(Own())), Own()}, index_, lookup};
  }
  static io::IpAddress Own() { return io::IpAddress::Parse("10.244.0.4").value(); }
  // The only series of the family (with this response code), {label: value}.
  std::map<std::string, std::string> Series(const std::string& family = "istio_requests_total",
                                            const std::string& code = "") {
    std::string text;
    registry_.Scrape({.format = telemetry::Format::kPrometheus}, text);
    std::istringstream lines(text);
    std::map<std::string, std::string> out;
    for (std::string line; std::getline(lines, line);) {
      const bool wanted = code.empty() || line.contains("response_code=\"" + code + "\"");
      if (!wanted || !line.starts_with(family + "{")) continue;
      EXPECT_TRUE(out.empty()) << "a second one: " << line;
      const std::string all = line.substr(family.size() + 1, line.rfind('}') - family.size() - 1);
      for (const std::string_view pair : Split(all, ',')) {
        const std::size_t is = pair.find('=');
        out[std::string(pair.substr(0, is))] = std::string(pair.substr(is + 2, pair.size() - is - 3));
      }
    }
    return out;
  }
  // Labels of a side that say "unknown", each after a blank.
  static std::string UnknownIn(const std::map<std::string, std::string>& series) {
    std::string out = series.empty() ? "no series" : "";
    for (const auto& [label, value] : series) {
      const bool of_side = label.starts_with("source_") || label.starts_with("destination_");
      if (of_side && value == "unknown") out += " " + label;
    }
    return out;
  }

  telemetry::Registry registry_;
  IstioSeries series_{registry_};
  cluster::DestinationIndex index_;
  ConnectionInfo connection_;
  io::TlsFacts tls_;
  http::RequestHead head_;
  StreamRecord record_;
};

TEST_F(IstioLabels, OfARequestWhoseConnectionFailedAreThoseOfTheEndpoint) {
  Put("ratings", "v1", "10.244.0.7");
  const auto host = Endpoint("ratings", "v1", "10.244.0.7");
  GoTo(ClusterOf({host}), host);
  Metrics().Request(record_);
  auto series = Series();
  EXPECT_EQ(UnknownIn(series), "");
  EXPECT_EQ(series["source_principal"], AccountOf("productpage"));
  EXPECT_EQ(series["destination_principal"], AccountOf("ratings"));
  EXPECT_EQ(series["destination_workload"], "ratings-v1");
}

TEST_F(IstioLabels, OfAnEndpointThatTheIndexHasForgottenAreThoseOfItsMetadata) {
  const auto host = Endpoint("ratings", "v1", "10.244.0.7");
  GoTo(ClusterOf({host}), host);
  Metrics().Request(record_);
  EXPECT_EQ(UnknownIn(Series()), "");
  EXPECT_EQ(Series()["destination_workload"], "ratings-v1");
}

TEST_F(IstioLabels, OfAnEndpointBehindAGatewayAreNotTheGateways) {
  Put("gateway", "v1", "10.244.0.9");
  const auto host = Endpoint("ratings", "v1", "10.244.0.9");
  GoTo(ClusterOf({host}), host);
  record_.upstream_identity = AccountOf("ratings");
  record_.own_identity = AccountOf("productpage");
  Metrics().Request(record_);
  EXPECT_EQ(UnknownIn(Series()), "");
  EXPECT_EQ(Series()["destination_workload"], "ratings-v1");
}

TEST_F(IstioLabels, OfAnEndpointWithoutMutualTlsHaveNoPrincipals) {
  Put("ratings", "v1", "10.244.0.7");
  const auto host = std::make_shared<cluster::Host>(cluster::Host::Facts{.address = At("10.244.0.7:9080")}, 1,
                                                    xds::HealthStatus::kHealthy);
  for (const cluster::HostPtr& chosen : {cluster::HostPtr(host), cluster::HostPtr()}) {
    GoTo(ClusterOf({host}), chosen);
    Metrics().Request(record_);
    EXPECT_EQ(UnknownIn(Series()), " destination_principal source_principal");
  }
}

TEST(Identity, IsRecognizedWithoutBeingMade) {
  xds::Workload workload{.name_space = "default", .service_account = "ratings"};
  for (const char* domain : {"", "example.org"}) {
    workload.trust_domain = domain;
    const std::string identity = workload.Identity();
    EXPECT_TRUE(HasIdentity(workload, identity));
    EXPECT_FALSE(HasIdentity(workload, identity + "s"));
    for (std::size_t n = 0; n < identity.size(); ++n) {
      EXPECT_FALSE(HasIdentity(workload, identity.substr(0, n))) << n;
      std::string other = identity;
      other[n] = '?';
      EXPECT_FALSE(HasIdentity(workload, other)) << other;
    }
  }
  workload.service_account.clear();
  EXPECT_FALSE(HasIdentity(workload, workload.Identity()));
}

TEST_F(IstioLabels, OfARequestWithoutEndpointAreWhatAllOfItsClusterHaveInCommon) {
  Put("ratings", "v1", "10.244.0.7");
  Put("ratings", "v2", "10.244.0.8");
  GoTo(ClusterOf({Endpoint("ratings", "v2", "10.244.0.8")}, "v2"));
  Metrics().Request(record_);
  EXPECT_EQ(UnknownIn(Series()), "");
  EXPECT_EQ(Series()["destination_workload"], "ratings-v2");
  EXPECT_EQ(Series()["source_principal"], AccountOf("productpage"));
}

TEST_F(IstioLabels, OfARequestWithoutEndpointAreUnknownWhereThoseOfItsClusterDiffer) {
  GoTo(ClusterOf({Endpoint("ratings", "v1", "10.244.0.7"), Endpoint("ratings", "v2", "10.244.0.8")}));
  Metrics().Request(record_);
  auto series = Series();
  EXPECT_EQ(UnknownIn(series), " destination_version destination_workload");
  EXPECT_EQ(series["destination_canonical_revision"], "latest");
  EXPECT_EQ(series["destination_principal"], AccountOf("ratings"));
}

TEST_F(IstioLabels, OfAServiceThatHasNoPodAreThoseOfTheServiceAndTheCaller) {
  GoTo(ClusterOf({}));
  Metrics().Request(record_);
  auto series = Series();
  EXPECT_EQ(UnknownIn(series),
            " destination_app destination_canonical_service destination_cluster destination_principal"
            " destination_version destination_workload");
  EXPECT_EQ(series["destination_workload_namespace"], "default");
  EXPECT_EQ(series["source_principal"], AccountOf("productpage"));
}

TEST_F(IstioLabels, OfASubsetWithoutEndpointDoNotNameAnotherSubsetsWorkload) {
  Put("ratings", "v1", "10.244.0.7");
  GoTo(ClusterOf({}, "v2"));
  Metrics().Request(record_);
  EXPECT_EQ(UnknownIn(Series()), " destination_version destination_workload");
}

TEST_F(IstioLabels, FollowTheEndpointsAndTheIndex) {
  IstioMetrics metrics = Metrics();
  const auto cluster = ClusterOf({Endpoint("ratings", "v1", "10.244.0.7")});
  GoTo(cluster);
  const auto workload = [&](std::uint16_t code) {
    record_.response_code = code;  // a series of its own
    metrics.Request(record_);
    return Series("istio_requests_total", std::to_string(code))["destination_workload"];
  };
  EXPECT_EQ(workload(500), "ratings-v1") << "of its metadata";
  Put("ratings", "v1-by-index", "10.244.0.7");
  EXPECT_EQ(workload(501), "ratings-v1-by-index");
  GoTo(ClusterOf({Endpoint("ratings", "v2", "10.244.0.8")}));
  EXPECT_EQ(workload(502), "ratings-v2");
}

TEST_F(IstioLabels, OfAnAnswerWithoutAClusterAreThoseOfTheServiceThatWasDialled) {
  Put("ratings", "v1", "10.244.0.7");
  record_.response_code = 404;
  Metrics().Request(record_);
  auto series = Series();
  EXPECT_EQ(UnknownIn(series), "");
  EXPECT_EQ(series["destination_service"], kRatings);
  EXPECT_EQ(series["destination_workload"], "ratings-v1");
}

// Else whoever reaches a gateway makes a series for each name that he thinks of.
TEST_F(IstioLabels, OfWhatOthersCallHaveNoNameThatTheyWrote) {
  connection_.local = At("203.0.113.1:80");
  head_.authority = "anything.example";
  for (const auto& [direction, gateway, name] :
       {std::tuple{Direction::kInbound, false, "unknown"}, std::tuple{Direction::kOutbound, true, "unknown"},
        std::tuple{Direction::kOutbound, false, "anything.example"}}) {
    connection_.direction = direction;
    connection_.gateway = gateway;
    record_.response_code = gateway ? 404 : direction == Direction::kInbound ? 405 : 406;
    Metrics().Request(record_);
    EXPECT_EQ(Series("istio_requests_total", std::to_string(record_.response_code))["destination_service"], name);
  }
}

TEST_F(IstioLabels, HaveOnlyCodesOfGrpcAsItsStatus) {
  head_.headers.Add("content-type", "application/grpc");
  record_.response_code = 200;
  for (const auto& [status, label] :
       {std::pair{"0", "0"}, {"16", "16"}, {"17", "unknown"}, {"007", "unknown"}, {"x", "unknown"}}) {
    http::ResponseHead answer;
    answer.headers.Add("grpc-status", status);
    record_.response = &answer;
    ++record_.response_code;  // a series each
    Metrics().Request(record_);
    EXPECT_EQ(Series("istio_requests_total", std::to_string(record_.response_code))["grpc_response_status"], label)
        << status;
  }
}

TEST_F(IstioLabels, OfAnAnswerOutsideTheMeshStayUnknown) {
  record_.route_name = "block_all";
  Metrics().Request(record_);
  EXPECT_EQ(Series()["destination_service_name"], "BlackHoleCluster");
  EXPECT_EQ(Series()["source_principal"], "unknown");
}

TEST_F(IstioLabels, OfARequestThatAFilterAnswersWaitForTheClusterThatNobodyAskedForYet) {
  Put("ratings", "v1", "10.244.0.7");
  Put("ratings", "v2", "10.244.0.8");
  const auto cluster = ClusterOf({Endpoint("ratings", "v2", "10.244.0.8")}, "v2");
  FakeLookup lookup;
  IstioMetrics metrics = Metrics(&lookup);
  {
    const std::string name = cluster->config->name;  // ends before the answer comes
    record_.route_cluster = name;
    metrics.Request(record_);
  }
  EXPECT_TRUE(Series().empty());
  ASSERT_EQ(lookup.needed.size(), 1U);
  EXPECT_EQ(lookup.needed[0].first, cluster->config->name);
  lookup.clusters[cluster->config->name] = cluster;
  lookup.needed[0].second(true);
  EXPECT_EQ(UnknownIn(Series()), "");
  EXPECT_EQ(Series()["destination_workload"], "ratings-v2");
}

TEST_F(IstioLabels, OfAClusterThatDoesNotComeAreThoseOfItsService) {
  Put("ratings", "v1", "10.244.0.7");
  FakeLookup lookup;
  IstioMetrics metrics = Metrics(&lookup);
  const std::string name = ClusterOf({})->config->name;
  record_.route_cluster = name;
  metrics.Request(record_);
  ASSERT_EQ(lookup.needed.size(), 1U);
  lookup.needed[0].second(false);
  EXPECT_EQ(UnknownIn(Series()), "");
  EXPECT_EQ(Series()["destination_service"], kRatings);
}

TEST_F(IstioLabels, WaitForAPeerThatTheIndexDoesNotKnowYet) {
  connection_.direction = Direction::kInbound;
  connection_.remote = At("10.244.0.99:1");
  FakeLookup lookup;
  IstioMetrics metrics = Metrics(&lookup);
  metrics.Request(record_);
  EXPECT_TRUE(Series().empty());
  Put("reviews", "v1", "10.244.0.99");
  ASSERT_EQ(lookup.asked.size(), 1U);
  lookup.asked[0](index_.FindByAddress(connection_.remote.ip));
  EXPECT_EQ(Series()["source_workload"], "reviews-v1");
}

TEST_F(IstioLabels, OfACallerThatIsGoneAreThoseOfTheBeginningOfItsConnection) {
  Put("reviews", "v1", "10.244.0.5");
  connection_.direction = Direction::kInbound;
  connection_.remote = At("10.244.0.5:1");
  tls_.peer_certificate = true;
  tls_.peer_identity = AccountOf("reviews");
  tls_.local_identity = AccountOf("productpage");
  connection_.tls = &tls_;
  record_.request = nullptr;
  record_.cluster = ClusterOf({})->config;  // it says which service we are
  IstioMetrics metrics = Metrics();
  metrics.TcpOpened(record_);
  index_.Apply({.removed = {"10.244.0.5"}});
  metrics.TcpClosed(record_, 1, 1);
  EXPECT_EQ(UnknownIn(Series("istio_tcp_connections_closed_total")), "");
  // Also when another workload has the address by now.
  Put("other", "v1", "10.244.0.5");
  metrics.TcpClosed(record_, 1, 1);
  EXPECT_EQ(Series("istio_tcp_connections_closed_total")["source_workload"], "reviews-v1");
}

TEST_F(IstioLabels, OfACallerFollowItsCertificateWhenTheAddressIsAnothers) {
  Put("reviews", "v1", "10.244.0.5");
  connection_.direction = Direction::kInbound;
  connection_.remote = At("10.244.0.5:1");
  connection_.peer = index_.FindWorkload(connection_.remote.ip);  // who had it before
  tls_.peer_certificate = true;
  tls_.peer_identity = AccountOf("ratings");
  connection_.tls = &tls_;
  Put("ratings", "v1", "10.244.0.5");
  Metrics().Request(record_);
  EXPECT_EQ(Series()["source_workload"], "ratings-v1");
}

}  // namespace
}  // namespace plait::proxy::record
