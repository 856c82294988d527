// Secrets change under open connections (semantics.md 5): exactly those whose peers would be refused now are closed.
#include "core/http2/codec.h"
#include "core/tls/test_handshake.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

using xds::DataSource;

constexpr const char* kGone = "peer_no_longer_trusted{peer_certificate:_unable_to_get_local_issuer_certificate}";

// Requests on one HTTP/2 connection. What the server says counts for nothing before Hear.
class Http2Requests final : public http::ClientCodecEvents {
 public:
  struct Asked final : http::ClientStreamEvents {
    std::uint16_t status = 0;
    http::ResetReason reset = http::ResetReason::kNone;
    bool closed = false;
    void OnInformational(http::ResponseHead) override {}
    void OnResponseHead(http::ResponseHead head, bool) override { status = head.status; }
    void OnData(Buffer&, bool) override {}
    void OnTrailers(http::Headers) override {}
    void OnReset(http::ResetReason reason) override { reset = reason; }
    void OnBelowLowWatermark() override {}
    void OnStreamClosed() override { closed = true; }
  };
  explicit Http2Requests(tls::End& end) : end_(end) {}
  const Asked& Ask() {
    Asked& asked = *asked_.emplace_back(std::make_unique<Asked>());
    http::RequestHead head{.method = "GET", .path = "/"};
    head.scheme = "https";
    head.authority = "a";
    codec_->NewStream(asked)->SendHead(head, true);
    Say();
    return asked;
  }
  void Hear() {
    EXPECT_TRUE(codec_->Feed(end_.received).has_value());
    Say();
  }

 private:
  void OnOutputReady() override {}
  void OnGoAway() override {}
  void OnMaxStreamsChanged() override {}
  void Say() {
    codec_->OnOutputDrained();
    EXPECT_TRUE(end_.stream->Write(codec_->output()).has_value());
  }

  tls::End& end_;
  const http::CodecOptions options_;
  std::vector<std::unique_ptr<Asked>> asked_;
  const std::unique_ptr<http::ClientCodec> codec_ = http2::NewClientCodec(*this, options_);
};

class Trust : public StaticProxy {
 protected:
  explicit Trust(Duration drain_time = WorkerOptions{}.drain_time)
      : StaticProxy({}, std::chrono::seconds(1), {.drain_time = drain_time}) {}
  void PutRoots(const std::string& pem, const std::string& crl = {}) {
    auto secret = std::make_shared<xds::Secret>();
    secret->name = "ROOTCA";
    xds::ValidationContext validation;
    validation.trusted_ca = {DataSource::Kind::kInline, pem};
    if (!crl.empty()) validation.crl = {DataSource::Kind::kInline, crl};
    secret->value = std::move(validation);
    ASSERT_TRUE(store_.PutSecret(secret, {}).has_value());
  }
  void PutOwn(const tls::Identity& identity) {
    auto secret = std::make_shared<xds::Secret>();
    secret->name = "default";
    secret->value = xds::TlsCertificate{
        {DataSource::Kind::kInline, identity.chain_pem}, {DataSource::Kind::kInline, identity.key_pem}, {}};
    ASSERT_TRUE(store_.PutSecret(secret, {}).has_value());
  }
  void SetUp() override {
    PutRoots(old_.root_pem());
    PutOwn(old_.Issue(tls::kServer));
  }
  static xds::CommonTlsContext MeshTls() {
    xds::CommonTlsContext tls;
    tls.certificate_secrets.push_back({"default", xds::SecretRef::Source::kLocal, ""});
    tls.validation = xds::ValidationContext{};
    tls.validation_secret = xds::SecretRef{.name = "ROOTCA", .source = xds::SecretRef::Source::kLocal, .path = {}};
    return tls;
  }

