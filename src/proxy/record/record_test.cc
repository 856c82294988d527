// Access logs to files and Istio's standard metrics.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/xds/cluster.h"
#include "proxy/cluster/host.h"
#include "proxy/record/worker_recorder.h"
#include "testing/manual_clock.h"

namespace plait::proxy::record {
namespace {

class Recording : public testing::Test {
 protected:
  Recording() {
    char name[] = "/tmp/plait-record-XXXXXX";
    dir_ = mkdtemp(name);
    connection_.direction = Direction::kInbound;
    connection_.remote = io::SocketAddress::Parse("10.244.0.4:5000").value();
    connection_.local = io::SocketAddress::Parse("10.244.0.5:9080").value();
    tls_.peer_certificate = true;
    tls_.peer_identity = "spiffe://cluster.local/ns/default/sa/productpage";
    tls_.local_identity = "spiffe://cluster.local/ns/default/sa/reviews";
    connection_.tls = &tls_;
    head_.method = "GET";
    head_.path = "/";
    head_.authority = "reviews:9080";
    record_.connection = &connection_;
    record_.remote = connection_.remote;
    record_.request = &head_;
    record_.response_code = 200;
    record_.total = std::chrono::milliseconds(3);
    record_.cluster_name = "inbound|9080||";
    Add("productpage", "10.244.0.4");
    Add("reviews", "10.244.0.5");
    xds::Service service{.name = "reviews", .name_space = "default", .hostname = "reviews.default.svc.cluster.local"};
    index_.Apply({.put = {{"svc", std::make_shared<const xds::Address>(xds::Address{service})}}});
  }
  ~Recording() override { std::filesystem::remove_all(dir_); }
  void Add(const std::string& name, const std::string& ip) {
    xds::Workload workload{.uid = name,
                           .name = name + "-v1-0",
                           .name_space = "default",
                           .addresses = {io::IpAddress::Parse(ip).value()},
                           .service_account = name,
                           .canonical_name = name,
                           .canonical_revision = "v1",
                           .workload_name = name + "-v1",
                           .cluster_id = "Kubernetes",
                           .labels = {{"app", name}, {"version", "v1"}}};
    workload.services["default/" + name + ".default.svc.cluster.local"] = {{.service_port = 9080, .target_port = 9080}};
    index_.Apply({.put = {{name, std::make_shared<const xds::Address>(xds::Address{workload})}}});
  }
  LocalWorkload Reviews() { return {LabelsOf(*index_.FindWorkload(io::IpAddress::Parse("10.244.0.5").value()))}; }
  std::string Scrape() {
    std::string out;
    registry_.Scrape({.format = telemetry::Format::kPrometheus}, out);
    return out;
  }
  std::string Line(const std::string& text, const std::string& family) {
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(family + "{")) return line;
    }
    return "";
  }
  std::string dir_;
  telemetry::Registry registry_;
  IstioSeries series_{registry_};
  cluster::DestinationIndex index_;
  io::Loop loop_;
  LogWriter writer_;
  io::TlsFacts tls_;
  ConnectionInfo connection_;
  http::RequestHead head_;
  StreamRecord record_;
};

TEST_F(Recording, WritesLinesOfAllWorkersToTheFile) {
  const xds::AccessLog config{
      .target = xds::AccessLog::Target::kFile, .path = dir_ + "/access.log", .text_format = "%RESPONSE_CODE%\n"};
  const auto logs = AccessLogs::Compile({config}, writer_).value();
  {
    LogBuffers first(loop_, writer_);
    LogBuffers second(loop_, writer_);
    logs->Write(record_, first);
    record_.response_code = 403;
    logs->Write(record_, second);
    first.HandOver();
  }
  writer_.Flush();
  std::ifstream in(dir_ + "/access.log");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), "200\n403\n");
}

