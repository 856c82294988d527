#include "core/http/headers.h"

#include <gtest/gtest.h>

#include <utility>

#include "core/base/random.h"
#include "core/base/strings.h"

namespace plait::http {
namespace {

// The same operations on a plain list, the obvious way.
struct Model {
  std::vector<std::pair<std::string, std::string>> list;

  void Add(std::string name, std::string value) { list.emplace_back(std::move(name), std::move(value)); }
  std::size_t Remove(std::string_view name) {
    return std::erase_if(list, [&](const auto& f) { return EqualsIgnoreCase(f.first, name); });
  }
  std::size_t RemovePrefix(std::string_view prefix) {
    return std::erase_if(list, [&](const auto& f) { return ToLower(f.first).starts_with(ToLower(prefix)); });
  }
  void Set(const std::string& name, const std::string& value) {
    bool found = false;
    std::erase_if(list, [&](auto& f) {
      if (!EqualsIgnoreCase(f.first, name)) return false;
      if (found) return true;
      found = true;
      f.second = value;
      return false;
    });
    if (!found) Add(name, value);
  }
  std::size_t byte_size() const {
    std::size_t sum = 0;
    for (const auto& [name, value] : list) sum += name.size() + value.size() + 4;
    return sum;
  }
};

void ExpectSame(const Headers& headers, const Model& model) {
  ASSERT_EQ(headers.size(), model.list.size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(headers.at(i).name, model.list[i].first);
    EXPECT_EQ(headers.at(i).value, model.list[i].second);
  }
  EXPECT_EQ(headers.byte_size(), model.byte_size());
}

TEST(Headers, BehaveAsAPlainListUnderRandomOperations) {
  const std::string names[] = {"Host", "host", "X-A", "x-a", "x-envoy-one", "X-Envoy-Two", "Cookie", "via"};
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    Headers headers;
    Model model;
    for (int step = 0; step < 120; ++step) {
      const std::string name = names[random.Below(8)];
      const std::string value(random.Below(40), static_cast<char>('a' + random.Below(26)));
      switch (random.Below(8)) {
        case 0:
        case 1:
        case 2:
          headers.Add(name, value);
          model.Add(name, value);
          break;
        case 3:
        case 4:
          headers.Set(name, value);
          model.Set(name, value);
          break;
        case 5: EXPECT_EQ(headers.Remove(name), model.Remove(name)); break;
        case 6: EXPECT_EQ(headers.RemovePrefix("X-ENVOY-"), model.RemovePrefix("x-envoy-")); break;
        case 7: {
          Headers copy = headers;
          Headers moved = std::move(headers);
          EXPECT_TRUE(headers.empty());  // NOLINT(bugprone-use-after-move): empty is what a moved-from list is
          headers = step % 2 == 0 ? std::move(copy) : moved;
          break;
        }
        default: break;
      }
      ExpectSame(headers, model);
    }
  }
}

TEST(Headers, TakeTheirOwnViewsAsArguments) {
  Headers headers{{"a", std::string(300, 'x')}, {"b", "y"}};
  for (int i = 0; i < 20; ++i) headers.Add(headers.at(0).name, headers.at(0).value);
  headers.Set("b", *headers.Get("a"));
  EXPECT_EQ(headers.Get("b"), std::string(300, 'x'));
  EXPECT_EQ(headers.Remove(headers.at(0).name), 21U);
  EXPECT_EQ(headers.size(), 1U);
}

TEST(Headers, KeepTheCaseOfNamesAndIgnoreItInLookUps) {
  const Headers headers{{"X-MixedCase", "1"}};
  EXPECT_EQ(headers.Get("x-mixedcase"), "1");
  EXPECT_EQ(headers.at(0).name, "X-MixedCase");
}

TEST(Headers, JoinRepeatedFields) {
  const Headers headers{{"Accept", "a"}, {"cookie", "x=1"}, {"accept", "b"}, {"Cookie", "y=2"}};
  EXPECT_EQ(headers.GetJoined("accept"), "a, b");
  EXPECT_EQ(headers.GetJoined("cookie"), "x=1; y=2");
  EXPECT_EQ(headers.GetJoined("none"), std::nullopt);
}

TEST(Headers, FindTokensInAnyOfTheRepeatedFields) {
  const Headers headers{{"Connection", "keep-alive , foo"}, {"connection", "Upgrade"}};
  EXPECT_TRUE(headers.HasToken("connection", "upgrade"));
  EXPECT_TRUE(headers.HasToken("connection", "FOO"));
  EXPECT_FALSE(headers.HasToken("connection", "keep"));
}

}  // namespace
}  // namespace plait::http
