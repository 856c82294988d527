#pragma once
// What tests of Outbound and Inbound need: a client whose connection was captured, upstreams, and an index.
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "proxy/session/inbound.h"
#include "proxy/session/inbound_routes.h"
#include "proxy/session/outbound.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/session/test_context.h"
#include "proxy/session/test_index.h"
#include "proxy/session/test_opened.h"

namespace plait::proxy::session {

struct More {
  bool http_policy = false;
  std::optional<Duration> detection_timeout = {};
};

class PlaitForms : public SessionTest {
 protected:
  // A server that greets first, or answers what it gets with "echo:<bytes>".
  void StartTcpUpstream(const std::string& cluster, std::string greeting) {
    socket_ = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    listener_ = std::make_unique<io::Listener>(loop_, socket_.get(), false, [this, greeting](io::UniqueFd fd) {
      accepted_.push_back(std::make_unique<Peer>(io::AdoptSocket(loop_, std::move(fd)), greeting));
    });
    AddCluster(cluster, io::LocalAddress(socket_.get()));
  }
  void StartHttpUpstream(const std::string& cluster) {
    http_ = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                               [](conn::Request request, conn::Responder responder) {
                                                 responder.Send(conn::TextResponse(200, "app " + request.head.path));
                                               });
    AddCluster(cluster, http_->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value());
  }

  // The caller, as the index knows it.
  void AddCaller(xds::TlsMode mode) {
    xds::Workload workload;
    workload.uid = "k//Pod/default/caller";
    workload.name = "caller";
    workload.addresses = {io::IpAddress::Parse("10.244.0.9").value()};
    workload.tls_mode = mode;
    Add(index_, workload);
  }

  record::ConnectionInfo Info(const char* destination, const char* source = "10.244.0.9:5000") {
    record::ConnectionInfo info;
    info.local = io::SocketAddress::Parse(destination).value();
    info.remote = io::SocketAddress::Parse(source).value();
    info.accepted = loop_.Now();
    return info;
  }
  Intake::OnDecided Decided() {
    return [this](std::unique_ptr<Session> session) {
      loop_.DeleteLater(std::move(intake_));
      session_ = std::move(session);
      decided_ = true;
    };
  }
  static xds::HttpConnectionManager Http() {
    xds::HttpConnectionManager http;
    http.routes = xds::RdsRef{};
    http.filters.emplace_back().config = xds::RouterFilter{};
    return http;
  }
  void Outbound(const char* destination, const char* unknown_cluster = "PassthroughCluster") {
    auto config = std::make_shared<OutboundConfig>();
    config->xds.unknown_cluster = unknown_cluster;
    config->http = CompileHttp(Http(), {registry_, logs_}).value();
    config->tcp = CompileTcp({}, {registry_, logs_}).value();
    auto [client, server] = io::StreamPair(loop_);
    client_ = std::move(client);
    intake_ =
        std::make_unique<OutboundIntake>(context_, config, std::move(server), Info(destination), *this, Decided());
  }
  void Inbound(const xds::InboundPort& port, const More& more = {}) {
    auto config = std::make_shared<InboundConfig>();
    config->xds.ports = {port};
    config->xds.detection_timeout = more.detection_timeout;
    config->xds.http = Http();
    if (more.http_policy) {
      xds::RbacFilter deny;
      deny.rules = xds::RbacRules{};
      config->xds.http.filters.insert(config->xds.http.filters.begin(), xds::HttpFilter{"rbac", deny, false, false});
    }
    config->http = CompileHttp(Http(), {registry_, logs_}).value();
    config->tcp = CompileTcp({}, {registry_, logs_}).value();
    config->routes[port.port] = MakeInboundRoutes(port.port, port.cluster);
    auto [client, server] = io::StreamPair(loop_);
    client_ = std::move(client);
    inbound_ = config;
    intake_ =
        std::make_unique<InboundIntake>(context_, config, std::move(server), Info("10.244.0.5:80"), *this, Decided());
  }

