#pragma once
// The access logs of a listener, connection manager or TCP proxy, compiled: filter, format, file. Immutable, shared.
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/xds/access_log.h"
#include "proxy/record/format.h"
#include "proxy/record/log_writer.h"

namespace plait::proxy::record {

class AccessLogs {
 public:
  static Outcome<std::shared_ptr<const AccessLogs>> Compile(const std::vector<xds::AccessLog>& configs,
                                                            LogWriter& writer);
  bool empty() const noexcept { return logs_.empty(); }
  // Appends a line to the worker's buffer of each log that wants it.
  void Write(const StreamRecord& record, LogBuffers& buffers) const;

 private:
  struct Log {
    std::optional<xds::AccessLogFilter> filter;
    ResponseFlags flags;  // of the filter
    std::variant<Format, JsonFormat> format;
    bool omit_empty = false;
    std::shared_ptr<const LogSink> sink;
  };
  static bool Wants(const Log& log, const StreamRecord& record);
  std::vector<Log> logs_;
};

}  // namespace plait::proxy::record
