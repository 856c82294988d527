#include "proxy/record/format.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/xds/cluster.h"
#include "core/xds/command_operators.h"
#include "core/xds/istio_log_format.h"
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
  std::string Json(std::string_view format, bool omit_empty = false) {
    std::string out;
    JsonFormat::Compile(xds::ParseJsonFormat(format).value(), omit_empty).value().Append(record_, out);
    return out;
  }
  ConnectionInfo connection_;
  http::RequestHead head_;
  http::ResponseHead response_;
  StreamRecord record_;
};

TEST_F(FormatTest, WritesIstiosDefaultLine) {
  EXPECT_EQ(
      Text(xds::kIstioFormat),
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

TEST_F(FormatTest, WritesDetailsAsOneWordUnlessAskedNotTo) {
  record_.response_details = "a b";
  EXPECT_EQ(Text("%RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%"), "a_b a b");
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
  for (const char* bad : {"%NOPE%",
                          "%REQ%",
                          "%REQ()%",
                          "%REQ(a):x%",
                          "%RESPONSE_CODE",
                          "%RESPONSE_CODE(a)%",
                          "%REQ(a)b%",
                          "%REQ(a?b?c)%",
                          "%REQ(a:3)%",
                          "%REQ(a b)%",
                          "%RESPONSE_CODE:2%",
                          "%START_TIME(%s):5%",
                          "%START_TIME(%n)%",
                          "%HOSTNAME:3%",
                          "%GRPC_STATUS(X)%",
                          "%GRPC_STATUS:2%",
                          "%QUERY_PARAM%",
                          "%QUERY_PARAMS(x)%",
                          "%PATH(x)%",
                          "%PATH(WQ:x)%",
                          "%COMMON_DURATION%",
                          "%COMMON_DURATION(DS_RX_BEG)%",
                          "%COMMON_DURATION(a:b:min)%",
                          "%FILTER_STATE%",
                          "%FILTER_STATE(a:X)%",
                          "%FILTER_STATE(a:FIELD)%",
                          "%METADATA(X:a)%",
                          "%METADATA%",
                          "%DYNAMIC_METADATA%",
                          "%REQUESTED_SERVER_NAME(X)%",
                          "%REQUESTED_SERVER_NAME(SNI_FIRST:X)%",
                          "%UNIQUE_ID:3%"}) {
    const auto format = Format::Compile(bad);
    ASSERT_FALSE(format) << bad;
    EXPECT_NE(format.error().message.find("format operator"), std::string::npos);
  }
  for (const char* good : {"%RESPONSE_CODE()%", "%REQ(?a)%", "%REQ(a?)%", "%REQ(a):0%", "%COMMON_DURATION(x:y)%",
                           "%FILTER_STATE(a:FIELD:b):3%", "%METADATA(ROUTE)%", "%PATH(:ORIG):3%", "%GRPC_STATUS()%"}) {
    EXPECT_TRUE(Format::Compile(good)) << good;
  }
}

TEST_F(FormatTest, WritesPartsOfThePath) {
  head_.path = "/a/b?x=1&y=two%20b&x=9&e=&f&p%71=q";
  EXPECT_EQ(Text("%PATH% %PATH(NQ)% %PATH(NQ):3% %PATH(NQ:ORIG)%"), head_.path + " /a/b /a/ -");
  EXPECT_EQ(Text("%REQ_WITHOUT_QUERY(:PATH)% %REQ_WITHOUT_QUERY(NONE?:PATH):2% %REQ_WITHOUT_QUERY(NONE)%"),
            "/a/b /a -");
  EXPECT_EQ(
      Text("%QUERY_PARAM(x)%|%QUERY_PARAM(y)%|%QUERY_PARAM(e)%|%QUERY_PARAM(f)%|%QUERY_PARAM(pq)%|%QUERY_PARAM(X)%"),
      "1|two b|||q|-");
  EXPECT_EQ(Text("%QUERY_PARAMS%"), head_.path.substr(5));
  head_.headers.Add("x-envoy-original-path", "/old?z");
  EXPECT_EQ(Text("%PATH% %PATH(NQ:ORIG)% %PATH(NQ:PATH)%"), "/old?z /old /a/b");
  head_.path = "/a";
  EXPECT_EQ(Text("%QUERY_PARAMS% %QUERY_PARAM(x)%"), "- -");
  head_.path = "/a?";
  EXPECT_EQ(Text("[%QUERY_PARAMS%]"), "[]");
}

TEST_F(FormatTest, CountsTheBytesOfHeaders) {
  head_ = {};
  head_.method = "GET";
  head_.path = "/p";
  head_.authority = "h";
  head_.scheme = "http";
  head_.headers.Add("a", "bc");
  EXPECT_EQ(Text("%REQUEST_HEADERS_BYTES%"), std::to_string(10 + 7 + 11 + 11 + 3));
  response_.headers = {};
  response_.headers.Add("a", "bc");
  EXPECT_EQ(Text("%RESPONSE_HEADERS_BYTES% %RESPONSE_TRAILERS_BYTES%"), "13 0");
  const http::Headers trailers{{"grpc-status", "14"}};
  record_.response_trailers = &trailers;
  EXPECT_EQ(Text("%RESPONSE_TRAILERS_BYTES%"), "13");
}

TEST_F(FormatTest, WritesFromWhenToWhen) {
  using std::chrono::microseconds;
  record_.request_received = microseconds(100);
  record_.upstream_first_sent = microseconds(200);
  record_.upstream_last_sent = microseconds(1300);
  record_.upstream_first_received = microseconds(5000);
  record_.response_first_sent = microseconds(5100);
  EXPECT_EQ(Text("%COMMON_DURATION(DS_RX_BEG:DS_RX_END:us)% %COMMON_DURATION(US_TX_BEG:US_TX_END)% "
                 "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:ms)% %COMMON_DURATION(DS_TX_BEG:DS_TX_END:ns)%"),
            "100 1 4 3800000");
  EXPECT_EQ(Text("%COMMON_DURATION(US_RX_BEG:US_RX_END:ms)% %COMMON_DURATION(x:DS_RX_BEG)%"), "- -");
  EXPECT_EQ(Text("%COMMON_DURATION(US_RX_BEG:DS_RX_END:us)%"), "-4900");
}

TEST_F(FormatTest, WritesIdentifiers) {
  head_.headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  EXPECT_EQ(Text("%STREAM_ID% %TRACE_ID% %SPAN_ID%"), "id-1 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331");
  head_.headers.Set("traceparent", "no");
  EXPECT_EQ(Text("%TRACE_ID% %SPAN_ID%"), "- -");
  EXPECT_EQ(Text("%UNIQUE_ID%").size(), 36U);
  EXPECT_NE(Text("%UNIQUE_ID%"), Text("%UNIQUE_ID%"));
  EXPECT_EQ(Text("%ACCESS_LOG_TYPE%"), "DownstreamEnd");
}

TEST_F(FormatTest, WritesTheServerThatWasAskedFor) {
  EXPECT_EQ(Text("%REQUESTED_SERVER_NAME(HOST_FIRST)% %REQUESTED_SERVER_NAME(HOST_FIRST:ORIG)%"),
            "reviews:9080 " + connection_.server_name);
  EXPECT_EQ(Text("%REQUESTED_SERVER_NAME(SNI_FIRST)%"), connection_.server_name);
  connection_.server_name.clear();
  EXPECT_EQ(Text("%REQUESTED_SERVER_NAME(SNI_FIRST)% %REQUESTED_SERVER_NAME(SNI_ONLY)%"), "reviews:9080 -");
}

TEST_F(FormatTest, KeepsTheBitsOfAnAddressThatAreAskedFor) {
  EXPECT_EQ(Text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(99)% "
                 "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)%"),
            "10.244.0.0/16 10.244.0.5/32 10.244.0.5");
}

TEST_F(FormatTest, HasNothingWhereFiltersKeepNothing) {
  record_.metadata.push_back({"a.filter", "key", "value"});
  EXPECT_EQ(Text("%METADATA(DYNAMIC:a.filter:key)% %METADATA(ROUTE:a.filter:key)% %FILTER_STATE(a:PLAIN)% "
                 "%UPSTREAM_METADATA(a:b)% %CLUSTER_METADATA(a:b)% %ROUNDTRIP_DURATION%"),
            "value - - - - -");
  unsetenv("PLAIT_NONE_SUCH");
  EXPECT_EQ(Json(R"({"v": "%ENVIRONMENT(PLAIT_NONE_SUCH)%", "w": "%LOCAL_REPLY_BODY%"})", true),
            "{\"v\":\"-\",\"w\":\"\"}\n");
}

TEST_F(FormatTest, WritesAttributes) {
  EXPECT_EQ(Text("%CEL(request.path)% %CEL(request.headers['user-agent']):4% %CEL(request.headers[\"none\"])% "
                 "%CEL(xds.cluster_name)% %CEL(xds.cluster_metadata.filter_metadata['istio'])%"),
            "/reviews/0 curl - " + std::string(record_.cluster_name) + " -");
  EXPECT_EQ(
      Json(
          R"({"t": "%TYPED_CEL(response.code)%", "c": "%CEL(response.code)%", "d": "%CEL( response.code ):2%", "u": "%TYPED_CEL(response.code):0%"})"),
      "{\"c\":\"200\",\"d\":\"20\",\"t\":200,\"u\":200}\n");
  for (const char* bad : {"%CEL%", "%CEL()%", "%CEL(request.path + 'a')%", "%CEL(request.size > 3 ? 'a' : 'b')%",
                          "%CEL(request.headers['a:b'])%", "%CEL(metadata + 'a')%", "%CEL(metadatas)%",
                          "%CEL(request.path)x%", "%CEL(request.path):x%"}) {
    const auto format = Format::Compile(bad);
    ASSERT_FALSE(format) << bad;
    EXPECT_NE(format.error().message.find("format operator '%CEL"), std::string::npos) << format.error().message;
  }
}

TEST_F(FormatTest, TellsTimeWithAsManyDigitsAsAsked) {
  EXPECT_EQ(Text("%START_TIME(%1f %2f %6f %f %E3S %%f)%"), "1 12 123000 123000000 00.123 %f");
  EXPECT_EQ(Text("%EMIT_TIME(%S.%3f)%"), "00.131") << "the end, 8.9 ms after the start";
  EXPECT_TRUE(Text("%START_TIME_LOCAL%").starts_with("2026-11-2"));
}

TEST_F(FormatTest, WritesJsonWithNumbersAndNulls) {
  head_.headers.Set("user-agent", "a\"b\n\xff");
  const std::string format =
      R"({"ua": "%REQ(USER-AGENT)%", "code": "%RESPONSE_CODE%", "xff": "%REQ(X-FORWARDED-FOR)%",
          "both": "%REQ(:METHOD)% %REQ(NONE)%"})";
  EXPECT_EQ(Json(format), "{\"both\":\"GET -\",\"code\":200,\"ua\":\"a\\\"b\\n\\u00ff\",\"xff\":null}\n");
  EXPECT_EQ(Json(format, true), "{\"both\":\"GET \",\"code\":200,\"ua\":\"a\\\"b\\n\\u00ff\"}\n");
}

