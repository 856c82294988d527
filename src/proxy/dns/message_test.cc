#include "proxy/dns/message.h"

#include <gtest/gtest.h>

namespace plait::proxy::dns {
namespace {

std::vector<std::uint8_t> AQuery(std::string_view name) { return WriteQuery(7, name, 1); }

TEST(DnsMessage, ReadsAQueryLowerCaseAndKeepsItsLetters) {
  const auto query = ParseQuery(AQuery("Reviews.Default")).value();
  EXPECT_EQ(query.name, "reviews.default");
  EXPECT_EQ(query.type, 1);
  EXPECT_TRUE(query.recursion_desired);
  EXPECT_EQ(query.udp_size, 1232);
  EXPECT_EQ(query.question[1], 'R');
}

TEST(DnsMessage, AnswersWithAddressesThatReadBack) {
  const auto query = ParseQuery(AQuery("a.b")).value();
  AnswerWriter writer(query, Code::kOk, true);
  writer.AddCname("a.b", "c.d", 30);
  writer.AddAddress("c.d", io::IpAddress::Parse("10.0.0.1").value(), 30);
  writer.AddAddress("c.d", io::IpAddress::Parse("fd00::1").value(), 20);
  const auto answer = std::move(writer).Finish(512);
  const auto head = ParseResponseHead(answer).value();
  EXPECT_EQ(head.id, 7);
  EXPECT_EQ(head.name, "a.b");
  const auto found = ParseAddresses(answer).value();
  ASSERT_EQ(found.addresses.size(), 2U);
  EXPECT_EQ(found.addresses[1].ToString(), "fd00::1");
  EXPECT_EQ(found.ttl, 20U);
}

TEST(DnsMessage, TruncatesToTheLimit) {
  const auto query = ParseQuery(AQuery("a.b")).value();
  for (const std::size_t most : {std::size_t{512}, std::size_t{4096}}) {
    AnswerWriter writer(query, Code::kOk, true);
    for (std::uint32_t i = 0; i < 60; ++i) writer.AddAddress("a.b", io::IpAddress::V4(i), 30);
    const auto answer = std::move(writer).Finish(most);
    EXPECT_LE(answer.size(), most);
    EXPECT_EQ(ParseResponseHead(answer)->truncated, most == 512);
    EXPECT_EQ(ParseAddresses(answer)->addresses.size(), most == 512 ? 0U : 60U);
  }
}

TEST(DnsMessage, RefusesBrokenQueriesByTheirKind) {
  std::vector<std::uint8_t> query = AQuery("a.b");
  EXPECT_FALSE(ParseQuery(Bytes(query).first(11)).error().code) << "too short for an answer";
  auto response = query;
  response[2] |= 0x80;
  EXPECT_FALSE(ParseQuery(response).error().code) << "never answer an answer";
  auto status = query;
  status[2] |= 0x10;
  EXPECT_EQ(ParseQuery(status).error().code, Code::kNotImplemented);
  auto two = query;
  two[5] = 2;
  EXPECT_EQ(ParseQuery(two).error().code, Code::kFormat);
  for (std::size_t cut = 12; cut < query.size(); ++cut) {
    const auto parsed = ParseQuery(Bytes(query).first(cut));
    ASSERT_FALSE(parsed) << cut;
    EXPECT_EQ(parsed.error().code, Code::kFormat);
  }
}

TEST(DnsMessage, RefusesPointersInQuestionsForwardPointersAndDotsInLabels) {
  std::vector<std::uint8_t> pointer(12);
  pointer[5] = 1;
  for (const std::uint8_t byte : std::initializer_list<std::uint8_t>{0xC0, 0x0C, 0x00, 0x01, 0x00, 0x01})
    pointer.push_back(byte);
  EXPECT_EQ(ParseQuery(pointer).error().code, Code::kFormat);
  std::vector<std::uint8_t> dot = AQuery("a.b");
  dot[13] = '.';
  EXPECT_FALSE(ParseQuery(dot));
}

TEST(DnsMessage, LimitsNamesTo255Bytes) {
  std::string name;
  for (int i = 0; i < 4; ++i) name += (i > 0 ? "." : "") + std::string(i < 3 ? 63 : 61, 'x');
  EXPECT_EQ(ParseQuery(AQuery(name))->name, name);
  std::vector<std::uint8_t> longer(12);
  longer[5] = 1;
  for (int i = 0; i < 4; ++i) {
    longer.push_back(63);
    longer.insert(longer.end(), 63, 'x');
  }
  for (const std::uint8_t byte : std::initializer_list<std::uint8_t>{0, 0, 1, 0, 1}) longer.push_back(byte);
  EXPECT_FALSE(ParseQuery(longer));
}

}  // namespace
}  // namespace plait::proxy::dns
