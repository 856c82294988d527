#include <google/protobuf/struct.pb.h>

#include "core/xds/encode/parts.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "envoy/extensions/formatter/req_without_query/v3/req_without_query.pb.h"

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

void FillValue(const JsonFormat& in, google::protobuf::Value& out);

void FillObject(const JsonFormat& in, google::protobuf::Struct& out) {
  auto& fields = *out.mutable_fields();
  for (std::size_t i = 0; i < in.keys.size(); ++i) FillValue(in.items[i], fields[in.keys[i]]);
}

void FillValue(const JsonFormat& in, google::protobuf::Value& out) {
  switch (in.kind) {
    case JsonFormat::Kind::kNull: out.set_null_value(google::protobuf::NULL_VALUE); break;
    case JsonFormat::Kind::kBool: out.set_bool_value(in.boolean); break;
    case JsonFormat::Kind::kNumber: out.set_number_value(in.number); break;
    case JsonFormat::Kind::kText: out.set_string_value(in.text); break;
    case JsonFormat::Kind::kList: {
      auto& list = *out.mutable_list_value();
      for (const JsonFormat& item : in.items) FillValue(item, *list.add_values());
      break;
    }
    case JsonFormat::Kind::kObject: FillObject(in, *out.mutable_struct_value()); break;
  }
}

// An Envoy knows it by an extension alone, which Istio adds as we do.
constexpr std::string_view kWithoutQuery = "%REQ_WITHOUT_QUERY";

bool Uses(const JsonFormat& format, std::string_view operator_name) {
  return format.text.contains(operator_name) ||
         std::ranges::any_of(format.items, [&](const JsonFormat& item) { return Uses(item, operator_name); });
}

void FillFormat(const AccessLog& in, envoy::config::core::v3::SubstitutionFormatString& out) {
  out.set_omit_empty_values(in.omit_empty_values);
  if (in.text_format.contains(kWithoutQuery) || Uses(in.json_format, kWithoutQuery)) {
    auto& formatter = *out.add_formatters();
    formatter.set_name("envoy.formatter.req_without_query");
    Pack(envoy::extensions::formatter::req_without_query::v3::ReqWithoutQuery(), *formatter.mutable_typed_config());
  }
  if (in.format == AccessLog::Format::kText) {
    out.mutable_text_format_source()->set_inline_string(in.text_format);
    return;
  }
  FillObject(in.json_format, *out.mutable_json_format());
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
