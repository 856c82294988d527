#pragma once
// A request that a workload's proxy could not bring to its application, because no connection to that came about, was
// not processed: the caller's proxy may send it elsewhere, as when it cannot connect itself (retry condition
// connect-failure). Otherwise each request between the end of an application and the news of it would fail. The
// workload's proxy marks its 503 for callers of the mesh; both proxies take the mark out of what they pass on, so that
// no application says it, and those behind plait-proxy do not see it.
#include <string_view>

#include "core/http/message.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::session {

inline constexpr std::string_view kUndeliveredHeader = "x-plait-undelivered";

// Takes the mark out of any answer. Whether it was there and counts: the answer is an authenticated proxy's.
inline bool TakeUndelivered(http::ResponseHead& response, const record::StreamRecord& record) {
  const bool marked = response.headers.Remove(kUndeliveredHeader) > 0;
  return marked && response.status == 503 && !record.upstream_identity.empty();
}

}  // namespace plait::proxy::session
