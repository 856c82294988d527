#pragma once
// Connects one TCP session upstream: waits for the cluster, picks a host, dials, tries the next one while attempts are
// left. Owned by the session that asked; destroying it cancels. Fills host, cluster and failure into the session's
// record; the cluster's name is a view, and the session's own to set.
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "core/base/pending.h"
#include "core/io/stream.h"
#include "core/io/timer.h"
#include "proxy/session/context.h"
#include "proxy/session/failure.h"

namespace plait::proxy::session {

// An open upstream connection with its place in the cluster's limit and counts.
class UpstreamConnection {
 public:
  UpstreamConnection() = default;
  UpstreamConnection(std::unique_ptr<io::Stream> stream, cluster::ClusterPtr cluster, cluster::HostPtr host);
  UpstreamConnection(UpstreamConnection&& other) noexcept = default;
  UpstreamConnection& operator=(UpstreamConnection&& other) noexcept;
  ~UpstreamConnection();
  explicit operator bool() const noexcept { return cluster_ != nullptr; }

  io::Stream& stream() noexcept { return *stream_; }
  // For a relay; counts and limit stay held until this is destroyed.
  std::unique_ptr<io::Stream> TakeStream() { return std::move(stream_); }
  // In the place of one that was taken: for counts and limit it is the same connection.
  void PutStream(std::unique_ptr<io::Stream> stream) { stream_ = std::move(stream); }
  const cluster::ClusterPtr& cluster() const noexcept { return cluster_; }
  const cluster::HostPtr& host() const noexcept { return host_; }

 private:
  void Release() noexcept;
  std::unique_ptr<io::Stream> stream_;
  cluster::ClusterPtr cluster_;
  cluster::HostPtr host_;
};

// Facts of the connection to the upstream host that records tell: its own end, TLS, both identities.
void NoteUpstream(record::StreamRecord& record, const io::Stream& stream);

class TcpConnect final : private io::StreamEvents {
 public:
  using OnDone = std::move_only_function<void(std::expected<UpstreamConnection, Failure>)>;
  struct Request {
    std::string cluster;
    std::uint32_t most_attempts = 1;
    std::optional<std::uint64_t> hash = {};
    upstream::Application application = upstream::Application::kTcp;
    bool speculative = false;  // may never be used: outlier detection does not hear of it from here
  };
  // `record` outlives it. `done` runs once, in a later round, and may destroy this only through the loop.
  TcpConnect(Context& context, Request request, record::StreamRecord& record, OnDone done);
  ~TcpConnect() override;
  TcpConnect(const TcpConnect&) = delete;
  TcpConnect& operator=(const TcpConnect&) = delete;

  const std::string& cluster() const noexcept { return request_.cluster; }

 private:
  void Begin();
  void Try();
  Result<upstream::Dial> MakeDial(const cluster::Cluster& cluster, const cluster::Host& host) const;
  bool TryOther(const Error& why);
  void OnAttemptFailed(Failure failure, std::string reason);
  void Done(std::expected<UpstreamConnection, Failure> result);

  void OnOpen() override;
  void OnReadable() override {}
  void OnWritable() override {}
  void OnFailed(Error error) override;

  Context& context_;
  Request request_;
  record::StreamRecord& record_;
  OnDone done_;
  std::uint32_t attempts_ = 0;
  bool at_other_ = false;  // of the host's addresses
  bool last_ = false;      // no address of the host is left
  std::string index_identity_;
  UpstreamConnection connecting_;
  io::Timer timer_;  // the first step, then each connect's limit
  Pending waiting_;
};

// What a pick needs to know of the original destination for clusters that go there (ORIGINAL_DST, pin_original_dst).
// Without the destination (no host is picked) where the index decides about TLS and knows nobody there.
// `identity` holds what the context's view points to.
lb::PickContext PickForDestination(const cluster::DestinationIndex& index, const xds::Cluster& config,
                                   const io::SocketAddress& destination, std::string& identity);

}  // namespace plait::proxy::session
