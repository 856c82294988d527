// What a record says of the bytes to and from the upstream: as Envoy's BytesMeter.
#include <gtest/gtest.h>

#include "core/conn/http_server.h"
#include "proxy/session/http_session.h"
#include "proxy/session/tcp_session.h"
#include "proxy/session/test_context.h"

namespace plait::proxy::session {
namespace {

// A server on loopback that gives its next answer whenever it has received `end`, and counts the bytes of both.
class ScriptedServer {
 public:
  ScriptedServer(io::Loop& loop, std::string end, std::vector<std::string> answers)
      : loop_(loop),
        end_(std::move(end)),
        answers_(std::move(answers)),
        socket_(io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value()),
        listener_(loop, socket_.get(), false, [this](io::UniqueFd fd) {
          connections_.push_back(std::make_unique<Connection>(*this, io::AdoptSocket(loop_, std::move(fd))));
        }) {}
  io::SocketAddress address() const { return io::LocalAddress(socket_.get()); }

  std::size_t received = 0;
  std::size_t sent = 0;
  std::size_t answered = 0;

 private:
  struct Connection final : io::StreamEvents {
    Connection(ScriptedServer& of, std::unique_ptr<io::Stream> made) : server(of), stream(std::move(made)) {
      stream->SetEvents(this);
    }
    void OnOpen() override {}
    void OnReadable() override {
      while (stream->Read(got, 65536).value_or(0) > 0) {
      }
      if (got.Find(server.end_) == SIZE_MAX) return;
      ASSERT_LT(server.answered, server.answers_.size());
      Buffer answer(server.answers_[server.answered++]);
      server.received += got.size();
      server.sent += answer.size();
      got.Clear();
      ASSERT_TRUE(stream->Write(answer).has_value());
    }
    void OnWritable() override {}
    void OnFailed(Error) override {}
    ScriptedServer& server;
    std::unique_ptr<io::Stream> stream;
    Buffer got;
  };

