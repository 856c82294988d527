// What a client may forge of its own origin: x-forwarded-for, x-forwarded-client-cert, paths, connection fields. The
// input is options, a path and header lines. Checked: an edge leaves no header that only the mesh may set.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "proxy/session/request_edge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait;  // NOLINT: a program of its own
  if (size < 2 || size > 16 * 1024) return 0;
  xds::HttpConnectionManager options;
  options.use_remote_address = (data[0] & 1) != 0;
  options.xff_num_trusted_hops = data[0] >> 1 & 3;
  options.normalize_path = (data[0] & 8) != 0;
  options.merge_slashes = (data[0] & 16) != 0;
  const std::vector<std::string_view> lines = Split({reinterpret_cast<const char*>(data) + 1, size - 1}, '\n');
  http::RequestHead head;
  head.method = "GET";
  head.authority = "a";
  head.path = std::string(lines[0]);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    if (colon != std::string_view::npos) head.headers.Add(lines[i].substr(0, colon), lines[i].substr(colon + 1));
  }
  const auto peer = io::SocketAddress::Parse("203.0.113.9:4000");
  const proxy::session::EdgeResult result =
      proxy::session::PrepareRequest(options, {.direct_remote = *peer, .tls = nullptr, .local_port = 80}, head);
  proxy::session::RemoveHopByHop(head.headers, (data[0] & 32) != 0);
  if (options.use_remote_address && result.verdict == proxy::session::EdgeVerdict::kContinue)
    PLAIT_CHECK(!head.headers.Has("x-envoy-retry-on") && !head.headers.Has("x-envoy-upstream-rq-timeout-ms"));
  return 0;
}
