#pragma once
// The Recorder of a worker: access logs into its buffers, Istio's metrics into its cells.
#include "proxy/record/access_log.h"
#include "proxy/record/istio_metrics.h"
#include "proxy/record/recorder.h"

namespace plait::proxy::record {

class WorkerRecorder final : public Recorder {
 public:
  // All outlive it.
  WorkerRecorder(io::Loop& loop, LogWriter& writer, IstioSeries& series, LocalWorkload local,
                 const cluster::DestinationIndex& index, PeerLookup* lookup)
      : buffers_(loop, writer), metrics_(series, std::move(local), index, lookup) {}

  void RequestEnded(const StreamRecord& record, const AccessLogs* logs) override {
    metrics_.Request(record);
    if (logs != nullptr) logs->Write(record, buffers_);
  }
  void ConnectionOpened(const StreamRecord& record) override { metrics_.TcpOpened(record); }
  void ConnectionProgress(const StreamRecord& record, TcpProgress& progress) override {
    metrics_.TcpBytes(record, Since(progress.reported_sent, record.bytes_sent),
                      Since(progress.reported_received, record.bytes_received));
  }
  void ConnectionEnded(const StreamRecord& record, TcpProgress& progress, const AccessLogs* logs) override {
    metrics_.TcpClosed(record, Since(progress.reported_sent, record.bytes_sent),
                       Since(progress.reported_received, record.bytes_received));
    if (logs != nullptr) logs->Write(record, buffers_);
    OtherConnectionEnded(record, nullptr);
  }
  void OtherConnectionEnded(const StreamRecord& record, const AccessLogs* logs) override {
    for (const AccessLogs* each : {logs, record.connection->listener_logs.get()}) {
      if (each != nullptr) each->Write(record, buffers_);
    }
  }

 private:
  // What came since the last report; remembers it.
  static std::uint64_t Since(std::uint64_t& reported, std::uint64_t now) noexcept {
    const std::uint64_t before = std::exchange(reported, now);
    return now - before;
  }
  LogBuffers buffers_;
  IstioMetrics metrics_;
};

}  // namespace plait::proxy::record
