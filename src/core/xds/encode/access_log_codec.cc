#include "core/xds/encode/parts.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"

namespace plait::xds::encode {
namespace {
namespace pb = envoy::config::accesslog::v3;
namespace loggers = envoy::extensions::access_loggers;

void FillFilter(const AccessLogFilter& in, pb::AccessLogFilter& out) {
  using Op = pb::ComparisonFilter;
  switch (in.kind) {
    case AccessLogFilter::Kind::kNotHealthCheck: out.mutable_not_health_check_filter(); break;
    case AccessLogFilter::Kind::kResponseFlag:
      out.mutable_response_flag_filter();
      for (const std::string& flag : in.flags) out.mutable_response_flag_filter()->add_flags(flag);
      break;
    case AccessLogFilter::Kind::kStatusCode: {
      constexpr Op::Op kOps[] = {Op::EQ, Op::GE, Op::LE, Op::NE};  // in the order of Compare
      auto& comparison = *out.mutable_status_code_filter()->mutable_comparison();
      comparison.set_op(kOps[static_cast<std::size_t>(in.compare)]);
      comparison.mutable_value()->set_default_value(in.status);
      comparison.mutable_value()->set_runtime_key("plait.access_log.status");  // Envoy demands one
      break;
    }
  }
}

void FillFormat(const AccessLog& in, envoy::config::core::v3::SubstitutionFormatString& out) {
  out.set_omit_empty_values(in.omit_empty_values);
  if (in.format == AccessLog::Format::kText) {
    out.mutable_text_format_source()->set_inline_string(in.text_format);
    return;
  }
  auto& fields = *out.mutable_json_format()->mutable_fields();
  for (const auto& [key, value] : in.json_format) fields[key].set_string_value(value);
}

template <class Message>
void PackLogger(const AccessLog& in, Message message, google::protobuf::Any& out) {
  const bool has_format = in.format == AccessLog::Format::kJson || !in.text_format.empty();
  if (has_format) FillFormat(in, *message.mutable_log_format());
  Pack(message, out);
}

}  // namespace

void Fill(const AccessLog& in, pb::AccessLog& out) {
  out.set_name(in.name);
  if (in.filter) FillFilter(*in.filter, *out.mutable_filter());
  switch (in.target) {
    case AccessLog::Target::kStdout:
      PackLogger(in, loggers::stream::v3::StdoutAccessLog(), *out.mutable_typed_config());
      break;
    case AccessLog::Target::kStderr:
      PackLogger(in, loggers::stream::v3::StderrAccessLog(), *out.mutable_typed_config());
      break;
    case AccessLog::Target::kFile: {
      loggers::file::v3::FileAccessLog file;
      file.set_path(in.path);
      PackLogger(in, std::move(file), *out.mutable_typed_config());
      break;
    }
  }
}

}  // namespace plait::xds::encode
