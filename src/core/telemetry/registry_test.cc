#include "core/telemetry/registry.h"

#include <gtest/gtest.h>

#include <thread>

namespace plait::telemetry {
namespace {

enum Stat : std::size_t { kTotal, kActive, kOk, kTime };
constexpr std::array<StatDef, 4> kStats = {{
    {.name = "rq_total"},
    {.name = "rq_active", .kind = Kind::kGauge},
    {.name = "rq_2xx", .prometheus = "rq", .label = "response_code_class", .label_value = "2xx"},
    {.name = "rq_time", .kind = Kind::kHistogram},
}};
constexpr std::array<std::string_view, 1> kLabels = {"cluster_name"};
constexpr Schema kSchema{"cluster.", "envoy_cluster_", kLabels, kStats};
constexpr std::array<StatDef, 2> kApartStats = {{{.name = "hosts_total"}, {.name = "hosts_active"}}};
constexpr Schema kApartSchema{"cluster.", "envoy_cluster_", kLabels, kApartStats, /*apart=*/true};

std::string Scraped(const Registry& registry, Format format) {
  std::string out;
  registry.Scrape({.format = format}, out);
  return out;
}

TEST(Registry, AddsThreadsUpAtTheScrape) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) group.Add(kTotal);
    group.AddGauge(kActive, 1);
  });
  for (int i = 0; i < 500; ++i) group.Add(kTotal);
  other.join();
  group.AddGauge(kActive, -1);
  EXPECT_EQ(group.Value(kTotal), 1500U);
  EXPECT_EQ(group.Value(kActive), 0U);
}

TEST(Registry, ShowsEnvoysNamesAndPrometheusLabels) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"outbound|80||a"});
  group.Add(kTotal, 3);
  group.Add(kOk, 2);
  EXPECT_NE(Scraped(registry, Format::kText).find("cluster.outbound|80||a.rq_total: 3\n"), std::string::npos);
  const std::string prometheus = Scraped(registry, Format::kPrometheus);
  EXPECT_NE(prometheus.find(
                "# TYPE envoy_cluster_rq_total counter\nenvoy_cluster_rq_total{cluster_name=\"outbound|80||a\"} 3\n"),
            std::string::npos);
  EXPECT_NE(prometheus.find("envoy_cluster_rq{response_code_class=\"2xx\",cluster_name=\"outbound|80||a\"} 2\n"),
            std::string::npos);
}

TEST(Registry, CountsHistogramsCumulatively) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  group.Record(kTime, 0.5);  // a bound belongs to its own bucket
  group.Record(kTime, 7);
  group.Record(kTime, 1e9);
  const std::string text = Scraped(registry, Format::kPrometheus);
  EXPECT_NE(text.find("rq_time_bucket{cluster_name=\"a\",le=\"0.5\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("rq_time_bucket{cluster_name=\"a\",le=\"10\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("rq_time_bucket{cluster_name=\"a\",le=\"+Inf\"} 3\n"), std::string::npos);
  EXPECT_NE(text.find("rq_time_count{cluster_name=\"a\"} 3\n"), std::string::npos);
}

TEST(Registry, GivesCellsOfAReleasedGroupToTheNextOneAtZero) {
  Registry registry;
  {
    const Group old = registry.NewGroup(kSchema, {"old"});
    old.Add(kTotal, 9);
    old.Record(kTime, 3);
  }
  const Group next = registry.NewGroup(kSchema, {"new"});
  EXPECT_EQ(next.Value(kTotal), 0U);
  EXPECT_EQ(next.Value(kTime), 0U);
  next.Add(kTotal);
  EXPECT_EQ(next.Value(kTotal), 1U);
  EXPECT_EQ(Scraped(registry, Format::kText).find("old"), std::string::npos);
}

TEST(Registry, DropsGroupsBeyondTheBoundAndSaysHowMany) {
  Registry registry(/*max_cells=*/30);  // a group takes 24
  const Group first = registry.NewGroup(kSchema, {"a"});
  const Group second = registry.NewGroup(kSchema, {"b"});
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  second.Add(kTotal);  // harmless
  EXPECT_EQ(registry.dropped_groups(), 1U);
}

TEST(Registry, TakesMemoryForAnApartSchemaByItself) {
  Registry registry;
  std::vector<Group> groups;
  for (int i = 0; i < 500; ++i) {
    groups.push_back(registry.NewGroup(kSchema, {"waits for traffic"}));
    groups.push_back(registry.NewGroup(kApartSchema, {"set at the start"}));
    groups.back().Add(kTotal, 7);
  }
  EXPECT_EQ(registry.chunks(), 1U);
  for (std::size_t i = 0; i < groups.size(); ++i) EXPECT_EQ(groups[i].Value(kTotal), i % 2 == 0 ? 0U : 7U);
}

TEST(Registry, DropsGroupsOfAnApartSchemaBeyondTheBound) {
  Registry registry(/*max_cells=*/3);  // a group takes 2
  const Group first = registry.NewGroup(kApartSchema, {"a"});
  const Group second = registry.NewGroup(kApartSchema, {"b"});
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
  EXPECT_EQ(registry.dropped_groups(), 1U);
}

TEST(Registry, ResetsCountersButNotGauges) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  group.Add(kTotal, 5);
  group.AddGauge(kActive, 2);
  registry.ResetCounters();
  EXPECT_EQ(group.Value(kTotal), 0U);
  EXPECT_EQ(group.Value(kActive), 2U);
}

TEST(Registry, EscapesLabelValues) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a\"b\\c\nd"});
  group.Add(kTotal);
  EXPECT_NE(Scraped(registry, Format::kPrometheus).find("cluster_name=\"a\\\"b\\\\c\\nd\""), std::string::npos);
}

TEST(Registry, SharesAGroupAsLongAsSomebodyHasIt) {
  Registry registry;
  auto first = registry.SharedGroup(kSchema, {"a"});
  auto second = registry.SharedGroup(kSchema, {"a"});
  EXPECT_EQ(first, second);
  EXPECT_NE(first, registry.SharedGroup(kSchema, {"b"}));
  first->Add(kTotal);
  first.reset();
  EXPECT_EQ(registry.SharedGroup(kSchema, {"a"})->Value(kTotal), 1u);
  second.reset();
  EXPECT_EQ(registry.SharedGroup(kSchema, {"a"})->Value(kTotal), 0u);  // a new one
  EXPECT_EQ(registry.cells_used(), 0u);
}

}  // namespace
}  // namespace plait::telemetry