TEST_F(FormatTest, KeepsTheShapeOfJson) {
  EXPECT_EQ(Json(R"({"b": 1.5, "a": true, "n": null, "big": 12345678901234567890, "few": 1e-7, "e": [], "o": {},
                     "l": ["%RESPONSE_CODE%", "x", 3, null, ["%REQ(:METHOD)%"], {"z": "%REQ(NONE)%", "y": "%BYTES_SENT%"}]})"),
            R"({"a":true,"b":1.5,"big":12345678901234567168,"e":[],"few":1e-07,)"
            R"("l":[200,"x",3,null,["GET"],{"y":295,"z":null}],"n":null,"o":{}})"
            "\n");
}

TEST_F(FormatTest, LeavesOutOfJsonWhatIsEmptyButForLists) {
  EXPECT_EQ(Json(R"({"e": {}, "s": {"q": {"r": "%REQ(NONE)%"}}, "l": ["%REQ(NONE)%"], "l3": [{}, [], {"a": null}],
                     "kept": {"q": "%REQ(NONE)%", "a": "b"}, "two": "%REQ(NONE)%%REQ(NONE)%", "empty": ""})",
                 true),
            R"({"empty":"","kept":{"a":"b"},"l":[],"l3":[[]],"two":""})"
            "\n");
  EXPECT_EQ(Json(R"({"only": "%REQ(NONE)%"})", true), "{}\n");
}

