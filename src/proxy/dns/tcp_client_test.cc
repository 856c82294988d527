#include "proxy/dns/tcp_client.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/io/socket.h"

namespace plait::proxy::dns {
namespace {

TEST(TcpMessages, MessagesOfEverySizeComeWhole) {
  io::Loop loop;
  auto [ours, theirs] = io::StreamPair(loop);
  std::vector<std::vector<std::uint8_t>> got;
  TcpMessages receiver(
      loop, std::move(ours), Duration::zero(), [&](Bytes message) { got.emplace_back(message.begin(), message.end()); },
      [] {});
  TcpMessages sender(loop, std::move(theirs), Duration::zero(), [](Bytes) {}, [] {});
  std::vector<std::vector<std::uint8_t>> sent;
  for (const std::size_t size : {std::size_t{0}, std::size_t{12}, std::size_t{16 * 1024}, std::size_t{65535}}) {
    sent.emplace_back(size, static_cast<std::uint8_t>(size + 7));
    EXPECT_TRUE(sender.Send(sent.back()));
  }
  loop.RunUntil([&] { return got.size() == sent.size(); }, std::chrono::seconds(10));
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace plait::proxy::dns
