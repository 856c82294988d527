// A process with two workers on threads of their own: what they share (sockets, configuration, limits, statistics)
// while both serve, and how they end together.
#include "core/tls/test_handshake.h"
#include "proxy/worker/process.h"
#include "proxy/worker/test_proxy.h"

namespace plait::proxy::worker {
namespace {

constexpr std::size_t kClients = 20;

class TwoWorkers : public testing::Test {
 protected:
  using Client = std::unique_ptr<tls::End>;

  TwoWorkers() {
    for (io::SocketAddress& at : backends_) at = StartBackend();
    io::UniqueFd socket = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    at_ = io::LocalAddress(socket.get());
    inherited_.push_back({std::to_string(at_.port.value), std::move(socket)});
  }

  // Answers with the path, those for /held when the test says so.
  io::SocketAddress StartBackend() {
    auto server = std::make_unique<conn::HttpServer>(loop_, conn::HttpServerOptions{},
                                                     [this](conn::Request request, conn::Responder responder) {
                                                       if (request.head.path == "/held")
                                                         return held_.push_back(std::move(responder));
                                                       responder.Send(conn::TextResponse(200, request.head.path));
                                                     });
    const io::SocketAddress at = server->ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    servers_.push_back(std::move(server));
    return at;
  }

  xds::Cluster ClusterAt(const io::SocketAddress& host) const {
    xds::Cluster cluster;
    cluster.name = cluster.load_assignment.cluster_name = "backend";
    cluster.connect_timeout = std::chrono::seconds(5);
    cluster.circuit_breakers = breakers_;
    cluster.load_assignment.localities.emplace_back().endpoints.emplace_back().address = host;
    return cluster;
  }
  // `route`: the name of its only route; another one is a change.
  xds::Listener ListenerWith(std::string route) const {
    xds::Route all = RouteTo("/", "backend");
    all.name = std::move(route);
    xds::Listener listener;
    listener.name = "web";
    listener.stat_prefix = "web";
    listener.addresses.push_back({at_, false});
    listener.filter_chains = {
        HttpChain({std::move(all)}, [](xds::HttpConnectionManager& manager) { manager.stat_prefix = "web"; })};
    return listener;
  }

  // The clients are connected before there is a worker: the first one to look accepts many at once.
  void Start() {
    for (std::size_t i = 0; i < kClients; ++i) {
      clients_.push_back(std::make_unique<tls::End>(io::Connect(loop_, at_)));
    }
    ASSERT_TRUE(Until([&] { return std::ranges::all_of(clients_, [](const Client& one) { return one->open; }); }));
    xds::Bootstrap bootstrap;
    bootstrap.clusters.push_back(Named(ClusterAt(backends_[0])));
    bootstrap.listeners.push_back(Named(ListenerWith("first")));
    process_ =
        std::make_unique<Process>(loop_, std::move(bootstrap), ProcessOptions{.concurrency = 2}, std::move(inherited_));
    const auto started = process_->Start();
    ASSERT_TRUE(started.has_value()) << started.error().ToString();
    ASSERT_TRUE(Until([&] { return process_->connections() == kClients; })) << process_->connections();
  }

  bool Until(const std::function<bool()>& done) { return loop_.RunUntil(done, kLimit); }
  static void Ask(const Client& client, std::string_view path) {
    client->received.Clear();
    Buffer request("GET " + std::string(path) + " HTTP/1.1\r\nhost: a\r\n\r\n");
    ASSERT_TRUE(client->stream->Write(request));
  }
  // Of the answer that is there; 0: none yet.
  static int StatusOf(const Client& client) {
    const std::string text = client->received.ToString();
    const auto at = text.find("HTTP/1.1 ");
    return at == std::string::npos || !text.contains("\r\n\r\n") ? 0 : std::stoi(text.substr(at + 9, 3));
  }
  int StatusAfter(const Client& client, std::string_view path) {
    Ask(client, path);
    Until([&] { return StatusOf(client) != 0 || Gone(client); });
    return StatusOf(client);
  }
  static bool Gone(const Client& client) { return client->ended || client->failed; }
  void Release() {
    for (conn::Responder& responder : held_) responder.Send(conn::TextResponse(200, "held"));
    held_.clear();
  }
  // Each of the first clients has a request that the backend has not answered.
  void Hold(std::size_t clients) {
    for (std::size_t i = 0; i < clients; ++i) Ask(clients_[i], "/held");
    ASSERT_TRUE(Until([&] { return held_.size() == clients; }));
  }
  int Stat(const std::string& wanted) {
    std::string text;
    process_->Stats().Scrape({.filter = [&](std::string_view name) { return name == wanted; }}, text);
    return std::stoi(text.substr(text.rfind(' ') + 1));
  }

