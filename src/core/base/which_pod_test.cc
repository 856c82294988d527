#include "core/base/which_pod.h"

#include <gtest/gtest.h>

namespace plait {
namespace {

const std::vector<PodName> kPods = {
    {"web-1", "web", "default", 1}, {"web-0", "web", "default", 1}, {"web-2", "web", "default", 0},
    {"web-0", "web", "other", 2},   {"db-0", "db", "alpha", 1},     {"api-0", "api", "beta", 2},
    {"api-0", "api", "alpha", 1},   {"bare", "", "alpha", 0},
};

// "POD.NAMESPACE", or what is wrong.
std::string Meant(const std::string& workload) {
  const Outcome<std::size_t> found = WhichPod(kPods, workload);
  if (!found) return found.error().ToString();
  return std::string(kPods[*found].name) + "." + std::string(kPods[*found].ns);
}

TEST(WhichPod, TakesTheNamespaceDefaultAtItsWordWhateverIsReadyElsewhere) {
  EXPECT_EQ(Meant("web"), "web-0.default");
  EXPECT_EQ(Meant("web-2"), "web-2.default");
}

TEST(WhichPod, TakesTheOnlyNamespaceThatHasIt) {
  EXPECT_EQ(Meant("db"), "db-0.alpha");
  EXPECT_EQ(Meant("bare"), "bare.alpha");
}

TEST(WhichPod, TakesTheNamespaceThatIsNamed) {
  EXPECT_EQ(Meant("web.other"), "web-0.other");
  EXPECT_EQ(Meant("api-0.beta"), "api-0.beta");
  EXPECT_EQ(Meant("api.alpha"), "api-0.alpha");
}

TEST(WhichPod, AsksWhichOneWhereSeveralNamespacesHaveIt) {
  EXPECT_EQ(Meant("api"), "there is a \"api\" in several namespaces (api.alpha or api.beta)");
}

TEST(WhichPod, SaysWhatThereIs) {
  EXPECT_EQ(Meant("wep"),
            "there is no workload \"wep\" (one of: web-1 web-0 web-2 web-0.other db-0.alpha api-0.beta api-0.alpha "
            "bare.alpha)");
  EXPECT_FALSE(WhichPod(kPods, ""));
  EXPECT_FALSE(WhichPod(kPods, ".other"));
  EXPECT_FALSE(WhichPod({}, "web"));
}

}  // namespace
}  // namespace plait
