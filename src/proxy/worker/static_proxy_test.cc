// The whole data path over loopback: a listener, filter chains, routes, clusters and pools on a worker's own thread,
// with real sockets on both sides.
#include <gtest/gtest.h>

#include <mutex>

#include "core/conn/http_client.h"
#include "core/conn/http_server.h"
#include "core/telemetry/registry.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "proxy/record/log_writer.h"
#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

// Keeps what was recorded of each request and connection, as text that tests compare.
class FakeRecorder final : public record::Recorder {
 public:
  struct Line {
    std::uint16_t code;
    std::string flags;
    std::string details;
    std::string route;
    std::uint64_t received, sent;
    std::uint32_t attempts;
  };
  struct Lines {
    std::mutex mutex;
    std::vector<Line> all;
  };
  explicit FakeRecorder(Lines& lines) : lines_(lines) {}
  void RequestEnded(const record::StreamRecord& record, const record::AccessLogs*) override {
    const std::lock_guard lock(lines_.mutex);
    lines_.all.push_back({record.response_code, record.flags.ToString(), record.response_details,
                          std::string(record.route_name), record.bytes_received, record.bytes_sent, record.attempts});
  }
  void ConnectionOpened(const record::StreamRecord&) override {}
  void ConnectionProgress(const record::StreamRecord&, record::TcpProgress&) override {}
  void ConnectionEnded(const record::StreamRecord& record, record::TcpProgress&, const record::AccessLogs*) override {
    const std::lock_guard lock(lines_.mutex);
    lines_.all.push_back({0, record.flags.ToString(), record.termination_details, "", record.bytes_received,
                          record.bytes_sent, record.attempts});
  }

 private:
  Lines& lines_;
};

xds::WeightedCluster To(std::string cluster) {
  xds::WeightedCluster target;
  target.name = std::move(cluster);
  return target;
}

xds::Route RouteTo(std::string prefix, std::string cluster) {
  xds::Route route;
  route.name = cluster;
  route.match.path.value = std::move(prefix);
  xds::RouteAction action;
  action.clusters.push_back(To(std::move(cluster)));
  route.action = std::move(action);
  return route;
}

class StaticProxy : public testing::Test {
 protected:
  StaticProxy()
      : sockets_({}),
        store_(main_, {registry_, logs_}, secrets_, sockets_, "", std::chrono::seconds(1)),
        balance_(1),
        worker_({.index = 0}, {.secrets = secrets_,
                               .balance = balance_,
                               .demands = store_,
                               .make_recorder =
                                   [this](io::Loop&, const cluster::DestinationIndex&) {
                                     return std::make_unique<FakeRecorder>(lines_);
                                   },
                               .give_away = [](std::size_t, io::UniqueFd&, const std::string&) { return false; }}) {
    store_.SetWorkers({&worker_});
    worker_.StartThread();
  }

  // An upstream that tells what it was asked.
  io::SocketAddress StartUpstream(std::uint16_t status = 200) {
    auto server = std::make_unique<conn::HttpServer>(
        main_, conn::HttpServerOptions{}, [this, status](conn::Request request, conn::Responder responder) {
          ++upstream_requests_;
          std::string text =
              request.head.method + " " + request.head.path + " " + request.head.authority + " " + request.body;
          conn::Response response = conn::TextResponse(status, std::move(text));
          for (const http::HeaderView field : request.head.headers) {
            response.headers.Add("x-saw-" + std::string(field.name), field.value);
          }
          if (respond_)
            responder.Send(std::move(response));
          else
            silent_.push_back(std::move(responder));
        });
    const io::SocketAddress address = server->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    servers_.push_back(std::move(server));
    return address;
  }

  void AddCluster(const std::string& name, const std::vector<io::SocketAddress>& hosts,
                  std::function<void(xds::Cluster&)> change = {}) {
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = name;
    cluster->load_assignment.cluster_name = name;
    cluster->connect_timeout = std::chrono::seconds(1);
    xds::LocalityEndpoints& endpoints = cluster->load_assignment.localities.emplace_back();
    for (const io::SocketAddress& host : hosts) endpoints.endpoints.emplace_back().address = host;
    if (change) change(*cluster);
    xds::Resource<xds::Cluster> resource;
    resource.name = name;
    resource.value = std::move(cluster);
    const auto put = store_.PutCluster(resource, true);
    ASSERT_TRUE(put.has_value()) << put.error().ToString();
  }

  io::SocketAddress AddListener(std::vector<xds::FilterChain> chains, std::function<void(xds::Listener&)> change = {}) {
    auto listener = std::make_shared<xds::Listener>();
    listener->name = "listener-" + std::to_string(++listeners_);
    listener->addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
    listener->filter_chains = std::move(chains);
    if (change) change(*listener);
    xds::Resource<xds::Listener> resource;
    resource.name = listener->name;
    resource.value = listener;
    const auto put = store_.PutListener(resource, true);
    EXPECT_TRUE(put.has_value()) << put.error().ToString();
    return sockets_.AddressesOf(listener->name).at(0);
  }

