#include "proxy/dns/message.h"

#include <algorithm>
#include <array>

#include "core/base/strings.h"

namespace plait::proxy::dns {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::size_t kMostName = 255;  // on the wire, with length bytes and the root
constexpr std::uint16_t kResponse = 0x8000, kAuthoritative = 0x0400, kTruncated = 0x0200, kDesired = 0x0100,
                        kAvailable = 0x0080;

class Reader {
 public:
  explicit Reader(Bytes message) : message_(message) {}
  std::size_t at() const noexcept { return at_; }
  bool failed() const noexcept { return failed_; }
  void Skip(std::size_t n) {
    if (n > message_.size() - at_) return Fail();
    at_ += n;
  }
  std::uint16_t Take16() {
    if (message_.size() - at_ < 2) return Fail(), std::uint16_t{0};
    const auto value = static_cast<std::uint16_t>(message_[at_] << 8 | message_[at_ + 1]);
    at_ += 2;
    return value;
  }
  std::uint32_t Take32() {
    const std::uint32_t high = Take16();
    return high << 16 | Take16();
  }
  Bytes Take(std::size_t n) {
    if (n > message_.size() - at_) return Fail(), Bytes{};
    at_ += n;
    return message_.subspan(at_ - n, n);
  }
  // The name here, lower case; `pointers`: compression is allowed, and each pointer must lead further back.
  std::string TakeName(bool pointers);

