#include "proxy/record/access_log.h"

namespace plait::proxy::record {

Outcome<std::shared_ptr<const AccessLogs>> AccessLogs::Compile(const std::vector<xds::AccessLog>& configs,
                                                               LogWriter& writer) {
  auto logs = std::make_shared<AccessLogs>();
  for (const xds::AccessLog& config : configs) {
    Log log{.filter = config.filter, .omit_empty = config.omit_empty_values};
    if (config.format == xds::AccessLog::Format::kJson) {
      auto format = JsonFormat::Compile(config.json_format, config.omit_empty_values);
      if (!format) return std::unexpected(format.error());
      log.format = *std::move(format);
    } else {
      auto format = Format::Compile(config.text_format.empty() ? kEnvoyFormat : config.text_format);
      if (!format) return std::unexpected(format.error());
      log.format = *std::move(format);
    }
    for (const std::string& name : config.filter ? config.filter->flags : std::vector<std::string>{}) {
      const ResponseFlag flag = FlagByShortName(name);
      if (flag == ResponseFlag::kNone) {
        return Explain(Errc::kInvalidInput, "access log filter: response flag '" + name + "' is not known");
      }
      log.flags.Set(flag);
    }
    using Target = xds::AccessLog::Target;
    const std::string path = config.target == Target::kStdout   ? "/dev/stdout"
                             : config.target == Target::kStderr ? "/dev/stderr"
                                                                : config.path;
    auto sink = writer.Open(path);
    if (!sink) return std::unexpected(sink.error());
    log.sink = *std::move(sink);
    logs->logs_.push_back(std::move(log));
  }
  return logs;
}

bool AccessLogs::Wants(const Log& log, const StreamRecord& record) {
  if (!log.filter) return true;
  using Kind = xds::AccessLogFilter::Kind;
  using Compare = xds::AccessLogFilter::Compare;
  switch (log.filter->kind) {
    case Kind::kNotHealthCheck: return !record.health_check;
    case Kind::kResponseFlag:
      return log.flags.empty() ? !record.flags.empty() : (record.flags.bits() & log.flags.bits()) != 0;
    case Kind::kStatusCode:
      switch (log.filter->compare) {
        case Compare::kEqual: return record.response_code == log.filter->status;
        case Compare::kNotEqual: return record.response_code != log.filter->status;
        case Compare::kGreaterOrEqual: return record.response_code >= log.filter->status;
        case Compare::kLessOrEqual: return record.response_code <= log.filter->status;
      }
  }
  return true;
}

void AccessLogs::Write(const StreamRecord& record, LogBuffers& buffers) const {
  for (const Log& log : logs_) {
    if (!Wants(log, record)) continue;
    std::string& out = buffers.Of(*log.sink);
    if (const auto* text = std::get_if<Format>(&log.format)) {
      text->Append(record, out, log.omit_empty);
    } else {
      std::get<JsonFormat>(log.format).Append(record, out);
    }
    buffers.Appended(*log.sink);
  }
}

}  // namespace plait::proxy::record