  static xds::FilterChain HttpChain(std::vector<xds::Route> routes,
                                    std::function<void(xds::HttpConnectionManager&)> change = {}) {
    xds::RouteConfiguration table;
    table.name = "local";
    xds::VirtualHost& host = table.virtual_hosts.emplace_back();
    host.name = "all";
    host.domains = {"*"};
    host.routes = std::move(routes);
    xds::HttpConnectionManager manager;
    manager.routes = std::move(table);
    manager.filters.emplace_back().config = xds::RouterFilter{};
    if (change) change(manager);
    xds::FilterChain chain;
    chain.filters.push_back({"http", std::move(manager)});
    return chain;
  }

  conn::FetchResponse Get(const io::SocketAddress& to, const std::string& path, http::Headers headers = {},
                          std::string body = {}, std::unique_ptr<io::Stream> stream = nullptr,
                          conn::Protocol protocol = conn::Protocol::kDetect) {
    conn::FetchRequest request;
    request.to = to;
    request.stream = std::move(stream);
    request.protocol = protocol;
    request.head.method = body.empty() ? "GET" : "POST";
    request.head.path = path;
    request.head.authority = "example.com";
    request.head.scheme = "http";
    request.head.headers = std::move(headers);
    request.body = std::move(body);
    std::optional<Result<conn::FetchResponse>> answer;
    const Pending pending =
        conn::Fetch(main_, std::move(request), [&](Result<conn::FetchResponse> got) { answer = std::move(got); });
    main_.RunUntil([&] { return answer.has_value(); }, kLimit);
    if (!answer || !*answer) {
      ADD_FAILURE() << "no answer: " << (answer ? answer->error().detail : "time-out");
      return {};
    }
    return **std::move(answer);
  }

  FakeRecorder::Line LastLine() {
    main_.RunUntil(
        [&] {
          const std::lock_guard lock(lines_.mutex);
          return !lines_.all.empty();
        },
        kLimit);
    const std::lock_guard lock(lines_.mutex);
    return lines_.all.empty() ? FakeRecorder::Line{} : lines_.all.back();
  }

  io::Loop main_;
  telemetry::Registry registry_;
  record::LogWriter logs_;
  Secrets secrets_;
  Sockets sockets_;
  ConfigStore store_;
  Balance balance_;
  FakeRecorder::Lines lines_;
  Worker worker_;
  std::vector<std::unique_ptr<conn::HttpServer>> servers_;
  std::vector<conn::Responder> silent_;
  int listeners_ = 0;
  int upstream_requests_ = 0;
  bool respond_ = true;
};

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
    ASSERT_TRUE(store_.PutSecret(secret).has_value());
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
  tls.common.certificate_secrets.push_back({"default", xds::SecretRef::Source::kLocal, ""});
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

TEST_F(StaticProxy, RefusesAnUpstreamWithAnotherIdentity) {
  const tls::TestCa ca;
  const tls::Identity server = ca.Issue("spiffe://cluster.local/ns/a/sa/other");
  tls::ContextOptions options;
  options.server = true;
  options.identities = {server};
  options.peer.certificate = tls::PeerPolicy::Certificate::kNone;
  const auto context = tls::Context::Make(options).value();
  auto upstream = std::make_unique<conn::HttpServer>(
      main_, conn::HttpServerOptions{},
      [](conn::Request, conn::Responder responder) { responder.Send(conn::TextResponse(200, "never")); });
  const io::SocketAddress address =
      upstream
          ->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value(),
                     [&](io::UniqueFd fd) { return tls::Wrap(main_, io::AdoptSocket(main_, std::move(fd)), context); })
          .value();
  servers_.push_back(std::move(upstream));
  AddCluster("backend", {address}, [&](xds::Cluster& cluster) {
    xds::UpstreamTlsContext tls;
    tls.common.validation = xds::ValidationContext{};
    tls.common.validation->trusted_ca = {xds::DataSource::Kind::kInline, ca.root_pem()};
    cluster.tls = tls;
    cluster.load_assignment.localities[0].endpoints[0].identity = "spiffe://cluster.local/ns/a/sa/wanted";
  });
  const auto at = AddListener({HttpChain({RouteTo("/", "backend")})});
  EXPECT_EQ(Get(at, "/").head.status, 503);
  EXPECT_EQ(LastLine().flags, "UF");
}

TEST_F(StaticProxy, AppliesANewListenerToNewConnections) {
  AddCluster("one", {StartUpstream(201)});
  AddCluster("two", {StartUpstream(202)});
  const auto at = AddListener({HttpChain({RouteTo("/", "one")})});
  EXPECT_EQ(Get(at, "/").head.status, 201);
  auto changed = std::make_shared<xds::Listener>();
  changed->name = "listener-1";
  changed->addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
  changed->filter_chains = {HttpChain({RouteTo("/", "two")})};
  xds::Resource<xds::Listener> resource;
  resource.name = changed->name;
  resource.value = changed;
  ASSERT_TRUE(store_.PutListener(resource, true).has_value());
  // The worker takes the change in one of its next rounds.
  EXPECT_TRUE(main_.RunUntil([&] { return Get(at, "/").head.status == 202; }, kLimit));
}

}  // namespace
}  // namespace plait::proxy::worker
