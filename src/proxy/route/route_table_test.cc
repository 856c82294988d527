#include "proxy/route/route_table.h"

#include <gtest/gtest.h>

#include <map>

namespace plait::proxy::route {
namespace {
using xds::PathMatch;

xds::Route To(std::string cluster, PathMatch path = {}) {
  return {
      .name = cluster, .match = {.path = std::move(path)}, .action = xds::RouteAction{.clusters = {{.name = cluster}}}};
}
PathMatch Path(PathMatch::Kind kind, std::string value) { return {.kind = kind, .value = std::move(value)}; }

class Routes : public testing::Test {
 protected:
  Routes() {
    head_.method = "GET";
    head_.authority = "a.example";
    head_.path = "/";
  }
  void Host(std::vector<std::string> domains, std::vector<xds::Route> routes) {
    config_.virtual_hosts.push_back({.name = domains[0], .domains = std::move(domains), .routes = std::move(routes)});
  }
  RouteMatch Match(MatchInput input = {}) {
    if (!table_) table_ = RouteTable::Compile(std::make_shared<const xds::RouteConfiguration>(config_)).value();
    return table_->Match(head_, input);
  }
  std::string ClusterOf(std::string authority, std::string path = "/") {
    head_.authority = std::move(authority);
    head_.path = std::move(path);
    return Match().cluster;
  }
  xds::RouteConfiguration config_;
  std::shared_ptr<const RouteTable> table_;
  http::RequestHead head_;
  record::ConnectionInfo connection_;
  record::StreamRecord record_{.connection = &connection_};
};

TEST_F(Routes, PrefersExactThenLongestSuffixThenPrefixThenAny) {
  Host({"*"}, {To("any")});
  Host({"*.example"}, {To("short")});
  Host({"*.b.example"}, {To("long")});
  Host({"a.*"}, {To("prefix")});
  Host({"a.example", "a.example:80"}, {To("exact")});
  EXPECT_EQ(ClusterOf("a.example"), "exact");
  EXPECT_EQ(ClusterOf("A.Example:80"), "exact");
  EXPECT_EQ(ClusterOf("x.b.example"), "long");
  EXPECT_EQ(ClusterOf("x.c.example"), "short");
  EXPECT_EQ(ClusterOf("b.example"), "short");
  EXPECT_EQ(ClusterOf("a.other"), "prefix");
  EXPECT_EQ(ClusterOf("a.example:81"), "prefix") << "the port counts";
  EXPECT_EQ(ClusterOf("nobody"), "any");
  EXPECT_EQ(ClusterOf(""), "any");
  EXPECT_TRUE(table_->KnowsHost("a.example"));
  EXPECT_FALSE(table_->KnowsHost("nobody"));
}

TEST_F(Routes, IgnoresThePortWhenAsked) {
  config_.ignore_port_in_host_matching = true;
  Host({"a.example"}, {To("a")});
  EXPECT_EQ(ClusterOf("a.example:8080"), "a");
}

TEST_F(Routes, GivesNothingWithoutAVirtualHostOrRoute) {
  Host({"a.example"}, {To("a", Path(PathMatch::Kind::kExact, "/only"))});
  EXPECT_FALSE(Match());
  head_.authority = "b.example";
  EXPECT_FALSE(Match());
}

TEST_F(Routes, MatchesPathsByKindWithoutTheQuery) {
  Host({"*"}, {To("exact", Path(PathMatch::Kind::kExact, "/exact")),
               To("sep", Path(PathMatch::Kind::kPathSeparatedPrefix, "/sep")),
               To("regex", Path(PathMatch::Kind::kRegex, "/r/[0-9]+")),
               To("nocase", {.value = "/Case", .case_sensitive = false}), To("rest")});
  EXPECT_EQ(ClusterOf("h", "/exact?q=1"), "exact");
  EXPECT_EQ(ClusterOf("h", "/exact/"), "rest");
  EXPECT_EQ(ClusterOf("h", "/sep"), "sep");
  EXPECT_EQ(ClusterOf("h", "/sep/x"), "sep");
  EXPECT_EQ(ClusterOf("h", "/separate"), "rest");
  EXPECT_EQ(ClusterOf("h", "/r/12?x"), "regex");
  EXPECT_EQ(ClusterOf("h", "/r/12x"), "rest");
  EXPECT_EQ(ClusterOf("h", "/cASE/1"), "nocase");
}

TEST_F(Routes, MatchesHeadersQueryMethodAndGrpc) {
  xds::Route header = To("header");
  header.match.headers = {{.name = "end-user", .value = xds::StringMatcher{.value = "jason"}}};
  xds::Route query = To("query");
  query.match.query_parameters = {{.name = "v", .value = xds::StringMatcher{.value = "2"}}};
  xds::Route method = To("method");
  method.match.headers = {{.name = ":method", .value = xds::StringMatcher{.value = "POST"}}};
  xds::Route grpc = To("grpc");
  grpc.match.grpc = true;
  Host({"*"}, {header, query, method, grpc, To("rest")});
  EXPECT_EQ(ClusterOf("h", "/?v=2"), "query");
  EXPECT_EQ(ClusterOf("h", "/?v=3"), "rest");
  head_.method = "POST";
  EXPECT_EQ(Match().cluster, "method");
  head_.method = "GET";
  head_.headers.Add("content-type", "application/grpc+proto");
  EXPECT_EQ(Match().cluster, "grpc");
  head_.headers.Add("End-User", "jason");
  EXPECT_EQ(Match().cluster, "header");
}

TEST_F(Routes, SplitsByWeight) {
  xds::Route split = To("x");
  std::get<xds::RouteAction>(split.action).clusters = {{.name = "v1", .weight = 80}, {.name = "v2", .weight = 20}};
  Host({"*"}, {split});
  std::map<std::string, int> counts;
  Random random(42);
  for (int i = 0; i < 10000; ++i) ++counts[Match({.random = random.Next()}).cluster];
  EXPECT_NEAR(counts["v1"], 8000, 200);
  EXPECT_EQ(counts["v1"] + counts["v2"], 10000);
  EXPECT_EQ(table_->clusters(), (std::vector<std::string>{"v1", "v2"}));
}

TEST_F(Routes, TakesTheClusterFromAHeader) {
  xds::Route route = To("x");
  std::get<xds::RouteAction>(route.action) = {.cluster_header = "x-cluster"};
  Host({"*"}, {route});
  head_.headers.Add("X-Cluster", "chosen");
  EXPECT_EQ(Match().cluster, "chosen");
}

TEST_F(Routes, RewritesPrefixExactAndRegexPathsAndKeepsTheQuery) {
  xds::Route prefix = To("p", {.value = "/api/"});
  std::get<xds::RouteAction>(prefix.action).prefix_rewrite = "/";
  xds::Route exact = To("e", Path(PathMatch::Kind::kExact, "/old"));
  std::get<xds::RouteAction>(exact.action).prefix_rewrite = "/new";
  xds::Route regex = To("r", {.value = "/v"});
  std::get<xds::RouteAction>(regex.action).regex_rewrite = xds::RegexRewrite{"^/v([0-9]+)/(.*)$", "/\\2/v\\1"};
  Host({"*"}, {prefix, exact, regex});
  const auto rewritten = [&](std::string path) {
    head_.path = std::move(path);
    head_.headers.Clear();
    FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
    return head_.path;
  };
  EXPECT_EQ(rewritten("/api/a?b=/api/"), "/a?b=/api/");
  EXPECT_EQ(head_.headers.Get("x-envoy-original-path"), "/api/a?b=/api/");
  EXPECT_EQ(rewritten("/old?x"), "/new?x");
  EXPECT_EQ(rewritten("/v1/things?x=/v2/"), "/things/v1?x=/v2/");
}

TEST_F(Routes, LeaveAPathAndAHostOfWhichARegexWouldLeaveNothing) {
  xds::Route regex = To("r");
  auto& action = std::get<xds::RouteAction>(regex.action);
  action.regex_rewrite = xds::RegexRewrite{"^/re", ""};
  action.host_rewrite = {.kind = xds::HostRewrite::Kind::kPathRegex, .regex = {"^/re", ""}};
  Host({"*"}, {regex});
  for (const char* path : {"/re", "/re?x=1"}) {
    head_.path = path;
    FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
    EXPECT_EQ(head_.path, path);
    EXPECT_EQ(head_.authority, "a.example");
    EXPECT_FALSE(head_.headers.Has("x-envoy-original-path"));
    EXPECT_FALSE(head_.headers.Has("x-envoy-original-host"));
  }
}

TEST_F(Routes, RewritesTheHost) {
  xds::Route literal = To("l");
  auto& action = std::get<xds::RouteAction>(literal.action);
  action.host_rewrite = {.kind = xds::HostRewrite::Kind::kLiteral, .value = "new.example"};
  action.append_x_forwarded_host = true;
  Host({"*"}, {literal});
  FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
  EXPECT_EQ(head_.authority, "new.example");
  EXPECT_EQ(head_.headers.Get("x-forwarded-host"), "a.example");
  EXPECT_EQ(head_.headers.Get("x-envoy-original-host"), "a.example");
}

TEST_F(Routes, RewritesTheHostOfAWeightedClusterAsItsRouteSays) {
  xds::Route route = To("w");
  auto& action = std::get<xds::RouteAction>(route.action);
  action.clusters[0].host_rewrite = "w.example";
  action.append_x_forwarded_host = true;
  action.host_rewrite = {.kind = xds::HostRewrite::Kind::kHeader, .value = "x-host"};
  Host({"*"}, {route});
  FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
  EXPECT_EQ(head_.authority, "w.example");
  EXPECT_FALSE(head_.headers.Has("x-envoy-original-host"));
  EXPECT_FALSE(head_.headers.Has("x-forwarded-host"));
  head_.authority = "a.example";
  head_.headers.Add("x-host", "header.example");
  FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
  EXPECT_EQ(head_.authority, "header.example");
  EXPECT_EQ(head_.headers.Get("x-envoy-original-host"), "w.example");
  EXPECT_EQ(head_.headers.Get("x-forwarded-host"), "w.example");
}

TEST_F(Routes, KeepsNoOriginalsWhenEnvoysHeadersAreSuppressed) {
  xds::Route route = To("r", {.value = "/old"});
  auto& action = std::get<xds::RouteAction>(route.action);
  action.host_rewrite = {.kind = xds::HostRewrite::Kind::kLiteral, .value = "new.example"};
  action.prefix_rewrite = "/new";
  Host({"*"}, {route});
  head_.path = "/old";
  FinalizeRequest(Match(), head_, record_, /*keep_originals=*/false);
  EXPECT_EQ(head_.path, "/new");
  EXPECT_FALSE(head_.headers.Has("x-envoy-original-host"));
  EXPECT_FALSE(head_.headers.Has("x-envoy-original-path"));
}

TEST_F(Routes, KeepsTheHostThatAnUpstreamsNameReplaces) {
  xds::Route route = To("r");
  std::get<xds::RouteAction>(route.action).host_rewrite = {.kind = xds::HostRewrite::Kind::kAuto};
  Host({"*"}, {route});
  const std::string before = head_.authority;
  ApplyAutoHost(Match(), "upstream.example", /*keep_original=*/true, head_);
  EXPECT_EQ(head_.authority, "upstream.example");
  EXPECT_EQ(head_.headers.Get("x-envoy-original-host"), before);
}

TEST_F(Routes, AppliesHeaderOperationsFromRouteToConfiguration) {
  xds::Route route = To("c");
  route.headers.request_add = {{.name = "x-who", .value = "route"},
                               {.name = "x-from", .value = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
                               {.name = "x-none", .value = "%REQ(absent)%"}};
  route.headers.request_remove = {"X-Secret"};
  Host({"*"}, {route});
  config_.virtual_hosts[0].headers.request_add = {
      {.name = "x-who", .value = "host", .action = xds::HeaderOption::Action::kAddIfAbsent}};
  config_.headers.request_add = {
      {.name = "x-who", .value = "config", .action = xds::HeaderOption::Action::kOverwriteIfExistsOrAdd}};
  config_.headers.response_add = {{.name = "x-served", .value = "%RESPONSE_CODE%"}};
  head_.headers.Add("x-secret", "1");
  record_.remote = io::SocketAddress::Parse("10.0.0.9:1").value();
  record_.request = &head_;
  FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
  EXPECT_EQ(head_.headers.Get("x-who"), "config") << "the least specific level comes last";
  EXPECT_EQ(head_.headers.Get("x-from"), "10.0.0.9");
  EXPECT_FALSE(head_.headers.Has("x-none"));
  EXPECT_FALSE(head_.headers.Has("x-secret"));
  http::ResponseHead response;
  record_.response_code = 200;
  FinalizeResponse(Match(), response, record_);
  EXPECT_EQ(response.headers.Get("x-served"), "200");
}

TEST_F(Routes, ReplacesFieldsBeforeItAddsAnyAndFromWhatTheyWereBefore) {
  using Action = xds::HeaderOption::Action;
  xds::Route route = To("c");
  route.headers.request_add = {{.name = "x-added", .value = "1"},
                               {.name = "x-absent", .value = "1", .action = Action::kOverwriteIfExists},
                               {.name = "x-absent", .value = "2", .action = Action::kAddIfAbsent},
                               {.name = "x-set", .value = "new", .action = Action::kOverwriteIfExistsOrAdd},
                               {.name = "x-before", .value = "%REQ(x-set)%"}};
  Host({"*"}, {route});
  head_.headers = {{"X-Set", "old"}, {"x-other", "0"}, {"x-set", "older"}};
  record_.request = &head_;
  FinalizeRequest(Match(), head_, record_, /*keep_originals=*/true);
  std::string fields;
  for (const http::HeaderView field : head_.headers)
    fields.append(field.name).append(":").append(field.value).append(" ");
  EXPECT_EQ(fields, "x-other:0 x-set:new x-added:1 x-absent:2 x-before:old ");
}

TEST_F(Routes, MakesRedirectsAsEnvoy) {
  const auto location = [&](xds::RedirectAction action, std::string authority, std::string path) {
    table_.reset();
    config_.virtual_hosts.clear();
    Host({"*"}, {{.match = {.path = {.value = "/a"}}, .action = action}});
    head_.authority = std::move(authority);
    head_.path = std::move(path);
    return MakeRedirect(Match(), head_).location;
  };
  EXPECT_EQ(location({.https_redirect = true}, "h:80", "/a?q"), "https://h/a?q");
  EXPECT_EQ(location({.https_redirect = true}, "h:8080", "/a"), "https://h:8080/a");
  EXPECT_EQ(location({.https_redirect = true, .port = 8443}, "h:8080", "/a"), "https://h:8443/a");
  EXPECT_EQ(location({.host = "other", .path = "/new"}, "h", "/a?q"), "http://other/new?q");
  EXPECT_EQ(location({.path = "/new?x", .strip_query = true}, "h", "/a?q"), "http://h/new?x");
  EXPECT_EQ(location({.prefix_rewrite = "/b"}, "h", "/a/c?q"), "http://h/b/c?q");
  EXPECT_EQ(location({.prefix_rewrite = "/b", .strip_query = true}, "h", "/a/c?q"), "http://h/b/c");
}

TEST_F(Routes, RedirectsToAPathOfTheHostWhateverARewriteLeaves) {
  const auto location = [&](xds::RedirectAction action, std::string path) {
    table_.reset();
    config_.virtual_hosts.clear();
    Host({"*"}, {{.match = {.path = {.value = "/go"}}, .action = action}});
    head_.path = std::move(path);
    return MakeRedirect(Match(), head_).location;
  };
  EXPECT_EQ(location({.path = "new"}, "/go"), "http://a.example/new");
  EXPECT_EQ(location({.path = "?a=b"}, "/go"), "http://a.example/?a=b");
  EXPECT_EQ(location({.prefix_rewrite = "new"}, "/gone"), "http://a.example/newne");
  const xds::RedirectAction cut{.regex_rewrite = xds::RegexRewrite{"^/go/?", ""}};
  EXPECT_EQ(location(cut, "/go@evil.example/x"), "http://a.example/@evil.example/x");
  EXPECT_EQ(location(cut, "/go.evil.example?q"), "http://a.example/.evil.example?q");
}

TEST_F(Routes, RedirectsToTheSchemeOfTheRequestNotToWhatIsSaidOfIt) {
  Host({"*"}, {{.match = {.path = {.value = "/"}}, .action = xds::RedirectAction{.path = "/n"}}});
  const auto location = [&](std::string scheme, std::string forwarded, std::string authority) {
    head_.scheme = std::move(scheme);
    head_.headers = {{"x-forwarded-proto", forwarded}};
    head_.authority = std::move(authority);
    const std::string direct = DirectLocation(head_);
    const std::string redirect = MakeRedirect(Match(), head_).location;
    EXPECT_EQ(direct + "n", redirect);
    return redirect;
  };
  EXPECT_EQ(location("http", "javascript", "a"), "http://a/n");
  EXPECT_EQ(location("https", "http", "a"), "https://a/n");
  EXPECT_EQ(location("http", "https", "a"), "http://a/n");
  // A port goes when it is the default of what was forwarded, and that is not where the redirect leads.
  EXPECT_EQ(location("https", "http", "a:80"), "https://a/n");
  EXPECT_EQ(location("https", "http", "a:443"), "https://a:443/n");
  EXPECT_EQ(location("http", "https", "a:443"), "http://a/n");
  EXPECT_EQ(location("https", "https", "a:80"), "https://a:80/n");
  EXPECT_EQ(location("http", "javascript", "a:80"), "http://a:80/n");
}

TEST_F(Routes, DemandsTlsWhereTheVirtualHostSays) {
  Host({"*"}, {To("a")});
  config_.virtual_hosts[0].require_tls = xds::VirtualHost::RequireTls::kAll;
  head_.path = "/x?y";
  const RouteMatch match = Match();
  EXPECT_TRUE(match.requires_tls_redirect);
  EXPECT_EQ(MakeRedirect(match, head_).location, "https://a.example/x?y");
  EXPECT_EQ(Match({.forwarded_proto = "https"}).cluster, "a");
  EXPECT_FALSE(Match({.forwarded_proto = ""}));
}

TEST_F(Routes, TakesOverridesFromTheMostSpecificLevel) {
  xds::Route route = To("c");
  route.per_filter["rbac"] = xds::FilterSwitch{.disabled = true};
  Host({"*"}, {route});
  config_.virtual_hosts[0].per_filter["rbac"] = xds::FilterSwitch{.disabled = false};
  config_.virtual_hosts[0].per_filter["fault"] = xds::FilterSwitch{.disabled = true};
  const RouteMatch match = Match();
  ASSERT_EQ(match.overrides()->size(), 2U);
  EXPECT_EQ(match.overrides()->at(0).second->activation, filter::FilterOverride::Switch::kOff);
}

TEST_F(Routes, HashesByPolicyAndMakesCookies) {
  xds::Route route = To("c");
  auto& action = std::get<xds::RouteAction>(route.action);
  action.hash = {{.kind = xds::HashPolicy::Kind::kHeader, .name = "x-user", .terminal = true},
                 {.kind = xds::HashPolicy::Kind::kCookie,
                  .name = "sid",
                  .cookie_ttl = std::chrono::seconds(60),
                  .cookie_path = "/"}};
  Host({"*"}, {route});
  std::string cookie;
  const auto first = RequestHash(Match(), head_, record_, &cookie);
  ASSERT_TRUE(first);
  EXPECT_TRUE(cookie.starts_with("sid=\""));
  EXPECT_NE(cookie.find("; Max-Age=60; Path=/; HttpOnly"), std::string::npos);
  head_.headers.Add("Cookie", "a=1; " + cookie.substr(0, cookie.find(';')));
  cookie.clear();
  EXPECT_EQ(RequestHash(Match(), head_, record_, &cookie), first);
  EXPECT_EQ(cookie, "");
  head_.headers.Add("x-user", "jason");
  EXPECT_NE(RequestHash(Match(), head_, record_, &cookie), first);
}

TEST_F(Routes, NamesTheRouteThatDoesNotCompile) {
  const auto error = [&](xds::Route route) {
    xds::RouteConfiguration config;
    config.virtual_hosts.push_back({.name = "vh", .domains = {"*"}, .routes = {std::move(route)}});
    return RouteTable::Compile(std::make_shared<const xds::RouteConfiguration>(config)).error().message;
  };
  EXPECT_TRUE(
      error(To("bad", Path(PathMatch::Kind::kRegex, "("))).starts_with("virtual host 'vh' route 'bad': regex '('"));
  xds::Route host = To("h");
  host.headers.request_add = {{.name = "Host", .value = "x"}};
  EXPECT_NE(error(host).find("header operation on 'Host'"), std::string::npos);
  xds::Route zero = To("z");
  std::get<xds::RouteAction>(zero.action).clusters[0].weight = 0;
  EXPECT_NE(error(zero).find("sum to 0"), std::string::npos);
}

TEST_F(Routes, RefusesADomainThatIsGivenTwice) {
  Host({"a.example"}, {To("a")});
  Host({"b", "A.example"}, {To("b")});
  const auto table = RouteTable::Compile(std::make_shared<const xds::RouteConfiguration>(config_));
  ASSERT_FALSE(table);
  EXPECT_NE(table.error().message.find("'A.example' is given twice"), std::string::npos);
}

}  // namespace
}  // namespace plait::proxy::route
