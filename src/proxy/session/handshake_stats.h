#pragma once
// listener.<address>.ssl.*: how the handshakes of a listener's connections ended. Plaintext counts nothing.
#include <string_view>

#include "proxy/record/proxy_stats.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::session {

// The connection is open: `connection.tls` says how.
inline void CountHandshake(const record::ConnectionInfo& connection) {
  if (connection.listener_stats == nullptr || connection.tls == nullptr) return;
  connection.listener_stats->HandshakeDone(connection.tls->peer_certificate);
}
// `failure`: tls::FailureOf the stream.
inline void CountFailedHandshake(const record::ConnectionInfo& connection, std::string_view failure) {
  if (connection.listener_stats != nullptr) connection.listener_stats->HandshakeFailed(failure);
}

}  // namespace plait::proxy::session
