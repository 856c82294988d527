#pragma once
// The step `application` of `plait explain`: whether somebody listens where a request arrives, as far as that is known
// (the ports that the pod's containers declare, and whether it is ready), and what a workload reaches at its own
// loopback addresses, where no proxy comes in. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/explain_capture.h"

namespace plait::cli {

// Those that the containers of a pod declare; nullopt: nobody says.
using Ports = std::optional<std::vector<std::uint16_t>>;
// Of the proxy's /config_dump: POD_PORTS of its node's metadata, as Istio's injector writes it.
Ports PortsOfBootstrap(const Json& dump);

// The port of a pod that is asked for without one: the only one; 80, that of HTTP, where none is known. Errors name
// those that there are.
Outcome<Port> DefaultPort(const Party& server, const Ports& ports);

// `answer` ({"steps", "verdict"}) says that the application of `server` is reached: whether it answers is unknown where
// the pod is not ready or does not declare the port. `by_service`: a Service's targetPort says that somebody listens
// there, which counts for a pod that declares nothing.
void DoubtApplication(const Party& server, const Ports& ports, Port port, bool by_service, Json& answer);

// `answer` as above, where `port` is one at which the proxy of `server` listens: says so, and whether somebody is
// reached. False: it is another, or one of the proxy's at the loopback only that a container declares. `accepted`: a
// proxy has taken the connection.
bool DecideProxyPort(const Party& server, const Ports& ports, const Arrival& at, bool accepted, Json& answer);
// What is taken to the DNS of the proxy. `own`: at the workload's loopback, where nobody else is meant.
Json ToDns(bool tcp, bool own);

// Where the word leads when it is the caller's own loopback: 127.0.0.0/8, ::1 or localhost.
std::optional<io::IpAddress> OwnLoopback(const std::string& to);
// What becomes of a connection of `own` to that place: an answer as of /plait/explain.
Json ToOwnLoopback(const Party& own, const Ports& ports, const io::SocketAddress& to, bool tcp);
// The same in mode loopback, where the host's own loopback is what a workload has.
Json ToHostLoopback(const io::SocketAddress& to);

}  // namespace plait::cli
