#include "control/serve/protobuf_log.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

#include "core/base/log.h"

namespace plait::control::serve {
namespace {

log::Component kLog("protobuf");

// A fatal message still ends the process: the library does that after this.
void Write(google::protobuf::LogLevel level, const char* /*file*/, int /*line*/, const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_INFO) return kLog.Info(message);
  if (level == google::protobuf::LOGLEVEL_WARNING) return kLog.Warn(message);
  kLog.Error(message);
}

}  // namespace

void LogProtobuf() { google::protobuf::SetLogHandler(&Write); }

}  // namespace plait::control::serve
