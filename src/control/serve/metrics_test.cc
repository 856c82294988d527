#include "control/serve/metrics.h"

#include <gtest/gtest.h>

namespace plait::control::serve {
namespace {

TEST(Metrics, WritesPrometheusText) {
  Metrics metrics;
  metrics.Add("pilot_xds_pushes", {{"type", "cds"}}, 2);
  metrics.Add("pilot_xds_pushes", {{"type", "cds"}});
  metrics.Set("pilot_info", {{"version", "a\"b\\c"}}, 1);
  metrics.Observe("pilot_proxy_convergence_time", {}, 0.02);
  metrics.Observe("pilot_proxy_convergence_time", {}, 100);
  const std::string text = metrics.Text();
  for (const char* line :
       {"# TYPE pilot_xds_pushes counter\npilot_xds_pushes{type=\"cds\"} 3\n",
        "pilot_info{version=\"a\\\"b\\\\c\"} 1\n", "pilot_proxy_convergence_time_bucket{le=\"0.01\"} 0\n",
        "pilot_proxy_convergence_time_bucket{le=\"0.05\"} 1\n", "pilot_proxy_convergence_time_bucket{le=\"30\"} 1\n",
        "pilot_proxy_convergence_time_bucket{le=\"+Inf\"} 2\n",
        "pilot_proxy_convergence_time_sum 100.02\npilot_proxy_convergence_time_count 2\n",
        "\ncitadel_server_csr_count 0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "not in\n" << text;
  EXPECT_EQ(metrics.Value("pilot_xds_pushes", {{"type", "cds"}}), 3);
  EXPECT_EQ(metrics.Value("pilot_proxy_convergence_time"), 2);
}

TEST(Metrics, ABoundBelongsToItsBucket) {
  Metrics metrics;
  metrics.Observe("pilot_xds_config_size_bytes", {{"type", "eds"}}, 1000);
  EXPECT_NE(metrics.Text().find("pilot_xds_config_size_bytes_bucket{type=\"eds\",le=\"1000\"} 1\n"), std::string::npos);
}

TEST(Metrics, ClearedGaugesAreGone) {
  Metrics metrics;
  metrics.Set("plaitd_config_objects", {{"kind", "Service"}}, 3);
  metrics.Clear("plaitd_config_objects");
  EXPECT_EQ(metrics.Text().find("plaitd_config_objects"), std::string::npos);
}

}  // namespace
}  // namespace plait::control::serve
