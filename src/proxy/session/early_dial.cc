#include "proxy/session/early_dial.h"

#include <utility>

namespace plait::proxy::session {

void EarlyDial::Start(const std::string& cluster) {
  record_.connection = &info_;
  record_.start_time = info_.accepted;
  dial_ = std::make_unique<TcpConnect>(
      context_, TcpConnect::Request{.cluster = cluster, .speculative = true}, record_,
      [this](std::expected<UpstreamConnection, Failure> result) { OnDone(std::move(result)); });
}

void EarlyDial::OnDone(std::expected<UpstreamConnection, Failure> result) {
  context_.loop.DeleteLater(std::move(dial_));
  if (result) {
    connection_ = std::move(*result);
    connection_.stream().SetEvents(this);
  }
  owner_.OnDialled(result.has_value());
  if (!there()) return;  // taken at once
  // A byte that came before we watched has no edge left: look once.
  probe_.SetCallback([this] { LookForBytes(); });
  probe_.Start(context_.loop.timers(), Duration(0));
}

void EarlyDial::LookForBytes() {
  if (!there()) return;
  const Result<std::size_t> read = connection_.stream().Read(bytes_, Buffer::kChunkSize);
  if (read && *read == 0) return;
  owner_.OnServerSpoke();
}

void EarlyDial::Drop() {
  dial_.reset();
  connection_ = UpstreamConnection();
  bytes_.Clear();
}

void EarlyDial::GiveTo(TcpSession::Start& start) {
  if (!there()) return;
  connection_.stream().SetEvents(nullptr);
  cluster::ReportConnected(*connection_.cluster(), *connection_.host());
  start.upstream = std::move(connection_);
  start.from_upstream = std::move(bytes_);
}

}  // namespace plait::proxy::session
