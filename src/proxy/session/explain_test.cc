// Explanations say what sessions do: the same destinations, routes, endpoints and refusals.
#include "proxy/session/explain.h"

#include <gtest/gtest.h>

#include "core/telemetry/registry.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/record/log_writer.h"
#include "proxy/session/inbound_routes.h"
#include "proxy/session/test_index.h"

namespace plait::proxy::session {
namespace {

class Explaining : public testing::Test, public ConfigView {
 protected:
  Explaining() : clusters_(loop_, registry_, nullptr, [](const cluster::ClusterUpdate&) {}) {}
  io::Loop& loop() const override { return loop_; }
  const cluster::DestinationIndex& index() const override { return index_; }
  bool complete() const override { return complete_; }
  std::optional<std::shared_ptr<const route::RouteTable>> Routes(const std::string& name) const override {
    const auto found = routes_.find(name);
    return found == routes_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<std::shared_ptr<const xds::L4Routes>> L4Routes(const std::string&) const override { return l4_routes_; }
  std::optional<cluster::ClusterPtr> Cluster(const std::string& name) const override { return clusters_.Find(name); }

  static xds::HttpConnectionManager Http() {
    xds::HttpConnectionManager http;
    http.routes = xds::RdsRef{};
    http.filters.emplace_back().config = xds::RouterFilter{};
    return http;
  }
  Chain Outbound() {
    auto config = std::make_shared<OutboundConfig>();
    config->xds.unknown_cluster = "PassthroughCluster";
    config->http = CompileHttp(Http(), {registry_, logs_}).value();
    config->tcp = CompileTcp({}, {registry_, logs_}).value();
    Chain chain;
    chain.terminal = std::shared_ptr<const OutboundConfig>(std::move(config));
    return chain;
  }
  // A port that only "spiffe://td/ns/a/sa/friend" may GET.
  Chain Inbound(const xds::InboundPort& port) {
    xds::RbacRules rules;
    rules.policies.push_back({.name = "ns[a]-policy[p]-rule[0]",
                              .permissions = {{.kind = xds::Permission::Kind::kAny}},
                              .principals = {{.kind = xds::Principal::Kind::kAuthenticated,
                                              .has_text = true,
                                              .text = {.value = "spiffe://td/ns/a/sa/friend"}}}});
    auto config = std::make_shared<InboundConfig>();
    config->xds.ports = {port};
    config->xds.http = Http();
    config->xds.http.filters.insert(config->xds.http.filters.begin(),
                                    {.name = "rbac", .config = xds::RbacFilter{.rules = rules}});
    config->routes[port.port] = MakeInboundRoutes(port.port, port.cluster);
    config->http = CompileHttp(config->xds.http, {registry_, logs_}).value();
    config->tcp = CompileTcp({}, {registry_, logs_}).value();
    config->rbac.push_back(filters::NetworkRbac::Compile({.rules = rules}, registry_).value());
    Chain chain;
    chain.terminal = std::shared_ptr<const InboundConfig>(std::move(config));
    return chain;
  }
  void AddCluster(const std::string& name, const char* host) {
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = name;
    cluster->load_assignment.cluster_name = name;
    if (host != nullptr)
      cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address =
          io::SocketAddress::Parse(host).value();
    ASSERT_TRUE(clusters_.Put(std::move(cluster)).has_value());
  }
  // Routes of `name`: host `host` to `cluster`, by an object that says so.
  void AddRoutes(const std::string& name, const std::string& host, const std::string& cluster) {
    auto config = std::make_shared<xds::RouteConfiguration>();
    config->name = name;
    xds::VirtualHost& virtual_host = config->virtual_hosts.emplace_back();
    virtual_host.name = host;
    virtual_host.domains = {host};
    xds::Route& route = virtual_host.routes.emplace_back();
    route.name = "r";
    route.istio_config = "/apis/networking.istio.io/v1/namespaces/default/virtual-service/web";
    route.action.emplace<xds::RouteAction>().clusters.emplace_back().name = cluster;
    routes_[name] = route::RouteTable::Compile(std::move(config)).value();
  }
  // A port whose `http` lets only who sends header `name` with `value` pass.
  Chain InboundByHeader(xds::HttpConnectionManager http, const char* name, const char* value) {
    xds::RbacRules rules;
    rules.policies.push_back({.name = "p",
                              .permissions = {{.kind = xds::Permission::Kind::kAny}},
                              .principals = {{.kind = xds::Principal::Kind::kHeader,
                                              .header = {.name = name, .value = xds::StringMatcher{.value = value}}}}});
    auto config = std::make_shared<InboundConfig>();
    config->xds.ports = {{.port = 80, .mode = xds::MtlsMode::kPermissive, .cluster = "inbound|80||"}};
    config->routes[80] = MakeInboundRoutes(80, "inbound|80||");
    http.filters.insert(http.filters.begin(), {.name = "rbac", .config = xds::RbacFilter{.rules = rules}});
    config->http = CompileHttp(http, {registry_, logs_}).value();
    Chain chain;
    chain.terminal = std::shared_ptr<const InboundConfig>(std::move(config));
    return chain;
  }
  // Of a gateway: routes "edge", with or without TLS that ends there.
  Chain GatewayHttp(std::optional<xds::DownstreamTlsContext> tls) {
    xds::HttpConnectionManager http = Http();
    http.routes = xds::RdsRef{"edge"};
    Chain chain;
    chain.tls = std::move(tls);
    chain.terminal = std::shared_ptr<const HttpConfig>(CompileHttp(http, {registry_, logs_}).value());
    return chain;
  }
  Chain GatewayTcp(const char* cluster) {
    Chain chain;
    chain.terminal = CompileTcp({.clusters = {{.name = cluster, .weight = 1}}}, {registry_, logs_}).value();
    return chain;
  }
  static Question Get(const char* destination, const char* authority) {
    Question question{.destination = io::SocketAddress::Parse(destination).value(),
                      .source = io::SocketAddress::Parse("10.244.0.9:0").value()};
    question.head.method = "GET";
    question.head.path = "/x";
    question.head.scheme = "http";
    question.head.authority = authority;
    question.head.version = http::Version::kHttp11;
    return question;
  }
  static const ExplainStep& StepOf(const Explanation& explanation, std::string_view name) {
    static const ExplainStep kNone;
    for (const ExplainStep& step : explanation.steps)
      if (step.name == name) return step;
    ADD_FAILURE() << "no step " << name;
    return kNone;
  }

  mutable io::Loop loop_;
  telemetry::Registry registry_;
  record::LogWriter logs_;
  cluster::ClusterStore clusters_;
  cluster::DestinationIndex index_;
  std::map<std::string, std::shared_ptr<const route::RouteTable>> routes_;
  std::shared_ptr<const xds::L4Routes> l4_routes_;
  bool complete_ = true;
};

TEST_F(Explaining, FollowsARequestToAnEndpoint) {
  AddService(index_, "10.96.0.1/32", 80, xds::DeclaredProtocol::kHttp);
  AddRoutes("80", "web", "outbound|80||web");
  AddCluster("outbound|80||web", "10.244.0.5:8080");
  const Explanation explanation = ExplainChain(*this, Outbound(), Get("10.96.0.1:80", "web"));
  EXPECT_NE(StepOf(explanation, "destination").text.find("web.default.svc.cluster.local"), std::string::npos);
  EXPECT_EQ(StepOf(explanation, "route").object, "/apis/networking.istio.io/v1/namespaces/default/virtual-service/web");
  ASSERT_TRUE(explanation.next);
  EXPECT_EQ(explanation.next->address.ToString(), "10.244.0.5:8080");
  EXPECT_FALSE(explanation.next->tls);
  EXPECT_EQ(explanation.status, 0);
}

TEST_F(Explaining, AsksForWhatIsNotHereYet) {
  complete_ = false;
  const Explanation address = ExplainChain(*this, Outbound(), Get("10.96.0.1:80", "web"));
  ASSERT_TRUE(address.missing);
  EXPECT_EQ(address.missing->kind, Missing::Kind::kDestination);
  AddService(index_, "10.96.0.1/32", 80, xds::DeclaredProtocol::kHttp);
  const Explanation routes = ExplainChain(*this, Outbound(), Get("10.96.0.1:80", "web"));
  ASSERT_TRUE(routes.missing);
  EXPECT_EQ(routes.missing->kind, Missing::Kind::kRoutes);
  EXPECT_EQ(routes.missing->name, "80");
}

TEST_F(Explaining, NamesTheFlagOfWhatLeadsNowhere) {
  AddService(index_, "10.96.0.1/32", 80, xds::DeclaredProtocol::kHttp);
  AddRoutes("80", "web", "outbound|80||gone");
  const Explanation no_cluster = ExplainChain(*this, Outbound(), Get("10.96.0.1:80", "web"));
  EXPECT_EQ(no_cluster.flag, "NC");
  EXPECT_EQ(no_cluster.status, 503);
  AddCluster("outbound|80||gone", nullptr);
  EXPECT_EQ(ExplainChain(*this, Outbound(), Get("10.96.0.1:80", "web")).flag, "UH");
}

TEST_F(Explaining, LeavesTheUnknownToTheOutboundPolicy) {
  routes_["80"] = nullptr;
  AddCluster("PassthroughCluster", "192.0.2.1:80");
  const Explanation explanation = ExplainChain(*this, Outbound(), Get("192.0.2.1:80", "example.com"));
  ASSERT_TRUE(explanation.next);
  EXPECT_EQ(explanation.next->cluster, "PassthroughCluster");
  EXPECT_TRUE(StepOf(explanation, "destination").known);
  EXPECT_EQ(explanation.destined->address.ToString(), "192.0.2.1:80");
}

TEST_F(Explaining, LeavesPortsThatAServiceEntryDoesNotHaveToTheOutboundPolicy) {
  routes_["18999"] = nullptr;
  AddCluster("PassthroughCluster", "192.0.2.2:18999");
  AddService(index_, "192.0.2.0/24", 3306, xds::DeclaredProtocol::kTcp, false);
  Question question = Get("192.0.2.2:18999", "192.0.2.2:18999");
  for (const bool http : {true, false}) {
    question.http = http;
    const Explanation explanation = ExplainChain(*this, Outbound(), question);
    EXPECT_EQ(
        StepOf(explanation, "destination").text,
        "192.0.2.2:18999 is an address of service web.default.svc.cluster.local, which has no port 18999 (there is "
        "3306): the outbound policy decides");
    ASSERT_TRUE(explanation.next);
    EXPECT_EQ(explanation.next->cluster, "PassthroughCluster");
    EXPECT_EQ(explanation.destined->service, "");
  }
}

TEST_F(Explaining, SaysWhichPortsAServiceHasWhenItDoesNotHaveTheOneThatIsAskedFor) {
  routes_["81"] = nullptr;
  AddService(index_, "10.96.0.1/32", 80, xds::DeclaredProtocol::kHttp);
  const Explanation explanation = ExplainChain(*this, Outbound(), Get("10.96.0.1:81", "web"));
  EXPECT_EQ(StepOf(explanation, "destination").text,
            "10.96.0.1:81 is service web.default.svc.cluster.local, which has no port 81 (there is 80)");
  EXPECT_EQ(explanation.flag, "NC");
}

TEST_F(Explaining, DoesNotKnowWhetherANameOfElsewhereHasAnAddress) {
  routes_["80"] = nullptr;
  AddCluster("PassthroughCluster", "0.0.0.0:80");
  Question question = Get("0.0.0.0:80", "example.com");
  question.name = "example.com";
  question.resolves = Question::Resolves::kElsewhere;
  const Explanation explanation = ExplainChain(*this, Outbound(), question);
  EXPECT_FALSE(StepOf(explanation, "destination").known);
  EXPECT_NE(StepOf(explanation, "destination").text.find("getent hosts example.com"), std::string::npos);
  EXPECT_NE(StepOf(explanation, "endpoint").text.find("to the address of example.com"), std::string::npos);
  EXPECT_TRUE(explanation.next) << "with an address it would go on";
}

TEST_F(Explaining, EndsAtANameOfTheMeshWithoutAnAddress) {
  Question question = Get("0.0.0.0:80", "gone.default.svc.cluster.local");
  question.name = "gone.default.svc.cluster.local";
  question.resolves = Question::Resolves::kNothing;
  const Explanation explanation = ExplainChain(*this, Outbound(), question);
  EXPECT_FALSE(StepOf(explanation, "destination").passes);
  EXPECT_EQ(explanation.details, "no_address");
  EXPECT_FALSE(explanation.next);
}

TEST_F(Explaining, RefusesPlaintextOnAStrictPort) {
  const Chain chain = Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  const Explanation explanation = ExplainChain(*this, chain, Get("10.244.0.5:80", "web"));
  EXPECT_FALSE(explanation.next);
  EXPECT_EQ(explanation.details, "plaintext_refused_by_strict_mutual_tls");
  EXPECT_FALSE(StepOf(explanation, "admission").passes);
}

TEST_F(Explaining, NamesTheInvalidPolicyThatMadeThePortStrictAsSessionsDo) {
  const std::string invalid = "invalid_policy[default/broken]-kind[PeerAuthentication]";
  const Chain chain =
      Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||", .strict_by = invalid});
  const Explanation explanation = ExplainChain(*this, chain, Get("10.244.0.5:80", "web"));
  EXPECT_EQ(explanation.details, "plaintext_refused_by_strict_mutual_tls{" + invalid + "}");
  EXPECT_EQ(StepOf(explanation, "admission").policy, invalid);
  record::ConnectionInfo open;
  open.local = io::SocketAddress::Parse("10.244.0.5:80").value();
  EXPECT_EQ(ForbiddenBy(chain, open), explanation.details) << "a connection that was open before";
}

TEST_F(Explaining, ForbidsPlaintextButNotTheApplicationsOwnTlsWhereThePodSaysSo) {
  const Chain chain = Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||", .app_tls = true});
  record::ConnectionInfo open;
  open.local = io::SocketAddress::Parse("10.244.0.5:80").value();
  EXPECT_EQ(ForbiddenBy(chain, open), "plaintext_refused_by_strict_mutual_tls");
  open.foreign_tls = true;
  EXPECT_EQ(ForbiddenBy(chain, open), "");
}

TEST_F(Explaining, JudgesACallerByItsPrincipalAndSaysWhatIsMissing) {
  const Chain chain = Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  AddCluster("inbound|80||", "127.0.0.1:80");
  Question question = Get("10.244.0.5:80", "web");
  question.principal = "spiffe://td/ns/a/sa/stranger";
  const Explanation denied = ExplainChain(*this, chain, question);
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(denied.details, "rbac_access_denied_matched_policy[none]");
  EXPECT_EQ(StepOf(denied, "authorization").misses,
            (std::vector<filter::Forecast::Miss>{{"ns[a]-policy[p]-rule[0]", "principal", "spiffe://td/ns/a/sa/friend",
                                                  "spiffe://td/ns/a/sa/stranger"}}));
  question.http = false;
  EXPECT_EQ(ExplainChain(*this, chain, question).details, denied.details) << "a TCP connection is closed for it";
  question.http = true;
  question.principal = "spiffe://td/ns/a/sa/friend";
  const Explanation allowed = ExplainChain(*this, chain, question);
  EXPECT_TRUE(allowed.next);
  EXPECT_EQ(StepOf(allowed, "authorization").policy, "ns[a]-policy[p]-rule[0]");
}

TEST_F(Explaining, DoesNotJudgeByWhatTheOneWhoAsksDoesNotKnow) {
  const Chain chain = Inbound({.port = 80, .mode = xds::MtlsMode::kStrict, .cluster = "inbound|80||"});
  AddCluster("inbound|80||", "127.0.0.1:80");
  Question question = Get("10.244.0.5:80", "web");
  question.unknown.principal = true;
  using Reason = filter::Forecast::Miss::Reason;
  const std::vector<filter::Forecast::Miss> unknown = {
      {"ns[a]-policy[p]-rule[0]", "principal", "spiffe://td/ns/a/sa/friend", "", Reason::kUnknown}};
  for (const bool http : {true, false}) {
    question.http = http;
    const Explanation explanation = ExplainChain(*this, chain, question);
    EXPECT_FALSE(StepOf(explanation, "admission").known) << "STRICT, but who says that it was plaintext";
    EXPECT_FALSE(StepOf(explanation, "authorization").known);
    EXPECT_EQ(StepOf(explanation, "authorization").misses, unknown);
  }
}

TEST_F(Explaining, DoesNotTakeAHeaderThatIsMadeHereForOneThatTheCallerSent) {
  const Chain chain = InboundByHeader(Http(), "x-forwarded-proto", "gopher");
  Question question = Get("10.244.0.5:80", "web");
  EXPECT_TRUE(StepOf(ExplainChain(*this, chain, question), "authorization").known);
  question.unknown.headers = true;
  EXPECT_FALSE(StepOf(ExplainChain(*this, chain, question), "authorization").known);
}

TEST_F(Explaining, JudgesByTheForwardedForThatAGatewayHasAddedTo) {
  xds::HttpConnectionManager http = Http();
  http.use_remote_address = true;
  const Chain chain = InboundByHeader(http, "x-forwarded-for", "192.0.2.1,10.244.0.9");
  Question question = Get("10.244.0.5:80", "web");
  question.unknown.headers = true;
  EXPECT_FALSE(StepOf(ExplainChain(*this, chain, question), "authorization").known) << "nobody says what was sent";
  question.head.headers.Add("x-forwarded-for", "192.0.2.1");
  EXPECT_TRUE(StepOf(ExplainChain(*this, chain, question), "authorization").known);
  EXPECT_TRUE(StepOf(ExplainChain(*this, chain, question), "authorization").passes);
}

TEST_F(Explaining, EndsTlsOfAGatewaysClient) {
  AddRoutes("edge", "site.example", "outbound|80||web");
  AddCluster("outbound|80||web", "10.244.0.5:8080");
  Question question = Get("10.244.0.9:8443", "site.example");
  question.tls = question.assumed_name = true;
  question.server_name = "site.example";
  const Explanation ended = ExplainChain(*this, GatewayHttp(xds::DownstreamTlsContext{}), question);
  EXPECT_EQ(StepOf(ended, "tls").text.find("port 8443: TLS with server name site.example, that of the host that is "),
            0U)
      << StepOf(ended, "tls").text;
  ASSERT_TRUE(ended.next);
  EXPECT_EQ(ended.next->head.headers.Get("x-forwarded-proto").value_or(ended.next->head.scheme), "https");
  EXPECT_FALSE(ended.next->passed);
  xds::DownstreamTlsContext mutual;
  mutual.require_client_certificate = true;
  EXPECT_FALSE(StepOf(ExplainChain(*this, GatewayHttp(mutual), question), "tls").known) << "which the client may have";
}

TEST_F(Explaining, SaysThatAGatewaysPortAndItsClientDisagreeAboutTls) {
  AddRoutes("edge", "site.example", "outbound|80||web");
  AddCluster("outbound|80||web", "10.244.0.5:8080");
  Question question = Get("10.244.0.9:8443", "site.example");
  const Explanation plaintext = ExplainChain(*this, GatewayHttp(xds::DownstreamTlsContext{}), question);
  EXPECT_FALSE(plaintext.next);
  EXPECT_FALSE(StepOf(plaintext, "tls").passes);
  EXPECT_TRUE(ExplainChain(*this, GatewayHttp(std::nullopt), question).next);
  question.tls = true;
  question.server_name = "site.example";
  const Explanation tls = ExplainChain(*this, GatewayHttp(std::nullopt), question);
  EXPECT_FALSE(tls.next);
  EXPECT_FALSE(StepOf(tls, "tls").passes);
}

TEST_F(Explaining, NamesTheRuleWhoseTlsCannotBe) {
  AddRoutes("edge", "site.example", "outbound|80||web");
  const auto put = [&](const char* policy) {
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = cluster->load_assignment.cluster_name = "outbound|80||web";
    cluster->refused_by = policy;
    ASSERT_TRUE(clusters_.Put(std::move(cluster)).has_value());
  };
  put("invalid_policy[default/web]-kind[DestinationRule]");
  const Question question = Get("10.244.0.9:80", "site.example");
  const Explanation refused = ExplainChain(*this, GatewayHttp(std::nullopt), question);
  EXPECT_FALSE(refused.next);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.flag, "UH");
  EXPECT_EQ(refused.details, "no_healthy_upstream{invalid_policy[default/web]-kind[DestinationRule]}");
  EXPECT_FALSE(StepOf(refused, "tls").passes);
  EXPECT_EQ(StepOf(refused, "tls").policy, "invalid_policy[default/web]-kind[DestinationRule]");
  put("");
  EXPECT_EQ(ExplainChain(*this, GatewayHttp(std::nullopt), question).details, "no_healthy_upstream");
}

TEST_F(Explaining, PassesTlsOnAsItCame) {
  AddCluster("outbound|443||own", "10.244.0.5:8443");
  AddCluster("outbound_.443_._.named", "10.244.0.6:8443");
  Question question = Get("10.244.0.9:8443", "pass.example");
  question.tls = true;
  question.server_name = "pass.example";
  const Explanation own = ExplainChain(*this, GatewayTcp("outbound|443||own"), question);
  ASSERT_TRUE(own.next && own.next->passed);
  EXPECT_EQ(own.next->passed->server_name, "pass.example");
  EXPECT_EQ(own.next->passed->principal, "") << "of the client's own";
  Chain east_west = GatewayTcp("BlackHoleCluster");
  east_west.sni_cluster = true;
  question.server_name = "outbound_.443_._.named";
  question.principal = "spiffe://td/ns/a/sa/friend";
  const Explanation mesh = ExplainChain(*this, east_west, question);
  ASSERT_TRUE(mesh.next && mesh.next->passed);
  EXPECT_EQ(mesh.next->cluster, "outbound_.443_._.named");
  EXPECT_EQ(mesh.next->passed->principal, "spiffe://td/ns/a/sa/friend");
}

TEST_F(Explaining, LeadsTlsOfAnApplicationByItsServerName) {
  AddService(index_, "10.96.0.1/32", 443, xds::DeclaredProtocol::kTls);
  for (const char* name : {"outbound|443||web.default.svc.cluster.local", "outbound|443||other"})
    AddCluster(name, "10.244.0.5:8443");
  auto routes = std::make_shared<xds::L4Routes>();
  routes->routes.push_back(
      {.sni = {"api.example"}, .destinations = {}, .clusters = {{"outbound|443||other", 1}}, .name = "by-name"});
  l4_routes_ = std::move(routes);
  Question question = Get("10.96.0.1:443", "web");
  const auto cluster = [&] {
    const Explanation explanation = ExplainChain(*this, Outbound(), question);
    return explanation.next ? explanation.next->cluster : "none";
  };
  question.name = "10.96.0.1";
  EXPECT_EQ(cluster(), "outbound|443||web.default.svc.cluster.local") << "an address is no server name";
  question.name = "API.example";
  const Explanation assumed = ExplainChain(*this, Outbound(), question);
  ASSERT_TRUE(assumed.next && assumed.next->passed);
  EXPECT_EQ(assumed.next->cluster, "outbound|443||other");
  EXPECT_NE(StepOf(assumed, "protocol").text.find("api.example, that of the host that is asked for"), std::string::npos)
      << StepOf(assumed, "protocol").text;
  question.server_name = "another.example";
  EXPECT_EQ(cluster(), "outbound|443||web.default.svc.cluster.local");
  EXPECT_EQ(StepOf(ExplainChain(*this, Outbound(), question), "protocol").text.find("asked for"), std::string::npos);
}

TEST_F(Explaining, AdmitsTlsOfTheCallersOwnWhereSessionsPassItOn) {
  AddCluster("inbound|80||", "127.0.0.1:80");
  Question question = Get("10.244.0.5:80", "web");
  question.server_name = "web";
  const auto admitted = [&](xds::MtlsMode mode, bool app_tls) {
    return StepOf(
               ExplainChain(*this, Inbound({.port = 80, .mode = mode, .cluster = "inbound|80||", .app_tls = app_tls}),
                            question),
               "admission")
        .passes;
  };
  EXPECT_FALSE(admitted(xds::MtlsMode::kStrict, false));
  EXPECT_TRUE(admitted(xds::MtlsMode::kStrict, true));
  EXPECT_TRUE(admitted(xds::MtlsMode::kPermissive, false));
}

// Of TLS towards the workload "web", which is spiffe://td/ns/default/sa/web.
class ExplainingTls : public Explaining {
 protected:
  ExplainingTls() {
    xds::Workload web;
    web.uid = web.name = "web";
    web.name_space = "default";
    web.trust_domain = "td";
    web.service_account = "web";
    web.addresses = {io::IpAddress::Parse("10.244.0.5").value()};
    cluster::IndexUpdate update;
    update.put.emplace_back(web.uid, std::make_shared<xds::Address>(xds::Address{web}));
    index_.Apply(update);
    AddRoutes("edge", "site.example", "outbound|80||web");
  }
  static xds::UpstreamTlsContext MeshTls(const std::vector<std::string>& names) {
    xds::UpstreamTlsContext tls;
    tls.common.certificate_secrets.push_back({.name = "default", .source = xds::SecretRef::Source::kLocal});
    tls.common.validation_secret = xds::SecretRef{.name = "ROOTCA", .source = xds::SecretRef::Source::kLocal};
    tls.common.validation.emplace();
    for (const std::string& name : names)
      tls.common.validation->subject_alt_names.push_back({.matcher = {.value = name}});
    return tls;
  }
  Explanation Ask(const xds::UpstreamTlsContext& tls, bool auto_sni = false) {
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = cluster->load_assignment.cluster_name = "outbound|80||web";
    xds::Endpoint& endpoint = cluster->load_assignment.localities.emplace_back().endpoints.emplace_back();
    endpoint.address = io::SocketAddress::Parse("10.244.0.5:80").value();
    if (!behind_gateway_) endpoint.istio_workload = "web;default;web;;Kubernetes";
    cluster->tls = tls;
    cluster->http.auto_sni = cluster->http.auto_san_validation = auto_sni;
    EXPECT_TRUE(clusters_.Put(std::move(cluster)).has_value());
    return ExplainChain(*this, GatewayHttp(std::nullopt), Get("10.244.0.9:80", "site.example"));
  }
  bool behind_gateway_ = false;  // of another network
};

TEST_F(ExplainingTls, IsMutualWithTheCertificateOfTheWorkloadOnly) {
  const Explanation mesh = Ask(MeshTls({"spiffe://td/ns/default/sa/web"}));
  ASSERT_TRUE(mesh.next);
  EXPECT_TRUE(mesh.next->tls && mesh.next->mutual);
  EXPECT_EQ(StepOf(mesh, "tls").text, "mutual TLS; the server must be spiffe://td/ns/default/sa/web");

  xds::UpstreamTlsContext simple;
  simple.common.validation.emplace().trusted_ca = {xds::DataSource::Kind::kFile, "/ca.pem"};
  const Explanation own = Ask(simple, /*auto_sni=*/true);
  ASSERT_TRUE(own.next);
  EXPECT_TRUE(own.next->tls);
  EXPECT_FALSE(own.next->mutual);
  EXPECT_EQ(own.next->server_name, "site.example");
  EXPECT_EQ(StepOf(own, "tls").text,
            "TLS without a certificate of the client; the server must be site.example; its certificate must be signed "
            "by one of /ca.pem; SNI site.example");

  simple.common.validation->accept_untrusted = true;
  simple.common.certificates.emplace_back();
  const Explanation skipped = Ask(simple);
  ASSERT_TRUE(skipped.next);
  EXPECT_FALSE(skipped.next->mutual);
  EXPECT_EQ(StepOf(skipped, "tls").text,
            "TLS with a certificate of the rule, which is none of the mesh; nobody needs to have signed the server's");
}

TEST_F(ExplainingTls, FailsWhereTheWorkloadIsNoneOfThoseThatTheRuleNames) {
  const Explanation other = Ask(MeshTls({"spiffe://td/ns/default/sa/db", "db.example"}));
  EXPECT_FALSE(other.next);
  EXPECT_EQ(other.status, 503);
  EXPECT_EQ(other.flag, "UF");
  EXPECT_EQ(StepOf(other, "tls").text,
            "mutual TLS; the server must be spiffe://td/ns/default/sa/db or db.example; web.default is "
            "spiffe://td/ns/default/sa/web");
  xds::UpstreamTlsContext prefix = MeshTls({"spiffe://td/"});
  prefix.common.validation->subject_alt_names[0].matcher.kind = xds::StringMatcher::Kind::kPrefix;
  EXPECT_TRUE(Ask(prefix).next);
  behind_gateway_ = true;
  EXPECT_TRUE(Ask(MeshTls({"spiffe://td/ns/default/sa/db"})).next);
}

TEST_F(ExplainingTls, IsRefusedAtAStrictPortWithoutAPrincipalAlsoWithoutAServerName) {
  AddCluster("inbound|80||", "127.0.0.1:80");
  Question question = Get("10.244.0.5:80", "web");
  question.tls = true;
  const auto ask = [&](xds::MtlsMode mode) {
    return ExplainChain(*this, Inbound({.port = 80, .mode = mode, .cluster = "inbound|80||"}), question);
  };
  const Explanation strict = ask(xds::MtlsMode::kStrict);
  EXPECT_FALSE(strict.next);
  EXPECT_NE(StepOf(strict, "admission").text.find("without a certificate of the mesh"), std::string::npos);
  EXPECT_EQ(StepOf(ask(xds::MtlsMode::kPermissive), "admission").text,
            "port 80 is PERMISSIVE: TLS is passed on to the application as it is");
}

TEST_F(ExplainingTls, IsNotSaidToBeSpokenByAnApplicationWhenItIsThatOfTheMesh) {
  AddCluster("inbound|80||", "127.0.0.1:80");
  Question question = Get("10.244.0.5:80", "web");
  question.tls = true;
  const auto known = [&](xds::MtlsMode mode) {
    return StepOf(ExplainChain(*this, Inbound({.port = 80, .mode = mode, .cluster = "inbound|80||"}), question),
                  "admission")
        .known;
  };
  EXPECT_TRUE(known(xds::MtlsMode::kDisable)) << "the client's own";
  question.principal = "spiffe://td/ns/a/sa/friend";
  EXPECT_FALSE(known(xds::MtlsMode::kDisable));
  EXPECT_TRUE(known(xds::MtlsMode::kStrict));
}

}  // namespace
}  // namespace plait::proxy::session
