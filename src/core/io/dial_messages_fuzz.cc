// What was read from a message must be what its own text says again.
#include <cstdlib>

#include "core/io/passed_socket.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait::io;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto question = ParseDialQuestion(text)) {
    const auto again = ParseDialQuestion(Encode(*question));
    if (!again || *again != *question) std::abort();
  }
  if (const auto answer = ParseDialAnswer(text)) {
    const auto again = ParseDialAnswer(Encode(*answer));
    if (!again || *again != *answer) std::abort();
  }
  return 0;
}