TEST_F(Recording, TellsTheListenersLogOfATcpConnectionAsWell) {
  const auto to = [this](const std::string& name) {
    return AccessLogs::Compile({{.target = xds::AccessLog::Target::kFile,
                                 .path = dir_ + "/" + name,
                                 .text_format = name + " %FILTER_CHAIN_NAME% %DOWNSTREAM_TRANSPORT_FAILURE_REASON%\n"}},
                               writer_)
        .value();
  };
  const auto own = to("own");
  connection_.listener_logs = to("listener");
  connection_.filter_chain = "relay";
  record_.request = nullptr;
  record_.downstream_transport_failure = "no shared cipher";
  {
    WorkerRecorder recorder(loop_, writer_, series_, Reviews(), index_, nullptr);
    TcpProgress progress;
    recorder.ConnectionEnded(record_, progress, own.get());
    recorder.OtherConnectionEnded(record_, nullptr);
    recorder.RequestEnded(record_, own.get());
  }
  writer_.Flush();
  const auto content = [this](const char* name) {
    return (std::stringstream() << std::ifstream(dir_ + "/" + name).rdbuf()).str();
  };
  EXPECT_EQ(content("own"), "own relay no_shared_cipher\nown relay no_shared_cipher\n");
  EXPECT_EQ(content("listener"), "listener relay no_shared_cipher\nlistener relay no_shared_cipher\n");
}

TEST_F(Recording, ReopensItsFilesAfterTheyWereMovedAway) {
  const std::string path = dir_ + "/access.log";
  const auto logs =
      AccessLogs::Compile({{.target = xds::AccessLog::Target::kFile, .path = path, .text_format = "x\n"}}, writer_)
          .value();
  const auto write = [&] {
    LogBuffers buffers(loop_, writer_);
    logs->Write(record_, buffers);
    buffers.HandOver();
    writer_.Flush();
  };
  write();
  std::filesystem::rename(path, path + ".1");
  ASSERT_TRUE(writer_.Reopen().has_value());
  write();
  EXPECT_EQ(std::filesystem::file_size(path), 2U);
  EXPECT_EQ(std::filesystem::file_size(path + ".1"), 2U);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  const auto failed = writer_.Reopen();
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().message.find(path), std::string::npos);
}

TEST_F(Recording, GoesOnWithoutAFileThatCannotBeOpenedAndTriesItAgain) {
  LogWriter writer(LogFiles::kMayFail, /*retry=*/Duration(0));
  const std::string path = dir_ + "/late/access.log";
  const auto compiled =
      AccessLogs::Compile({{.target = xds::AccessLog::Target::kFile, .path = path, .text_format = "x\n"}}, writer);
  ASSERT_TRUE(compiled.has_value()) << compiled.error().ToString();
  const auto write = [&] {
    LogBuffers buffers(loop_, writer);
    (*compiled)->Write(record_, buffers);
    buffers.HandOver();
    writer.Flush();
  };
  write();
  EXPECT_EQ(writer.files_not_open(), 1U);
  EXPECT_FALSE(writer.Reopen().has_value());
  std::filesystem::create_directory(dir_ + "/late");
  write();
  EXPECT_EQ(writer.files_not_open(), 0U);
  EXPECT_EQ(std::filesystem::file_size(path), 2U);
  EXPECT_TRUE(writer.Reopen().has_value());
}

TEST_F(Recording, DoesNotCountAFileThatNoLogHasAnyMore) {
  LogWriter writer(LogFiles::kMayFail);
  auto sink = writer.Open(dir_ + "/nowhere/access.log");
  ASSERT_TRUE(sink.has_value());
  EXPECT_EQ(writer.files_not_open(), 1U);
  sink->reset();
  EXPECT_EQ(writer.files_not_open(), 0U);
  sink = writer.Open(dir_ + "/nowhere/access.log");
  EXPECT_EQ(writer.files_not_open(), 1U);
}

TEST_F(Recording, OpensAFileThatCouldNotBeOpenedWhenItIsToldTo) {
  LogWriter writer(LogFiles::kMayFail, /*retry=*/std::chrono::hours(1));
  const std::string path = dir_ + "/late/access.log";
  ASSERT_TRUE(writer.Open(path).has_value());
  std::filesystem::create_directory(dir_ + "/late");
  EXPECT_TRUE(writer.Reopen().has_value());
  EXPECT_EQ(writer.files_not_open(), 0U);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(Recording, DoesNotWaitForWhoWouldReadItsFile) {
  const std::string path = dir_ + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto opened = writer_.Open(path);
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("cannot be opened"), std::string::npos) << opened.error().ToString();
}

TEST_F(Recording, TouchesNoFileWhereNothingIsWritten) {
  LogWriter writer(LogFiles::kNone);
  ASSERT_TRUE(writer.Open(dir_ + "/never").has_value());
  ASSERT_TRUE(writer.Open("/nowhere/at/all").has_value());
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/never"));
}

