#pragma once
// The HTTP connection manager and the HTTP protocol options of both sides. Mirrors
// envoy.extensions.filters.network.http_connection_manager.v3 and envoy.config.core.v3 (protocol).
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/xds/access_log.h"
#include "core/xds/http_filters.h"
#include "core/xds/route.h"

namespace plait::xds {

struct Http1Options {
  bool accept_http_10 = false;  // Plait accepts HTTP/1.0 always (semantics.md 1); kept for Envoy
  std::string default_host_for_http_10;
  bool preserve_case = false;  // header_key_format: preserve_case formatter; Plait always does
  bool enable_trailers = false;
  bool allow_chunked_length = false;  // refused when set: request smuggling
  std::optional<bool> override_stream_error_on_invalid_http_message;
  friend bool operator==(const Http1Options&, const Http1Options&) = default;
};

struct Http2KeepAlive {
  std::optional<Duration> interval;
  Duration timeout{};
  std::optional<Duration> connection_idle_interval;
  friend bool operator==(const Http2KeepAlive&, const Http2KeepAlive&) = default;
};

struct Http2Options {
  std::optional<std::uint32_t> hpack_table_size;
  std::optional<std::uint32_t> max_concurrent_streams;
  std::optional<std::uint32_t> initial_stream_window_size;  // 65535..2^31-1
  std::optional<std::uint32_t> initial_connection_window_size;
  bool allow_connect = false;  // RFC 8441
  std::optional<bool> override_stream_error_on_invalid_http_message;
  std::optional<Http2KeepAlive> keep_alive;
  friend bool operator==(const Http2Options&, const Http2Options&) = default;
};

struct CommonHttpOptions {
  enum class Underscores : std::uint8_t { kAllow, kRejectRequest, kDropHeader };
  std::optional<Duration> idle_timeout;  // default 1 h; 0 = none
  std::optional<Duration> max_connection_duration;
  std::optional<Duration> max_stream_duration;
  std::optional<std::uint32_t> max_headers_count;  // default 100
  std::optional<std::uint32_t> max_requests_per_connection;
  std::optional<std::uint32_t> max_response_headers_kb;
  Underscores underscores = Underscores::kAllow;
  friend bool operator==(const CommonHttpOptions&, const CommonHttpOptions&) = default;
};

struct RdsRef {
  std::string name;                            // Plait's Outbound: empty = the original port in decimal
  std::optional<Duration> fetch_timeout = {};  // the listener waits so long for it; 0 = for ever; none: as usual
  friend bool operator==(const RdsRef&, const RdsRef&) = default;
};

struct Tracing {  // sampling only; spans are exported by telemetry
  double client_sampling = 100;
  double random_sampling = 100;
  double overall_sampling = 100;
  friend bool operator==(const Tracing&, const Tracing&) = default;
};

struct InternalAddressConfig {
  std::vector<io::Cidr> ranges;
  friend bool operator==(const InternalAddressConfig&, const InternalAddressConfig&) = default;
};

struct HttpConnectionManager {
  enum class Codec : std::uint8_t { kAuto, kHttp1, kHttp2 };
  enum class ServerHeader : std::uint8_t { kOverwrite, kAppendIfAbsent, kPassThrough };
  enum class ForwardClientCert : std::uint8_t {
    kSanitize,
    kForwardOnly,
    kAppendForward,
    kSanitizeSet,
    kAlwaysForwardOnly
  };
  enum class EscapedSlashes : std::uint8_t { kKeep, kReject, kUnescapeAndRedirect, kUnescapeAndForward };
  struct ClientCertDetails {
    bool subject = false;
    bool cert = false;
    bool chain = false;
    bool dns = false;
    bool uri = false;
    friend bool operator==(const ClientCertDetails&, const ClientCertDetails&) = default;
  };

  std::string stat_prefix;
  Codec codec = Codec::kAuto;
  std::variant<RdsRef, RouteConfiguration> routes;
  std::vector<HttpFilter> filters;  // the last is the router
  CommonHttpOptions common;
  Http1Options http1;
  Http2Options http2;
  std::string server_name = "envoy";
  ServerHeader server_header = ServerHeader::kOverwrite;
  std::string scheme_overwrite;
  std::uint32_t max_request_headers_kb = 60;
  std::optional<Duration> stream_idle_timeout;      // default 5 min; 0 = none
  std::optional<Duration> request_timeout;          // default none
  std::optional<Duration> request_headers_timeout;  // default none
  Duration drain_timeout = std::chrono::seconds(5);
  Duration delayed_close_timeout = std::chrono::seconds(1);
  std::vector<AccessLog> access_logs;
  std::optional<Tracing> tracing;

  bool use_remote_address = false;
  std::uint32_t xff_num_trusted_hops = 0;
  bool skip_xff_append = false;
  std::string via;
  std::optional<InternalAddressConfig> internal_addresses;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool always_set_request_id_in_response = false;
  bool pack_trace_reason = true;  // request_id_extension uuid: pack_trace_reason
  bool use_request_id_for_trace_sampling = true;
  ForwardClientCert forward_client_cert = ForwardClientCert::kSanitize;
  ClientCertDetails client_cert_details;
  bool proxy_100_continue = false;
  bool normalize_path = false;
  bool merge_slashes = false;
  EscapedSlashes escaped_slashes = EscapedSlashes::kKeep;
  bool strip_matching_host_port = false;
  bool strip_any_host_port = false;
  bool strip_trailing_host_dot = false;
  bool append_x_forwarded_port = false;
  std::vector<UpgradeConfig> upgrades;
  std::optional<bool> stream_error_on_invalid_http_message;
  friend bool operator==(const HttpConnectionManager&, const HttpConnectionManager&) = default;
};

}  // namespace plait::xds
