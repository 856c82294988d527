// Trace context that a client sends, as lines "name:value". Checked: behind the proxy there is a context of the format,
// a second proxy finds that very one and changes nothing, and no other field is touched.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "proxy/record/trace.h"

namespace {
using namespace plait;
using Fields = std::vector<std::pair<std::string, std::string>>;

Fields Of(const http::Headers& headers, bool all) {
  Fields out;
  for (const http::HeaderView field : headers) {
    const bool w3c = EqualsIgnoreCase(field.name, "traceparent") || EqualsIgnoreCase(field.name, "tracestate");
    if (all || !w3c) out.emplace_back(field.name, field.value);
  }
  return out;
}

bool IsTraceId(std::string_view id) {
  const auto is_hex = [](char c) { return IsDigit(c) || (ToLower(c) >= 'a' && ToLower(c) <= 'f'); };
  return id.size() >= 16 && id.size() <= 32 && std::all_of(id.begin(), id.end(), is_hex) &&
         id.find_first_not_of('0') != std::string_view::npos;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  http::Headers headers;
  for (const std::string_view line : Split({reinterpret_cast<const char*>(data), size}, '\n')) {
    const auto [name, value] = SplitOnce(line, ':');
    if (value) headers.Add(name, *value);
  }
  const Fields others = Of(headers, /*all=*/false);
  Random random(size);
  const proxy::record::TraceContext first = proxy::record::PropagateTrace(headers, 50, random);
  const std::string id(first.trace_id);
  PLAIT_CHECK(IsTraceId(id) && Of(headers, false) == others);
  if (first.made_here) PLAIT_CHECK(proxy::record::ValidTraceparent(*headers.Get("traceparent")));
  const Fields sent = Of(headers, /*all=*/true);
  const proxy::record::TraceContext second = proxy::record::PropagateTrace(headers, 50, random);
  PLAIT_CHECK(second.trace_id == id && second.sampled == first.sampled && !second.made_here);
  PLAIT_CHECK(Of(headers, true) == sent);
  return 0;
}
