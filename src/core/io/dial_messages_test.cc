#include <gtest/gtest.h>

#include "core/io/passed_socket.h"

namespace plait::io {
namespace {

TEST(DialMessages, AQuestionComesAcrossWithItsAddress) {
  for (const char* address : {"192.0.2.1:80", "[2001:db8::1]:443"}) {
    const DialQuestion question{7, *SocketAddress::Parse(address)};
    const auto read = ParseDialQuestion(Encode(question));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, question);
  }
}

TEST(DialMessages, AnAnswerComesAcrossWithItsErrno) {
  const auto read = ParseDialAnswer(Encode(DialAnswer{4294967295U, 111}));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, (DialAnswer{4294967295U, 111}));
}

TEST(DialMessages, WhatIsNoMessageIsRefused) {
  for (const char* text :
       {"", "7", "x 192.0.2.1:80", "7 nowhere", "7 192.0.2.1:0", "7 unix:/tmp/x", "4294967296 1.2.3.4:80"})
    EXPECT_FALSE(ParseDialQuestion(text).has_value()) << text;
  for (const char* text : {"", "7", "7 ", "7 no", "7 99999", "-1 0"})
    EXPECT_FALSE(ParseDialAnswer(text).has_value()) << text;
}

}  // namespace
}  // namespace plait::io
