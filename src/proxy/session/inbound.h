#pragma once
// A captured connection to the own application, until it is known what it is: the Plait form's Inbound (semantics.md 1
// and 5). By port and mode the connection is terminated (mutual TLS), passed on, or refused; inside, HTTP and TCP are
// told apart by the bytes; the application is dialled from 127.0.0.6 or ::6.
#include <memory>
#include <string>

#include "proxy/session/early_dial.h"
#include "proxy/session/intake.h"

namespace plait::proxy::session {

class InboundIntake final : public Intake, private EarlyDialEvents {
 public:
  InboundIntake(Context& context, std::shared_ptr<const InboundConfig> config, std::unique_ptr<io::Stream> stream,
                record::ConnectionInfo info, SessionOwner& owner, OnDecided decided);
  ~InboundIntake() override;

 private:
  enum class State : std::uint8_t {
    kNew,        // until Begin -> kOutside, or kInside where TLS is the application's own affair
    kOutside,    // the first bytes on the wire -> kHandshake for our TLS, kInside for plaintext, or the end
    kHandshake,  // -> kInside
    kInside,     // what the application will see: HTTP or TCP -> the end
  };

  void Begin();
  void Look() override;
  void LookOutside();
  void LookInside();
  void OnStreamOpen() override;
  void OnStreamFailed(Error error) override;
  void Terminate();
  void OnSilence();
  Duration SilenceLimit() const;
  static bool IsMeshed(const cluster::Destination& peer);
  bool IsHalfAHello();
  bool HasHttpPolicy() const;
  bool Allowed();
  void GoHttp();
  void GoTcp();
  void OnDialled(bool there) override;
  void OnServerSpoke() override;
  void RefuseWith(record::ResponseFlag flag, std::string details);

  std::shared_ptr<const InboundConfig> config_;
  const xds::InboundPort& port_;
  State state_ = State::kNew;
  bool tcp_ = false;
  EarlyDial early_{context_, info_, *this};
};

}  // namespace plait::proxy::session
