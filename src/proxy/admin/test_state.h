#pragma once
// An AdminState for tests, and a way to ask handlers over a real connection.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "core/conn/http_client.h"
#include "core/conn/http_server.h"
#include "core/telemetry/registry.h"
#include "proxy/admin/admin_state.h"
#include "proxy/cluster/cluster_set.h"

namespace plait::proxy::admin {

class FakeState final : public AdminState {
 public:
  FakeState() {
    auto config = std::make_shared<xds::Cluster>();
    config->name = "outbound|80||a";
    config->load_assignment.localities.push_back(
        {.endpoints = {{.address = io::SocketAddress::Parse("10.0.0.1:80").value()}}});
    EXPECT_TRUE(store.Put(config));
  }
  ServerInfo Info() const override {
    return {.version = "0.1.0",
            .state = state,
            .uptime = std::chrono::seconds(7),
            .node = {.id = "sidecar~x", .metadata_json = "{\"NAMESPACE\":\"ns\"}"}};
  }
  std::vector<ClusterInfo> Clusters() const override {
    std::vector<ClusterInfo> all;
    for (const auto& one : store.All()) all.push_back({one, true});
    return all;
  }
  std::vector<ListenerInfo> Listeners() const override {
    return {{"virtualOutbound", {io::SocketAddress::Parse("0.0.0.0:15001").value()}}};
  }
  std::vector<CertificateEntry> Certificates() const override {
    return {{.chain = {{.path = "default",
                        .uri_sans = {"spiffe://x"},
                        .expires = SystemClock().Wall() + std::chrono::hours(49)}}}};
  }
  Outcome<std::string> ConfigDump(const ConfigDumpQuery& query) const override {
    if (query.resource == "none") return Explain(Errc::kNotFound, "none not found in config dump");
    if (query.name_regex == "(") return Explain(Errc::kInvalidInput, "missing )");
    return query.resource + "|" + query.mask + "|" + query.name_regex + "|" + (query.include_eds ? "eds" : "");
  }
  telemetry::Registry& Stats() override { return registry; }
  void Quit() override { quit = true; }
  void SetHealthFailed(bool failed) override { state = failed ? ServerState::kDraining : ServerState::kLive; }
  void DrainListeners(const DrainQuery& query) override {
    drained += (query.graceful ? "graceful " : "at once ") + std::string(query.inbound_only ? "inbound " : "all ") +
               (query.skip_exit ? "and stays;" : ";");
  }
  Outcome<> ReopenLogs() override {
    if (reopened++ == 0) return {};
    return Explain(Errc::kUnavailable, "cannot be reopened: /logs/a (No space left on device)");
  }
  void RenewCertificate(std::move_only_function<void(Outcome<>)> done) override {
    loop.Defer([done = std::move(done)]() mutable { done({}); });
  }
  io::Loop loop;
  telemetry::Registry registry;
  cluster::ClusterStore store{loop, registry, nullptr, [](const cluster::ClusterUpdate&) {}};
  ServerState state = ServerState::kLive;
  bool quit = false;
  std::string drained;
  int reopened = 0;
};

class AdminTest : public testing::Test {
 protected:
  struct Got {
    std::uint16_t status = 0;
    std::string body;
    http::Headers headers;
  };
  Got Ask(conn::OnRequest handler, std::string method, std::string path, http::Headers headers = {}) {
    conn::HttpServer server(state_.loop, {}, std::move(handler));
    conn::FetchRequest request{.to = server.ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value()};
    request.head.method = std::move(method);
    request.head.path = std::move(path);
    request.head.headers = std::move(headers);
    std::optional<Got> got;
    const Pending pending = conn::Fetch(state_.loop, std::move(request), [&](Result<conn::FetchResponse> response) {
      got = response ? Got{response->head.status, response->body, response->head.headers} : Got{};
    });
    state_.loop.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(5));
    return got.value_or(Got{});
  }
  FakeState state_;
};

}  // namespace plait::proxy::admin
