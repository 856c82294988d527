#pragma once
// A session of HTTP/1 with a client at its one end and one route to the cluster "backend", and servers for that.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/conn/http_server.h"
#include "core/tls/test_pki.h"
#include "proxy/session/http_session.h"
#include "proxy/session/test_context.h"

namespace plait::proxy::session {

class HttpSessions : public SessionTest {
 protected:
  void Begin(xds::HttpConnectionManager http = {}, std::optional<xds::RetryPolicy> retry = {},
             std::vector<xds::MirrorPolicy> mirrors = {}, NetworkRbacs rbac = {}) {
    xds::RouteConfiguration table;
    xds::VirtualHost& host = table.virtual_hosts.emplace_back();
    host.name = "all";
    host.domains = {"*"};
    xds::Route& route = host.routes.emplace_back();
    xds::RouteAction action = action_;
    action.clusters.emplace_back().name = "backend";
    action.retry = std::move(retry);
    action.mirrors = std::move(mirrors);
    route.action = std::move(action);
    if (direct_) route.action = *direct_;
    route.operation = operation_;
    route.headers = headers_;
    http.routes = std::move(table);
    http.filters.emplace_back().config = xds::RouterFilter{};
    auto [client, server] = io::StreamPair(loop_);
    client_ = std::move(client);
    session_ = std::make_unique<HttpSession>(context_, CompileHttp(http, {registry_, logs_}).value(), std::move(server),
                                             info_, HttpRouting{}, *this, std::move(rbac));
  }
  // All that comes until the proxy ends the connection.
  std::string Answer(std::string_view request) {
    Send(request);
    return ReceiveUntil("(never sent)");
  }
  std::string LastLine() {
    loop_.RunUntil([&] { return !recorder_.lines.empty(); }, kLimit);
    return recorder_.lines.empty() ? std::string() : recorder_.lines.back();
  }
  // What the record says of the upstream after a request to a server of the mesh that answers 503, once `meanwhile` has
  // run, and a retry.
  std::string UpstreamAfterARetry(const std::function<void(conn::HttpServer&)>& meanwhile) {
    const tls::TestCa ca;
    tls::ContextOptions options{.identities = {ca.Issue(kClient)}, .bundle_pem = ca.root_pem()};
    tls_.context = tls::Context::Make(options).value();
    options.server = true;
    options.identities = {ca.Issue(kServer)};
    const auto context = tls::Context::Make(options).value();
    conn::HttpServer server(loop_, {}, [&](const conn::Request&, conn::Responder responder) {
      meanwhile(server);
      responder.Send({.status = 503});
    });
    auto make = [&](io::UniqueFd fd) { return tls::Wrap(loop_, io::AdoptSocket(loop_, std::move(fd)), context); };
    AddCluster("backend", server.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value(), make).value(), true);
    xds::RetryPolicy retry;
    retry.retry_on = xds::kRetry5xx;
    retry.num_retries = 1;
    retry.back_off_base = std::chrono::milliseconds(1);
    Begin({}, retry);
    Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(ReceiveUntil("\r\n\r\n").starts_with("HTTP/1.1 503 "));
    LastLine();
    return recorder_.last_upstream;
  }

  bool Counted(const std::string& name, int count) const {
    std::string all;
    registry_.Scrape({}, all);
    return all.contains(name + ": " + std::to_string(count) + "\n");
  }

  record::ConnectionInfo info_;
  std::string operation_;                      // of the route
  xds::RouteAction action_;                    // of the route, which Begin completes
  std::optional<xds::DirectResponse> direct_;  // in place of that action
  xds::HeaderOps headers_;                     // of the route
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  static constexpr char kClient[] = "spiffe://cluster.local/ns/default/sa/client";
  static constexpr char kServer[] = "spiffe://cluster.local/ns/default/sa/server";
};

// A server that answers every request and remembers what it was asked.
struct Backend {
  Backend(io::Loop& loop, std::uint16_t status)
      : server(loop, {}, [this, status](conn::Request request, conn::Responder responder) {
          asked.push_back(request.head.authority + request.head.path + " " + request.body);
          traceparent = request.head.headers.Get("traceparent").value_or("");
          responder.Send({.status = status});
        }) {}
  io::SocketAddress Listen() { return *server.ListenOn(*io::SocketAddress::Parse("127.0.0.1:0")); }
  std::vector<std::string> asked;
  std::string traceparent;  // of the last request
  conn::HttpServer server;
};

// A server that answers what the test says, when it says so.
struct Server {
  explicit Server(io::Loop& on)
      : loop(on),
        socket(*io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"))),
        listener(on, socket.get(), false, [this](io::UniqueFd fd) { stream = io::AdoptSocket(loop, std::move(fd)); }) {}
  bool Got(std::string_view text) {
    return loop.RunUntil(
        [&] { return stream != nullptr && stream->Read(got, 65536).has_value() && got.Find(text) != SIZE_MAX; },
        kLimit);
  }
  void Say(std::string_view text) {
    Buffer bytes(text);
    EXPECT_TRUE(stream->Write(bytes).has_value());
  }
  io::Loop& loop;
  io::UniqueFd socket;
  Buffer got;
  std::unique_ptr<io::Stream> stream;
  io::Listener listener;
};

}  // namespace plait::proxy::session