  // The client begins TLS, with a certificate that `clients` has issued; the server trusts `ca`, the client `trusted`.
  void BeginTls(const std::string& alpn, const tls::TestCa& ca, const tls::TestCa& clients,
                const tls::TestCa* trusted = nullptr) {
    tls::ContextOptions server;
    server.server = true;
    server.identities = {ca.Issue("spiffe://cluster.local/ns/default/sa/app")};
    server.bundle_pem = ca.root_pem();
    server.alpn = {"istio-http/1.1", "istio"};
    downstream_tls_.context = tls::Context::Make(server).value();
    tls::ContextOptions client;
    client.identities = {clients.Issue("spiffe://cluster.local/ns/default/sa/client")};
    client.bundle_pem = (trusted != nullptr ? *trusted : ca).root_pem();
    client.alpn = {alpn};
    loop_.RunOnce(Duration(0));  // it opens; it does not tell so a second time, but one that begins anew does
    client_ = tls::Wrap(loop_, GiveAgain(loop_, std::move(client_), Buffer()), tls::Context::Make(client).value());
    client_->SetEvents(&opened_);
  }
  // The client becomes a proxy of the mesh that speaks mutual TLS.
  void ShakeHandsAsAProxy(const std::string& alpn) {
    const tls::TestCa ca;
    BeginTls(alpn, ca, ca);
    ASSERT_TRUE(loop_.RunUntil([&] { return opened_.open; }, kLimit));
  }
  // The first bytes of such a proxy, which the server could answer.
  std::string HelloOfAProxy(const std::string& alpn) {
    const tls::TestCa ca;
    auto [near, far] = io::StreamPair(loop_);
    std::swap(client_, near);
    BeginTls(alpn, ca, ca);
    Buffer hello;
    EXPECT_TRUE(loop_.RunUntil([&] { return far->Read(hello, 65536).value_or(0) > 0; }, kLimit));
    std::swap(client_, near);
    return hello.ToString();
  }
  // What the log says of a client whose certificate is no one's of the mesh.
  std::string LineOfAStranger(const std::string& alpn) {
    BeginTls(alpn, tls::TestCa(), tls::TestCa("strangers"));
    return LastLine();
  }
  // What the log says of a client with a certificate of the mesh that does not believe that of the server.
  std::string LineOfADisbeliever(const std::string& alpn) {
    const tls::TestCa ca;
    const tls::TestCa other("other");
    BeginTls(alpn, ca, ca, &other);
    return LastLine();
  }
  std::string LastLine() {
    EXPECT_TRUE(loop_.RunUntil([&] { return !recorder_.lines.empty(); }, kLimit));
    return recorder_.lines.empty() ? "" : recorder_.lines.back();
  }
  // What arrives within this time.
  std::string ReceiveFor(Duration time) {
    Buffer got;
    loop_.RunUntil([&] { return client_->Read(got, 65536).value_or(0) > 0; }, time);
    return got.ToString();
  }

  struct Peer final : io::StreamEvents {
    Peer(std::unique_ptr<io::Stream> s, const std::string& greeting) : stream(std::move(s)), hello(greeting) {
      stream->SetEvents(this);
    }
    void OnOpen() override {
      if (hello.empty()) return;
      EXPECT_TRUE(stream->Write(hello));
    }
    void OnReadable() override {
      Buffer got;
      while (stream->Read(got, 65536).value_or(0) > 0) {
      }
      if (got.empty()) return;
      Buffer answer("echo:" + got.ToString());
      EXPECT_TRUE(stream->Write(answer));
    }
    void OnWritable() override {}
    void OnFailed(Error) override {}
    std::unique_ptr<io::Stream> stream;
    Buffer hello;
  };

  Opened opened_;
  io::UniqueFd socket_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> accepted_;
  std::unique_ptr<conn::HttpServer> http_;
  std::shared_ptr<const InboundConfig> inbound_;
  std::unique_ptr<Intake> intake_;
  bool decided_ = false;
};

}  // namespace plait::proxy::session
