#include "core/base/buffer.h"

#include <gtest/gtest.h>

namespace plait {
namespace {

std::string Pattern(std::size_t n) {
  std::string out(n, '\0');
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<char>('a' + i % 23);
  return out;
}

TEST(Buffer, GivesBackWhatWasAppendedAcrossChunks) {
  Buffer b;
  b.Append(Pattern(50'000));
  EXPECT_EQ(b.size(), 50'000u);
  EXPECT_EQ(b.ToString(), Pattern(50'000));
  b.Drain(20'000);
  EXPECT_EQ(b.ToString(), Pattern(50'000).substr(20'000));
}

TEST(Buffer, IsEmptyAndWithoutPiecesAfterAllIsDrained) {
  Buffer b("hello");
  b.Drain(5);
  EXPECT_TRUE(b.empty());
  EXPECT_TRUE(b.Front().empty());
  b.Append("again");
  EXPECT_EQ(b.ToString(), "again");
}

TEST(Buffer, MovesAPrefixAndKeepsTheRest) {
  Buffer from(Pattern(40'000));
  Buffer to("x");
  to.MoveFrom(from, 30'001);
  EXPECT_EQ(to.ToString(), "x" + Pattern(40'000).substr(0, 30'001));
  EXPECT_EQ(from.ToString(), Pattern(40'000).substr(30'001));
}

TEST(Buffer, LinearizesBytesThatSpanChunks) {
  Buffer b(Pattern(40'000));
  b.Drain(16'300);
  EXPECT_EQ(AsText(b.Linearize(1'000)), Pattern(40'000).substr(16'300, 1'000));
  EXPECT_EQ(b.ToString(), Pattern(40'000).substr(16'300));
  EXPECT_EQ(AsText(b.Linearize(Buffer::kMaxLinear)), Pattern(40'000).substr(16'300, Buffer::kMaxLinear));
}

TEST(Buffer, FindsANeedleThatSpansChunks) {
  Buffer b(std::string(16'367, '.'));
  b.Append("needle");
  EXPECT_EQ(b.Find("needle"), 16'367u);
  EXPECT_EQ(b.Find("needle", 16'368), SIZE_MAX);
  EXPECT_EQ(b.Find("absent"), SIZE_MAX);
}

TEST(Buffer, ReserveWithoutBytesLeavesItEmpty) {
  Buffer b;
  b.Reserve(100);
  b.Commit(0);
  EXPECT_TRUE(b.Front().empty());
  b.Append("a");
  EXPECT_EQ(b.ToString(), "a");
}

}  // namespace
}  // namespace plait