 private:
  void Fail() {
    failed_ = true;
    at_ = message_.size();
  }
  Bytes message_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

std::string Reader::TakeName(bool pointers) {
  std::string name;
  std::size_t at = at_;
  std::size_t end = 0;         // behind the name in the message; set at the first pointer
  std::size_t earliest = at_;  // where pointers have led so far
  std::size_t wire = 1;
  for (;;) {
    if (at >= message_.size()) return Fail(), "";
    const std::uint8_t length = message_[at];
    if (length == 0) break;
    if ((length & 0xC0) == 0xC0) {
      if (!pointers || at + 1 >= message_.size()) return Fail(), "";
      const std::size_t to = static_cast<std::size_t>((length & 0x3F) << 8) | message_[at + 1];
      if (to >= earliest) return Fail(), "";
      if (end == 0) end = at + 2;
      earliest = at = to;
      continue;
    }
    wire += length + 1U;
    if (length > 63 || wire > kMostName || at + 1 + length > message_.size()) return Fail(), "";
    if (!name.empty()) name += '.';
    for (std::size_t i = 0; i < length; ++i) {
      const char c = static_cast<char>(message_[at + 1 + i]);
      if (c == '.' || c == '\0') return Fail(), "";  // would read as another name
      name += ToLower(c);
    }
    at += 1U + length;
  }
  at_ = end != 0 ? end : at + 1;
  return name;
}

// The OPT record's size among the additional records.
std::optional<std::uint16_t> TakeOpt(Reader& reader, std::uint16_t records) {
  std::optional<std::uint16_t> size;
  for (; records > 0 && !reader.failed(); --records) {
    const std::string owner = reader.TakeName(/*pointers=*/true);
    const std::uint16_t type = reader.Take16();
    const std::uint16_t record_class = reader.Take16();
    reader.Take32();
    reader.Skip(reader.Take16());
    if (type == static_cast<std::uint16_t>(Type::kOpt) && owner.empty())
      size = std::max<std::uint16_t>(512, record_class);
  }
  return size;
}

}  // namespace

std::expected<Query, QueryError> ParseQuery(Bytes message) {
  if (message.size() < kHeader) return std::unexpected(QueryError{});
  Reader reader(message);
  Query query;
  query.id = reader.Take16();
  const std::uint16_t flags = reader.Take16();
  if ((flags & kResponse) != 0) return std::unexpected(QueryError{});
  if ((flags & 0x7800) != 0) return std::unexpected(QueryError{.code = Code::kNotImplemented, .id = query.id});
  query.recursion_desired = (flags & kDesired) != 0;
  const std::uint16_t questions = reader.Take16();
  const std::uint16_t answers = reader.Take16();
  const std::uint16_t authorities = reader.Take16();
  const std::uint16_t additional = reader.Take16();
  const QueryError bad{.code = Code::kFormat, .id = query.id};
  if (questions != 1 || answers != 0 || authorities != 0) return std::unexpected(bad);
  query.name = reader.TakeName(/*pointers=*/false);
  query.type = reader.Take16();
  query.question_class = reader.Take16();
  if (reader.failed()) return std::unexpected(bad);
  query.question.assign(message.begin() + kHeader, message.begin() + static_cast<std::ptrdiff_t>(reader.at()));
  query.udp_size = TakeOpt(reader, additional);
  if (reader.failed()) return std::unexpected(bad);
  return query;
}

Result<ResponseHead> ParseResponseHead(Bytes message) {
  Reader reader(message);
  ResponseHead head;
  head.id = reader.Take16();
  const std::uint16_t flags = reader.Take16();
  head.truncated = (flags & kTruncated) != 0;
  head.code = static_cast<Code>(flags & 0x0F);
  const std::uint16_t questions = reader.Take16();
  reader.Skip(6);
  if (reader.failed() || (flags & kResponse) == 0 || questions != 1) return Fail(Errc::kInvalidInput, "no DNS answer");
  head.name = reader.TakeName(/*pointers=*/false);
  head.type = reader.Take16();
  reader.Take16();
  if (reader.failed()) return Fail(Errc::kInvalidInput, "DNS answer: bad question");
  return head;
}

Result<FoundAddresses> ParseAddresses(Bytes message) {
  if (auto head = ParseResponseHead(message); !head) return std::unexpected(head.error());
  Reader reader(message);
  reader.Skip(6);
  std::uint16_t answers = reader.Take16();
  reader.Skip(4);
  reader.TakeName(false);
  reader.Skip(4);
  FoundAddresses found;
  for (; answers > 0 && !reader.failed(); --answers) {
    reader.TakeName(/*pointers=*/true);
    const auto type = static_cast<Type>(reader.Take16());
    const std::uint16_t record_class = reader.Take16();
    const std::uint32_t ttl = reader.Take32();
    const Bytes data = reader.Take(reader.Take16());
    if (record_class != 1) continue;
    if (type == Type::kA && data.size() == 4) {
      found.addresses.push_back(io::IpAddress::V4(std::uint32_t{data[0]} << 24 | std::uint32_t{data[1]} << 16 |
                                                  std::uint32_t{data[2]} << 8 | data[3]));
    } else if (type == Type::kAaaa && data.size() == 16) {
      std::array<std::uint8_t, 16> bytes{};
      std::copy(data.begin(), data.end(), bytes.begin());
      found.addresses.push_back(io::IpAddress::V6(bytes));
    } else {
      continue;
    }
    found.ttl = found.addresses.size() == 1 ? ttl : std::min(found.ttl, ttl);
  }
  if (reader.failed()) return Fail(Errc::kInvalidInput, "DNS answer: bad record");
  return found;
}

namespace {

void Append16(std::vector<std::uint8_t>& out, std::uint16_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value & 0xFF));
}

// Names come from configuration: one that does not fit is cut to the root rather than written wrong.
void AppendName(std::vector<std::uint8_t>& out, std::string_view name) {
  if (name.size() <= kMostName - 2) {
    for (std::string_view label : name.empty() ? std::vector<std::string_view>{} : Split(name, '.')) {
      if (label.empty() || label.size() > 63) continue;
      out.push_back(static_cast<std::uint8_t>(label.size()));
      out.insert(out.end(), label.begin(), label.end());
    }
  }
  out.push_back(0);
}

}  // namespace

std::vector<std::uint8_t> WriteQuery(std::uint16_t id, std::string_view name, std::uint16_t type) {
  std::vector<std::uint8_t> out;
  for (const std::uint16_t field :
       {id, kDesired, std::uint16_t{1}, std::uint16_t{0}, std::uint16_t{0}, std::uint16_t{1}}) {
    Append16(out, field);
  }
  AppendName(out, name);
  Append16(out, type);
  Append16(out, 1);
  out.push_back(0);  // OPT: root, 1232 bytes (no fragments), no flags, no options
  Append16(out, static_cast<std::uint16_t>(Type::kOpt));
  Append16(out, 1232);
  out.insert(out.end(), 6, 0);
  return out;
}

