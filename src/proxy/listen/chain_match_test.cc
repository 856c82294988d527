#include "proxy/listen/chain_match.h"

#include <gtest/gtest.h>

namespace plait::proxy::listen {
namespace {
using Match = xds::FilterChainMatch;
using Rules = std::vector<Match>;

ConnectionFacts To(const char* destination, const char* source = "10.9.9.9:1000") {
  return {.destination = io::SocketAddress::Parse(destination).value(),
          .source = io::SocketAddress::Parse(source).value()};
}

std::vector<io::Cidr> Ranges(std::initializer_list<const char*> texts) {
  std::vector<io::Cidr> ranges;
  for (const char* text : texts) ranges.push_back(io::Cidr::Parse(text).value());
  return ranges;
}

TEST(ChainMatcher, PrefersThePortThenTheLongestPrefix) {
  const ChainMatcher matcher(Rules{{},
                                   {.destination_port = 80},
                                   {.destination_port = 80, .prefix_ranges = Ranges({"10.0.0.0/8"})},
                                   {.destination_port = 80, .prefix_ranges = Ranges({"10.1.0.0/16"})}});
  EXPECT_EQ(matcher.Match(To("10.1.2.3:80")), 3u);
  EXPECT_EQ(matcher.Match(To("10.2.2.3:80")), 2u);
  EXPECT_EQ(matcher.Match(To("11.0.0.1:80")), 1u);
  EXPECT_EQ(matcher.Match(To("10.1.2.3:81")), 0u);
}

TEST(ChainMatcher, DoesNotGoBackToALessSpecificChain) {
  const ChainMatcher matcher(Rules{{.destination_port = 80, .transport_protocol = "tls"}, {}});
  // The chain for port 80 takes the connection away from the other one, and then does not fit.
  EXPECT_EQ(matcher.Match(To("10.1.2.3:80")), std::nullopt);
}

TEST(ChainMatcher, PrefersTheExactNameThenTheLongestWildcard) {
  const ChainMatcher matcher(Rules{{.server_names = {"*.example.com"}},
                                   {.server_names = {"*.a.example.com"}},
                                   {.server_names = {"b.a.example.com", "other"}},
                                   {}});
  ConnectionFacts facts = To("10.0.0.1:443");
  const auto match = [&](std::string_view name) {
    facts.server_name = name;
    return matcher.Match(facts);
  };
  EXPECT_EQ(match("b.a.example.com"), 2u);
  EXPECT_EQ(match("c.a.example.com"), 1u);
  EXPECT_EQ(match("a.example.com"), 0u);
  EXPECT_EQ(match("example.com"), 3u);
  EXPECT_EQ(match(""), 3u);
}

TEST(ChainMatcher, TakesTheClientsFirstProtocolThatSomeChainKnows) {
  const ChainMatcher matcher(Rules{{.application_protocols = {"http/1.1"}}, {.application_protocols = {"h2"}}, {}});
  ConnectionFacts facts = To("10.0.0.1:443");
  facts.application_protocols = {"h2", "http/1.1"};
  EXPECT_EQ(matcher.Match(facts), 1u);
  facts.application_protocols = {"istio"};
  EXPECT_EQ(matcher.Match(facts), 2u);
}

TEST(ChainMatcher, TellsLocalFromExternalSources) {
  const ChainMatcher matcher(
      Rules{{.source_type = Match::SourceType::kSameIpOrLoopback}, {.source_type = Match::SourceType::kExternal}});
  EXPECT_EQ(matcher.Match(To("10.0.0.1:80", "127.0.0.1:5")), 0u);
  EXPECT_EQ(matcher.Match(To("10.0.0.1:80", "10.0.0.1:5")), 0u);
  EXPECT_EQ(matcher.Match(To("10.0.0.1:80", "10.0.0.2:5")), 1u);
}

TEST(ChainMatcher, MatchesSourceRangesAndPorts) {
  const ChainMatcher matcher(Rules{{.source_prefix_ranges = Ranges({"fd00::/8"})}, {.source_ports = {1000}}, {}});
  EXPECT_EQ(matcher.Match(To("[fd00::1]:80", "[fd00::2]:7")), 0u);
  EXPECT_EQ(matcher.Match(To("10.0.0.1:80", "10.0.0.2:1000")), 1u);
  EXPECT_EQ(matcher.Match(To("10.0.0.1:80", "10.0.0.2:1001")), 2u);
}

TEST(ChainMatcher, SaysWhatMustBeInspected) {
  EXPECT_FALSE(ChainMatcher(Rules{{.destination_port = 1}}).needs_tls_inspection());
  EXPECT_TRUE(ChainMatcher(Rules{{.transport_protocol = "tls"}}).needs_tls_inspection());
}

}  // namespace
}  // namespace plait::proxy::listen
