#pragma once
// Decoders of small messages that many resources use. Internal to core/xds.
#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include "core/base/time.h"
#include "core/xds/decode_context.h"
#include "core/xds/endpoint.h"
#include "core/xds/matcher.h"
#include "core/xds/secret.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "envoy/type/v3/percent.pb.h"

namespace plait::xds {

// The type URL without "type.googleapis.com/".
std::string_view TypeOf(const google::protobuf::Any& any);

// Unpacks `any` into `message`; false and a rejection when the bytes are not of that type.
template <class Message>
bool Unpack(const google::protobuf::Any& any, Message& message, DecodeContext& context) {
  if (message.ParseFromString(any.value())) return true;
  context.Reject("bytes are not a " + message.GetTypeName());
  return false;
}

// A port number of a message; rejected when above 65535.
std::uint16_t DecodePort(std::uint32_t in, DecodeContext& context);
Duration DecodeDuration(const google::protobuf::Duration& in, DecodeContext& context);  // never negative

io::SocketAddress DecodeAddress(const envoy::config::core::v3::Address& in, DecodeContext& context);  // IP or pipe
io::SocketAddress DecodeSocketAddress(const envoy::config::core::v3::SocketAddress& address, DecodeContext& context);
io::Cidr DecodeCidr(const envoy::config::core::v3::CidrRange& in, DecodeContext& context);
DataSource DecodeDataSource(const envoy::config::core::v3::DataSource& in, DecodeContext& context);
Locality DecodeLocality(const envoy::config::core::v3::Locality& in, DecodeContext& context);
StringMatcher DecodeStringMatcher(const envoy::type::matcher::v3::StringMatcher& in, DecodeContext& context);
std::string DecodeRegex(const envoy::type::matcher::v3::RegexMatcher& in, DecodeContext& context);
RegexRewrite DecodeRegexRewrite(const envoy::type::matcher::v3::RegexMatchAndSubstitute& in, DecodeContext& context);
HeaderMatcher DecodeHeaderMatcher(const envoy::config::route::v3::HeaderMatcher& in, DecodeContext& context);
Fraction DecodeFraction(const envoy::type::v3::FractionalPercent& in);
Fraction DecodeRuntimeFraction(const envoy::config::core::v3::RuntimeFractionalPercent& in, DecodeContext& context);
// True for ads; other sources are rejected.
bool IsAds(const envoy::config::core::v3::ConfigSource& in, DecodeContext& context);
// initial_fetch_timeout; 0: for ever.
std::optional<Duration> FetchTimeoutOf(const envoy::config::core::v3::ConfigSource& in, DecodeContext& context);

}  // namespace plait::xds
