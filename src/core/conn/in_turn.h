#pragma once
// For pages that cost something: one a round of the loop, so that many clients who ask for them at once, or pipeline
// and read nothing, keep nobody else of the thread waiting. First come, first served.
#include "core/conn/http_server.h"

namespace plait::conn {

// `handler`, but requests are handed to it one a round, and those whose client has gone meanwhile not at all. Whether
// the process is ready (/ready, /healthz/ready) is asked for by who cannot wait: that is answered at once.
OnRequest InTurn(io::Loop& loop, OnRequest handler);

}  // namespace plait::conn
