#include "proxy/dns/lookup.h"

#include <gtest/gtest.h>

#include <map>

namespace plait::proxy::dns {
namespace {

using Names = std::vector<std::string>;
using End = Followed::End;

// "a1" leads to "a2" and so on, up to "a20", which has an address; "out" leads outside, "left" and "right" in a circle.
class FakeIndex final : public DnsIndex {
 public:
  NameAnswer Find(std::string_view name) const override {
    const auto found = names_.find(name);
    return found == names_.end() ? NameAnswer{} : found->second;
  }
  FakeIndex() {
    for (int i = 1; i < 20; ++i) Lead("a" + std::to_string(i), "a" + std::to_string(i + 1));
    names_["a20"] = {.ours = true, .exists = true, .addresses = {io::IpAddress::V4(1)}};
    names_["empty"] = {.ours = true, .exists = true};
    Lead("out2", "out1");
    Lead("out1", "www.example.com");
    Lead("left", "right");
    Lead("right", "left");
    Lead("to-empty", "empty");
  }

 private:
  void Lead(const std::string& from, const std::string& to) {
    names_[from] = {.ours = true, .exists = true, .alias = to};
  }
  std::map<std::string, NameAnswer, std::less<>> names_;
};

TEST(Follow, GoesFromOneExternalNameToTheNextEightTimes) {
  const FakeIndex index;
  const Followed near = Follow(index, "a12");
  EXPECT_EQ(near.end, End::kHere);
  EXPECT_EQ(near.answer.alias, "a20");
  EXPECT_EQ(near.answer.addresses.size(), 1U);
  EXPECT_EQ(Follow(index, "a11").end, End::kNowhere);
  EXPECT_EQ(Follow(index, "left").end, End::kNowhere);
}

TEST(Follow, EndsWhereTheMeshEnds) {
  const FakeIndex index;
  const Followed outside = Follow(index, "out2");
  EXPECT_EQ(outside.end, End::kOutside);
  EXPECT_EQ(outside.answer.alias, "www.example.com");
  EXPECT_EQ(Follow(index, "www.example.com").end, End::kOutside);
  EXPECT_EQ(Follow(index, "www.example.com").answer.alias, "");
}

TEST(Follow, FindsWhatHasNoAddressToo) {
  const FakeIndex index;
  EXPECT_EQ(Follow(index, "empty").end, End::kHere);
  EXPECT_EQ(Follow(index, "to-empty").end, End::kHere);
  EXPECT_TRUE(Follow(index, "to-empty").answer.addresses.empty());
}

TEST(SearchList, HasTheNameItselfFirstOnlyWithFiveDots) {
  EXPECT_EQ(SearchList("db-0.db.alpha", "shop", "cluster.local"),
            (Names{"db-0.db.alpha.shop.svc.cluster.local", "db-0.db.alpha.svc.cluster.local",
                   "db-0.db.alpha.cluster.local", "db-0.db.alpha"}));
  EXPECT_EQ(SearchList("a.b.c.d.e.f", "shop", "cluster.local").front(), "a.b.c.d.e.f");
  EXPECT_EQ(SearchList("a.b.c.d.e.f", "shop", "cluster.local").size(), 4U);
}

TEST(SearchList, OfANameThatEndsWithADotIsThatName) {
  EXPECT_EQ(SearchList("web.shop.", "shop", "cluster.local"), (Names{"web.shop"}));
}

}  // namespace
}  // namespace plait::proxy::dns
