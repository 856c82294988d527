// The whole data path over loopback: a listener, filter chains, routes, clusters and pools on a worker's own thread.
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

TEST_F(StaticProxy, SendsARequestToTheClusterOfItsRoute) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  const conn::FetchResponse answer = Get(at, "/hello?x=1");
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.body, "GET /hello?x=1 example.com ");
  EXPECT_EQ(answer.head.headers.Get("server"), "envoy");
  EXPECT_TRUE(answer.head.headers.Has("x-envoy-upstream-service-time"));
  EXPECT_EQ(answer.head.headers.Get("x-saw-x-request-id")->size(), 36u);
  EXPECT_EQ(answer.head.headers.Get("x-saw-x-forwarded-proto"), "http");
  const auto line = LastLine();
  EXPECT_EQ(line.code, 200);
  EXPECT_EQ(line.details, "via_upstream");
  EXPECT_EQ(line.route, "backend");
}

TEST_F(StaticProxy, CarriesABodyBothWays) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  const std::string body(300 * 1024, 'x');
  const conn::FetchResponse answer = Get(at, "/", {}, body);
  EXPECT_EQ(answer.body, "POST / example.com " + body);
  EXPECT_EQ(LastLine().received, body.size());
}

TEST_F(StaticProxy, AnswersByItselfWhenThereIsNoRouteOrNoHost) {
  AddCluster("empty", {});
  const auto at = AddListener({HttpChain({RouteTo("/empty", "empty"), RouteTo("/none", "nowhere")})});
  EXPECT_EQ(Get(at, "/other").head.status, 404);
  EXPECT_EQ(LastLine().flags, "NR");
  const conn::FetchResponse unhealthy = Get(at, "/empty");
  EXPECT_EQ(unhealthy.head.status, 503);
  EXPECT_EQ(unhealthy.body, "no healthy upstream");
  EXPECT_EQ(LastLine().flags, "UH");
  EXPECT_EQ(Get(at, "/none").head.status, 503);
  EXPECT_EQ(LastLine().flags, "NC");
}

TEST_F(StaticProxy, TellsThatTheUpstreamRefusedTheConnection) {
  auto closed = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  const io::SocketAddress address = io::LocalAddress(closed.get());
  closed.Reset();
  AddCluster("backend", {address});
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  const conn::FetchResponse answer = Get(at, "/");
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.body,
            "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure");
  const auto line = LastLine();
  EXPECT_EQ(line.flags, "UF");
  EXPECT_EQ(
      line.details,
      "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}");
}

TEST_F(StaticProxy, TriesAgainByTheRoutesPolicy) {
  AddCluster("failing", {StartUpstream(503)});
  xds::Route route = RouteTo("/", "failing");
  xds::RetryPolicy retry;
  retry.retry_on = xds::kRetry5xx;
  retry.num_retries = 2;
  retry.back_off_base = std::chrono::milliseconds(1);
  std::get<xds::RouteAction>(route.action).retry = retry;
  const auto at = AddListener({HttpChain({route})});
  const conn::FetchResponse answer = Get(at, "/", {}, "body");
  EXPECT_EQ(answer.head.status, 503);
  EXPECT_EQ(answer.body, "POST / example.com body");
  EXPECT_EQ(upstream_requests_, 3);
  EXPECT_EQ(LastLine().flags, "URX");
  EXPECT_EQ(LastLine().attempts, 3u);
}

TEST_F(StaticProxy, GivesUpAtTheRoutesTimeout) {
  respond_ = false;
  AddCluster("backend", {StartUpstream()});
  xds::Route route = RouteTo("/", "backend");
  std::get<xds::RouteAction>(route.action).timeout = std::chrono::milliseconds(20);
  const auto at = AddListener({HttpChain({route})});
  const conn::FetchResponse answer = Get(at, "/");
  EXPECT_EQ(answer.head.status, 504);
  EXPECT_EQ(answer.body, "upstream request timeout");
  EXPECT_EQ(LastLine().flags, "UT");
}

TEST_F(StaticProxy, SpeaksHttp2OnBothSides) {
  AddCluster("backend", {StartUpstream()},
             [](xds::Cluster& cluster) { cluster.http.protocol = xds::UpstreamHttpOptions::Protocol::kHttp2; });
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  const conn::FetchResponse answer = Get(at, "/two", {}, "payload", nullptr, conn::Protocol::kHttp2);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.body, "POST /two example.com payload");
}

TEST_F(StaticProxy, AnswersGrpcCallsWithAStatus) {
  const auto at = AddListener({HttpChain({RouteTo("/known", "nowhere")})});
  const conn::FetchResponse answer =
      Get(at, "/unknown", {{"content-type", "application/grpc"}}, "x", nullptr, conn::Protocol::kHttp2);
  EXPECT_EQ(answer.head.status, 200);
  EXPECT_EQ(answer.head.headers.Get("grpc-status"), "12");
}