TEST_F(FormatTest, EscapesInJsonOnlyWhatIsNoUtf8) {
  std::string out;
  AppendJsonString("caf\xc3\xa9 \xf0\x9f\x98\x80 \x01\x7f\b\f\r\t/", out);
  EXPECT_EQ(out, "\"caf\xc3\xa9 \xf0\x9f\x98\x80 \\u0001\x7f\\b\\f\\r\\t/\"");
  for (const auto& [text, escaped] : std::vector<std::pair<std::string, std::string>>{
           {"caf\xe9", "caf\\u00e9"},
           {"\xe2\x82", "\\u00e2\\u0082"},                        // the end is missing
           {"\xed\xa0\x80", "\\u00ed\\u00a0\\u0080"},             // a surrogate
           {"\xc0\x80", "\\u00c0\\u0080"},                        // too long
           {"\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080"},  // beyond U+10FFFF
           {"\xe2\x82\xac\xe9", "\\u00e2\\u0082\\u00ac\\u00e9"}}) {
    out.clear();
    AppendJsonString(text, out);
    EXPECT_EQ(out, "\"" + escaped + "\"");
  }
  head_.headers.Set("x-a", "\xe9");
  EXPECT_EQ(Json("{\"v\": \"\xc3\xa9%REQ(X-A)%\"}"), "{\"v\":\"\xc3\xa9\\u00e9\"}\n");
}

TEST_F(FormatTest, CompilesIstiosJsonKeys) {
  std::string out;
  JsonFormat::Compile(xds::IstioJsonFormat(), false).value().Append(record_, out);
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
