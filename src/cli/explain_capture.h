#pragma once
// The step `capture` of `plait explain`: whether a connection goes to the proxy of its side at all, by the rules that
// the node sets (node/capture_rules.h) and the mode of the mesh; and what becomes of one that does not. Pure.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/render.h"
#include "core/io/address.h"
#include "node/capture_rules.h"

namespace plait::cli {

// One side of a connection.
struct Party {
  std::string workload;  // the pod, "details-v1-0.default"
  std::string ip;
  std::string identity;                                           // SPIFFE
  std::string proxy;                                              // sidecar, gateway or none
  std::vector<std::pair<std::string, std::string>> capture = {};  // annotations traffic.sidecar.istio.io/*
  std::string silent = {};   // why its proxy cannot be asked, and what to do; empty: it can
  std::string unready = {};  // "is not ready (...)": why its application may not answer; empty: it is ready
  bool has_proxy() const { return proxy == "sidecar" || proxy == "gateway"; }
};

struct Capture {
  enum class Kind : std::uint8_t {
    kTaken,    // to the proxy
    kDns,      // to the DNS of the proxy, whatever address it is for
    kOwnPort,  // to what the proxy itself serves: metrics, readiness
    kPast,     // the proxy does not see it
    kRefused,  // it is for a port that capture leads to
    kNoRules,  // the annotations cannot be read: the workload does not start
  };
  Kind kind = Kind::kTaken;
  std::string text;
};
// Out of `from`. `to` without an IP: a name whose address is not known here, so that only ports decide. `own`: it is an
// address of `from` itself.
Capture CaptureOut(const Party& from, bool loopback_mode, const io::SocketAddress& to, bool own);
// Into `server`.
Capture CaptureIn(const Party& server, bool loopback_mode, Port port, node::Dialler dialler);
Json CaptureStep(const Capture& capture);

// In place of what a proxy would say, {"steps", "verdict"} as of /plait/explain: an answer of one step.
Json AnswerOf(const char* step, Json passes, std::string text, Json verdict);
// The step at which no connection comes about.
Json NoConnection(const char* step, std::string text, const char* details);
// Of a workload that does not start: no steps.
Json NoAnswer();
// The step `capture` before those of the answer, when it has steps.
void PutFirst(const Capture& capture, Json& answer);
// The verdict where nobody takes what the proxy that has `accepted` the connection dials: 503 over HTTP. Without such a
// proxy the caller's own connection does not come about.
Json UnreachedVerdict(bool accepted, bool tcp, const char* details);

// What becomes of a connection that goes past the caller's proxy and leads to no workload: `destination` as
// /plait/explain tells it.
Json PastCaller(const Json& destination);
// The step from a service's address to the endpoint {"workload"}, which nobody's proxy has chosen.
Json LedByService(const Json& destination, const Json& endpoint);
// How a connection arrives at a workload.
struct Arrival {
  Port port;
  bool by_proxy = false;  // of the caller; without: the caller itself has dialled
  bool tls = false;       // mutual TLS of the caller's proxy
  bool own_tls = false;   // its TLS for the application (DestinationRule, mode SIMPLE or MUTUAL)
  bool tcp = false;       // no HTTP
};
// What becomes of one that the server's proxy does not take (kPast, kOwnPort, kRefused).
Json NotTaken(Capture::Kind kind, const Arrival& at);
// What becomes of one to a workload without a proxy.
Json ToBareWorkload(const Party& server, const Arrival& at);
// Where a server closes a connection of the caller's proxy, that answers a request itself.
void AnswerOfCallersProxy(const Arrival& at, Json& answer);

}  // namespace plait::cli
