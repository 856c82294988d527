#pragma once
// Listeners, filter chains and network filters: what LDS carries. Mirrors envoy.config.listener.v3.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/time.h"
#include "core/io/address.h"
#include "core/xds/access_log.h"
#include "core/xds/http_connection_manager.h"
#include "core/xds/network_filters.h"
#include "core/xds/plait_forms.h"
#include "core/xds/tls_context.h"

namespace plait::xds {

using NetworkFilterConfig = std::variant<HttpConnectionManager, TcpProxy, NetworkRbac, SniCluster, IstioTcpStats,
                                         MetadataExchange, EchoFilter, Outbound, Inbound>;
struct NetworkFilter {
  std::string name;
  NetworkFilterConfig config;
  friend bool operator==(const NetworkFilter&, const NetworkFilter&) = default;
};

struct FilterChainMatch {
  enum class SourceType : std::uint8_t { kAny, kSameIpOrLoopback, kExternal };
  std::optional<std::uint16_t> destination_port;  // after original-destination restore
  std::vector<io::Cidr> prefix_ranges;            // of the destination
  SourceType source_type = SourceType::kAny;
  std::vector<io::Cidr> source_prefix_ranges;
  std::vector<io::Cidr> direct_source_prefix_ranges;
  std::vector<std::uint16_t> source_ports;
  std::vector<std::string> server_names;  // "a.b", "*.b"; lower case
  std::string transport_protocol;         // "", "tls", "raw_buffer"
  std::vector<std::string>
      application_protocols;  // ALPN, or what the HTTP inspector found: "http/1.0", "http/1.1", "h2c"
  friend bool operator==(const FilterChainMatch&, const FilterChainMatch&) = default;
};

struct FilterChain {
  std::string name;
  FilterChainMatch match;
  std::vector<NetworkFilter> filters;       // the last one is terminal
  std::optional<DownstreamTlsContext> tls;  // nullopt: plaintext
  std::optional<Duration> transport_socket_connect_timeout;
  friend bool operator==(const FilterChain&, const FilterChain&) = default;
};

struct ListenerFilter {
  enum class Kind : std::uint8_t { kOriginalDst, kOriginalSrc, kTlsInspector, kHttpInspector, kProxyProtocol };
  std::string name;
  Kind kind = Kind::kTlsInspector;
  std::vector<std::pair<std::uint32_t, std::uint32_t>>
      disabled_ports;                         // [start, end) of the destination: filter_disabled
  std::uint32_t mark = 0;                     // kOriginalSrc
  bool bind_port = false;                     // kOriginalSrc
  bool allow_without_proxy_protocol = false;  // kProxyProtocol
  friend bool operator==(const ListenerFilter&, const ListenerFilter&) = default;
};

struct ListenerAddress {
  io::SocketAddress address;
  bool ipv4_compat = false;  // [::] takes IPv4, too
  friend bool operator==(const ListenerAddress&, const ListenerAddress&) = default;
};

struct Listener {
  enum class Direction : std::uint8_t { kUnspecified, kInbound, kOutbound };
  std::string name;
  std::vector<ListenerAddress> addresses;  // `address` and `additional_addresses`; at least one
  std::string stat_prefix;
  bool bind_to_port = true;       // false: only reached by use_original_dst of another one
  bool use_original_dst = false;  // hand over to the listener of the original address
  bool transparent = false;
  std::optional<std::uint32_t> backlog;
  std::vector<ListenerFilter> listener_filters;
  std::optional<Duration> listener_filters_timeout;  // default 15 s; 0 = none
  bool continue_on_listener_filters_timeout = false;
  std::vector<FilterChain> filter_chains;
  std::optional<FilterChain> default_filter_chain;
  std::optional<std::uint32_t> per_connection_buffer_limit;  // default 1 MiB
  Direction direction = Direction::kUnspecified;
  std::vector<AccessLog> access_logs;                            // a line for each connection, when it ends
  bool exact_balance = false;                                    // connection_balance_config
  std::uint32_t max_connections_to_accept_per_socket_event = 0;  // 0: our default
  bool ignore_global_connection_limit = false;
  friend bool operator==(const Listener&, const Listener&) = default;
};

}  // namespace plait::xds