  // Downstream: a listener that demands certificates, and clients that keep their connections.
  io::SocketAddress AddStrictListener(xds::FilterChain chain) {
    chain.name = "strict";
    chain.tls = xds::DownstreamTlsContext{};
    chain.tls->common = MeshTls();
    chain.tls->require_client_certificate = true;
    listener_ = xds::Listener{};
    return AddListener({std::move(chain)}, [&](xds::Listener& listener) {
      listener.access_logs.push_back({.target = xds::AccessLog::Target::kFile, .path = "/dev/null"});
      listener_ = listener;
    });
  }
  static xds::FilterChain TcpChain(const std::string& cluster) {
    xds::TcpProxy tcp;
    tcp.clusters.push_back({cluster, 1});
    xds::FilterChain chain;
    chain.filters.push_back({"tcp", std::move(tcp)});
    return chain;
  }
  using Client = std::unique_ptr<tls::End>;
  std::unique_ptr<io::Stream> AsClient(const tls::Identity& own, std::unique_ptr<io::Stream> stream) {
    tls::ContextOptions options;
    options.identities = {own};
    options.bundle_pem = old_.root_pem() + new_.root_pem();
    return tls::Wrap(main_, std::move(stream), tls::Make(options));
  }
  Client Connect(const io::SocketAddress& at, const tls::Identity& own) {
    auto client = std::make_unique<tls::End>(AsClient(own, io::Connect(main_, at)));
    EXPECT_TRUE(main_.RunUntil([&] { return client->open; }, kLimit));
    EXPECT_TRUE(Asks(client));
    return client;
  }
  Client Connect(const io::SocketAddress& at, const tls::TestCa& ca) { return Connect(at, ca.Issue(tls::kClient)); }
  static bool Ended(const Client& client) { return client->ended || client->failed; }
  // Whether a request on this connection has an answer.
  bool Asks(const Client& client) {
    if (Ended(client)) return false;
    client->received.Clear();
    Buffer request("GET /kept HTTP/1.1\r\nhost: a\r\n\r\n");
    if (!client->stream->Write(request)) return false;
    main_.RunUntil([&] { return Ended(client) || client->received.Find("GET /kept") != SIZE_MAX; }, kLimit);
    return client->received.Find("GET /kept") != SIZE_MAX;
  }
  // A request that the upstream has, and answers when it is told to.
  void BeginRequest(const Client& client) {
    respond_ = false;
    Buffer request("GET /held HTTP/1.1\r\nhost: a\r\n\r\n");
    ASSERT_TRUE(client->stream->Write(request));
    ASSERT_TRUE(main_.RunUntil([&] { return !silent_.empty(); }, kLimit));
  }
  bool IsClosed(const Client& client) {
    return main_.RunUntil([&] { return Ended(client); }, kLimit);
  }
  std::vector<std::string> Others() {
    const std::lock_guard lock(lines_.mutex);
    return lines_.others;
  }

  void ChangeListener(xds::FilterChain chain) {
    xds::Listener changed = listener_;
    changed.filter_chains = {std::move(chain)};
    ASSERT_TRUE(store_.PutListener(Named(std::move(changed)), true).has_value());
  }
  // A chain that lets in who proves this identity.
  static xds::FilterChain Only(const std::string& identity, xds::FilterChain chain) {
    xds::RbacPolicy policy{.name = "only", .permissions = {xds::Permission{}}, .principals = {}};
    xds::Principal& who = policy.principals.emplace_back();
    who.kind = xds::Principal::Kind::kAuthenticated;
    who.has_text = true;
    who.text.kind = xds::StringMatcher::Kind::kExact;
    who.text.value = identity;
    xds::NetworkRbac rbac;
    rbac.rules = xds::RbacRules{};
    rbac.rules->policies.push_back(std::move(policy));
    chain.filters.insert(chain.filters.begin(), {"rbac", std::move(rbac)});
    return chain;
  }
  // A client that is connected and has not begun its handshake, while another one is served.
  std::unique_ptr<io::Stream> Knock(const io::SocketAddress& at) {
    const std::uint32_t served = worker_.connections();
    auto stream = io::Connect(main_, at);
    EXPECT_TRUE(main_.RunUntil([&] { return worker_.connections() == served + 1; }, kLimit));
    return stream;
  }
  // The stream has told that it is open; the one that gives it again tells so anew.
  Client Shake(const tls::TestCa& ca, std::unique_ptr<io::Stream> stream) {
    auto client = std::make_unique<tls::End>(
        AsClient(ca.Issue(tls::kClient), session::GiveAgain(main_, std::move(stream), Buffer())));
    main_.RunUntil([&] { return client->open || Ended(client); }, kLimit);
    return client;
  }
  void AuthorizesByTheHandshake(const xds::FilterChain& chain) {
    const auto at = AddStrictListener(Only(tls::kClient, chain));
    const Client other = Connect(at, old_);
    auto stream = Knock(at);
    PutRoots(BothRoots());
    EXPECT_TRUE(Asks(Connect(at, new_))) << "the worker has heard of it";
    const Client client = Shake(old_, std::move(stream));
    ASSERT_TRUE(client->open);
    EXPECT_TRUE(Asks(client));
  }
  void AuthorizesByTheRulesOfNow(const xds::FilterChain& chain) {
    const auto at = AddStrictListener(Only(tls::kClient, chain));
    const Client other = Connect(at, old_);
    auto stream = Knock(at);
    xds::FilterChain changed = Only(tls::kServer, chain);
    changed.name = listener_.filter_chains[0].name;
    changed.tls = listener_.filter_chains[0].tls;
    ChangeListener(std::move(changed));
    EXPECT_TRUE(IsClosed(other)) << "the worker has heard of it";
    const int asked = upstream_requests_;
    const Client client = Shake(old_, std::move(stream));
    EXPECT_FALSE(Asks(client));
    EXPECT_TRUE(IsClosed(client));
    EXPECT_EQ(upstream_requests_, asked);
  }