TEST_F(Recording, HandsBuffersOverWithinASecond) {
  const auto logs = AccessLogs::Compile(
                        {{.target = xds::AccessLog::Target::kFile, .path = dir_ + "/a", .text_format = "x\n"}}, writer_)
                        .value();
  LogBuffers buffers(loop_, writer_);
  logs->Write(record_, buffers);
  EXPECT_TRUE(loop_.RunUntil(
      [&] {
        writer_.Flush();
        return access((dir_ + "/a").c_str(), R_OK) == 0 && std::ifstream(dir_ + "/a").peek() == 'x';
      },
      std::chrono::seconds(1)));
}

TEST_F(Recording, HandsOverAtOnceUntilThereIsMuchToWrite) {
  const auto logs = AccessLogs::Compile(
                        {{.target = xds::AccessLog::Target::kFile, .path = dir_ + "/a", .text_format = "x\n"}}, writer_)
                        .value();
  ManualClock clock;
  io::Loop loop(clock);
  LogBuffers buffers(loop, writer_);
  const auto lines = [&] {
    clock.Advance(io::TimerWheel::kTick);
    loop.RunOnce(Duration(0));
    writer_.Flush();
    return std::filesystem::file_size(dir_ + "/a") / 2;
  };
  for (std::size_t i = 1; i <= LogBuffers::kAtOnce; ++i) {
    logs->Write(record_, buffers);
    ASSERT_EQ(lines(), i);
  }
  logs->Write(record_, buffers);
  EXPECT_EQ(lines(), std::size_t{LogBuffers::kAtOnce}) << "a busy worker writes in blocks";
  clock.Advance(LogBuffers::kAge);
  EXPECT_EQ(lines(), std::size_t{LogBuffers::kAtOnce} + 1);
  logs->Write(record_, buffers);
  EXPECT_EQ(lines(), std::size_t{LogBuffers::kAtOnce} + 2);
}

TEST(LogWriter, LeavesTheSignalThatEndsTheProcessToWhoWaitsForIt) {
  const LogWriter writer;  // its thread begins before the signals are blocked here
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, &before);
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  const timespec limit{.tv_sec = 10, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&stop, nullptr, &limit), SIGTERM);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_F(Recording, LeavesOutWhatItsFilterDoesNotWant) {
  const auto logs =
      AccessLogs::Compile(
          {{.target = xds::AccessLog::Target::kFile,
            .path = dir_ + "/a",
            .text_format = "%RESPONSE_FLAGS%\n",
            .filter = xds::AccessLogFilter{.kind = xds::AccessLogFilter::Kind::kResponseFlag, .flags = {"UF"}}}},
          writer_)
          .value();
  {
    LogBuffers buffers(loop_, writer_);
    logs->Write(record_, buffers);
    record_.flags.Set(ResponseFlag::kUpstreamConnectionFailure);
    logs->Write(record_, buffers);
  }
  writer_.Flush();
  EXPECT_EQ((std::stringstream() << std::ifstream(dir_ + "/a").rdbuf()).str(), "UF\n");
  EXPECT_FALSE(AccessLogs::Compile({{.target = xds::AccessLog::Target::kFile, .path = "/nowhere/at/all"}}, writer_));
}

TEST_F(Recording, LabelsRequestsAsIstioDoesOnTheServersSide) {
  WorkerRecorder recorder(loop_, writer_, series_, Reviews(), index_, nullptr);
  recorder.RequestEnded(record_, nullptr);
  recorder.RequestEnded(record_, nullptr);
  EXPECT_EQ(Line(Scrape(), "istio_requests_total"),
            "istio_requests_total{reporter=\"destination\",source_workload=\"productpage-v1\",source_canonical_service="
            "\"productpage\","
            "source_canonical_revision=\"v1\",source_workload_namespace=\"default\",source_principal=\"spiffe://"
            "cluster.local/ns/default/sa/productpage\","
            "source_app=\"productpage\",source_version=\"v1\",source_cluster=\"Kubernetes\",destination_workload="
            "\"reviews-v1\","
            "destination_workload_namespace=\"default\",destination_principal=\"spiffe://cluster.local/ns/default/sa/"
            "reviews\","
            "destination_app=\"reviews\",destination_version=\"v1\",destination_service=\"reviews.default.svc.cluster."
            "local\","
            "destination_canonical_service=\"reviews\",destination_canonical_revision=\"v1\",destination_service_name="
            "\"reviews\","
            "destination_service_namespace=\"default\",destination_cluster=\"Kubernetes\",request_protocol=\"http\","
            "response_flags=\"-\","
            "connection_security_policy=\"mutual_tls\",response_code=\"200\",grpc_response_status=\"\"} 2");
  EXPECT_NE(Scrape().find("istio_request_duration_milliseconds_bucket"), std::string::npos);
}

