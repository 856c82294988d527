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

TEST(Registry, SetsAGaugeInCellsThatAnotherGroupHad) {
  Registry registry;
  registry.NewGroup(kSchema, {"old"}).SetGauge(kActive, 3);
  const Group next = registry.NewGroup(kSchema, {"new"});
  EXPECT_EQ(next.Value(kActive), 0U);
  next.SetGauge(kActive, 5);
  EXPECT_EQ(next.Value(kActive), 5U);
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

TEST(Registry, ResetsCountersButNeitherGaugesNorHistograms) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  group.Add(kTotal, 5);
  group.AddGauge(kActive, 2);
  group.Record(kTime, 3);
  registry.ResetCounters();
  EXPECT_EQ(group.Value(kTotal), 0U);
  EXPECT_EQ(group.Value(kActive), 2U);
  EXPECT_EQ(group.Value(kTime), 1U);
}

std::string Used(const Registry& registry) {
  std::string out;
  registry.Scrape({.used_only = true}, out);
  return out;
}

TEST(Registry, KnowsWhatWasUsedAlsoWhenItIsZeroAgain) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  EXPECT_EQ(Used(registry), "");
  group.AddGauge(kActive, 1);
  group.AddGauge(kActive, -1);
  EXPECT_EQ(Used(registry), "cluster.a.rq_active: 0\n");
  group.Add(kTotal);
  registry.ResetCounters();
  EXPECT_EQ(Used(registry), "cluster.a.rq_active: 0\ncluster.a.rq_total: 0\n");
}

TEST(Registry, KnowsNothingOfWhatAnotherGroupUsedInTheSameCells) {
  Registry registry;
  {
    const Group old = registry.NewGroup(kSchema, {"old"});
    old.SetGauge(kActive, 1);
    old.Add(kTotal);
    old.Record(kTime, 3);
    registry.ResetCounters();
    registry.EndInterval();
  }
  const Group next = registry.NewGroup(kSchema, {"new"});
  EXPECT_EQ(Used(registry), "");
  next.SetGauge(kActive, 0);
  EXPECT_EQ(Used(registry), "cluster.new.rq_active: 0\n");
  next.Record(kTime, 7);
  registry.EndInterval();
  EXPECT_NE(Scraped(registry, Format::kText).find("cluster.new.rq_time: P0(5,5) "), std::string::npos);
}

std::string HistogramsOf(const Registry& registry, Buckets buckets, Format format = Format::kText) {
  std::string out;
  registry.Scrape({.format = format, .buckets = buckets, .kind = Kind::kHistogram}, out);
  return out;
}

TEST(Registry, ShowsOfHistogramsTheLastIntervalAndAll) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  EXPECT_EQ(HistogramsOf(registry, Buckets::kSummary), "cluster.a.rq_time: No recorded values\n");
  group.Record(kTime, 7);
  const std::string first = HistogramsOf(registry, Buckets::kSummary);
  EXPECT_TRUE(first.starts_with("cluster.a.rq_time: P0(nan,5) P25(nan,6.25) P50(nan,7.5) ")) << first;
  EXPECT_TRUE(first.ends_with(" P99.9(nan,9.995) P100(nan,10)\n")) << first;
  registry.EndInterval();
  group.Record(kTime, 2000);
  registry.EndInterval();
  const std::string second = HistogramsOf(registry, Buckets::kSummary);
  EXPECT_TRUE(second.starts_with("cluster.a.rq_time: P0(1000,5) P25(1375,7.5) ")) << second;
  registry.EndInterval();  // without a value
  EXPECT_TRUE(HistogramsOf(registry, Buckets::kSummary).starts_with("cluster.a.rq_time: P0(nan,5) "));
}

