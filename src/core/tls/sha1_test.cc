#include "core/tls/sha1.h"

#include <gtest/gtest.h>

#include "core/base/encoding.h"

namespace plait::tls {
namespace {

// The examples of NIST for FIPS 180-4.
TEST(Sha1, IsThatOfFips180) {
  EXPECT_EQ(HexEncode(AsBytes(Sha1("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(HexEncode(AsBytes(Sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(HexEncode(AsBytes(Sha1(""))), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

}  // namespace
}  // namespace plait::tls
