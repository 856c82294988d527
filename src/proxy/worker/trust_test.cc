// Secrets change under open connections (semantics.md 5): exactly those whose peers would be refused now are closed.
// Those from clients, and TCP connections, which have both sides.
#include "core/http2/codec.h"
#include "proxy/worker/test_trust.h"

namespace plait::proxy::worker {
namespace {

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

}  // namespace
}  // namespace plait::proxy::worker