  // Upstream: a server of the mesh; `servers_own_` is what it shows to connections that come.
  io::SocketAddress StartMeshServer() {
    servers_.push_back(std::make_unique<conn::HttpServer>(
        main_, conn::HttpServerOptions{}, [this](conn::Request request, conn::Responder responder) {
          if (hold_) return held_.push_back(std::move(responder));
          responder.Send(conn::TextResponse(200, "GET " + request.head.path));
        }));
    return servers_.back()
        ->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value(),
                   [this](io::UniqueFd fd) {
                     ++accepted_;
                     auto options = tls::Options(true, servers_own_, BothRoots());
                     options.alpn.clear();
                     return tls::Wrap(main_, io::AdoptSocket(main_, std::move(fd)), tls::Make(options));
                   })
        .value();
  }
  std::string AddMeshCluster(const std::string& name) {
    AddCluster(name, {StartMeshServer()}, [&](xds::Cluster& cluster) {
      cluster.tls = xds::UpstreamTlsContext{};
      cluster.tls->common = MeshTls();
      cluster.load_assignment.localities[0].endpoints[0].identity = tls::kServer;
    });
    return name;
  }
  Client ConnectInPlaintext(const io::SocketAddress& at) {
    auto client = std::make_unique<tls::End>(io::Connect(main_, at));
    EXPECT_TRUE(main_.RunUntil([&] { return client->open; }, kLimit));
    EXPECT_TRUE(Asks(client));
    return client;
  }
  std::string BothRoots() const { return old_.root_pem() + new_.root_pem(); }

  const tls::TestCa old_{"old root"};
  const tls::TestCa new_{"new root"};
  xds::Listener listener_;
  tls::Identity servers_own_ = old_.Issue(tls::kServer);
  int accepted_ = 0;
  bool hold_ = false;
  std::vector<conn::Responder> held_;
};

TEST_F(Trust, AClientWhoseRootHasGoneIsDisconnectedAndNoOther) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const Client of_old = Connect(at, old_);
  PutRoots(BothRoots());
  PutOwn(new_.Issue(tls::kServer));
  const Client of_new = Connect(at, new_);
  EXPECT_TRUE(Asks(of_old));
  PutRoots(new_.root_pem());
  EXPECT_TRUE(IsClosed(of_old));
  EXPECT_TRUE(Asks(of_new));
  EXPECT_TRUE(main_.RunUntil([&] { return !Others().empty(); }, kLimit));
  EXPECT_EQ(Others(), std::vector<std::string>{"LR " + std::string(kGone) + " strict 1"});
}

