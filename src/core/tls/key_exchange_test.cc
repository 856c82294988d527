#include "core/tls/key_exchange.h"

#include <gtest/gtest.h>

#include "core/base/strings.h"

namespace plait::tls {
namespace {

TEST(KeyExchange, KnowsTheNamesThatMessagesSuggestAndNoOthers) {
  for (const std::string_view name : Split(kSomeGroups, ',')) EXPECT_TRUE(IsKeyExchangeGroup(Trim(name))) << name;
  for (const char* name : {"", "FOO", "X25519:P-256", "X25519 "}) EXPECT_FALSE(IsKeyExchangeGroup(name)) << name;
}

}  // namespace
}  // namespace plait::tls
