#pragma once
// What a session needs around it, for tests: a loop, clusters on loopback, and a recorder that keeps what it is told.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/telemetry/registry.h"
#include "core/tls/stream.h"
#include "proxy/record/log_writer.h"
#include "proxy/session/context.h"
#include "proxy/session/orphans.h"
#include "proxy/session/session.h"

namespace plait::proxy::session {

inline constexpr Duration kLimit = std::chrono::seconds(10);

class FakeRecorder final : public record::Recorder {
 public:
  void RequestEnded(const record::StreamRecord& record, const record::AccessLogs*) override { Note(record); }
  void ConnectionOpened(const record::StreamRecord&) override {}
  void ConnectionProgress(const record::StreamRecord&, record::TcpProgress&) override {}
  void ConnectionEnded(const record::StreamRecord& record, record::TcpProgress&, const record::AccessLogs*) override {
    Note(record);
  }
  void OtherConnectionEnded(const record::StreamRecord&, const record::AccessLogs*) override {}
  std::vector<std::string> lines;                         // "<code> <flags> <details> <cluster>"
  std::uint64_t last_sent = 0;                            // %BYTES_SENT% of the last one
  std::pair<std::uint64_t, std::uint64_t> last_messages;  // of gRPC: in its request, in its response
  std::string last_upstream;  // "connected<identity><own identity>", as far as they are known
  http::BytesMeter last_upstream_bytes;

 private:
  void Note(const record::StreamRecord& record) {
    lines.push_back(std::to_string(record.response_code) + " " + record.flags.ToString() + " " +
                    record.response_details + record.termination_details + " " + std::string(record.cluster_name));
    last_sent = record.bytes_sent;
    last_messages = {record.request_messages, record.response_messages};
    last_upstream_bytes = record.upstream_bytes;
    last_upstream = (record.upstream_local ? "connected" : "") + record.upstream_identity + record.own_identity;
  }
};

class FakeUpstreamTls final : public upstream::TlsContexts {
 public:
  std::shared_ptr<const tls::Context> context;  // of each connection to a cluster with TLS; null: none comes about

 private:
  Result<upstream::Secure> SecureFor(const std::shared_ptr<const xds::Cluster>&, const Request&) override {
    if (!context) return Fail(Errc::kUnavailable, "no TLS here");
    return upstream::Secure([context = context](io::Loop& loop, std::unique_ptr<io::Stream> stream) {
      return tls::Wrap(loop, std::move(stream), context);
    });
  }
};

// Nothing comes on demand, unless the test keeps those that wait for a cluster; a look-up answers what the test says.
class FakeOnDemand final : public OnDemand {
 public:
  explicit FakeOnDemand(io::Loop& loop) : loop_(loop) {}
  Pending NeedCluster(std::string, Duration, OnReady ready) override {
    if (!keep_waiting) return Later(std::move(ready));
    waiting = std::move(ready);
    return {};
  }
  Pending NeedRoutes(std::string, Duration, OnReady ready) override { return Later(std::move(ready)); }
  Pending NeedL4Routes(std::string, Duration, OnReady ready) override { return Later(std::move(ready)); }
  Pending NeedDestination(const io::IpAddress&, Duration, cluster::DestinationStore::OnFound found) override {
    return loop_.After(Duration(0), [this, found = std::move(found)]() mutable { found(destination); });
  }
  Result<cluster::Destination> destination =
      cluster::Destination{.known = true, .service = nullptr, .workload = nullptr};
  bool keep_waiting = false;
  OnReady waiting;  // for a cluster

 private:
  Pending Later(OnReady ready) {
    return loop_.After(Duration(0), [ready = std::move(ready)]() mutable { ready(false); });
  }
  io::Loop& loop_;
};

class FakeDownstreamTls final : public DownstreamTls {
 public:
  Outcome<std::shared_ptr<const tls::Context>> Server(const xds::DownstreamTlsContext&) override { return context; }
  std::shared_ptr<const tls::Context> context;
};

class SessionTest : public testing::Test, public SessionOwner {
 protected:
  SessionTest()
      : store_(loop_, registry_, nullptr, [this](const cluster::ClusterUpdate& update) { clusters_.Apply(update); }),
        connector_(loop_),
        pools_(loop_, tls_, connector_),
        orphans_(loop_),
        on_demand_(loop_),
        context_{.loop = loop_,
                 .random = random_,
                 .clusters = clusters_,
                 .index = index_,
                 .tables = tables_,
                 .pools = pools_,
                 .recorder = recorder_,
                 .on_demand = on_demand_,
                 .orphans = orphans_,
                 .downstream_tls = downstream_tls_,
                 .static_only = true} {}

  void OnSessionEnded(Session& session) override {
    EXPECT_EQ(&session, session_.get());
    loop_.DeleteLater(std::move(session_));
  }

  // Where nobody listens.
  static io::SocketAddress DeadAddress() {
    const io::UniqueFd nobody = io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value();
    return io::LocalAddress(nobody.get());
  }
  void AddCluster(const std::string& name, const io::SocketAddress& host, bool tls = false) {
    auto cluster = std::make_shared<xds::Cluster>();
    cluster->name = name;
    cluster->load_assignment.cluster_name = name;
    if (tls) cluster->tls = xds::UpstreamTlsContext{};
    cluster->load_assignment.localities.emplace_back().endpoints.emplace_back().address = host;
    ASSERT_TRUE(store_.Put(std::move(cluster)).has_value());
    loop_.RunOnce(Duration(0));
  }

  void Send(std::string_view text) {
    loop_.RunOnce(Duration(0));  // a stream is open in the round after it was made
    Buffer bytes(text);
    ASSERT_TRUE(client_->Write(bytes).has_value());
  }
  // Runs until the client has received `text`, or the connection ended.
  std::string ReceiveUntil(std::string_view text) {
    Buffer got;
    bool ended = false;
    loop_.RunOnce(Duration(0));
    loop_.RunUntil(
        [&] {
          const auto read = client_->Read(got, 65536);
          ended = !read.has_value();
          return ended || got.Find(text) != SIZE_MAX;
        },
        kLimit);
    return got.ToString();
  }

  telemetry::Registry registry_;  // outlives what the loop deletes last
  io::Loop loop_;
  record::LogWriter logs_;
  Random random_{1};
  cluster::ClusterSet clusters_;
  cluster::ClusterStore store_;
  cluster::DestinationIndex index_;
  Tables tables_;
  FakeUpstreamTls tls_;
  upstream::DirectConnector connector_;
  upstream::Pools pools_;
  Orphans orphans_;
  FakeRecorder recorder_;
  FakeOnDemand on_demand_;
  FakeDownstreamTls downstream_tls_;
  Context context_;
  std::unique_ptr<io::Stream> client_;
  std::unique_ptr<Session> session_;
};

}  // namespace plait::proxy::session
