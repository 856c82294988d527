#pragma once
// A stream whose first bytes were already read (by protocol inspection) and are given again before the stream's own.
// Everything else passes through. Owns the inner stream; same thread.
#include <memory>

#include "core/io/loop.h"
#include "core/io/stream.h"

namespace plait::proxy::session {
// The stream must be open; the new owner sets its events and gets OnOpen and OnReadable in a later round, also when
// `first` is empty (the edge of its first bytes may have been used up).
std::unique_ptr<io::Stream> GiveAgain(io::Loop& loop, std::unique_ptr<io::Stream> stream, Buffer first);

// The stream below such streams; another one: itself. For what core/tls tells of its own streams.
const io::Stream& Innermost(const io::Stream& stream) noexcept;
}  // namespace plait::proxy::session
