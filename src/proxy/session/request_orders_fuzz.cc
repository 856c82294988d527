// What a request asks of the router by its headers, and what a response says that may be tried again. The input is
// lines: "name:value" of the request, ">name:value" of the response; its first byte is the response's status and the
// policy. Checked: times and numbers stay in their limits, and once the orders are removed there are none.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "core/grpc/status.h"
#include "proxy/session/request_orders.h"
#include "proxy/session/retry.h"

namespace {
using namespace plait;
using proxy::session::RetryState;

void Times(const http::Headers& headers) {
  for (const char* name : {"x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms"})
    if (const auto limit = proxy::session::MillisecondsOf(headers, name))
      PLAIT_CHECK(*limit >= Duration(0) && *limit <= std::chrono::milliseconds(std::int64_t{1} << 31));
  // Two readers of one field; they differ where hours are more than nanoseconds can count.
  const auto timeout = proxy::session::GrpcTimeoutOf(headers);
  const auto same = grpc::ParseTimeout(headers.Get("grpc-timeout").value_or(""));
  PLAIT_CHECK(timeout.has_value() == same.has_value());
  if (timeout) PLAIT_CHECK(*timeout >= Duration(0) && (*timeout == *same || *timeout >= std::chrono::hours(1'000'000)));
}

void Conditions(const http::Headers& headers) {
  for (const char* name : {"x-envoy-retry-on", "x-envoy-retry-grpc-on"}) {
    std::string unknown;
    const auto bits = xds::ParseRetryOn(headers.Get(name).value_or(""), &unknown);
    if (bits) PLAIT_CHECK(xds::ParseRetryOn(xds::FormatRetryOn(*bits)) == bits);
    if (!bits) PLAIT_CHECK(!unknown.empty() && headers.Get(name)->find(unknown) != std::string_view::npos);
  }
}

void Retries(const xds::RetryPolicy& policy, http::RequestHead& request, const http::ResponseHead& response) {
  RetryState state(policy, request);
  PLAIT_CHECK(state.left() <= 1000 || state.left() == policy.num_retries);
  PLAIT_CHECK(!(state.WantsRetry(response) && state.WasExhaustedBy(response)));
  const bool wanted = state.WantsRetry(response);
  Random random(1);
  while (state.WantsRetry(response)) {
    const Duration delay = state.Take(random);
    PLAIT_CHECK(delay >= Duration(0) && delay <= policy.back_off_base * 10);
  }
  if (wanted) PLAIT_CHECK(state.left() == 0 && state.WasExhaustedBy(response));
  proxy::session::RemoveOrders(request.headers);
  RetryState own(policy, request);
  PLAIT_CHECK(own.left() == (policy.retry_on != 0 ? policy.num_retries : 0));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 16 * 1024) return 0;
  http::RequestHead request;
  http::ResponseHead response;
  response.status = static_cast<std::uint16_t>(400 + (data[0] & 127));
  for (const std::string_view line : Split({reinterpret_cast<const char*>(data) + 1, size - 1}, '\n')) {
    const auto [name, value] = SplitOnce(line, ':');
    if (!value) continue;
    if (name.starts_with('>')) {
      response.headers.Add(name.substr(1), *value);
    } else {
      request.headers.Add(name, *value);
    }
  }
  Times(request.headers);
  Conditions(request.headers);
  xds::RetryPolicy policy;
  if ((data[0] & 128) != 0) policy.retry_on = xds::kRetry5xx;
  Retries(policy, request, response);
  return 0;
}
