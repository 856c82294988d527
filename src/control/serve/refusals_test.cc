#include "control/serve/refusals.h"

#include <gtest/gtest.h>

#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

ClientStatus ClientThat(const Proxy& proxy, std::string_view type, const std::string& refuses) {
  ClientStatus out{.proxy = &proxy};
  out.types[std::string(type)].last_error = refuses;
  return out;
}

TEST(Refusals, AreToldOnceOfAllProxiesWithTheSameReason) {
  const Proxy web{.name = "web-0", .name_space = "default"};
  const Proxy api{.name = "api-0", .name_space = "other"};
  EXPECT_TRUE(RefusalsOf({ClientThat(web, xds::type_url::kCluster, "")}).empty());
  const model::Findings one = RefusalsOf({ClientThat(web, xds::type_url::kCluster, "no file")});
  ASSERT_EQ(one.size(), 1U);
  EXPECT_TRUE(
      one[0].ToString().starts_with("Error proxies refuse envoy.config.cluster.v3.Cluster: no file (they go on"))
      << one[0].ToString();
  const model::Findings two = RefusalsOf({ClientThat(web, xds::type_url::kCluster, "no file"),
                                          ClientThat(api, xds::type_url::kCluster, "no file"),
                                          ClientThat(api, xds::type_url::kListener, "no log")});
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[0], one[0]) << "the sentence is told once";
}

}  // namespace
}  // namespace plait::control::serve
