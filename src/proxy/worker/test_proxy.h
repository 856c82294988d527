#pragma once
// A proxy without its process, for tests: a store of static resources and one worker on its own thread, with real
// sockets on both sides.
#include <gtest/gtest.h>

#include <mutex>

#include "core/conn/http_client.h"
#include "core/conn/http_server.h"
#include "core/telemetry/registry.h"
#include "proxy/record/log_writer.h"
#include "proxy/worker/config_store.h"
#include "proxy/worker/test_store.h"

namespace plait::proxy::worker {

inline constexpr Duration kLimit = std::chrono::seconds(10);

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
    std::vector<std::string> others;  // flags, details, filter chain, whether bytes came
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
  void OtherConnectionEnded(const record::StreamRecord& record, const record::AccessLogs*) override {
    const std::lock_guard lock(lines_.mutex);
    lines_.others.push_back(record.flags.ToString() + " " + record.response_details + record.termination_details + " " +
                            record.connection->filter_chain + " " + std::to_string(record.bytes_received > 0));
  }

 private:
  Lines& lines_;
};

inline xds::WeightedCluster To(std::string cluster) {
  xds::WeightedCluster target;
  target.name = std::move(cluster);
  return target;
}

inline xds::Route RouteTo(std::string prefix, std::string cluster) {
  xds::Route route;
  route.name = cluster;
  route.match.path.value = std::move(prefix);
  xds::RouteAction action;
  action.clusters.push_back(To(std::move(cluster)));
  route.action = std::move(action);
  return route;
}

inline xds::FilterChain HttpChain(std::vector<xds::Route> routes,
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

class StaticProxy : public testing::Test {
 protected:
  explicit StaticProxy(std::vector<io::InheritedFd> inherited = {}, Duration warming_limit = std::chrono::seconds(1),
                       WorkerOptions options = {})
      : sockets_(std::move(inherited)),
        store_(main_, {registry_, logs_}, secrets_, sockets_, "", warming_limit),
        balance_(1),
        worker_(std::move(options),
                {.secrets = secrets_,
                 .balance = balance_,
                 .demands = store_,
                 .make_recorder = [this](io::Loop&, const cluster::DestinationIndex&,
                                         cluster::ClusterSet&) { return std::make_unique<FakeRecorder>(lines_); },
                 .give_away = [](std::size_t, io::UniqueFd&, const std::string&) { return false; },
                 .sockets = sockets_}) {
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
    xds::Cluster cluster;
    cluster.name = name;
    cluster.load_assignment.cluster_name = name;
    cluster.connect_timeout = std::chrono::seconds(1);
    xds::LocalityEndpoints& endpoints = cluster.load_assignment.localities.emplace_back();
    for (const io::SocketAddress& host : hosts) endpoints.endpoints.emplace_back().address = host;
    if (change) change(cluster);
    const auto put = store_.PutCluster(Named(std::move(cluster)), true);
    ASSERT_TRUE(put.has_value()) << put.error().ToString();
  }

  // Gives the store a new or changed listener, as LDS does.
  void PutListener(xds::Listener listener) {
    const auto put = store_.PutListener(Named(std::move(listener)), false);
    EXPECT_TRUE(put.has_value()) << put.error().ToString();
  }

  io::SocketAddress AddListener(std::vector<xds::FilterChain> chains, std::function<void(xds::Listener&)> change = {}) {
    xds::Listener listener;
    listener.name = "listener-" + std::to_string(++listeners_);
    listener.addresses.push_back({io::SocketAddress::Parse("127.0.0.1:0").value(), false});
    listener.filter_chains = std::move(chains);
    if (change) change(listener);
    const auto put = store_.PutListener(Named(listener), true);
    EXPECT_TRUE(put.has_value()) << put.error().ToString();
    return sockets_.AddressesOf(listener.name).at(0);
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

  // Whether a GET has an answer at all.
  bool Answers(const io::SocketAddress& at) {
    std::optional<bool> answered;
    const Pending pending = conn::Fetch(main_, {.to = at, .head = {.method = "GET", .path = "/"}},
                                        [&](const Result<conn::FetchResponse>& got) { answered = got.has_value(); });
    EXPECT_TRUE(main_.RunUntil([&] { return answered.has_value(); }, kLimit)) << "neither answered nor refused";
    return answered.value_or(false);
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

}  // namespace plait::proxy::worker
