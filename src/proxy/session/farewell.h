#pragma once
// The last answer on a connection that no session takes: written, ended with FIN, and left open until the peer has read
// it. A socket that is closed while its peer still sends answers with RST, and the peer loses what it has not read.
#include <memory>
#include <string_view>

#include "core/io/stream.h"
#include "proxy/session/context.h"

namespace plait::proxy::session {

// Worker's thread. `stream` has no events of others any more; it ends with the peer's own end, or after a second.
void SayFarewell(Context& context, std::unique_ptr<io::Stream> stream, std::string_view answer);

}  // namespace plait::proxy::session
