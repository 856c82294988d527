// Request targets under arbitrary bytes; the first byte chooses the options. Checked: what was normalized is in its
// normal form (policies and routes see what the application sees), and no dot segment is left in it.
#include <cstdint>
#include <string>

#include "core/base/check.h"
#include "core/http/path.h"

namespace {
using namespace plait;

bool HasDotSegment(std::string_view path) {
  const std::string closed = std::string(path) + "/";
  return closed.find("/./") != std::string::npos || closed.find("/../") != std::string::npos;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 16 * 1024) return 0;
  const http::PathOptions options{.normalize = (data[0] & 1) != 0,
                                  .merge_slashes = (data[0] & 2) != 0,
                                  .escaped_slashes = static_cast<http::EscapedSlashes>(data[0] >> 2 & 3)};
  const std::string given(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string once = given;
  const http::PathVerdict verdict = http::NormalizePath(once, options);
  (void)http::QueryParameter(given, "a");
  if (verdict == http::PathVerdict::kReject) return 0;
  std::string twice = once;
  PLAIT_CHECK(http::NormalizePath(twice, options) == http::PathVerdict::kOk);
  PLAIT_CHECK(twice == once);
  const std::string_view path = std::string_view(once).substr(0, once.find('?'));
  if (options.normalize && path.starts_with('/')) PLAIT_CHECK(!HasDotSegment(path));
  return 0;
}
