// Messages are the same however the network cuts the bytes, and writing what was read gives the bytes back.
#include <cstdlib>
#include <vector>

#include "core/grpc/message_reader.h"

namespace {
struct Log {
  std::vector<std::string> messages;
  bool failed = false;
  bool operator==(const Log&) const = default;
};

Log Read(plait::Bytes bytes, std::size_t step) {
  Log log;
  plait::grpc::MessageReader reader(1000);
  for (std::size_t at = 0; at < bytes.size() && !log.failed; at += step) {
    plait::Buffer piece;
    piece.Append(bytes.subspan(at, std::min(step, bytes.size() - at)));
    for (;;) {
      auto next = reader.Next(piece);
      if (!next) log.failed = true;
      if (!next || !*next) break;
      log.messages.push_back(std::move(**next));
    }
  }
  return log;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const plait::Bytes bytes(data + 1, size - 1);
  const Log whole = Read(bytes, size);
  if (Read(bytes, 1 + data[0] % 16) != whole) std::abort();
  plait::Buffer again;
  for (const std::string& message : whole.messages) plait::grpc::AppendMessage(again, message);
  if (again.size() > bytes.size()) std::abort();
  const std::string text = again.ToString();
  if (!std::equal(text.begin(), text.end(), bytes.begin(),
                  [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }))
    std::abort();
  return 0;
}