TEST_F(Trust, ARequestThatRunsWhenTheRootOfItsClientGoesMayEndAndEndsItsConnection) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const Client idles = Connect(at, old_);
  const Client runs = Connect(at, old_);
  BeginRequest(runs);
  PutRoots(new_.root_pem());
  EXPECT_TRUE(IsClosed(idles)) << "the worker has heard of it";
  EXPECT_FALSE(Ended(runs));
  silent_.front().Send(conn::TextResponse(200, "late"));
  EXPECT_TRUE(IsClosed(runs));
  EXPECT_NE(runs->received.Find("connection: close"), SIZE_MAX) << runs->received.ToString();
  EXPECT_NE(runs->received.Find("late"), SIZE_MAX);
  EXPECT_EQ(LastLine().code, 200);
  EXPECT_EQ(LastLine().flags, "-");
  EXPECT_TRUE(main_.RunUntil([&] { return Others().size() == 2; }, kLimit));
  EXPECT_EQ(Others(), std::vector<std::string>(2, "LR " + std::string(kGone) + " strict 1"));
}

TEST_F(Trust, AnHttp2ClientWhoseRootHasGoneHasNoFurtherRequestTaken) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const Client idles = Connect(at, old_);
  const Client client = Shake(old_, io::Connect(main_, at));
  Http2Requests requests(*client);
  respond_ = false;
  const auto& runs = requests.Ask();
  ASSERT_TRUE(main_.RunUntil([&] { return !silent_.empty(); }, kLimit));
  PutRoots(new_.root_pem());
  EXPECT_TRUE(IsClosed(idles)) << "the worker has heard of it";
  const auto& late = requests.Ask();
  const auto hears_until = [&](const std::function<bool()>& done) {
    return main_.RunUntil([&] { return requests.Hear(), done(); }, kLimit);
  };
  EXPECT_TRUE(main_.RunUntil([&] { return LastLine().flags == "LR"; }, kLimit)) << "refused by the proxy";
  EXPECT_EQ(LastLine().details, kGone);
  EXPECT_TRUE(hears_until([&] { return late.closed; }));
  EXPECT_EQ(late.reset, http::ResetReason::kRefused) << "it may be tried on another connection";
  silent_.front().Send(conn::TextResponse(200, "late"));
  EXPECT_TRUE(hears_until([&] { return runs.closed; }));
  EXPECT_EQ(runs.status, 200);
  EXPECT_TRUE(IsClosed(client));
  EXPECT_EQ(upstream_requests_, 2) << "one of each connection";
}

class HastyTrust : public Trust {
 protected:
  HastyTrust() : Trust(std::chrono::milliseconds(50)) {}
};

TEST_F(HastyTrust, ARequestThatRunsForAClientWhoseRootHasGoneIsCutOffAfterTheDrainTimeAndToldWhy) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const Client client = Connect(at, old_);
  BeginRequest(client);
  PutRoots(new_.root_pem());
  EXPECT_TRUE(IsClosed(client));
  EXPECT_TRUE(main_.RunUntil([&] { return LastLine().flags == "LR"; }, kLimit));
  EXPECT_EQ(LastLine().details, kGone);
}

TEST_F(Trust, ARequestThatRunsForARevokedClientIsCutOffAndToldWhy) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const tls::Identity stolen = old_.Issue(tls::kClient);
  const Client client = Connect(at, stolen);
  BeginRequest(client);
  PutRoots(old_.root_pem(), old_.Revoke({stolen}));
  EXPECT_TRUE(IsClosed(client));
  EXPECT_TRUE(main_.RunUntil([&] { return LastLine().flags == "LR"; }, kLimit));
  EXPECT_EQ(LastLine().details, "peer_no_longer_trusted{peer_certificate:_certificate_revoked}");
}

TEST_F(Trust, ARevokedClientIsDisconnectedAndNoOther) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const tls::Identity stolen = old_.Issue(tls::kClient);
  const Client revoked = Connect(at, stolen);
  const Client other = Connect(at, old_);
  PutRoots(old_.root_pem(), old_.Revoke({old_.Issue(tls::kClient)}));
  EXPECT_TRUE(Asks(revoked));
  PutRoots(old_.root_pem(), old_.Revoke({stolen}));
  EXPECT_TRUE(IsClosed(revoked));
  EXPECT_TRUE(Asks(other));
  EXPECT_TRUE(main_.RunUntil([&] { return !Others().empty(); }, kLimit));
  EXPECT_EQ(Others().at(0), "LR peer_no_longer_trusted{peer_certificate:_certificate_revoked} strict 1");
}

