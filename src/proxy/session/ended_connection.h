#pragma once
// The record that a downstream connection leaves at its end.
#include "proxy/record/stream_record.h"
#include "proxy/session/context.h"

namespace plait::proxy::session {

// With what is known of every connection that ends now; what became of it is for the caller. It points to `info`.
inline record::StreamRecord EndedNow(const record::ConnectionInfo& info, const Context& context) {
  record::StreamRecord record;
  record.connection = &info;
  record.start_time = info.accepted;
  record.total = context.loop.Now() - info.accepted;
  record.start = context.loop.clock().Wall() - *record.total;
  record.remote = info.remote;
  return record;
}

}  // namespace plait::proxy::session
