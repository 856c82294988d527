#pragma once
// Trace context of a request: W3C Trace Context (traceparent, tracestate) and Zipkin's B3. A context that the client
// sent goes on unchanged; a request without one gets a traceparent, so that the services behind it share one trace id.
#include <string_view>

#include "core/base/random.h"
#include "core/http/headers.h"

namespace plait::proxy::record {

struct TraceContext {
  std::string_view trace_id;  // 32 (W3C) or 16 to 32 (B3) hex digits, of the headers, as long as they do not change
  bool sampled = false;
  bool made_here = false;
};

// `sample_percent`: share of new traces that are marked as sampled. A traceparent that breaks the format is replaced
// (W3C 4.3: treat as absent, and drop its tracestate); beside a B3 context without a trace id there is one, too.
TraceContext PropagateTrace(http::Headers& headers, double sample_percent, Random& random);

// 00-<32 hex>-<16 hex>-<2 hex>, ids not all zero, version not ff.
bool ValidTraceparent(std::string_view text) noexcept;

}  // namespace plait::proxy::record
