#pragma once
// Chooses the filter chain of a listener for one connection. Pure. Mirrors envoy.config.listener.v3.FilterChainMatch:
// criteria are applied in Envoy's order, at each the chains with the most specific match stay, and there is no going
// back: a chain that lost at an earlier criterion is not considered again.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/io/address.h"
#include "core/xds/listener.h"

namespace plait::proxy::listen {

// What is known of a connection when its chain is chosen.
struct ConnectionFacts {
  io::SocketAddress destination;  // the original one where capture redirected it
  io::SocketAddress source;
  std::string_view server_name;  // lower case; empty without SNI
  std::string_view transport_protocol = "raw_buffer";
  std::vector<std::string_view> application_protocols;  // as offered, or "http/1.1", "h2c" by inspection
};

class ChainMatcher {
 public:
  explicit ChainMatcher(std::vector<xds::FilterChainMatch> rules) : rules_(std::move(rules)) {}
  // Index of the rule that takes the connection; nullopt: none (the default chain, or close). O(rules).
  std::optional<std::size_t> Match(const ConnectionFacts& facts) const;
  // True when a rule needs the ClientHello to be read first.
  bool needs_tls_inspection() const noexcept;

 private:
  std::vector<xds::FilterChainMatch> rules_;
};

}  // namespace plait::proxy::listen
