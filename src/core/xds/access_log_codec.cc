#include "core/xds/access_log_codec.h"

#include "core/xds/common_codec.h"
#include "core/xds/data_source.h"
#include "core/xds/json_format_codec.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"

namespace plait::xds {
namespace {
namespace pb = envoy::config::accesslog::v3;
using At = DecodeContext::At;

AccessLogFilter DecodeFilter(const pb::AccessLogFilter& in, DecodeContext& context) {
  const At at(context, "filter");
  context.Honours(in, {"status_code_filter", "response_flag_filter", "not_health_check_filter"});
  AccessLogFilter out;
  if (in.has_response_flag_filter()) {
    out.kind = AccessLogFilter::Kind::kResponseFlag;
    context.Honours(in.response_flag_filter(), {"flags"});
    out.flags = {in.response_flag_filter().flags().begin(), in.response_flag_filter().flags().end()};
  } else if (in.has_status_code_filter()) {
    out.kind = AccessLogFilter::Kind::kStatusCode;
    const auto& comparison = in.status_code_filter().comparison();
    context.Honours(in.status_code_filter(), {"comparison"});
    context.Honours(comparison, {"op", "value"});
    context.Honours(comparison.value(), {"default_value", "runtime_key"});
    using Op = pb::ComparisonFilter;
    out.compare = comparison.op() == Op::GE   ? AccessLogFilter::Compare::kGreaterOrEqual
                  : comparison.op() == Op::LE ? AccessLogFilter::Compare::kLessOrEqual
                  : comparison.op() == Op::NE ? AccessLogFilter::Compare::kNotEqual
                                              : AccessLogFilter::Compare::kEqual;
    out.status = comparison.value().default_value();
  } else if (in.has_not_health_check_filter()) {
    out.kind = AccessLogFilter::Kind::kNotHealthCheck;
  } else {
    context.Reject("no filter is set");
  }
  return out;
}

// They add operators, which are known without them.
void DecodeFormatter(const envoy::config::core::v3::TypedExtensionConfig& in, int index, DecodeContext& context) {
  const At at(context, "formatters", index);
  context.Honours(in, {"name", "typed_config"});
  constexpr std::string_view kKnown[] = {"envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery",
                                         "envoy.extensions.formatter.metadata.v3.Metadata",
                                         "envoy.extensions.formatter.cel.v3.Cel"};
  const std::string_view type = TypeOf(in.typed_config());
  if (std::ranges::find(kKnown, type) == std::end(kKnown))
    context.Reject("formatter of type \"" + std::string(type) + "\" is not implemented");
}

void DecodeFormat(const envoy::config::core::v3::SubstitutionFormatString& in, AccessLog& out, DecodeContext& context) {
  const At at(context, "log_format");
  context.Honours(in, {"text_format", "text_format_source", "json_format", "json_format_options", "omit_empty_values",
                       "formatters"});
  context.Honours(in.json_format_options(), {"sort_properties"});  // they are always sorted, as in Envoy
  for (int i = 0; i < in.formatters_size(); ++i) DecodeFormatter(in.formatters(i), i, context);
  out.omit_empty_values = in.omit_empty_values();
  if (in.has_text_format_source()) {
    auto text = ReadSource(DecodeDataSource(in.text_format_source(), context));
    if (!text) return context.Reject("text_format_source: " + text.error().message);
    out.text_format = *std::move(text);
  } else if (in.has_json_format()) {
    out.format = AccessLog::Format::kJson;
    out.json_format = DecodeJsonFormat(in.json_format());
  } else {
    out.text_format = in.text_format();
  }
}
}  // namespace

AccessLog DecodeAccessLog(const pb::AccessLog& in, DecodeContext& context) {
  context.Honours(in, {"name", "filter", "typed_config"});
  AccessLog out;
  out.name = in.name();
  if (in.has_filter()) out.filter = DecodeFilter(in.filter(), context);
  const std::string_view type = TypeOf(in.typed_config());
  if (envoy::extensions::access_loggers::file::v3::FileAccessLog file; type == file.GetTypeName()) {
    if (!Unpack(in.typed_config(), file, context)) return out;
    context.Honours(file, {"path", "format", "log_format"});
    out.target = AccessLog::Target::kFile;
    out.path = file.path();
    out.text_format = file.format();
    if (file.has_log_format()) DecodeFormat(file.log_format(), out, context);
    if (out.path.empty()) context.Reject("path is empty");
  } else if (envoy::extensions::access_loggers::stream::v3::StdoutAccessLog stdout_log;
             type == stdout_log.GetTypeName()) {
    if (!Unpack(in.typed_config(), stdout_log, context)) return out;
    context.Honours(stdout_log, {"log_format"});
    if (stdout_log.has_log_format()) DecodeFormat(stdout_log.log_format(), out, context);
  } else if (envoy::extensions::access_loggers::stream::v3::StderrAccessLog stderr_log;
             type == stderr_log.GetTypeName()) {
    if (!Unpack(in.typed_config(), stderr_log, context)) return out;
    context.Honours(stderr_log, {"log_format"});
    out.target = AccessLog::Target::kStderr;
    if (stderr_log.has_log_format()) DecodeFormat(stderr_log.log_format(), out, context);
  } else {
    context.Reject("access log of type \"" + std::string(type) + "\" is not implemented");
  }
  return out;
}

}  // namespace plait::xds
