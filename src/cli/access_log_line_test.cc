#include "cli/access_log_line.h"

#include <gtest/gtest.h>

namespace plait::cli {
namespace {

constexpr const char* kDenied =
    "[2026-11-28T14:00:00.000Z] \"GET /details/0 HTTP/1.1\" 403 - rbac_access_denied_matched_policy[none] - \"-\" 0 19 "
    "0 "
    "- \"-\" \"curl \"quoted\" 7\" \"b0a3\" \"details:9080\" \"-\" inbound|9080|| - 10.244.0.3:9080 10.244.0.6:41000 "
    "outbound_.9080_._.details default\n";

TEST(AccessLogLine, ReadsIstiosTextFormAroundWhatClientsChoose) {
  const auto line = ReadAccessLogLine(kDenied);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->method, "GET");
  EXPECT_EQ(line->path, "/details/0");
  EXPECT_EQ(line->status, "403");
  EXPECT_TRUE(line->flags.empty());
  EXPECT_EQ(line->authority, "details:9080");
  EXPECT_EQ(line->cluster, "inbound|9080||");
  EXPECT_EQ(line->downstream_local, "10.244.0.3:9080");
  EXPECT_EQ(line->downstream_remote, "10.244.0.6:41000");
  EXPECT_EQ(line->server_name, "outbound_.9080_._.details");
  EXPECT_EQ(line->DeniedBy(), "none");
}

TEST(AccessLogLine, SaysWhoForwardedItUnlessAClientMadeThatAmbiguous) {
  EXPECT_EQ(ReadAccessLogLine(kDenied)->forwarded_for, std::nullopt) << "quotes in the user agent";
  const std::string begin = "[t] \"GET / HTTP/1.1\" 403 - - - \"-\" 0 19 0 - ";
  const std::string end = " \"id\" \"web\" \"-\" inbound|80|| - 10.0.0.1:80 10.0.0.2:5 - default";
  const auto direct = ReadAccessLogLine(begin + "\"-\" \"curl 7 (x)\"" + end);
  EXPECT_EQ(direct->forwarded_for, "");
  EXPECT_EQ(direct->user_agent, "curl 7 (x)");
  EXPECT_EQ(direct->server_name, "");
  EXPECT_EQ(ReadAccessLogLine(begin + "\"192.0.2.1,10.0.0.9\" \"-\"" + end)->forwarded_for, "192.0.2.1,10.0.0.9");
  const char* json = R"({"response_code":403,"response_flags":"-","x_forwarded_for":null,"requested_server_name":"a"})";
  EXPECT_EQ(ReadAccessLogLine(json)->forwarded_for, "");
  EXPECT_EQ(ReadAccessLogLine(json)->server_name, "a");
  EXPECT_EQ(ReadAccessLogLine(R"({"response_code":403,"response_flags":"-"})")->forwarded_for, std::nullopt);
}

TEST(AccessLogLine, ReadsJson) {
  const auto line = ReadAccessLogLine(
      R"({"response_code":503,"response_flags":"UF,URX","method":"GET","path":"/x","response_code_details":"upstream"})");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->status, "503");
  EXPECT_TRUE(line->HasFlag({"NR", "URX"}));
  EXPECT_FALSE(line->HasFlag({"NR"}));
  EXPECT_FALSE(line->DeniedBy());
}

TEST(AccessLogLine, OfAFormatOfTheUsersOwnHasOnlyWhatCannotBeMistaken) {
  std::string longer(kDenied);
  longer.insert(longer.size() - 1, " trace=-");
  for (const std::string& text : {longer, std::string("X 2026 m=GET d=rbac_access_denied_matched_policy[none] flags=-"),
                                  std::string(R"({"why":"rbac_access_denied_matched_policy[none]","code":403})")}) {
    const auto line = ReadAccessLogLine(text);
    ASSERT_TRUE(line) << text;
    EXPECT_FALSE(line->whole) << text;
    EXPECT_EQ(line->DeniedBy(), "none") << text;
    EXPECT_EQ(line->downstream_local, "") << text;
  }
  const auto named =
      ReadAccessLogLine("d=rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]] flags=UF,URX x=UHF");
  EXPECT_EQ(named->DeniedBy(), "ns[a]-policy[b]-rule[0]");
  EXPECT_TRUE(named->HasFlag({"URX"}));
  EXPECT_FALSE(named->HasFlag({"UH"}));
  EXPECT_FALSE(ReadAccessLogLine("2026-11-28T14:00:00.000Z\twarn\tads\tUF is only a word here"));
  EXPECT_FALSE(ReadAccessLogLine("X 2026 m=GET flags=-"));
}

TEST(AccessLogLine, KnowsADeniedConnectionByHowItWasClosed) {
  const auto line = ReadAccessLogLine(
      "[t] \"- - -\" 0 - - rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]] \"-\" 0 0 1 - \"-\" \"-\" \"-\" "
      "\"-\" \"-\" inbound|3306|| - 10.0.0.1:3306 10.0.0.2:5 - -");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->method, "");
  EXPECT_EQ(line->DeniedBy(), "ns[a]-policy[b]-rule[0]");
}

TEST(AccessLogLine, KnowsAConnectionThatAnInvalidPolicyRefused) {
  const std::string policy = "invalid_policy[a/b]-kind[PeerAuthentication]";
  for (const char* details :
       {"plaintext_refused_by_strict_mutual_tls", "tls_handshake_failed{reason}_on_a_STRICT_port"})
    EXPECT_EQ(AccessLogLine{.termination = details + ("{" + policy + "}")}.DeniedBy(), policy) << details;
  EXPECT_FALSE(AccessLogLine{.termination = "plaintext_refused_by_strict_mutual_tls"}.DeniedBy())
      << "STRICT as it is written";
}

TEST(AccessLogLine, IsNotWhatAProcessSays) {
  for (const char* text : {"", "\n", "2026-11-28T14:00:00Z\tinfo\txds\tconnected", "{\"level\":\"info\"}", "[", "[] \"",
                           "[t] \"GET / HTTP/1.1\" x - - -", "{\"response_code\":"})
    EXPECT_FALSE(ReadAccessLogLine(text)) << text;
}

}  // namespace
}  // namespace plait::cli
