#include "proxy/sniff/classify.h"

#include <gtest/gtest.h>

#include <string>

namespace plait::proxy::sniff {
namespace {

struct Case {
  std::string_view bytes;
  Protocol want;
};
void PrintTo(const Case& c, std::ostream* out) { *out << testing::PrintToString(std::string(c.bytes)); }

class ClassifyCase : public testing::TestWithParam<Case> {};

TEST_P(ClassifyCase, IsJudgedByItsFirstBytes) {
  EXPECT_EQ(ProtocolName(Classify(AsBytes(GetParam().bytes))), ProtocolName(GetParam().want));
}

TEST_P(ClassifyCase, IsNeverJudgedDifferentlyByAPrefix) {
  const std::string_view bytes = GetParam().bytes;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const Protocol early = Classify(AsBytes(bytes.substr(0, n)));
    if (early == Protocol::kNeedMore) continue;
    EXPECT_EQ(ProtocolName(early), ProtocolName(GetParam().want)) << n;
  }
}

using namespace std::string_view_literals;
INSTANTIATE_TEST_SUITE_P(Http, ClassifyCase,
                         testing::Values(Case{"", Protocol::kNeedMore}, Case{"G", Protocol::kNeedMore},
                                         Case{"GET ", Protocol::kNeedMore}, Case{"GET / HTTP/1.", Protocol::kNeedMore},
                                         Case{"GET / HTTP/1.1\r", Protocol::kNeedMore},
                                         Case{"GET / HTTP/1.1\r\n", Protocol::kHttp1},
                                         Case{"GET / HTTP/1.0\r\n\r\n", Protocol::kHttp1},
                                         Case{"PROPFIND /x?a=b HTTP/1.1\r\nHost: a\r\n", Protocol::kHttp1},
                                         Case{"OPTIONS * HTTP/1.1\r\n", Protocol::kHttp1},
                                         Case{"CONNECT a:443 HTTP/1.1\r\n", Protocol::kHttp1},
                                         Case{"GET http://a/ HTTP/1.1\r\n", Protocol::kHttp1},
                                         Case{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Protocol::kHttp2},
                                         Case{"PRI * HTTP/2.0\r\n\r\n", Protocol::kNeedMore}));

INSTANTIATE_TEST_SUITE_P(
    NearlyHttp, ClassifyCase,
    testing::Values(Case{"\r\nGET / HTTP/1.1\r\n", Protocol::kNearlyHttp},
                    Case{" GET / HTTP/1.1\r\n", Protocol::kNearlyHttp},
                    Case{"get / HTTP/1.1\r\n", Protocol::kNearlyHttp},
                    Case{"FROB / HTTP/1.1\r\n", Protocol::kNearlyHttp},
                    Case{"GET\t/\tHTTP/1.1\r\n", Protocol::kNearlyHttp},
                    Case{"GET  / HTTP/1.1\r\n", Protocol::kNearlyHttp}, Case{"GET / HTTP/1.1\n", Protocol::kNearlyHttp},
                    Case{"GET /\r\n", Protocol::kNearlyHttp}, Case{"GET / http/1.1\r\n", Protocol::kNearlyHttp},
                    Case{"GET / HTTP/2.0\r\n", Protocol::kNearlyHttp}, Case{"\r\n\r\n", Protocol::kNeedMore}));

// Other white space, which servers may take for spaces (RFC 9112 3).
INSTANTIATE_TEST_SUITE_P(WhiteSpace, ClassifyCase,
                         testing::Values(Case{"GET\x0b/admin\x0bHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET\x0c/admin\x0cHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET\r/admin\rHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"get\r/admin\rHTTP/1.1\n", Protocol::kNearlyHttp},
                                         Case{"GET\x0b\x0b/admin \x0cHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET /admin\x0bHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET /admin\rHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET /admin\x0b HTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET /admin\r HTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET /admin HTTP/1.1\x0b\r\n", Protocol::kNearlyHttp},
                                         Case{"GET\x0b/admin\r\n", Protocol::kNearlyHttp},
                                         Case{"GET\x0bhttp://a/admin\x0b\r\n", Protocol::kNearlyHttp},
                                         Case{"FROB\x0b/admin\x0bHTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"\x0bGET /admin HTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"\r\n\x0cget\x0b/admin HTTP/1.1\r\n", Protocol::kNearlyHttp},
                                         Case{"GET\r", Protocol::kNeedMore}, Case{"GET\x0b", Protocol::kNeedMore},
                                         Case{"GET\r/admin\rHTTP/1.1\r", Protocol::kNeedMore},
                                         Case{"\x0bGE", Protocol::kNeedMore}));

// Who speaks these waits for an answer, and would wait for the limit of a prefix first.
INSTANTIATE_TEST_SUITE_P(OtherWhiteSpace, ClassifyCase,
                         testing::Values(Case{"ATZ\r", Protocol::kOther}, Case{"PING\r", Protocol::kOther},
                                         Case{"GET\r\n", Protocol::kOther},
                                         Case{"\x0bMSH|^~\\&|A|B\r", Protocol::kOther},
                                         Case{"\x0bhello world", Protocol::kOther}, Case{"\x0c\x01", Protocol::kOther},
                                         Case{"GET\x0b\x01", Protocol::kOther},
                                         Case{"GET\x0bkey\r\n", Protocol::kOther}));

INSTANTIATE_TEST_SUITE_P(
    Tls, ClassifyCase,
    testing::Values(Case{"\x16", Protocol::kNeedMore}, Case{"\x16\x03\x01\x02\x00"sv, Protocol::kNeedMore},
                    Case{"\x16\x03\x01\x02\x00\x01"sv, Protocol::kTls}, Case{"\x16\x03\x05"sv, Protocol::kOther},
                    Case{"\x16\x03\x01\x02\x00\x02"sv, Protocol::kOther},
                    Case{"\x16\x03\x01\x00\x00"sv, Protocol::kOther}, Case{"\x15\x03\x01"sv, Protocol::kOther}));

INSTANTIATE_TEST_SUITE_P(
    Other, ClassifyCase,
    testing::Values(Case{"\x00\x01"sv, Protocol::kOther}, Case{"*1\r\n$4\r\nPING\r\n", Protocol::kOther},
                    Case{"PING\r\n", Protocol::kOther}, Case{"USER anonymous\r\n", Protocol::kOther},
                    Case{"get key\r\n", Protocol::kOther}, Case{"SSH-2.0-OpenSSH_9.2\r\n", Protocol::kOther},
                    Case{"EHLO mail.example\r\n", Protocol::kOther}, Case{"GET \x01", Protocol::kOther},
                    Case{"aaaaaaaaaaaaaaaaaaaaaaaaaaaa", Protocol::kOther}));

TEST(Classify, GivesAnOverlongRequestLineToTheCodec) {
  const std::string line = "GET /" + std::string(kSniffLimit, 'a');
  EXPECT_EQ(Classify(AsBytes(line)), Protocol::kHttp1);
}

TEST(Classify, DoesNotGiveItOneWithOtherWhiteSpace) {
  EXPECT_EQ(Classify(AsBytes("GET\x0b/" + std::string(kSniffLimit, 'a'))), Protocol::kNearlyHttp);
}

TEST(Classify, DoesNotWaitForEverOnATextProtocolWithoutLineEnd) {
  const std::string line = "SEND " + std::string(kSniffLimit, 'a');
  EXPECT_EQ(Classify(AsBytes(line)), Protocol::kOther);
}

TEST(Classify, AnswersBlanksWithoutEnd) { EXPECT_EQ(Classify(AsBytes(std::string(64, '\n'))), Protocol::kNearlyHttp); }

}  // namespace
}  // namespace plait::proxy::sniff
