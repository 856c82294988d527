#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/tls/facts.h"
#include "proxy/filters/rbac/http_rbac.h"
#include "proxy/filters/rbac/network_rbac.h"
#include "proxy/filters/rbac/stats.h"

namespace plait::proxy::filters {
namespace {
using xds::Permission;
using xds::Principal;
using xds::RbacRules;
using xds::StringMatcher;

Principal Named(StringMatcher::Kind kind, std::string value) {
  return {.kind = Principal::Kind::kAuthenticated, .has_text = true, .text = {.kind = kind, .value = std::move(value)}};
}
Permission Path(std::string prefix) {
  return {.kind = Permission::Kind::kUrlPath,
          .text = {.kind = StringMatcher::Kind::kPrefix, .value = std::move(prefix)}};
}
Permission Method(std::string method) {
  return {.kind = Permission::Kind::kHeader,
          .header = {.name = ":method", .value = StringMatcher{.value = std::move(method)}}};
}
Permission Any() { return {.kind = Permission::Kind::kAny}; }

class Rbac : public testing::Test {
 protected:
  Rbac() {
    tls_.peer_certificate = true;
    tls_.peer_uri_sans = {"spiffe://cluster.local/ns/default/sa/web"};
    connection_.tls = &tls_;
    connection_.remote = io::SocketAddress::Parse("10.0.0.9:5555").value();
    connection_.local = io::SocketAddress::Parse("10.0.0.1:8080").value();
    head_.method = "GET";
    head_.authority = "reviews:9080";
    head_.path = "/api/1?q=2";
  }
  RbacResult Check(RbacRules rules, bool http = true) {
    engine_ = RbacEngine::Compile(rules, http).value();
    return engine_->Check({.connection = connection_, .remote = remote_, .head = http ? &head_ : nullptr});
  }
  bool Allows(Principal who, Permission what) {
    return Check({.policies = {{.name = "p", .permissions = {what}, .principals = {who}}}}).allowed;
  }
  io::TlsFacts tls_;
  record::ConnectionInfo connection_;
  io::IpAddress remote_ = io::IpAddress::Parse("192.0.2.7").value();
  http::RequestHead head_;
  std::shared_ptr<const RbacEngine> engine_;
};

TEST_F(Rbac, DeniesEverythingWithAnAllowWithoutPolicies) {
  const RbacResult result = Check({.action = RbacRules::Action::kAllow});
  EXPECT_FALSE(result.allowed);
  EXPECT_EQ(DeniedDetails(result.policy), "rbac_access_denied_matched_policy[none]");
}

TEST_F(Rbac, NamesTheDenyPolicyThatMatched) {
  const RbacResult result = Check({.action = RbacRules::Action::kDeny,
                                   .policies = {{.name = "ns[default]-policy[deny-get]-rule[0]",
                                                 .permissions = {Method("GET")},
                                                 .principals = {{.kind = Principal::Kind::kAny}}}}});
  EXPECT_FALSE(result.allowed);
  EXPECT_EQ(DeniedDetails(result.policy), "rbac_access_denied_matched_policy[ns[default]-policy[deny-get]-rule[0]]");
}

TEST_F(Rbac, KnowsCallersByTheirCertificate) {
  using K = StringMatcher::Kind;
  EXPECT_TRUE(Allows(Named(K::kExact, "spiffe://cluster.local/ns/default/sa/web"), Any()));
  EXPECT_FALSE(Allows(Named(K::kExact, "spiffe://cluster.local/ns/default/sa/other"), Any()));
  EXPECT_TRUE(Allows(Named(K::kPrefix, "spiffe://cluster.local/ns/default/"), Any()));
  EXPECT_TRUE(Allows(Named(K::kSuffix, "/sa/web"), Any()));
  EXPECT_TRUE(Allows(Named(K::kRegex, ".*/ns/default/.*"), Any()));
  EXPECT_TRUE(Allows({.kind = Principal::Kind::kAuthenticated}, Any()));
}

TEST_F(Rbac, GivesPlaintextAndCertificatelessCallersNoPrincipal) {
  tls_.peer_certificate = false;
  EXPECT_FALSE(Allows({.kind = Principal::Kind::kAuthenticated}, Any()));
  EXPECT_FALSE(Allows(Named(StringMatcher::Kind::kPrefix, "spiffe://"), Any()));
  connection_.tls = nullptr;
  EXPECT_FALSE(Allows(Named(StringMatcher::Kind::kPrefix, ""), Any()));
  EXPECT_TRUE(Allows({.kind = Principal::Kind::kNot, .children = {Named(StringMatcher::Kind::kPrefix, "")}}, Any()));
}

TEST_F(Rbac, TellsDirectFromForwardedAddresses) {
  const io::Cidr pods = io::Cidr::Parse("10.0.0.0/24").value();
  EXPECT_TRUE(Allows({.kind = Principal::Kind::kDirectRemoteIp, .cidr = pods}, Any()));
  EXPECT_FALSE(Allows({.kind = Principal::Kind::kRemoteIp, .cidr = pods}, Any()));
  EXPECT_TRUE(Allows({.kind = Principal::Kind::kRemoteIp, .cidr = io::Cidr::Parse("192.0.2.7").value()}, Any()));
}

TEST_F(Rbac, LooksAtThePathWithoutItsQuery) {
  const Principal any{.kind = Principal::Kind::kAny};
  EXPECT_TRUE(Allows(any, {.kind = Permission::Kind::kUrlPath, .text = {.value = "/api/1"}}));
  EXPECT_FALSE(Allows(any, {.kind = Permission::Kind::kUrlPath, .text = {.value = "/api/1?q=2"}}));
}

TEST_F(Rbac, CombinesRules) {
  const Principal any{.kind = Principal::Kind::kAny};
  const auto all = [](std::vector<Permission> of) {
    return Permission{.kind = Permission::Kind::kAnd, .children = std::move(of)};
  };
  const auto one = [](std::vector<Permission> of) {
    return Permission{.kind = Permission::Kind::kOr, .children = std::move(of)};
  };
  EXPECT_TRUE(Allows(any, all({Method("GET"), Path("/api")})));
  EXPECT_FALSE(Allows(any, all({Method("PUT"), Path("/api")})));
  EXPECT_TRUE(Allows(any, one({Method("PUT"), Path("/api")})));
  EXPECT_FALSE(Allows(any, {.kind = Permission::Kind::kNot, .children = {Path("/api")}}));
}

TEST_F(Rbac, MatchesPortsExactlyAndInHalfOpenRanges) {
  const Principal any{.kind = Principal::Kind::kAny};
  EXPECT_TRUE(Allows(any, {.kind = Permission::Kind::kDestinationPort, .port_start = 8080}));
  EXPECT_FALSE(Allows(any, {.kind = Permission::Kind::kDestinationPort, .port_start = 8081}));
  EXPECT_FALSE(Allows(any, {.kind = Permission::Kind::kDestinationPortRange, .port_start = 8000, .port_end = 8080}));
  EXPECT_TRUE(Allows(any, {.kind = Permission::Kind::kDestinationPortRange, .port_start = 8080, .port_end = 8081}));
}

TEST_F(Rbac, RefusesRulesThatItCannotEvaluate) {
  const RbacRules http{
      .policies = {{.name = "p", .permissions = {Path("/")}, .principals = {{.kind = Principal::Kind::kAny}}}}};
  const auto network = RbacEngine::Compile(http, /*with_requests=*/false);
  ASSERT_FALSE(network);
  EXPECT_NE(network.error().message.find("RBAC policy 'p'"), std::string::npos);
  const RbacRules empty{.policies = {{.name = "p",
                                      .permissions = {{.kind = Permission::Kind::kAnd}},
                                      .principals = {{.kind = Principal::Kind::kAny}}}}};
  EXPECT_FALSE(RbacEngine::Compile(empty, true));
}

TEST_F(Rbac, NamesThePolicyInDryRunThatWouldDeny) {
  const RbacSubject subject{.connection = connection_, .remote = remote_, .head = &head_};
  const auto shadow = RbacEngine::Compile(
      {.action = RbacRules::Action::kDeny,
       .policies = {{.name = "tried", .permissions = {Path("/api")}, .principals = {{.kind = Principal::Kind::kAny}}}}},
      true);
  const auto note = ForeseeRbac(nullptr, shadow->get(), subject).note;
  EXPECT_EQ(note, "tried in dry run would deny it");
  ASSERT_TRUE(log::SetLevels("rbac:debug"));
  testing::internal::CaptureStderr();
  LogDryRun((*shadow)->Check(subject), subject);
  LogDryRun({.allowed = true}, subject);
  const std::string logged = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(log::SetLevels("rbac:info"));
  EXPECT_NE(logged.find("\trbac\tshadow denied, matched policy tried, from 192.0.2.7\n"), std::string::npos) << logged;
  EXPECT_EQ(std::count(logged.begin(), logged.end(), '\n'), 1);
}

TEST_F(Rbac, AnswersRequestsWith403AndCountsThem) {
  telemetry::Registry registry;
  const xds::RbacFilter config{.rules = RbacRules{}, .shadow_rules = RbacRules{.action = RbacRules::Action::kDeny}};
  const auto filter = HttpRbac::Compile(config, "inbound_0.0.0.0_80", registry).value();
  record::StreamRecord record;
  record.connection = &connection_;
  io::Loop loop;
  Random random(1);
  filter::FilterState state;
  filter::Resume later;
  const filter::Verdict verdict = filter->OnRequestHead({head_, record, "", loop, random}, nullptr, state, later);
  const auto& reply = std::get<filter::Reply>(verdict);
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.body, "RBAC: access denied");
  EXPECT_EQ(reply.details, "rbac_access_denied_matched_policy[none]");
  const auto off = CompileRbacOverride({}).value();
  EXPECT_TRUE(std::holds_alternative<filter::Continue>(
      filter->OnRequestHead({head_, record, "", loop, random}, off.get(), state, later)));
  std::string text;
  registry.Scrape({}, text);
  EXPECT_NE(text.find("http.inbound_0.0.0.0_80.rbac.denied: 1\n"), std::string::npos);
  EXPECT_NE(text.find("http.inbound_0.0.0.0_80.rbac.shadow_allowed: 1\n"), std::string::npos);
}

TEST_F(Rbac, ClosesForbiddenConnectionsWithAReason) {
  telemetry::Registry registry;
  const xds::NetworkRbac config{
      .rules = RbacRules{.policies = {{.name = "only-web",
                                       .permissions = {Any()},
                                       .principals = {Named(StringMatcher::Kind::kSuffix, "/sa/web")}}}},
      .stat_prefix = "tcp."};
  const auto filter = NetworkRbac::Compile(config, registry).value();
  EXPECT_TRUE(filter->Check(connection_).allowed);
  connection_.tls = nullptr;
  const NetworkVerdict verdict = filter->Check(connection_);
  EXPECT_FALSE(verdict.allowed);
  EXPECT_EQ(verdict.details, "rbac_access_denied_matched_policy[none]");
}

using Misses = std::vector<filter::Forecast::Miss>;

TEST_F(Rbac, TellsOfEachRuleTheFirstFieldThatDiffers) {
  using K = StringMatcher::Kind;
  Check({.policies = {{.name = "a",
                       .permissions = {Method("GET")},
                       .principals = {Named(K::kExact, "spiffe://x/a"), Named(K::kExact, "spiffe://x/b")}},
                      {.name = "b",
                       .permissions = {{.kind = Permission::Kind::kAnd, .children = {Method("GET"), Path("/admin")}}},
                       .principals = {{.kind = Principal::Kind::kAny}}},
                      {.name = "c",
                       .permissions = {{.kind = Permission::Kind::kNot, .children = {Method("GET")}}},
                       .principals = {{.kind = Principal::Kind::kAny}}}}});
  EXPECT_EQ(engine_->Misses({.connection = connection_, .remote = remote_, .head = &head_}),
            (Misses{{"a", "principal", "spiffe://x/a or spiffe://x/b", "spiffe://cluster.local/ns/default/sa/web"},
                    {"b", "path", "/admin*", "/api/1"},
                    {"c", "method", "not GET", "GET"}}));
  connection_.tls = nullptr;
  EXPECT_EQ(engine_->Misses({.connection = connection_, .remote = remote_, .head = &head_})[0].has,
            "none (no client certificate)");
}

using Reason = filter::Forecast::Miss::Reason;

Principal HasHeader(std::string name, std::string value) {
  return {.kind = Principal::Kind::kHeader,
          .header = {.name = std::move(name), .value = StringMatcher{.value = std::move(value)}}};
}
Principal AllOf(std::vector<Principal> all) { return {.kind = Principal::Kind::kAnd, .children = std::move(all)}; }
Principal OneOf(std::vector<Principal> all) { return {.kind = Principal::Kind::kOr, .children = std::move(all)}; }
Principal NotBy(Principal one) { return {.kind = Principal::Kind::kNot, .children = {std::move(one)}}; }

TEST_F(Rbac, TellsTheFirstFieldThatCertainlyDiffersWhereHeadersAreNotKnown) {
  Check({.policies = {{.name = "p", .permissions = {Method("POST")}, .principals = {HasHeader("x-pass", "yes")}}}});
  RbacSubject subject{.connection = connection_, .remote = remote_, .head = &head_, .unknown = {.headers = true}};
  EXPECT_EQ(engine_->Misses(subject), (Misses{{"p", "method", "POST", "GET"}})) << "x-pass may have been there";
  EXPECT_FALSE(engine_->Foresee(subject)->allowed);
  head_.method = "POST";
  EXPECT_EQ(engine_->Misses(subject), (Misses{{"p", "header x-pass", "yes", "", Reason::kUnknown}}));
  EXPECT_EQ(engine_->Foresee(subject), std::nullopt);
  head_.headers.Add("x-pass", "no");
  EXPECT_EQ(engine_->Misses(subject), (Misses{{"p", "header x-pass", "yes", "no"}})) << "it is given";
  head_.headers.Set("x-pass", "yes");
  EXPECT_TRUE(engine_->Foresee(subject)->allowed);
  head_.headers.Remove("x-pass");
  subject.unknown = {};
  EXPECT_EQ(engine_->Misses(subject), (Misses{{"p", "header x-pass", "yes", "none"}})) << "all is known";
}

TEST_F(Rbac, TakesNeitherAMatchNorAMissFromWhatIsNotKnown) {
  const io::Cidr other = io::Cidr::Parse("10.9.0.0/16").value();
  const Principal ip{.kind = Principal::Kind::kDirectRemoteIp, .cidr = other};
  const Principal friends = Named(StringMatcher::Kind::kPrefix, "spiffe://td/");
  Check(
      {.policies = {
           {.name = "a", .permissions = {Any()}, .principals = {AllOf({friends, NotBy(HasHeader("x-out", "yes"))})}},
           {.name = "b", .permissions = {Any()}, .principals = {OneOf({HasHeader("x-a", "1"), HasHeader("x-a", "2")})}},
           {.name = "c", .permissions = {Method("PUT")}, .principals = {ip}},
           {.name = "d", .permissions = {Any()}, .principals = {ip}}}});
  const RbacSubject subject{.connection = connection_,
                            .remote = remote_,
                            .head = &head_,
                            .unknown = {.headers = true, .principal = true, .direct_ip = true}};
  EXPECT_EQ(engine_->Misses(subject), (Misses{{"a", "principal", "spiffe://td/*", "", Reason::kUnknown},
                                              {"a", "header x-out", "not yes", "", Reason::kUnknown},
                                              {"b", "header x-a", "1 or 2", "", Reason::kUnknown},
                                              {"c", "method", "PUT", "GET"},
                                              {"d", "source.ip", "10.9.0.0/16", "", Reason::kUnknown}}));
  const filter::Forecast forecast = ForeseeRbac(engine_.get(), nullptr, subject);
  EXPECT_TRUE(forecast.passes && !forecast.known);
  EXPECT_EQ(forecast.misses.size(), 5U);
}

TEST_F(Rbac, DoesNotSayThatADenyRuleMatchesByAHeaderThatIsNotKnown) {
  Check({.action = RbacRules::Action::kDeny,
         .policies = {{.name = "d", .permissions = {Any()}, .principals = {NotBy(HasHeader("x-pass", "yes"))}}}});
  RbacSubject subject{.connection = connection_, .remote = remote_, .head = &head_, .unknown = {.headers = true}};
  const filter::Forecast forecast = ForeseeRbac(engine_.get(), nullptr, subject);
  EXPECT_TRUE(forecast.passes && !forecast.known);
  EXPECT_TRUE(forecast.misses.empty()) << "it is not by missing that DENY lets pass";
  subject.unknown = {};
  EXPECT_FALSE(ForeseeRbac(engine_.get(), nullptr, subject).passes);
}

TEST_F(Rbac, NamesPoliciesThatMatchNothingAtAll) {
  const Principal anybody{.kind = Principal::Kind::kAny};
  const Permission nothing{.kind = Permission::Kind::kNot, .children = {Any()}};
  Check({.policies = {{.name = "none", .permissions = {nothing}, .principals = {NotBy(anybody)}},
                      {.name = "tcp", .permissions = {nothing}, .principals = {anybody}}}},
        /*http=*/false);
  const RbacSubject subject{.connection = connection_, .remote = remote_};
  EXPECT_FALSE(engine_->Check(subject).allowed);
  EXPECT_EQ(engine_->Misses(subject),
            (Misses{{"none", "", "", "", Reason::kNoRule}, {"tcp", "", "", "", Reason::kOnlyHttp}}));
}

TEST_F(Rbac, ForeseesWhatItWouldDoWithoutCountingIt) {
  telemetry::Registry registry;
  auto filter = HttpRbac::Compile({.rules = RbacRules{.policies = {{.name = "p",
                                                                    .permissions = {Method("POST")},
                                                                    .principals = {{.kind = Principal::Kind::kAny}}}}}},
                                  "inbound", registry)
                    .value();
  io::Loop loop;
  Random random(1);
  record::StreamRecord record;
  record.connection = &connection_;
  const filter::RequestView view{head_, record, "", loop, random};
  const auto denied = filter->Foresee(view, nullptr);
  ASSERT_TRUE(denied);
  EXPECT_FALSE(denied->passes);
  EXPECT_EQ(denied->status, 403);
  EXPECT_EQ(denied->details, "rbac_access_denied_matched_policy[none]");
  EXPECT_EQ(denied->misses, (Misses{{"p", "method", "POST", "GET"}}));
  head_.method = "POST";
  const auto allowed = filter->Foresee(view, nullptr);
  EXPECT_TRUE(allowed && allowed->passes);
  EXPECT_EQ(allowed->rule, "p");
  std::string stats;
  registry.Scrape({}, stats);
  EXPECT_NE(stats.find("rbac.denied: 0"), std::string::npos) << stats;
  EXPECT_NE(stats.find("rbac.allowed: 0"), std::string::npos) << stats;
}

}  // namespace
}  // namespace plait::proxy::filters
