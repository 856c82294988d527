#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/struct.pb.h>

#include "core/xds/encode/parts.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "envoy/type/v3/percent.pb.h"

namespace plait::xds::encode {
namespace {
namespace core = envoy::config::core::v3;
}

std::string Bytes(const google::protobuf::Message& message) {
  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return out;
}

void Pack(const google::protobuf::Message& message, google::protobuf::Any& out) {
  out.set_type_url("type.googleapis.com/" + message.GetTypeName());
  out.set_value(Bytes(message));
}

void Fill(Duration in, google::protobuf::Duration& out) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(in);
  out.set_seconds(seconds.count());
  out.set_nanos(static_cast<std::int32_t>((in - seconds).count()));
}

void Fill(const io::SocketAddress& in, core::Address& out) {
  if (in.is_unix()) {
    out.mutable_pipe()->set_path(in.unix_path);
    return;
  }
  out.mutable_socket_address()->set_address(in.ip.ToString());
  out.mutable_socket_address()->set_port_value(in.port.value);
}

void Fill(const io::Cidr& in, core::CidrRange& out) {
  out.set_address_prefix(in.base.ToString());
  out.mutable_prefix_len()->set_value(in.length);
}

void Fill(const DataSource& in, core::DataSource& out) {
  switch (in.kind) {
    case DataSource::Kind::kNone: break;
    case DataSource::Kind::kInline: out.set_inline_bytes(in.value); break;
    case DataSource::Kind::kFile: out.set_filename(in.value); break;
    case DataSource::Kind::kEnvironment: out.set_environment_variable(in.value); break;
  }
}

void Fill(const Locality& in, core::Locality& out) {
  out.set_region(in.region);
  out.set_zone(in.zone);
  out.set_sub_zone(in.sub_zone);
}

void Fill(const StringMatcher& in, envoy::type::matcher::v3::StringMatcher& out) {
  switch (in.kind) {
    case StringMatcher::Kind::kExact: out.set_exact(in.value); break;
    case StringMatcher::Kind::kPrefix: out.set_prefix(in.value); break;
    case StringMatcher::Kind::kSuffix: out.set_suffix(in.value); break;
    case StringMatcher::Kind::kContains: out.set_contains(in.value); break;
    case StringMatcher::Kind::kRegex: out.mutable_safe_regex()->set_regex(in.value); break;
  }
  out.set_ignore_case(in.ignore_case);
}

void Fill(const RegexRewrite& in, envoy::type::matcher::v3::RegexMatchAndSubstitute& out) {
  out.mutable_pattern()->set_regex(in.pattern);
  out.set_substitution(in.substitution);
}

void Fill(const HeaderMatcher& in, envoy::config::route::v3::HeaderMatcher& out) {
  out.set_name(in.name);
  if (const auto* present = std::get_if<PresentMatcher>(&in.value)) {
    out.set_present_match(present->present);
  } else if (const auto* range = std::get_if<Int64Range>(&in.value)) {
    out.mutable_range_match()->set_start(range->start);
    out.mutable_range_match()->set_end(range->end);
  } else {
    Fill(std::get<StringMatcher>(in.value), *out.mutable_string_match());
  }
  out.set_invert_match(in.invert);
  out.set_treat_missing_header_as_empty(in.treat_missing_as_empty);
}

void Fill(Fraction in, envoy::type::v3::FractionalPercent& out) {
  out.set_numerator(in.per_million);
  out.set_denominator(envoy::type::v3::FractionalPercent::MILLION);
}

void Fill(Fraction in, core::RuntimeFractionalPercent& out) { Fill(in, *out.mutable_default_value()); }

void FillAds(core::ConfigSource& out) {
  out.mutable_ads();
  out.set_resource_api_version(core::V3);
}

google::protobuf::Struct& MetadataOf(core::Metadata& out, const char* filter) {
  return (*out.mutable_filter_metadata())[filter];
}

void SetMetadata(core::Metadata& out, const char* filter, const std::string& key, const std::string& text) {
  (*MetadataOf(out, filter).mutable_fields())[key].set_string_value(text);
}

}  // namespace plait::xds::encode
