#pragma once
// The end of a stream's journey: log lines and metrics. One Recorder a worker, used only on its thread; it never blocks
// and takes no lock (access log buffers are handed to the process's writer thread every second or 64 KiB).
#include <memory>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "proxy/record/stream_record.h"

namespace plait::xds {
struct AccessLog;
}

namespace plait::proxy::record {

class AccessLogs;  // compiled, immutable, shared; access_log.h

// Cumulative counts of a TCP connection, for reports while it lives (every 15 s as Istio's tcp_reporting_duration).
struct TcpProgress {
  std::uint64_t reported_sent = 0;
  std::uint64_t reported_received = 0;
};

class Recorder {
 public:
  virtual ~Recorder() = default;
  // An HTTP request has ended; `record.total` and the rest are final. `logs` may be null.
  virtual void RequestEnded(const StreamRecord& record, const AccessLogs* logs) = 0;
  // A TCP connection got its upstream (istio_tcp_connections_opened_total); call once.
  virtual void ConnectionOpened(const StreamRecord& record) = 0;
  // Every 15 s of a long TCP connection: bytes since the last report.
  virtual void ConnectionProgress(const StreamRecord& record, TcpProgress& progress) = 0;
  // Also for connections that never reached an upstream (then without ConnectionOpened). The access log of the listener
  // gets its line, too.
  virtual void ConnectionEnded(const StreamRecord& record, TcpProgress& progress, const AccessLogs* logs) = 0;
  // Any other connection has ended, one of HTTP or one that nothing took: a line in the access log of its listener.
  // `logs`: of the connection manager, where no request tells why the connection ended; else null.
  virtual void OtherConnectionEnded(const StreamRecord& record, const AccessLogs* logs) = 0;
};

}  // namespace plait::proxy::record
