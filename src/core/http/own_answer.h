#pragma once
// What the answers that a codec makes itself have in common.
#include <cstddef>

#include "core/http/codec.h"

namespace plait::http {

Headers OwnAnswerHeaders(std::size_t body_bytes, const CodecOptions& options);

}  // namespace plait::http
