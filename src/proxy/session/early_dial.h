#pragma once
// A connection to where the TCP route leads, made before it is known what the client is: the server may be the one that
// speaks first (semantics.md 1). Outlier detection hears of it only once it is used. Part of an intake, which is
// destroyed through the loop; its thread only.
#include <expected>
#include <memory>
#include <string>

#include "proxy/session/context.h"
#include "proxy/session/tcp_connect.h"
#include "proxy/session/tcp_session.h"

namespace plait::proxy::session {

class EarlyDialEvents {
 public:
  virtual ~EarlyDialEvents() = default;
  virtual void OnDialled(bool there) = 0;  // connected, or failed
  virtual void OnServerSpoke() = 0;        // or ended
};

class EarlyDial final : private io::StreamEvents {
 public:
  // All outlive it; `info` is the client's connection.
  EarlyDial(Context& context, const record::ConnectionInfo& info, EarlyDialEvents& owner)
      : context_(context), info_(info), owner_(owner) {}
  EarlyDial(const EarlyDial&) = delete;
  EarlyDial& operator=(const EarlyDial&) = delete;

  void Start(const std::string& cluster);  // once, and again after Drop
  bool pending() const noexcept { return dial_ != nullptr; }
  bool there() const noexcept { return static_cast<bool>(connection_); }
  // Unused: closed, and counted nowhere.
  void Drop();
  // With the bytes that the server has sent; nothing when it is not there.
  void GiveTo(TcpSession::Start& start);

 private:
  void OnDone(std::expected<UpstreamConnection, Failure> result);
  void LookForBytes();
  void OnOpen() override {}
  void OnReadable() override { LookForBytes(); }
  void OnWritable() override {}
  void OnFailed(Error) override { LookForBytes(); }  // the relay tells the client

  Context& context_;
  const record::ConnectionInfo& info_;
  EarlyDialEvents& owner_;
  record::StreamRecord record_;
  std::unique_ptr<TcpConnect> dial_;
  UpstreamConnection connection_;
  Buffer bytes_;  // of the server
  io::Timer probe_;
};

}  // namespace plait::proxy::session
