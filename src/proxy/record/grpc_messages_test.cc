#include "proxy/record/grpc_messages.h"

#include <gtest/gtest.h>

#include <vector>

namespace plait::proxy::record {
namespace {

TEST(GrpcMessages, CountsMessagesHoweverTheyAreCut) {
  std::vector<std::uint8_t> wire = {0, 0, 0, 0, 3, 'a', 'b', 'c', 1, 0, 0, 0, 0};
  wire.insert(wire.end(), {0, 0, 0, 1, 0});
  wire.insert(wire.end(), 256, 'x');
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    GrpcMessages messages;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      Buffer piece;
      piece.Append(Bytes(wire).subspan(at, std::min(step, wire.size() - at)));
      messages.Pass(piece);
    }
    EXPECT_EQ(messages.count(), 3U) << step;
  }
}

TEST(GrpcMessages, CountsWhatLiesInABufferOfManyChunks) {
  constexpr std::size_t kBody = 3000;  // prefixes lie in the midst of chunks and across their ends
  Buffer wire;
  for (int i = 0; i < 100; ++i) {
    wire.Append(std::string("\0\0\0\x0b\xb8", 5));
    wire.Append(std::string(kBody, 'x'));
  }
  ASSERT_GT(wire.size(), 4 * Buffer::kChunkSize);
  for (const std::size_t step : {std::size_t{1}, std::size_t{4}, std::size_t{5}, 3 * Buffer::kChunkSize, wire.size()}) {
    Buffer rest(wire.ToString());
    GrpcMessages messages;
    while (!rest.empty()) {
      Buffer piece;
      piece.MoveFrom(rest, step);
      messages.Pass(piece);
    }
    EXPECT_EQ(messages.count(), 100U) << step;
  }
}

}  // namespace
}  // namespace plait::proxy::record