TEST_F(StaticProxy, EndsAGrpcCallAtItsOwnDeadlineWithTheStatusForThat) {
  respond_ = false;
  AddCluster("backend", {StartUpstream()});
  xds::Route route = RouteTo("/", "backend");
  std::get<xds::RouteAction>(route.action).max_stream_duration = xds::MaxStreamDuration{
      .max_stream_duration = {}, .grpc_timeout_header_max = Duration::zero(), .grpc_timeout_header_offset = {}};
  const auto at = AddListener({HttpChain({route})});
  const conn::FetchResponse answer = Get(at, "/", {{"content-type", "application/grpc"}, {"grpc-timeout", "20m"}}, "x",
                                         nullptr, conn::Protocol::kHttp2);
  EXPECT_EQ(answer.head.headers.Get("grpc-status"), "4");
  EXPECT_EQ(answer.head.headers.Get("grpc-message"), "downstream duration timeout");
  EXPECT_EQ(LastLine().details, "max_duration_timeout");
}

TEST_F(StaticProxy, EndsAGrpcCallAtTheTimeoutOfTheRouteWhenItsOwnDeadlineIsLater) {
  respond_ = false;
  AddCluster("backend", {StartUpstream()});
  xds::Route route = RouteTo("/", "backend");
  std::get<xds::RouteAction>(route.action).timeout = std::chrono::milliseconds(20);
  std::get<xds::RouteAction>(route.action).max_grpc_timeout = std::chrono::milliseconds(20);
  const auto at = AddListener({HttpChain({route})});
  for (const http::Headers& own : {http::Headers{}, http::Headers{{"grpc-timeout", "10S"}}}) {
    http::Headers headers = own;
    headers.Add("content-type", "application/grpc");
    const conn::FetchResponse answer = Get(at, "/", headers, "x", nullptr, conn::Protocol::kHttp2);
    EXPECT_EQ(answer.head.headers.Get("grpc-status"), "14");
    EXPECT_EQ(LastLine().details, "response_timeout");
  }
}

TEST_F(StaticProxy, RedirectsAndAnswersDirectly) {
  xds::Route redirect;
  redirect.match.path.value = "/old";
  redirect.action = xds::RedirectAction{.host = "other.example.com"};
  xds::Route direct;
  direct.match.path.value = "/direct";
  direct.action = xds::DirectResponse{418, {xds::DataSource::Kind::kInline, "short and stout"}};
  const auto at = AddListener({HttpChain({redirect, direct})});
  const conn::FetchResponse moved = Get(at, "/old/page");
  EXPECT_EQ(moved.head.status, 301);
  EXPECT_EQ(moved.head.headers.Get("location"), "http://other.example.com/old/page");
  EXPECT_EQ(Get(at, "/direct").body, "short and stout");
  EXPECT_EQ(LastLine().details, "direct_response");
}

TEST_F(StaticProxy, ProxiesTcpAndPassesTheEndsOn) {
  AddCluster("backend", {StartUpstream()});
  xds::FilterChain chain;
  xds::TcpProxy tcp;
  tcp.clusters.push_back({"backend", 1});
  chain.filters.push_back({"tcp", tcp});
  const auto at = AddListener({chain});
  // HTTP over a TCP proxy: the upstream's own answer comes back.
  const conn::FetchResponse answer = Get(at, "/raw");
  EXPECT_EQ(answer.body, "GET /raw example.com ");
  EXPECT_FALSE(answer.head.headers.Has("x-envoy-upstream-service-time"));
}

TEST_F(StaticProxy, TerminatesMutualTlsAndRoutesByServerName) {
  const tls::TestCa ca;
  const auto put = [&](const std::string& name, const tls::Identity& identity) {
    auto secret = std::make_shared<xds::Secret>();
    secret->name = name;
    secret->value = xds::TlsCertificate{
        {xds::DataSource::Kind::kInline, identity.chain_pem}, {xds::DataSource::Kind::kInline, identity.key_pem}, {}};
    ASSERT_TRUE(store_.PutSecret(secret, {}).has_value());
  };
  const tls::Identity server = ca.Issue("spiffe://cluster.local/ns/a/sa/server", "a.example.com");
  const tls::Identity client = ca.Issue("spiffe://cluster.local/ns/a/sa/client");
  put("default", server);
  AddCluster("backend", {StartUpstream()});

  xds::FilterChain chain = HttpChain({RouteTo("/", "backend")}, [](xds::HttpConnectionManager& manager) {
    manager.forward_client_cert = xds::HttpConnectionManager::ForwardClientCert::kSanitizeSet;
    manager.client_cert_details.uri = true;
  });
  chain.match.server_names = {"a.example.com"};
  xds::DownstreamTlsContext tls;
  tls.common.certificate_secrets.push_back({"default", xds::SecretRef::Source::kLocal});
  tls.common.validation = xds::ValidationContext{};
  tls.common.validation->trusted_ca = {xds::DataSource::Kind::kInline, ca.root_pem()};
  tls.common.alpn_protocols = {"h2", "http/1.1"};
  tls.require_client_certificate = true;
  chain.tls = tls;
  const auto at = AddListener({chain});

  tls::ContextOptions options;
  options.identities = {client};
  options.bundle_pem = ca.root_pem();
  options.alpn = {"h2"};
  auto stream = tls::Wrap(main_, io::Connect(main_, at), tls::Context::Make(options).value(), {.sni = "a.example.com"});
  const conn::FetchResponse answer = Get(at, "/secure", {}, "", std::move(stream));
  EXPECT_EQ(answer.head.status, 200);
  const std::string cert(answer.head.headers.Get("x-saw-x-forwarded-client-cert").value_or(""));
  EXPECT_NE(cert.find("URI=spiffe://cluster.local/ns/a/sa/client"), std::string::npos) << cert;
}