  io::Loop loop_;
  std::vector<std::unique_ptr<conn::HttpServer>> servers_;
  std::array<io::SocketAddress, 2> backends_;
  io::SocketAddress at_;
  std::vector<io::InheritedFd> inherited_;
  xds::CircuitBreakers breakers_;
  std::vector<conn::Responder> held_;
  std::vector<Client> clients_;
  std::unique_ptr<Process> process_;
};

TEST_F(TwoWorkers, ShareABacklogThatOneOfThemAccepts) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_EQ(process_->connections(0) + process_->connections(1), kClients);
  EXPECT_GE(process_->connections(0), kClients / 2 - 3);
  EXPECT_GE(process_->connections(1), kClients / 2 - 3);
}

TEST_F(TwoWorkers, AnswerEveryRequestWhileConfigurationChangesAndStatisticsAreRead) {
  ASSERT_NO_FATAL_FAILURE(Start());
  constexpr std::size_t kRounds = 50;
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (const Client& client : clients_) Ask(client, "/");
    ASSERT_TRUE(process_->config().PutCluster(Named(ClusterAt(backends_[round % 2])), true).has_value());
    ASSERT_TRUE(process_->config().PutListener(Named(ListenerWith(std::to_string(round))), true).has_value());
    ASSERT_TRUE(Until([&] {
      std::string text;
      process_->Stats().Scrape({.format = telemetry::Format::kPrometheus}, text);
      return std::ranges::all_of(clients_, [](const Client& one) { return StatusOf(one) != 0 || Gone(one); });
    }));
    for (const Client& client : clients_) ASSERT_EQ(StatusOf(client), 200) << client->received.ToString();
  }
  constexpr int kRequests = kClients * kRounds;
  for (const char* counter : {"http.web.downstream_rq_2xx", "listener.web.http.web.downstream_rq_2xx",
                              "cluster.backend.upstream_rq_2xx", "http.web.downstream_rq_total"}) {
    EXPECT_EQ(Stat(counter), kRequests) << counter;
  }
  EXPECT_TRUE(Until([&] { return Stat("http.web.downstream_rq_active") == 0; }));
}

TEST_F(TwoWorkers, HaveOneLimitOfRequestsTogether) {
  breakers_.max_requests = 1;
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_NO_FATAL_FAILURE(Hold(1));
  for (std::size_t i = 1; i < kClients; ++i) EXPECT_EQ(StatusAfter(clients_[i], "/"), 503) << i;
  EXPECT_EQ(Stat("cluster.backend.upstream_rq_active_overflow"), kClients - 1);
  Release();
  ASSERT_TRUE(Until([&] { return StatusOf(clients_[0]) == 200; }));
  for (const Client& client : clients_) {
    // The client has the answer a little before the slot is free.
    ASSERT_TRUE(Until([&] { return Stat("cluster.backend.upstream_rq_active") == 0; }));
    EXPECT_EQ(StatusAfter(client, "/"), 200);
  }
}

TEST_F(TwoWorkers, LetRunningRequestsEndBeforeTheProcessDoes) {
  ASSERT_NO_FATAL_FAILURE(Start());
  constexpr std::size_t kRunning = kClients / 2;
  ASSERT_NO_FATAL_FAILURE(Hold(kRunning));
  process_->Shutdown();
  // A client closes its side too, else the proxy would wait a while for that.
  const auto end = [&](std::size_t i) {
    EXPECT_TRUE(Until([&] { return Gone(clients_[i]); })) << i;
    clients_[i]->stream->Close(false);
  };
  for (std::size_t i = kRunning; i < kClients; ++i) end(i);
  EXPECT_TRUE(Until([&] { return process_->connections() == kRunning; })) << process_->connections();
  Release();
  for (std::size_t i = 0; i < kRunning; ++i) end(i);
  io::Timer limit([this] {
    ADD_FAILURE() << "the process goes on with " << process_->connections() << " connections";
    loop_.Stop();
  });
  limit.Start(loop_.timers(), kLimit);
  loop_.Run();
  for (std::size_t i = 0; i < kRunning; ++i) EXPECT_EQ(StatusOf(clients_[i]), 200) << i;
}

TEST_F(TwoWorkers, EndWhileTheyServeAndAccept) {
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const Client& client : clients_) Ask(client, "/");
  for (std::size_t i = 0; i < kClients; ++i) {
    clients_.push_back(std::make_unique<tls::End>(io::Connect(loop_, at_)));
  }
  process_.reset();
  for (const Client& client : clients_) EXPECT_TRUE(Until([&] { return Gone(client); }));
}

}  // namespace
}  // namespace plait::proxy::worker
