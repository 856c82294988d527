// What the end of one request costs: Istio's log line and metrics, with a peer that the index knows.
#include <benchmark/benchmark.h>

#include "core/xds/cluster.h"
#include "core/xds/istio_log_format.h"
#include "proxy/cluster/host.h"
#include "proxy/record/worker_recorder.h"

namespace plait::proxy::record {
namespace {

struct Request {
  Request() {
    connection.direction = Direction::kInbound;
    connection.remote = io::SocketAddress::Parse("10.244.0.4:5000").value();
    connection.local = io::SocketAddress::Parse("10.244.0.5:9080").value();
    tls.peer_certificate = true;
    tls.peer_identity = "spiffe://cluster.local/ns/default/sa/productpage";
    tls.local_identity = "spiffe://cluster.local/ns/default/sa/reviews";
    connection.tls = &tls;
    head.method = "GET";
    head.path = "/reviews/0";
    head.authority = "reviews:9080";
    head.headers.Add("user-agent", "curl/8");
    head.headers.Add("x-request-id", "f3b9a3c0-5b1e-4a6a-9f0d-2f6f0a0d4b3c");
    record.connection = &connection;
    record.remote = connection.remote;
    record.request = &head;
    record.response = &response;
    record.response_code = 200;
    record.response_details = "via_upstream";
    record.total = std::chrono::milliseconds(3);
    record.cluster_name = "inbound|9080||";
    auto config = std::make_shared<xds::Cluster>();
    config->istio_services = {
        {.host = "reviews.default.svc.cluster.local", .name = "reviews", .name_space = "default"}};
    record.cluster = config;
    xds::Workload peer{.uid = "p",
                       .name = "productpage-v1-0",
                       .name_space = "default",
                       .addresses = {connection.remote.ip},
                       .service_account = "productpage"};
    index.Apply({.put = {{"p", std::make_shared<const xds::Address>(xds::Address{peer})}}});
  }
  io::TlsFacts tls;
  ConnectionInfo connection;
  http::RequestHead head;
  http::ResponseHead response;
  StreamRecord record;
  cluster::DestinationIndex index;
};

void BM_FormatIstiosLine(benchmark::State& state) {
  const Request request;
  const Format format = Format::Compile(xds::kIstioFormat).value();
  std::string out;
  for (auto _ : state) {
    out.clear();
    format.Append(request.record, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_FormatIstiosLine);

void BM_CountIstiosMetrics(benchmark::State& state) {
  const Request request;
  telemetry::Registry registry;
  IstioSeries series(registry);
  IstioMetrics metrics(series, {}, request.index, nullptr);
  for (auto _ : state) metrics.Request(request.record);
}
BENCHMARK(BM_CountIstiosMetrics);

}  // namespace
}  // namespace plait::proxy::record
