#include "core/xds/common_codec.h"

#include <re2/re2.h>

#include "core/base/strings.h"
#include "core/xds/regex_limit.h"

namespace plait::xds {
namespace {
namespace core = envoy::config::core::v3;
namespace matcher = envoy::type::matcher::v3;

std::string CheckedRegex(const std::string& regex, int most, DecodeContext& context) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  const re2::RE2 compiled(regex, options);
  if (!compiled.ok())
    context.Reject("regular expression \"" + regex + "\": " + compiled.error());
  else if (compiled.ProgramSize() > most)
    context.Reject("regular expression \"" + regex.substr(0, 60) + "\" is too large (" +
                   std::to_string(compiled.ProgramSize()) + " instructions)");
  return regex;
}
}  // namespace

std::string_view TypeOf(const google::protobuf::Any& any) {
  const std::string_view url = any.type_url();
  const std::size_t slash = url.rfind('/');
  return slash == std::string_view::npos ? url : url.substr(slash + 1);
}

std::uint16_t DecodePort(std::uint32_t in, DecodeContext& context) {
  if (in > 65535) context.Reject("port " + std::to_string(in) + " is above 65535");
  return static_cast<std::uint16_t>(in);
}

Duration DecodeDuration(const google::protobuf::Duration& in, DecodeContext& context) {
  constexpr std::int64_t kMaxSeconds =
      315'576'000'000;  // protobuf's own limit is 10,000 years; ours what nanoseconds hold
  const bool whole_nanos = in.nanos() >= 0 && in.nanos() <= 999'999'999;
  if (in.seconds() < 0 || !whole_nanos || in.seconds() > kMaxSeconds) {
    context.Reject("duration is out of range");
    return {};
  }
  if (in.seconds() > Duration::max().count() / 1'000'000'000 - 1) return Duration::max();
  return std::chrono::seconds(in.seconds()) + std::chrono::nanoseconds(in.nanos());
}

io::SocketAddress DecodeAddress(const core::Address& in, DecodeContext& context) {
  context.Honours(in, {"socket_address", "pipe"});
  io::SocketAddress out;
  if (in.has_pipe()) {
    context.Honours(in.pipe(), {"path"});
    out.unix_path = in.pipe().path();
    if (out.unix_path.empty()) context.Reject("pipe.path is empty");
    return out;
  }
  if (!in.has_socket_address()) {
    context.Reject("there is no address");
    return out;
  }
  return DecodeSocketAddress(in.socket_address(), context);
}

io::SocketAddress DecodeSocketAddress(const core::SocketAddress& address, DecodeContext& context) {
  io::SocketAddress out;
  context.Honours(address, {"address", "port_value", "protocol", "ipv4_compat"});
  if (address.protocol() != core::SocketAddress::TCP) context.Reject("protocol UDP is not implemented");
  const auto ip = io::IpAddress::Parse(address.address());
  if (!ip) context.Reject("\"" + address.address() + "\" is no IP address");
  if (ip) out.ip = *ip;
  out.port = Port{DecodePort(address.port_value(), context)};
  return out;
}

io::Cidr DecodeCidr(const core::CidrRange& in, DecodeContext& context) {
  context.Honours(in, {"address_prefix", "prefix_len"});
  const auto cidr = io::Cidr::Parse(in.address_prefix() + "/" + std::to_string(in.prefix_len().value()));
  if (!cidr)
    context.Reject("\"" + in.address_prefix() + "/" + std::to_string(in.prefix_len().value()) +
                   "\" is no address range");
  return cidr.value_or(io::Cidr{});
}

DataSource DecodeDataSource(const core::DataSource& in, DecodeContext& context) {
  context.Honours(in, {"filename", "inline_bytes", "inline_string", "environment_variable"});
  if (in.has_filename()) return {.kind = DataSource::Kind::kFile, .value = in.filename()};
  if (in.has_inline_bytes()) return {.kind = DataSource::Kind::kInline, .value = in.inline_bytes()};
  if (in.has_inline_string()) return {.kind = DataSource::Kind::kInline, .value = in.inline_string()};
  if (in.has_environment_variable())
    return {.kind = DataSource::Kind::kEnvironment, .value = in.environment_variable()};
  return {};
}

Locality DecodeLocality(const core::Locality& in, DecodeContext& context) {
  context.Honours(in, {"region", "zone", "sub_zone"});
  return {.region = in.region(), .zone = in.zone(), .sub_zone = in.sub_zone()};
}

std::string DecodeRegex(const matcher::RegexMatcher& in, DecodeContext& context) {
  context.Honours(in, {"regex", "google_re2"});
  context.Honours(in.google_re2(), {"max_program_size"});
  const int most =
      in.google_re2().has_max_program_size()
          ? static_cast<int>(std::min<std::uint32_t>(in.google_re2().max_program_size().value(), kMaxRegexProgram))
          : kMaxRegexProgram;
  if (in.regex().empty()) context.Reject("regex is empty");
  return CheckedRegex(in.regex(), most, context);
}

StringMatcher DecodeStringMatcher(const matcher::StringMatcher& in, DecodeContext& context) {
  context.Honours(in, {"exact", "prefix", "suffix", "contains", "safe_regex", "ignore_case"});
  using Kind = StringMatcher::Kind;
  StringMatcher out;
  out.ignore_case = in.ignore_case();
  switch (in.match_pattern_case()) {
    case matcher::StringMatcher::kExact: out.kind = Kind::kExact, out.value = in.exact(); break;
    case matcher::StringMatcher::kPrefix: out.kind = Kind::kPrefix, out.value = in.prefix(); break;
    case matcher::StringMatcher::kSuffix: out.kind = Kind::kSuffix, out.value = in.suffix(); break;
    case matcher::StringMatcher::kContains: out.kind = Kind::kContains, out.value = in.contains(); break;
    case matcher::StringMatcher::kSafeRegex:
      out.kind = Kind::kRegex, out.value = DecodeRegex(in.safe_regex(), context), out.ignore_case = false;
      break;
    default: context.Reject("string matcher has no pattern");
  }
  if (out.value.empty() && out.kind != Kind::kExact && out.kind != Kind::kRegex)
    context.Reject("string matcher is empty");
  return out;
}

RegexRewrite DecodeRegexRewrite(const matcher::RegexMatchAndSubstitute& in, DecodeContext& context) {
  context.Honours(in, {"pattern", "substitution"});
  return {.pattern = DecodeRegex(in.pattern(), context), .substitution = in.substitution()};
}

HeaderMatcher DecodeHeaderMatcher(const envoy::config::route::v3::HeaderMatcher& in, DecodeContext& context) {
  using Pb = envoy::config::route::v3::HeaderMatcher;
  using Kind = StringMatcher::Kind;
  context.Honours(
      in, {"name", "string_match", "present_match", "range_match", "exact_match", "prefix_match", "suffix_match",
           "contains_match", "safe_regex_match", "invert_match", "treat_missing_header_as_empty"});
  HeaderMatcher out{.name = ToLower(in.name()),
                    .value = PresentMatcher{},
                    .invert = in.invert_match(),
                    .treat_missing_as_empty = in.treat_missing_header_as_empty()};
  if (in.name().empty()) context.Reject("header matcher has no name");
  switch (in.header_match_specifier_case()) {
    case Pb::kStringMatch: out.value = DecodeStringMatcher(in.string_match(), context); break;
    case Pb::kPresentMatch: out.value = PresentMatcher{in.present_match()}; break;
    case Pb::kRangeMatch: out.value = Int64Range{in.range_match().start(), in.range_match().end()}; break;
    case Pb::kExactMatch: out.value = StringMatcher{.kind = Kind::kExact, .value = in.exact_match()}; break;
    case Pb::kPrefixMatch: out.value = StringMatcher{.kind = Kind::kPrefix, .value = in.prefix_match()}; break;
    case Pb::kSuffixMatch: out.value = StringMatcher{.kind = Kind::kSuffix, .value = in.suffix_match()}; break;
    case Pb::kContainsMatch: out.value = StringMatcher{.kind = Kind::kContains, .value = in.contains_match()}; break;
    case Pb::kSafeRegexMatch:
      out.value = StringMatcher{.kind = Kind::kRegex, .value = DecodeRegex(in.safe_regex_match(), context)};
      break;
    case Pb::HEADER_MATCH_SPECIFIER_NOT_SET: break;  // present
  }
  return out;
}

Fraction DecodeFraction(const envoy::type::v3::FractionalPercent& in) {
  using Pb = envoy::type::v3::FractionalPercent;
  const std::uint64_t scale = in.denominator() == Pb::HUNDRED ? 10'000 : in.denominator() == Pb::TEN_THOUSAND ? 100 : 1;
  return {.per_million = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.numerator() * scale, 1'000'000))};
}

Fraction DecodeRuntimeFraction(const core::RuntimeFractionalPercent& in, DecodeContext& context) {
  // The runtime key can only override what stands here; Plait has no runtime layers, so the default holds.
  context.Honours(in, {"default_value", "runtime_key"});
  return DecodeFraction(in.default_value());
}

bool IsAds(const core::ConfigSource& in, DecodeContext& context) {
  context.Honours(in, {"ads", "resource_api_version", "initial_fetch_timeout"});
  if (!in.has_ads()) context.Reject("config source must be ads");
  return in.has_ads();
}

std::optional<Duration> FetchTimeoutOf(const core::ConfigSource& in, DecodeContext& context) {
  if (!in.has_initial_fetch_timeout()) return std::nullopt;
  const DecodeContext::At at(context, "initial_fetch_timeout");
  return DecodeDuration(in.initial_fetch_timeout(), context);
}

}  // namespace plait::xds
