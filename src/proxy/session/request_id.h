#pragma once
// Request ids: random UUIDs (version 4, RFC 9562) as Envoy's x-request-id. Random bytes are drawn in batches a thread,
// so that an id costs no system call.
#include <string>

namespace plait::proxy::session {
std::string NewRequestId();
}