TEST_F(Trust, AClientOfATrustDomainThatIsNoAliasAnyMoreIsDisconnectedAndNoOther) {
  AddCluster("backend", {StartUpstream()});
  const auto with = [](std::vector<std::string> prefixes) {
    std::vector<xds::SubjectAltNameMatcher> names;
    for (std::string& prefix : prefixes) {
      xds::SubjectAltNameMatcher& name = names.emplace_back();
      name.matcher.kind = xds::StringMatcher::Kind::kPrefix;
      name.matcher.value = std::move(prefix);
    }
    return names;
  };
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  const auto allow = [&](std::vector<std::string> prefixes) {
    xds::FilterChain changed = listener_.filter_chains[0];
    changed.tls->common.validation->subject_alt_names = with(std::move(prefixes));
    ChangeListener(std::move(changed));
  };
  allow({"spiffe://cluster.local/", "spiffe://old.domain/"});
  const Client own = Connect(at, old_);
  const Client alias = Connect(at, old_.Issue("spiffe://old.domain/ns/default/sa/client"));
  allow({"spiffe://cluster.local/"});
  EXPECT_TRUE(IsClosed(alias));
  EXPECT_TRUE(Asks(own));
}

TEST_F(Trust, AHandshakeThatBeganUnderTheOldRootsEndsUnderTheNewOnes) {
  AddCluster("backend", {StartUpstream()});
  const auto at = AddStrictListener(HttpChain({RouteTo("/", "backend")}));
  auto stream = Knock(at);
  PutRoots(new_.root_pem());
  // The worker has heard of it when another client is judged by it.
  const Client other = Connect(at, new_);
  const Client client = Shake(old_, std::move(stream));
  Buffer request("GET /kept HTTP/1.1\r\nhost: a\r\n\r\n");
  if (client->open) {
    EXPECT_TRUE(client->stream->Write(request));
  }
  EXPECT_TRUE(IsClosed(client));
  EXPECT_EQ(upstream_requests_, 1) << "the other client's";
}

TEST_F(Trust, AnHttpClientIsAuthorizedByTheIdentityThatItsHandshakeProvesWhateverChangesMeanwhile) {
  AddCluster("backend", {StartUpstream()});
  AuthorizesByTheHandshake(HttpChain({RouteTo("/", "backend")}));
}

TEST_F(Trust, ATcpClientIsAuthorizedByTheIdentityThatItsHandshakeProvesWhateverChangesMeanwhile) {
  AddCluster("backend", {StartUpstream()});
  AuthorizesByTheHandshake(TcpChain("backend"));
}

TEST_F(Trust, AnHttpClientIsAuthorizedByTheRulesThatHoldWhenItsHandshakeEnds) {
  AddCluster("backend", {StartUpstream()});
  AuthorizesByTheRulesOfNow(HttpChain({RouteTo("/", "backend")}));
}

TEST_F(Trust, ATcpClientIsAuthorizedByTheRulesThatHoldWhenItsHandshakeEnds) {
  AddCluster("backend", {StartUpstream()});
  AuthorizesByTheRulesOfNow(TcpChain("backend"));
}

TEST_F(Trust, ATcpConnectionIsJudgedByTheTransportSocketThatItsHostHasNow) {
  const std::vector<io::SocketAddress> server = {StartMeshServer()};
  const auto put = [&](std::vector<xds::TransportSocketMatch> matches) {
    AddCluster("backend", server, [&](xds::Cluster& cluster) {
      cluster.transport_socket_matches = std::move(matches);
      xds::Endpoint& endpoint = cluster.load_assignment.localities[0].endpoints[0];
      endpoint.identity = tls::kServer;
      endpoint.transport_socket_match = {{"tlsMode", "istio"}};
    });
  };
  xds::TransportSocketMatch istio{.name = "istio", .match = {{"tlsMode", "istio"}}, .tls = xds::UpstreamTlsContext{}};
  istio.tls->common = MeshTls();
  put({istio});
  const auto at = AddListener({TcpChain("backend")});
  const Client client = ConnectInPlaintext(at);
  ASSERT_EQ(accepted_, 1);
  put({{.name = "off", .match = {{"tlsMode", "off"}}, .tls = std::nullopt}, istio});
  EXPECT_TRUE(Asks(client));
  PutRoots(new_.root_pem());
  EXPECT_TRUE(IsClosed(client));
}