  io::Loop& loop_;
  const std::string end_;
  const std::vector<std::string> answers_;
  io::UniqueFd socket_;
  std::vector<std::unique_ptr<Connection>> connections_;
  io::Listener listener_;
};

class WireBytes : public SessionTest {
 protected:
  std::unique_ptr<io::Stream> Accept() {
    auto [client, server] = io::StreamPair(loop_);
    client_ = std::move(client);
    return std::move(server);
  }
  void BeginHttp() {
    xds::HttpConnectionManager http;
    xds::RouteConfiguration table;
    xds::VirtualHost& host = table.virtual_hosts.emplace_back();
    host.name = "all";
    host.domains = {"*"};
    xds::RetryPolicy retry;
    retry.retry_on = xds::kRetry5xx;
    retry.num_retries = 1;
    retry.back_off_base = std::chrono::milliseconds(1);
    xds::RouteAction action;
    action.clusters.emplace_back().name = "backend";
    action.retry = std::move(retry);
    host.routes.emplace_back().action = std::move(action);
    http.routes = std::move(table);
    http.filters.emplace_back().config = xds::RouterFilter{};
    session_ = std::make_unique<HttpSession>(context_, CompileHttp(http, {registry_, logs_}).value(), Accept(),
                                             record::ConnectionInfo{}, HttpRouting{}, *this, NetworkRbacs{});
  }
  // Of the record that is next.
  http::BytesMeter Recorded() {
    const std::size_t before = recorder_.lines.size();
    EXPECT_TRUE(loop_.RunUntil([&] { return recorder_.lines.size() > before; }, kLimit));
    return recorder_.last_upstream_bytes;
  }
};

TEST_F(WireBytes, AreThoseOfHeadsBodiesAndChunks) {
  ScriptedServer server(loop_, "0\r\n\r\n",
                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"});
  AddCluster("backend", server.address());
  BeginHttp();
  Send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  const http::BytesMeter meter = Recorded();
  EXPECT_EQ(server.answered, 1U);
  EXPECT_EQ(meter.wire_bytes_sent, server.received);
  EXPECT_EQ(meter.wire_bytes_received, server.sent);
}

TEST_F(WireBytes, AreThoseOfAllAttempts) {
  ScriptedServer server(loop_, "\r\n\r\n",
                        {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nsorry",
                         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"});
  AddCluster("backend", server.address());
  BeginHttp();
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const http::BytesMeter meter = Recorded();
  EXPECT_TRUE(recorder_.lines.back().starts_with("200 ")) << recorder_.lines.back();
  EXPECT_EQ(server.answered, 2U);
  EXPECT_EQ(meter.wire_bytes_sent, server.received);
  EXPECT_EQ(meter.wire_bytes_received, server.sent);
}

TEST_F(WireBytes, AreNoneWhenNoUpstreamWasReached) {
  AddCluster("backend", io::SocketAddress::Parse("127.0.0.1:1").value());
  BeginHttp();
  Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const http::BytesMeter meter = Recorded();
  EXPECT_TRUE(recorder_.lines.back().starts_with("503 ")) << recorder_.lines.back();
  EXPECT_EQ(meter.wire_bytes_sent + meter.wire_bytes_received, 0U);
}

// What the connection carried for a second request, when it has nothing to say of itself any more.
TEST_F(WireBytes, AreThoseOfTheStreamsFramesOverHttp2) {
  conn::HttpServer server(loop_, {}, [](const conn::Request&, conn::Responder responder) {
    responder.Send(conn::TextResponse(200, "hello"));
  });
  auto config = std::make_shared<xds::Cluster>();
  config->name = config->load_assignment.cluster_name = "backend";
  config->http.protocol = xds::UpstreamHttpOptions::Protocol::kHttp2;
  config->load_assignment.localities.emplace_back().endpoints.emplace_back().address =
      server.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
  ASSERT_TRUE(store_.Put(std::move(config)).has_value());
  loop_.RunOnce(Duration(0));
  BeginHttp();
  const auto counted = [&](cluster::ClusterStat stat) {
    return static_cast<std::uint64_t>(store_.Find("backend")->state->stats.Value(static_cast<std::size_t>(stat)));
  };
  http::BytesMeter meter;
  std::uint64_t sent = 0, received = 0;
  for (int i = 0; i < 2; ++i) {
    sent = counted(cluster::ClusterStat::kUpstreamCxTxBytesTotal);
    received = counted(cluster::ClusterStat::kUpstreamCxRxBytesTotal);
    Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    ReceiveUntil("hello");
    meter = recorder_.last_upstream_bytes;
    for (int rounds = 0; rounds < 10; ++rounds) loop_.RunOnce(Duration(0));  // it acknowledges settings
  }
  EXPECT_EQ(recorder_.lines.size(), 2U);
  EXPECT_GT(meter.wire_bytes_sent, 2 * 9U + 3);
  EXPECT_EQ(meter.wire_bytes_sent, counted(cluster::ClusterStat::kUpstreamCxTxBytesTotal) - sent);
  EXPECT_EQ(meter.wire_bytes_received, counted(cluster::ClusterStat::kUpstreamCxRxBytesTotal) - received);
}

TEST_F(WireBytes, AreWhatAConnectionRelayed) {
  ScriptedServer server(loop_, "ping", {"a longer pong"});
  AddCluster("backend", server.address());
  session_ = std::make_unique<TcpSession>(context_,
                                          TcpSession::Start{.config = CompileTcp({}, {registry_, logs_}).value(),
                                                            .rbac = {},
                                                            .cluster = "backend",
                                                            .downstream = Accept()},
                                          record::ConnectionInfo{}, *this);
  Send("ping");
  EXPECT_EQ(ReceiveUntil("pong"), "a longer pong");
  session_->Close("over");
  const http::BytesMeter meter = Recorded();
  EXPECT_EQ(meter.wire_bytes_sent, 4U);
  EXPECT_EQ(meter.wire_bytes_received, 13U);
}

}  // namespace
}  // namespace plait::proxy::session
