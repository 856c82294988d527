#pragma once
// For pages that cost something: one a round of the loop, so that many clients who ask for them at once, or pipeline
// and read nothing, keep nobody else of the thread waiting. First come, first served.
#include "core/conn/http_server.h"

namespace plait::conn {

// `handler`, but requests of which `waits` is true are handed to it one a round, and those whose client has gone
// meanwhile not at all.
OnRequest InTurn(io::Loop& loop, OnRequest handler, bool (*waits)(const Request& request));

}  // namespace plait::conn
