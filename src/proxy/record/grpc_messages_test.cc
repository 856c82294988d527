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
    for (std::size_t at = 0; at < wire.size(); at += step)
      messages.Pass(Bytes(wire).subspan(at, std::min(step, wire.size() - at)));
    EXPECT_EQ(messages.count(), 3U) << step;
  }
}

}  // namespace
}  // namespace plait::proxy::record
