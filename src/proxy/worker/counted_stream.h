#pragma once
// A connection to a cluster that the process makes for itself, the control plane's, counted on that cluster as Envoy
// counts its own: upstream_cx_*, and upstream_rq_* of the one call that it carries. The stream owns the inner one and
// passes everything through; same thread.
#include <memory>

#include "core/io/loop.h"
#include "core/io/stream.h"
#include "proxy/cluster/cluster.h"

namespace plait::proxy::worker {

struct Counted {
  std::unique_ptr<io::Stream> stream;
  // Dropped: the connection counts as gone, and the cluster is let go of. A stream that the loop has still to destroy
  // may outlive the registry.
  std::shared_ptr<void> counting;
};
// `stream`: not open yet. The call is over when the stream is.
Counted CountOn(std::shared_ptr<const cluster::ClusterState> state, io::Loop& loop, std::unique_ptr<io::Stream> stream);
// The stream below such a stream; another one: itself. For what core/tls tells of its own streams.
const io::Stream& BelowCounting(const io::Stream& stream) noexcept;

}  // namespace plait::proxy::worker