TEST(Registry, EndsTheIntervalOfEachHistogramWhateverThreadCountedInIt) {
  Registry registry;
  std::vector<Group> groups;  // more than a chunk of cells
  for (int i = 0; i < 100; ++i) groups.push_back(registry.NewGroup(kSchema, {std::to_string(i)}));
  const auto record = [&] {
    groups[0].Record(kTime, 7);
    groups[99].Record(kTime, 7);
  };
  const auto shows = [&](const std::string& text) {
    return HistogramsOf(registry, Buckets::kDisjoint).find("rq_time: B0.5(0,0) B1(0,0) B5(0,0) " + text) !=
           std::string::npos;
  };
  record();
  std::thread(record).join();
  registry.EndInterval();
  EXPECT_TRUE(shows("B10(2,2)"));
  EXPECT_FALSE(shows("B10(1,1)"));
  groups[99].Record(kTime, 7);
  EXPECT_TRUE(shows("B10(2,3)")) << "the interval of now is not over";
  registry.EndInterval();
  EXPECT_TRUE(shows("B10(0,2)"));
  EXPECT_TRUE(shows("B10(1,3)"));
}

TEST(Registry, ShowsTheBucketsOfHistogramsAsTheyAreAskedFor) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  group.Record(kTime, 0.2);
  registry.EndInterval();
  group.Record(kTime, 7);
  group.Record(kTime, 1e9);
  EXPECT_EQ(HistogramsOf(registry, Buckets::kCumulative),
            "cluster.a.rq_time: B0.5(1,1) B1(1,1) B5(1,1) B10(1,2) B25(1,2) B50(1,2) B100(1,2) B250(1,2) B500(1,2) "
            "B1000(1,2) B2500(1,2) B5000(1,2) B10000(1,2) B30000(1,2) B60000(1,2) B300000(1,2) B600000(1,2) "
            "B1.8e+06(1,2) B3.6e+06(1,2)\n");
  EXPECT_TRUE(HistogramsOf(registry, Buckets::kDisjoint)
                  .starts_with("cluster.a.rq_time: B0.5(1,1) B1(0,0) B5(0,0) B10(0,1) B25(0,0) "));
  EXPECT_TRUE(HistogramsOf(registry, Buckets::kDetailed)
                  .starts_with("cluster.a.rq_time:\n  totals=0,0.5:1, 5,5:1, 3.6e+06,0:1\n  intervals=0,0.5:1\n"
                               "  summary=P0(0,0) "));
  EXPECT_TRUE(HistogramsOf(registry, Buckets::kDisjoint, Format::kJson)
                  .starts_with("{\"stats\":[{\"histograms\":[{\"name\":\"cluster.a.rq_time\",\"buckets\":[{"
                               "\"upper_bound\":0.5,\"interval\":1,\"cumulative\":1},"));
  const std::string detailed = HistogramsOf(registry, Buckets::kDetailed, Format::kJson);
  EXPECT_NE(detailed.find("\"supported_percentiles\":[0,25,50,75,90,95,99,99.5,99.9,100],\"details\":[{"),
            std::string::npos);
  EXPECT_NE(detailed.find("\"intervals\":[{\"lower_bound\":0,\"width\":0.5,\"count\":1}],\"percentiles\":[{"
                          "\"interval\":0,\"cumulative\":0},"),
            std::string::npos)
      << detailed;
  EXPECT_TRUE(detailed.ends_with("}]}]}}]}")) << detailed;
}

TEST(Registry, ShowsPrometheusASummaryOnWish) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  group.Record(kTime, 7);
  const std::string text = HistogramsOf(registry, Buckets::kSummary, Format::kPrometheus);
  EXPECT_NE(text.find("# TYPE envoy_cluster_rq_time summary\n"), std::string::npos);
  EXPECT_NE(text.find("envoy_cluster_rq_time{cluster_name=\"a\",quantile=\"0.5\"} 7.5\n"), std::string::npos);
  EXPECT_EQ(text.find("_bucket"), std::string::npos);
}

TEST(Registry, WritesPrometheusBoundsAsEnvoyDoes) {
  Registry registry;
  const Group group = registry.NewGroup(kSchema, {"a"});
  group.Record(kTime, 7);
  EXPECT_NE(Scraped(registry, Format::kPrometheus).find("le=\"300000\"} 1\n"), std::string::npos);
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
