#pragma once
// DNS messages (RFC 1035, EDNS RFC 6891): strict reading of queries, and of as much of a resolver's answer as is
// needed; writing of answers. Pure. Limits: 255 bytes a name, 63 a label, one question, compression pointers only
// backwards.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/io/address.h"

namespace plait::proxy::dns {

enum class Type : std::uint16_t { kA = 1, kCname = 5, kSoa = 6, kAaaa = 28, kSrv = 33, kOpt = 41, kAny = 255 };
enum class Code : std::uint8_t {
  kOk = 0,
  kFormat = 1,
  kServerFailure = 2,
  kNoSuchName = 3,
  kNotImplemented = 4,
  kRefused = 5
};

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  std::string name;  // lower case, without the last dot; empty: the root
  std::uint16_t type = 0;
  std::uint16_t question_class = 1;
  std::vector<std::uint8_t> question;     // as it came: name, type, class (letter case is given back)
  std::optional<std::uint16_t> udp_size;  // of EDNS, at least 512; nullopt: no EDNS
};

// Why a message was not understood, and what to answer; nullopt code: nothing (it is no query at all).
struct QueryError {
  std::optional<Code> code;
  std::uint16_t id = 0;
};
std::expected<Query, QueryError> ParseQuery(Bytes message);

// Id, response bit and question of a resolver's answer; for matching it with what was asked.
struct ResponseHead {
  std::uint16_t id = 0;
  bool truncated = false;
  Code code = Code::kOk;
  std::string name;
  std::uint16_t type = 0;
};
Result<ResponseHead> ParseResponseHead(Bytes message);
// The addresses in the answer section, whatever names lead to them, with the smallest TTL among them.
struct FoundAddresses {
  std::vector<io::IpAddress> addresses;
  std::uint32_t ttl = 0;
};
Result<FoundAddresses> ParseAddresses(Bytes message);

// A query for this name (RD set, EDNS 1232), e.g. the target of an ExternalName.
std::vector<std::uint8_t> WriteQuery(std::uint16_t id, std::string_view name, std::uint16_t type);

// Writes one answer. Records first, then Finish.
class AnswerWriter {
 public:
  AnswerWriter(const Query& query, Code code, bool authoritative);
  void AddAddress(std::string_view owner, const io::IpAddress& ip, std::uint32_t ttl);
  void AddCname(std::string_view owner, std::string_view target, std::uint32_t ttl);
  void AddSrv(std::string_view owner, std::uint16_t port, std::string_view target, std::uint32_t ttl);
  // For negative answers (RFC 2308); after all answers.
  void AddSoa(std::string_view zone, std::uint32_t ttl);
  // The message; when it is longer than `most`: no records and TC set.
  std::vector<std::uint8_t> Finish(std::size_t most) &&;

 private:
  void Begin(std::string_view owner, Type type, std::uint32_t ttl);
  void Put16(std::uint16_t value);
  void Put32(std::uint32_t value);
  void PutName(std::string_view name);
  void EndData();
  const Query& query_;
  std::vector<std::uint8_t> out_;
  std::size_t length_at_ = 0;
  std::uint16_t answers_ = 0, authorities_ = 0;
};
// A message with only a header, for queries that could not be read.
std::vector<std::uint8_t> WriteError(std::uint16_t id, Code code);

}  // namespace plait::proxy::dns