// Secure naming: servers with certificates of the mesh's CA, and clusters that say which identity each endpoint has.
class SecureNaming : public StaticProxy {
 protected:
  io::SocketAddress StartUpstreamOf(const std::string& account) {
    tls::ContextOptions options;
    options.server = true;
    options.identities = {ca_.Issue("spiffe://cluster.local/ns/a/sa/" + account)};
    options.peer.certificate = tls::PeerPolicy::Certificate::kNone;
    const auto context = tls::Context::Make(options).value();
    servers_.push_back(std::make_unique<conn::HttpServer>(main_, conn::HttpServerOptions{},
                                                          [this, account](conn::Request, conn::Responder responder) {
                                                            asked_ += account + " ";
                                                            responder.Send(conn::TextResponse(200, account));
                                                          }));
    return servers_.back()
        ->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value(),
                   [this, context](io::UniqueFd fd) {
                     return tls::Wrap(main_, io::AdoptSocket(main_, std::move(fd)), context);
                   })
        .value();
  }
  struct Endpoint {
    io::SocketAddress address;
    std::string account;
  };
  void AddSecureCluster(const std::string& name, const std::vector<Endpoint>& endpoints) {
    std::vector<io::SocketAddress> addresses;
    for (const Endpoint& endpoint : endpoints) addresses.push_back(endpoint.address);
    AddCluster(name, addresses, [&](xds::Cluster& cluster) {
      xds::UpstreamTlsContext tls;
      tls.common.validation = xds::ValidationContext{};
      tls.common.validation->trusted_ca = {xds::DataSource::Kind::kInline, ca_.root_pem()};
      cluster.tls = tls;
      auto& told = cluster.load_assignment.localities[0].endpoints;
      for (std::size_t i = 0; i < endpoints.size(); ++i)
        told[i].identity = "spiffe://cluster.local/ns/a/sa/" + endpoints[i].account;
    });
  }

  const tls::TestCa ca_;
  std::string asked_;  // the accounts of the servers that got a request
};

TEST_F(SecureNaming, RefusesAnUpstreamWithAnotherIdentity) {
  AddSecureCluster("backend", {{StartUpstreamOf("other"), "wanted"}});
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  EXPECT_EQ(Get(at, "/").head.status, 503);
  EXPECT_EQ(LastLine().flags, "UF");
  EXPECT_EQ(asked_, "");
}

TEST_F(SecureNaming, OfAServiceWithTwoAccountsEachEndpointIsTakenOnlyWithItsOwn) {
  const io::SocketAddress blue = StartUpstreamOf("blue");
  const io::SocketAddress green = StartUpstreamOf("green");
  AddSecureCluster("right", {{blue, "blue"}, {green, "green"}});
  AddSecureCluster("swapped", {{blue, "green"}, {green, "blue"}});
  const auto at = AddListener({HttpChain({RouteTo("/right", "right"), RouteTo("/swapped", "swapped")})});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Get(at, "/swapped").head.status, 503);
  EXPECT_EQ(asked_, "");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Get(at, "/right").head.status, 200);
  EXPECT_NE(asked_.find("blue"), std::string::npos);
  EXPECT_NE(asked_.find("green"), std::string::npos);
}

TEST_F(StaticProxy, AppliesANewListenerToNewConnections) {
  AddCluster("one", {StartUpstream(201)});
  AddCluster("two", {StartUpstream(202)});
  const auto at = AddListener({HttpChain({RouteTo("/", "one")})});
  EXPECT_EQ(Get(at, "/").head.status, 201);
  xds::Listener changed;
  changed.name = "listener-1";
  changed.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  changed.filter_chains = {HttpChain({RouteTo("/", "two")})};
  ASSERT_TRUE(store_.PutListener(Named(std::move(changed)), true).has_value());
  // The worker takes the change in one of its next rounds.
  EXPECT_TRUE(main_.RunUntil([&] { return Get(at, "/").head.status == 202; }, kLimit));
}

}  // namespace
}  // namespace plait::proxy::worker