TEST_F(Recording, LabelsRequestsOnTheClientsSideByTheEndpoint) {
  connection_.direction = Direction::kOutbound;
  record_.host = std::make_shared<cluster::Host>(
      cluster::Host::Facts{.address = io::SocketAddress::Parse("10.244.0.5:9080").value()}, 1,
      xds::HealthStatus::kHealthy);
  record_.upstream_identity = "spiffe://cluster.local/ns/default/sa/reviews";
  auto config = std::make_shared<xds::Cluster>();
  config->istio_services = {{.host = "reviews.default.svc.cluster.local", .name = "reviews", .name_space = "default"}};
  record_.cluster = config;
  WorkerRecorder recorder(loop_, writer_, series_, {.labels = {.workload = "productpage-v1"}}, index_, nullptr);
  recorder.RequestEnded(record_, nullptr);
  const std::string line = Line(Scrape(), "istio_requests_total");
  EXPECT_NE(line.find("reporter=\"source\""), std::string::npos);
  EXPECT_NE(line.find("destination_workload=\"reviews-v1\""), std::string::npos);
  EXPECT_NE(line.find("connection_security_policy=\"unknown\""), std::string::npos);
}

TEST_F(Recording, TrustsTheCertificateMoreThanTheAddress) {
  tls_.peer_identity = "spiffe://cluster.local/ns/other/sa/gateway";
  WorkerRecorder recorder(loop_, writer_, series_, Reviews(), index_, nullptr);
  recorder.RequestEnded(record_, nullptr);
  const std::string line = Line(Scrape(), "istio_requests_total");
  EXPECT_NE(line.find("source_workload=\"unknown\""), std::string::npos);
  EXPECT_NE(line.find("source_workload_namespace=\"other\""), std::string::npos);
  EXPECT_NE(line.find("source_principal=\"spiffe://cluster.local/ns/other/sa/gateway\""), std::string::npos);
}

TEST_F(Recording, CountsTcpBytesOnceOverReports) {
  record_.request = nullptr;
  WorkerRecorder recorder(loop_, writer_, series_, Reviews(), index_, nullptr);
  TcpProgress progress;
  recorder.ConnectionOpened(record_);
  record_.bytes_sent = 100;
  recorder.ConnectionProgress(record_, progress);
  record_.bytes_sent = 150;
  record_.bytes_received = 7;
  recorder.ConnectionEnded(record_, progress, nullptr);
  const std::string text = Scrape();
  EXPECT_TRUE(Line(text, "istio_tcp_sent_bytes_total").ends_with("} 150"));
  EXPECT_TRUE(Line(text, "istio_tcp_received_bytes_total").ends_with("} 7"));
  EXPECT_TRUE(Line(text, "istio_tcp_connections_opened_total").ends_with("} 1"));
  EXPECT_TRUE(Line(text, "istio_tcp_connections_closed_total").ends_with("} 1"));
  EXPECT_EQ(Line(text, "istio_tcp_sent_bytes_total").find("response_code"), std::string::npos);
}

TEST_F(Recording, CountsMessagesOnlyOfGrpc) {
  WorkerRecorder recorder(loop_, writer_, series_, Reviews(), index_, nullptr);
  recorder.RequestEnded(record_, nullptr);
  EXPECT_EQ(Line(Scrape(), "istio_request_messages_total"), "");
  head_.headers.Add("content-type", "application/grpc");
  const http::Headers trailers{{"grpc-status", "5"}};
  record_.response_trailers = &trailers;
  record_.request_messages = 3;
  recorder.RequestEnded(record_, nullptr);
  const std::string line = Line(Scrape(), "istio_request_messages_total");
  EXPECT_TRUE(line.ends_with("} 3"));
  EXPECT_NE(line.find("grpc_response_status=\"5\""), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::record
