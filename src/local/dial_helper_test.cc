#include "local/dial_helper.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace plait::local {
namespace {

io::SocketAddress At(const char* text) { return *io::SocketAddress::Parse(text); }

TEST(DialHelper, DialsWhatItIsAskedFor) {
  EXPECT_EQ(TranslateOutside(At("192.0.2.1:80"), Port{15014}), At("192.0.2.1:80"));
  EXPECT_EQ(TranslateOutside(At("[2001:db8::1]:443"), Port{15014}), At("[2001:db8::1]:443"));
}

TEST(DialHelper, TheHostsLoopbackHasAnAddressOfItsOwn) {
  EXPECT_EQ(TranslateOutside({HostLoopback(), Port{5432}, {}}, Port{15014}), At("127.0.0.1:5432"));
}

TEST(DialHelper, NothingElseLeadsToTheHostsLoopback) {
  for (const char* address : {"127.0.0.1:80", "127.0.0.2:80", "[::1]:80", "0.0.0.0:80", "[::]:80"})
    EXPECT_EQ(TranslateOutside(At(address), Port{15014}), std::unexpected(EACCES)) << address;
}

TEST(DialHelper, TheDebugPagesOfTheControlPlaneAreNotReached) {
  EXPECT_EQ(TranslateOutside({HostLoopback(), Port{15014}, {}}, Port{15014}), std::unexpected(EACCES));
}

}  // namespace
}  // namespace plait::local
