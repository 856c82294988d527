#pragma once
// A worker whose secrets change under open connections: downstream a listener that demands certificates of the mesh,
// upstream servers that show them.
#include "core/tls/test_handshake.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {

class Trust : public StaticProxy {
 protected:
  explicit Trust(Duration drain_time = WorkerOptions{}.drain_time, Duration warming_limit = std::chrono::seconds(1))
      : StaticProxy({}, warming_limit, {.drain_time = drain_time}) {}
  void PutRoots(const std::string& pem, const std::string& crl = {}) {
    auto secret = std::make_shared<xds::Secret>();
    secret->name = "ROOTCA";
    xds::ValidationContext validation;
    validation.trusted_ca = {xds::DataSource::Kind::kInline, pem};
    if (!crl.empty()) validation.crl = {xds::DataSource::Kind::kInline, crl};
    secret->value = std::move(validation);
    ASSERT_TRUE(store_.PutSecret(secret, {}).has_value());
  }
  void PutOwn(const tls::Identity& identity) {
    auto secret = std::make_shared<xds::Secret>();
    secret->name = "default";
    secret->value = xds::TlsCertificate{
        {xds::DataSource::Kind::kInline, identity.chain_pem}, {xds::DataSource::Kind::kInline, identity.key_pem}, {}};
    ASSERT_TRUE(store_.PutSecret(secret, {}).has_value());
  }
  void SetUp() override {
    PutRoots(old_.root_pem());
    PutOwn(old_.Issue(tls::kServer));
  }
  static xds::CommonTlsContext MeshTls() {
    xds::CommonTlsContext tls;
    tls.certificate_secrets.push_back({"default", xds::SecretRef::Source::kLocal});
    tls.validation = xds::ValidationContext{};
    tls.validation_secret = xds::SecretRef{.name = "ROOTCA", .source = xds::SecretRef::Source::kLocal};
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
  // A request that the upstream has and does not answer; `status`: of the answer, 0 when there is none.
  Pending AskAndHold(const io::SocketAddress& at, std::optional<std::uint16_t>& status) {
    hold_ = true;
    Pending asked =
        conn::Fetch(main_, {.to = at, .head = {.method = "GET", .path = "/"}},
                    [&status](const Result<conn::FetchResponse>& got) { status = got ? got->head.status : 0; });
    EXPECT_TRUE(main_.RunUntil([&] { return !held_.empty(); }, kLimit));
    return asked;
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

class HastyTrust : public Trust {
 protected:
  HastyTrust() : Trust(std::chrono::milliseconds(50)) {}
};

}  // namespace plait::proxy::worker