TEST_F(Trust, ATcpConnectionEndsWithTheTrustInEitherOfItsPeers) {
  const std::string backend = AddMeshCluster("backend");
  const auto strict = AddStrictListener(TcpChain(backend));
  const auto plain = AddListener({TcpChain(backend)});
  PutRoots(BothRoots());
  const Client of_old = Connect(strict, old_);
  const Client to_old = ConnectInPlaintext(plain);
  servers_own_ = new_.Issue(tls::kServer);
  PutOwn(new_.Issue(tls::kServer));
  const Client of_new = Connect(strict, new_);
  const Client to_new = ConnectInPlaintext(plain);
  for (const Client* kept : {&of_old, &to_old, &of_new, &to_new}) {
    EXPECT_TRUE(Asks(*kept));
  }
  PutRoots(new_.root_pem());
  EXPECT_TRUE(IsClosed(of_old));
  EXPECT_TRUE(IsClosed(to_old));
  EXPECT_TRUE(Asks(of_new));
  EXPECT_TRUE(Asks(to_new));
  std::vector<std::string> said;
  main_.RunUntil(
      [&] {
        const std::lock_guard lock(lines_.mutex);
        said.clear();
        for (const FakeRecorder::Line& line : lines_.all) said.push_back(line.flags + " " + line.details);
        return said.size() == 2;
      },
      kLimit);
  std::sort(said.begin(), said.end());
  EXPECT_EQ(said, (std::vector<std::string>{
                      "LR " + std::string(kGone),
                      "LR upstream_no_longer_trusted{peer_certificate:_unable_to_get_local_issuer_certificate}"}));
}

TEST_F(Trust, APooledConnectionToAServerWhoseRootHasGoneTakesNoMoreRequests) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Get(at, "/").head.status, 200);
  }
  PutRoots(BothRoots());
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 1) << "a further root changes nothing";
  PutRoots(new_.root_pem());
  EXPECT_EQ(Get(at, "/").head.status, 503);
  EXPECT_EQ(LastLine().flags, "UF");
  servers_own_ = new_.Issue(tls::kServer);
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 3);
}

TEST_F(Trust, ARequestThatRunsToADistrustedServerMayEnd) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  hold_ = true;
  std::optional<std::uint16_t> status;
  const Pending asked =
      conn::Fetch(main_, {.to = at, .head = {.method = "GET", .path = "/"}},
                  [&](const Result<conn::FetchResponse>& got) { status = got ? got->head.status : 0; });
  ASSERT_TRUE(main_.RunUntil([&] { return !held_.empty(); }, kLimit));
  PutRoots(new_.root_pem());
  hold_ = false;
  EXPECT_EQ(Get(at, "/").head.status, 503) << "the worker has heard of it, and makes no new one";
  held_.front().Send(conn::TextResponse(200, "late"));
  EXPECT_TRUE(main_.RunUntil([&] { return status.has_value(); }, kLimit));
  EXPECT_EQ(status, 200);
}

TEST_F(HastyTrust, ARequestThatRunsToAServerWhoseRootHasGoneIsCutOffAfterTheDrainTime) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  hold_ = true;
  std::optional<std::uint16_t> status;
  const Pending asked =
      conn::Fetch(main_, {.to = at, .head = {.method = "GET", .path = "/"}},
                  [&](const Result<conn::FetchResponse>& got) { status = got ? got->head.status : 0; });
  ASSERT_TRUE(main_.RunUntil([&] { return !held_.empty(); }, kLimit));
  PutRoots(new_.root_pem());
  EXPECT_TRUE(main_.RunUntil([&] { return status.has_value(); }, std::chrono::seconds(4)));
  EXPECT_EQ(status, 503);
}

TEST_F(Trust, ARenewedCertificateOfOurOwnEndsPooledConnectionsOnlyWhenItHasAnotherRoot) {
  const auto at = AddListener({HttpChain({RouteTo("/", AddMeshCluster("backend"))})});
  PutRoots(BothRoots());
  EXPECT_EQ(Get(at, "/").head.status, 200);
  PutOwn(old_.Issue(tls::kServer));
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 1);
  PutOwn(new_.Issue(tls::kServer));
  EXPECT_EQ(Get(at, "/").head.status, 200);
  EXPECT_EQ(accepted_, 2);
}

}  // namespace
}  // namespace plait::proxy::worker
