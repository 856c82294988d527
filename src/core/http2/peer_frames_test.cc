#include "core/http2/peer_frames.h"

#include <gtest/gtest.h>

#include <string>

namespace plait::http2 {
namespace {

enum Type : char { kData, kHeaders, kPriority, kReset, kWindowUpdate = 8, kContinuation };

std::string Frame(Type type, bool end_stream, int id, std::size_t size = 4) {
  std::string out{'\0', static_cast<char>(size >> 8), static_cast<char>(size), static_cast<char>(type),
                  static_cast<char>(end_stream ? 1 : 0)};
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(id >> shift);
  return out + std::string(size, '\xff');
}

const std::string kPrefaceBytes(24, 'P');

// The number of bytes that may be used, however the network cuts them.
std::size_t Follow(const std::string& wire) {
  PeerFrames whole;
  const std::size_t used = whole.Follow(AsBytes(wire));
  for (const std::size_t step : {1u, 3u, 10u}) {
    PeerFrames cut;
    std::size_t total = 0;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      const std::string piece = wire.substr(at, step);
      const std::size_t n = cut.Follow(AsBytes(piece));
      total += n;
      if (n < piece.size()) break;
    }
    // What was handed on of a header in an earlier piece is no frame.
    EXPECT_GE(total, used);
    EXPECT_LT(total, used + 9);
  }
  return used;
}

struct Case {
  const char* what;
  std::string good;
  std::string bad;
};

TEST(PeerFrames, TakesNoMessageOnAStreamThatTheClientHasEnded) {
  const std::string begun = kPrefaceBytes + Frame(kHeaders, false, 1);
  for (const Case& c :
       {Case{"data after the end of a request", kPrefaceBytes + Frame(kHeaders, true, 1), Frame(kData, false, 1)},
        Case{"headers after it", kPrefaceBytes + Frame(kHeaders, true, 1), Frame(kHeaders, true, 1)},
        Case{"data after data", begun + Frame(kData, false, 1) + Frame(kData, true, 1), Frame(kData, true, 1)},
        Case{"data after trailers", begun + Frame(kHeaders, true, 1), Frame(kData, false, 1)},
        Case{"data after a reset", begun + Frame(kReset, false, 1), Frame(kData, false, 1)},
        Case{"a stream that was passed over", kPrefaceBytes + Frame(kHeaders, false, 5), Frame(kHeaders, false, 3)}}) {
    EXPECT_EQ(Follow(c.good + c.bad + Frame(kHeaders, true, 7)), c.good.size()) << c.what;
  }
}

TEST(PeerFrames, LetsPassWhatTheRuleAllows) {
  for (const std::string& wire : {kPrefaceBytes + Frame(kHeaders, false, 1) + Frame(kContinuation, false, 1) +
                                      Frame(kData, false, 1) + Frame(kData, false, 1),
                                  kPrefaceBytes + Frame(kHeaders, true, 1) + Frame(kPriority, false, 1) +
                                      Frame(kWindowUpdate, false, 1) + Frame(kReset, false, 1),
                                  kPrefaceBytes + Frame(kHeaders, true, 1) + Frame(kHeaders, true, 3, 300) +
                                      Frame(kHeaders, false, 5) + Frame(kHeaders, true, 5),
                                  kPrefaceBytes + Frame(kReset, false, 9) + Frame(kData, false, 9) +
                                      Frame(kHeaders, false, 2) + Frame(kData, true, 2)}) {
    EXPECT_EQ(Follow(wire), wire.size());
  }
}

TEST(PeerFrames, AccusesNobodyOfWhatItHasForgotten) {
  PeerFrames frames;
  ASSERT_EQ(frames.Follow(AsBytes(kPrefaceBytes)), kPrefaceBytes.size());
  constexpr int kOpened = 3000;
  for (int i = 0; i < kOpened; ++i) {
    const std::string opened = Frame(kHeaders, false, 2 * i + 1);
    ASSERT_EQ(frames.Follow(AsBytes(opened)), opened.size());
  }
  for (int i = 0; i < kOpened; ++i) {
    const std::string data = Frame(kData, true, 2 * i + 1);
    ASSERT_EQ(frames.Follow(AsBytes(data)), data.size()) << i;
  }
  EXPECT_EQ(frames.Follow(AsBytes(Frame(kData, true, 2 * kOpened - 1))), 0u);
}

}  // namespace
}  // namespace plait::http2
