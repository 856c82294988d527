#pragma once
// What the answers that a codec makes itself have in common.
#include <cstddef>
#include <string_view>

#include "core/http/codec.h"

namespace plait::http {

// Of the 408 for a head that took too long, as Envoy's.
inline constexpr std::string_view kHeadTimeoutBody = "request header timeout";

Headers OwnAnswerHeaders(std::size_t body_bytes, const CodecOptions& options);

}  // namespace plait::http
