#pragma once
// What became of one HTTP request or TCP connection: the session fills it as things happen, filters and header
// operators read it, the Recorder turns it into a log line and metrics at the end. Lives in the session, on its
// worker's thread; what it points to is the session's and outlives it. Mirrors Envoy's StreamInfo.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.h"
#include "core/http/bytes_meter.h"
#include "core/http/message.h"
#include "core/io/address.h"
#include "core/tls/facts.h"
#include "proxy/record/response_flags.h"

namespace plait::xds {
struct Cluster;
struct Workload;
}  // namespace plait::xds
namespace plait::proxy::cluster {
struct Cluster;
class Host;
}  // namespace plait::proxy::cluster

namespace plait::proxy::record {

class AccessLogs;     // access_log.h
class ListenerStats;  // proxy_stats.h

enum class Direction : std::uint8_t { kUnspecified, kInbound, kOutbound };  // traffic_direction of the listener

// How a connection that was relayed came to its end.
enum class CloseType : std::uint8_t { kNormal, kLocalReset, kRemoteReset };

// Facts of a downstream connection that do not change once its filter chain was chosen.
struct ConnectionInfo {
  std::uint64_t id = 0;  // %CONNECTION_ID%
  Direction direction = Direction::kUnspecified;
  bool gateway = false;      // of a router~ node: reporter is `source`
  io::SocketAddress remote;  // who is on the other end (after PROXY protocol)
  // Inbound: who that is, of the index. Once known it stays, whatever the index forgets: a caller that is gone must be
  // told apart to the end of its connection. Null: not known yet. Whoever finds it sets it.
  mutable std::shared_ptr<const xds::Workload> peer;
  io::SocketAddress local;            // where the client meant to go: the original destination after capture
  std::string server_name;            // SNI, inspected or terminated; lower case
  const io::TlsFacts* tls = nullptr;  // null: plaintext, or the application's own TLS
  bool foreign_tls = false;           // inbound: the client began TLS, but not as a proxy of the mesh does
  std::string listener;               // "0.0.0.0_15006"
  std::string filter_chain;           // the name of the chain that took it; empty: none yet
  // Of the listener: takes a line when the connection ends. Null: none.
  std::shared_ptr<const AccessLogs> listener_logs;
  std::shared_ptr<const ListenerStats> listener_stats;  // of the listener; null: nobody counts
  MonotonicTime accepted{};
};

struct StreamRecord {
  // Set at the start.
  const ConnectionInfo* connection = nullptr;
  WallTime start{};
  MonotonicTime start_time{};  // all durations below count from here
  io::SocketAddress remote;    // of the request: x-forwarded-for applied; else the connection's
  bool internal = false;       // x-envoy-internal
  bool health_check = false;
  bool probe = false;  // a kubelet's probe that was admitted in plaintext

  // HTTP; null for TCP. As they were after all changes to them; the response as sent downstream.
  const http::RequestHead* request = nullptr;
  const http::ResponseHead* response = nullptr;
  const http::Headers* response_trailers = nullptr;
  http::Version protocol = http::Version::kHttp11;  // downstream

  // Outcome.
  std::uint16_t response_code = 0;  // 0: no response was sent
  ResponseFlags flags;
  std::string response_details;                     // %RESPONSE_CODE_DETAILS%: "via_upstream"; empty prints "-"
  std::string termination_details;                  // %CONNECTION_TERMINATION_DETAILS%
  std::string transport_failure;                    // %UPSTREAM_TRANSPORT_FAILURE_REASON%
  std::string downstream_transport_failure;         // why the client's TLS failed
  CloseType downstream_close = CloseType::kNormal;  // TCP
  CloseType upstream_close = CloseType::kNormal;
  std::uint64_t bytes_received = 0;  // body (HTTP) or payload (TCP) from downstream
  std::uint64_t bytes_sent = 0;
  std::uint64_t request_header_bytes = 0;
  std::uint64_t response_header_bytes = 0;
  http::BytesMeter upstream_bytes;     // of all attempts together, as in Envoy
  std::uint64_t request_messages = 0;  // gRPC
  std::uint64_t response_messages = 0;
  std::optional<Duration> request_received;  // last byte from downstream
  std::optional<Duration> upstream_first_sent;
  std::optional<Duration> upstream_last_sent;
  std::optional<Duration> upstream_first_received;
  std::optional<Duration> upstream_last_received;
  std::optional<Duration> response_first_sent;
  std::optional<Duration> total;  // set at the end

  // Where it went.
  std::string_view route_name;  // the route table's, kept alive by the session's reference
  std::string_view virtual_cluster;
  std::shared_ptr<const xds::Cluster> cluster;
  std::shared_ptr<const cluster::Cluster> endpoints;  // of the cluster, as they were when it was last looked at
  std::shared_ptr<const cluster::Host> host;          // the last one tried
  std::string_view cluster_name;                      // of a request only when there is such a cluster, as in Envoy
  std::string_view route_cluster;                     // HTTP: as the route named it, also when it is not there (yet)
  std::optional<io::SocketAddress> upstream_local;
  std::optional<io::SocketAddress> original_dst;  // of an outbound connection: the service address the client dialled
  std::string upstream_identity;                  // SPIFFE URI of the verified server certificate; empty: plaintext
  std::string own_identity;                       // ours on that connection
  bool upstream_tls = false;
  http::Version upstream_protocol = http::Version::kHttp11;
  // What filters tell the log (%DYNAMIC_METADATA%). The texts are of the filters' configuration, which the session
  // keeps.
  struct Metadata {
    std::string_view space;
    std::string_view key;
    std::string_view value;
  };
  std::vector<Metadata> metadata;
  std::uint32_t attempts = 0;  // %UPSTREAM_REQUEST_ATTEMPT_COUNT%
};

}  // namespace plait::proxy::record
