#include "proxy/record/format.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/xds/cluster.h"
#include "core/xds/command_operators.h"
#include "proxy/cluster/host.h"
#include "proxy/record/operators.h"

namespace plait::proxy::record {
namespace {

class FormatTest : public testing::Test {
 protected:
  FormatTest() {
    connection_.remote = io::SocketAddress::Parse("10.0.0.9:5555").value();
    connection_.local = io::SocketAddress::Parse("10.96.0.1:9080").value();
    connection_.server_name = "outbound_.9080_._.reviews.default.svc.cluster.local";
    head_.method = "GET";
    head_.path = "/reviews/0";
    head_.authority = "reviews:9080";
    head_.headers.Add("User-Agent", "curl/8");
    head_.headers.Add("x-request-id", "id-1");
    response_.status = 200;
    response_.headers.Add("x-envoy-upstream-service-time", "7");
    record_.connection = &connection_;
    record_.start = WallTime(std::chrono::milliseconds(1'795'529'580'123));
    record_.remote = connection_.remote;
    record_.request = &head_;
    record_.response = &response_;
    record_.response_code = 200;
    record_.response_details = "via_upstream";
    record_.bytes_sent = 295;
    record_.total = std::chrono::microseconds(8900);
    record_.route_name = "default";
    record_.cluster_name = "outbound|9080||reviews.default.svc.cluster.local";
    record_.host = std::make_shared<cluster::Host>(
        cluster::Host::Facts{.address = io::SocketAddress::Parse("10.244.0.5:9080").value()}, 1,
        xds::HealthStatus::kHealthy);
    record_.upstream_local = io::SocketAddress::Parse("10.244.0.4:40000").value();
  }
  std::string Text(std::string_view format) {
    std::string out;
    Format::Compile(format).value().Append(record_, out);
    return out;
  }
  ConnectionInfo connection_;
  http::RequestHead head_;
  http::ResponseHead response_;
  StreamRecord record_;
};

TEST_F(FormatTest, WritesIstiosDefaultLine) {
  EXPECT_EQ(
      Text(kIstioFormat),
      "[2026-11-24T14:13:00.123Z] \"GET /reviews/0 HTTP/1.1\" 200 - via_upstream - \"-\" 0 295 8 7 \"-\" \"curl/8\" "
      "\"id-1\" \"reviews:9080\" \"10.244.0.5:9080\" outbound|9080||reviews.default.svc.cluster.local "
      "10.244.0.4:40000 10.96.0.1:9080 10.0.0.9:5555 outbound_.9080_._.reviews.default.svc.cluster.local default\n");
}

TEST_F(FormatTest, NamesThePolicyOfADenial) {
  record_.response_code = 403;
  record_.response_details = "rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]";
  EXPECT_EQ(Text("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"),
            "403 - rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]");
}

TEST_F(FormatTest, WritesATcpConnectionWithDashes) {
  record_.request = nullptr;
  record_.response = nullptr;
  record_.response_code = 0;
  record_.response_details.clear();
  record_.flags.Set(ResponseFlag::kUpstreamConnectionFailure);
  record_.flags.Set(ResponseFlag::kUpstreamRetryLimitExceeded);
  EXPECT_EQ(Text("\"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS%"),
            "\"- - -\" 0 UF,URX");
  EXPECT_EQ(Text("%RESPONSE_FLAGS_LONG%"), "UpstreamConnectionFailure,UpstreamRetryLimitExceeded");
}

TEST_F(FormatTest, FallsBackToTheSecondHeaderAndCutsLength) {
  EXPECT_EQ(Text("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH):4%"), "/rev");
  head_.headers.Add("x-envoy-original-path", "/old");
  EXPECT_EQ(Text("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"), "/old");
}

TEST_F(FormatTest, WritesWhyAConnectionFailedAsOneWord) {
  record_.transport_failure = "delayed connect error: Connection refused";
  EXPECT_EQ(Text("a b %UPSTREAM_TRANSPORT_FAILURE_REASON% c"), "a b delayed_connect_error:_Connection_refused c");
}

TEST_F(FormatTest, FormatsTimeAsAsked) {
  EXPECT_EQ(Text("%START_TIME(%Y/%m/%d %H:%M:%S.%3f %s)%"), "2026/11/24 14:13:00.123 1795529580");
}

TEST_F(FormatTest, WritesTheStatusOfGrpcCallsInEachForm) {
  head_.headers.Set("content-type", "application/grpc");
  const http::Headers trailers{{"grpc-status", "14"}};
  record_.response_trailers = &trailers;
  EXPECT_EQ(Text("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%"), "Unavailable UNAVAILABLE 14");
  std::string json;
  Format::Compile("%GRPC_STATUS(NUMBER)%").value().AppendJson(record_, json);
  EXPECT_EQ(json, "14");
  record_.response_trailers = nullptr;
  EXPECT_EQ(Text("%GRPC_STATUS%"), "Unknown") << "a 200 that says nothing, as Envoy maps it";
}

TEST_F(FormatTest, WritesWhatFiltersTell) {
  record_.metadata.push_back({"a.filter", "key", "value"});
  EXPECT_EQ(Text("%DYNAMIC_METADATA(a.filter:key)% %DYNAMIC_METADATA(a.filter:other)% %DYNAMIC_METADATA(b:key)%"),
            "value - -");
}

TEST_F(FormatTest, KeepsLiteralPercentSigns) { EXPECT_EQ(Text("100%% %RESPONSE_CODE%"), "100% 200"); }

TEST_F(FormatTest, RefusesWhatItDoesNotKnow) {
  for (const char* bad : {"%NOPE%", "%REQ%", "%REQ(a):x%", "%RESPONSE_CODE", "%RESPONSE_CODE(a)%", "%REQ(a)b%"}) {
    const auto format = Format::Compile(bad);
    ASSERT_FALSE(format) << bad;
    EXPECT_NE(format.error().message.find("format operator"), std::string::npos);
  }
}

TEST_F(FormatTest, WritesJsonWithNumbersAndNulls) {
  head_.headers.Set("user-agent", "a\"b\n\xff");
  std::string out;
  JsonFormat::Compile({{"code", "%RESPONSE_CODE%"},
                       {"xff", "%REQ(X-FORWARDED-FOR)%"},
                       {"ua", "%REQ(USER-AGENT)%"},
                       {"both", "%REQ(:METHOD)% %REQ(NONE)%"}},
                      false)
      .value()
      .Append(record_, out);
  EXPECT_EQ(out, "{\"code\":200,\"xff\":null,\"ua\":\"a\\\"b\\u000a\xc3\xbf\",\"both\":\"GET -\"}\n");
  out.clear();
  JsonFormat::Compile({{"code", "%RESPONSE_CODE%"}, {"xff", "%REQ(X-FORWARDED-FOR)%"}}, true)
      .value()
      .Append(record_, out);
  EXPECT_EQ(out, "{\"code\":200}\n");
}

TEST_F(FormatTest, CompilesIstiosJsonKeys) {
  std::string out;
  JsonFormat::Compile(IstioJsonFormat(), false).value().Append(record_, out);
  EXPECT_NE(out.find("\"response_code_details\":\"via_upstream\""), std::string::npos);
}

TEST(Operators, HaveAValueForEachNameThatATextMayHave) {
  for (const xds::CommandOperator& command : xds::CommandOperators()) {
    EXPECT_NE(FindOperator(command.name), nullptr) << command.name;
  }
}

TEST(ResponseFlags, AreWrittenInTheOrderInWhichTheyWereSet) {
  ResponseFlags flags;
  flags.Set(ResponseFlag::kUpstreamRetryLimitExceeded);
  flags.Set(ResponseFlag::kUpstreamConnectionFailure);
  flags.Set(ResponseFlag::kUpstreamRetryLimitExceeded);
  EXPECT_EQ(flags.ToString(), "URX,UF");
  ResponseFlags other(ResponseFlag::kUpstreamConnectionFailure);
  other.Set(ResponseFlag::kUpstreamRetryLimitExceeded);
  EXPECT_EQ(flags, other);
  EXPECT_EQ(ResponseFlags().ToString(), "-");
}

TEST(ResponseFlags, WritesAllOfThemOnce) {
  ResponseFlags all;
  for (int i = 1; i <= static_cast<int>(ResponseFlag::kLast); ++i) all.Set(static_cast<ResponseFlag>(i));
  const std::string text = all.ToString();
  EXPECT_EQ(std::count(text.begin(), text.end(), ','), static_cast<int>(ResponseFlag::kLast) - 1);
}

TEST(ResponseFlags, HaveEnvoysNamesBothWays) {
  for (int i = 1; i <= static_cast<int>(ResponseFlag::kLast); ++i) {
    const auto flag = static_cast<ResponseFlag>(i);
    EXPECT_EQ(FlagByShortName(ShortName(flag)), flag);
    EXPECT_FALSE(LongName(flag).empty());
  }
}

}  // namespace
}  // namespace plait::proxy::record
