#include "control/serve/held_resources.h"

#include <gtest/gtest.h>

namespace plait::control::serve {
namespace {

ResourceRef Resource(std::string name, std::string version) {
  return std::make_shared<const xds::WireResource>(
      xds::WireResource{.name = std::move(name), .version = std::move(version), .aliases = {}, .bytes = {}});
}

TEST(HeldResources, TellsWhetherAVersionIsNewToTheClient) {
  HeldResources held;
  EXPECT_TRUE(held.Put(Resource("b", "1")));
  EXPECT_TRUE(held.Put(Resource("a", "1")));
  EXPECT_FALSE(held.Put(Resource("b", "1")));
  EXPECT_TRUE(held.Put(Resource("b", "2")));
  EXPECT_EQ(held.Versions(), (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
}

TEST(HeldResources, ForgetsWhatItIsTold) {
  HeldResources held;
  held.Put(Resource("a", "1"));
  held.Put(Resource("c", "1"));
  EXPECT_FALSE(held.Erase("b"));
  EXPECT_TRUE(held.Erase("a"));
  EXPECT_FALSE(held.Contains("a"));
  ASSERT_NE(held.Find("c"), nullptr);
  EXPECT_EQ(held.size(), 1U);
}

}  // namespace
}  // namespace plait::control::serve
