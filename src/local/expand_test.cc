#include "local/expand.h"

#include <gtest/gtest.h>

namespace plait::local {
namespace {

TEST(Expand, ReplacesKnownNamesAndLeavesTheRest) {
  const std::vector<EnvVar> variables = {{"A", "1", ""}, {"HOST", "web", ""}, {"EMPTY", "", ""}};
  const auto expand = [&](const char* text) { return Expand(text, variables); };
  EXPECT_EQ(expand("http://$(HOST):8$(A)"), "http://web:81");
  EXPECT_EQ(expand("$(NOBODY) $HOST $ $( $()"), "$(NOBODY) $HOST $ $( $()");
  EXPECT_EQ(expand("$$(A) $$$(A) $$"), "$(A) $1 $");
  EXPECT_EQ(expand("[$(EMPTY)]"), "[]");
  EXPECT_EQ(expand("$(HOST"), "$(HOST");
  EXPECT_EQ(expand(""), "");
}

}  // namespace
}  // namespace plait::local