std::vector<std::uint8_t> WriteError(std::uint16_t id, Code code) {
  std::vector<std::uint8_t> out;
  Append16(out, id);
  Append16(out, static_cast<std::uint16_t>(kResponse | static_cast<std::uint16_t>(code)));
  out.insert(out.end(), 8, 0);
  return out;
}

AnswerWriter::AnswerWriter(const Query& query, Code code, bool authoritative) : query_(query) {
  Put16(query.id);
  Put16(static_cast<std::uint16_t>(kResponse | kAvailable | (authoritative ? kAuthoritative : 0) |
                                   (query.recursion_desired ? kDesired : 0) | static_cast<std::uint16_t>(code)));
  Put16(1);
  out_.insert(out_.end(), 6, 0);
  out_.insert(out_.end(), query.question.begin(), query.question.end());
}

void AnswerWriter::Put16(std::uint16_t value) { Append16(out_, value); }
void AnswerWriter::Put32(std::uint32_t value) {
  Put16(static_cast<std::uint16_t>(value >> 16));
  Put16(static_cast<std::uint16_t>(value & 0xFFFF));
}
void AnswerWriter::PutName(std::string_view name) {
  if (name == query_.name && !name.empty()) return Put16(0xC000 | kHeader);  // the question's name
  AppendName(out_, name);
}

void AnswerWriter::Begin(std::string_view owner, Type type, std::uint32_t ttl) {
  PutName(owner);
  Put16(static_cast<std::uint16_t>(type));
  Put16(1);
  Put32(ttl);
  length_at_ = out_.size();
  Put16(0);
}
void AnswerWriter::EndData() {
  const std::size_t length = out_.size() - length_at_ - 2;
  out_[length_at_] = static_cast<std::uint8_t>(length >> 8);
  out_[length_at_ + 1] = static_cast<std::uint8_t>(length & 0xFF);
}

void AnswerWriter::AddAddress(std::string_view owner, const io::IpAddress& ip, std::uint32_t ttl) {
  Begin(owner, ip.is_v4() ? Type::kA : Type::kAaaa, ttl);
  out_.insert(out_.end(), ip.bytes().begin(), ip.bytes().begin() + static_cast<std::ptrdiff_t>(ip.byte_count()));
  EndData();
  ++answers_;
}
void AnswerWriter::AddCname(std::string_view owner, std::string_view target, std::uint32_t ttl) {
  Begin(owner, Type::kCname, ttl);
  AppendName(out_, target);
  EndData();
  ++answers_;
}
void AnswerWriter::AddSrv(std::string_view owner, std::uint16_t port, std::string_view target, std::uint32_t ttl) {
  Begin(owner, Type::kSrv, ttl);
  Put16(0);
  Put16(100);
  Put16(port);
  AppendName(out_, target);
  EndData();
  ++answers_;
}
void AnswerWriter::AddSoa(std::string_view zone, std::uint32_t ttl) {
  Begin(zone, Type::kSoa, ttl);
  AppendName(out_, "ns.dns." + std::string(zone));
  AppendName(out_, "hostmaster." + std::string(zone));
  for (const std::uint32_t field : {1U, 7200U, 1800U, 86400U, ttl}) Put32(field);
  EndData();
  ++authorities_;
}

std::vector<std::uint8_t> AnswerWriter::Finish(std::size_t most) && {
  if (query_.udp_size) {  // answer EDNS with EDNS
    out_.push_back(0);
    Put16(static_cast<std::uint16_t>(Type::kOpt));
    Put16(1232);
    out_.insert(out_.end(), 6, 0);
  }
  std::uint16_t additional = query_.udp_size ? 1 : 0;
  if (out_.size() > most) {
    out_.resize(kHeader + query_.question.size());
    out_[2] = static_cast<std::uint8_t>(out_[2] | (kTruncated >> 8));
    answers_ = authorities_ = additional = 0;
  }
  const auto put = [&](std::size_t at, std::uint16_t value) {
    out_[at] = static_cast<std::uint8_t>(value >> 8);
    out_[at + 1] = static_cast<std::uint8_t>(value & 0xFF);
  };
  put(6, answers_);
  put(8, authorities_);
  put(10, additional);
  return std::move(out_);
}

}  // namespace plait::proxy::dns
