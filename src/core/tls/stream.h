#pragma once
// TLS over a stream. OnOpen comes after the handshake with tls() facts; OnFailed tells why it failed, failure() in
// words. No buffer is held while the connection idles. Same thread rules as io::Stream.
#include <memory>
#include <string>

#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/tls/context.h"
#include "core/tls/facts.h"

namespace plait::tls {

struct WrapOptions {
  std::string sni;                // client: server name; empty: none is sent
  std::string expected_identity;  // exactly this SPIFFE URI must be in the peer's certificate; empty: PeerPolicy alone
  // Client: a DNS or IP SAN that the server's certificate must have, instead of PeerPolicy's list; empty: that list.
  std::string expected_name{};
  std::vector<std::string> alpn;  // client: instead of the Context's; empty: the Context's
  std::string session_key;        // client: sessions are resumed among connections with the same key (the endpoint)
  Duration handshake_timeout = std::chrono::seconds(10);
};

// `initial`: bytes of the peer that were read before (protocol detection).
std::unique_ptr<io::Stream> Wrap(io::Loop& loop, std::unique_ptr<io::Stream> inner,
                                 std::shared_ptr<const Context> context, WrapOptions options = {}, Buffer initial = {});

// Why the TLS layer of this stream failed, for %UPSTREAM_TRANSPORT_FAILURE_REASON% and people; empty when it did not
// or when it is no TLS stream.
std::string FailureOf(const io::Stream& stream);

// Whether TLS itself failed: one side did not accept what the other showed or said. False before, when the connection
// below failed or ended, and of what is no TLS stream.
bool HasRefused(const io::Stream& stream);

// Whether the handshake failed since the peer did not accept our certificate, as its alert says.
bool OwnCertificateRefused(const io::Stream& stream);

// Why a peer would be refused.
struct Refusal {
  std::string why = {};    // in words; empty: it would not
  bool root_gone = false;  // its certificate leads to no root that is trusted
};

// Why a handshake under `now` would refuse the peer of this open stream for what its certificate says: its root is not
// trusted, it is revoked, its names are not accepted, there is none. Empty: it would not, the stream is not open, or it
// is no TLS stream. That certificates have expired since the handshake counts for nothing. A hash of the peer's chain
// while the chain is in the cache of verified ones.
Refusal RefusalOf(const io::Stream& stream, const Context& now);

// Client: whether the certificate of our own that this connection was made with leads to another root than that of
// `now`. False where one of them is not known.
bool IsUnderOtherRoot(const io::Stream& stream, const Context& now);

}  // namespace plait::tls
