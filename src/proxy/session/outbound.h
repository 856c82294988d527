#pragma once
// A captured connection of the own application, until it is known where it goes and as what: the Plait form's Outbound
// (semantics.md 1 and 2). The client's bytes come first; after dial_after of silence the TCP route is dialled while the
// client is still watched.
#include <memory>
#include <optional>
#include <string>

#include "core/base/pending.h"
#include "proxy/session/decisions.h"
#include "proxy/session/early_dial.h"
#include "proxy/session/intake.h"

namespace plait::proxy::session {

class OutboundIntake final : public Intake, private EarlyDialEvents {
 public:
  OutboundIntake(Context& context, std::shared_ptr<const OutboundConfig> config, std::unique_ptr<io::Stream> stream,
                 record::ConnectionInfo info, SessionOwner& owner, OnDecided decided);
  ~OutboundIntake() override;

 private:
  void Begin();
  void OnDestination(Result<cluster::Destination> found);
  void Look() override;
  void OnSilence();
  void GoHttp();
  void GoTcp();
  std::optional<TcpRoute> FindTcpRoute();  // nullopt while L4Routes are awaited
  Duration DialAfter() const;
  void Speculate(const TcpRoute& route);
  void OnServerSpoke() override;
  void FinishTcp(TcpRoute route);
  void OnDialled(bool there) override;
  void FailLookup();

  std::shared_ptr<const OutboundConfig> config_;
  std::optional<cluster::Destination> destination_;
  xds::DeclaredProtocol declared_ = xds::DeclaredProtocol::kNone;
  std::string server_name_;
  bool lookup_failed_ = false;
  bool silent_ = false;   // dial_after has passed without a byte
  bool refused_ = false;  // and nobody was there
  bool tcp_ = false;      // decided: relay it as it is
  bool asked_for_routes_ = false;
  bool routes_answered_ = false;
  TcpRoute speculative_;  // where the connection goes that was dialled early
  TcpRoute final_;        // where it goes, once that is known
  EarlyDial early_{context_, info_, *this};
  Pending lookup_;
  Pending routes_;
};

}  // namespace plait::proxy::session
