#pragma once
// Access logs of listeners, connection managers and TCP proxies. Mirrors envoy.config.accesslog.v3 with the file and
// stream loggers.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/xds/json_format.h"

namespace plait::xds {

struct AccessLogFilter {
  enum class Kind : std::uint8_t { kResponseFlag, kStatusCode, kNotHealthCheck };
  enum class Compare : std::uint8_t { kEqual, kGreaterOrEqual, kLessOrEqual, kNotEqual };
  Kind kind = Kind::kResponseFlag;
  std::vector<std::string> flags;  // kResponseFlag; empty: any flag
  Compare compare = Compare::kEqual;
  std::uint32_t status = 0;
  friend bool operator==(const AccessLogFilter&, const AccessLogFilter&) = default;
};

struct AccessLog {
  enum class Target : std::uint8_t { kFile, kStdout, kStderr };
  enum class Format : std::uint8_t { kText, kJson };
  std::string name;
  Target target = Target::kStdout;
  std::string path;  // kFile; "/dev/stdout" stays a path here
  Format format = Format::kText;
  std::string text_format;  // empty: Envoy's default format
  JsonFormat json_format;
  bool omit_empty_values = false;
  std::optional<AccessLogFilter> filter;
  friend bool operator==(const AccessLog&, const AccessLog&) = default;
};

}  // namespace plait::xds
