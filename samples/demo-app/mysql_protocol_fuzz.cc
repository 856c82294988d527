// MySQL's protocol on both sides. The first byte says which: what a server says to ratings, what a client says to
// mysqldb, or one packet. The two conversations say the same however the network cuts the bytes (the second byte), and
// stay within their limits; a packet that is read and composed again is read as the same.
#include <cstdlib>
#include <string_view>

#include "core/base/bytes.h"
#include "mysql_client.h"
#include "mysqldb.h"

using namespace plait;
using namespace plait::demo;

namespace {

struct Heard {
  std::string said, result;
  bool ended = false;
  friend bool operator==(const Heard&, const Heard&) = default;
};

// Feeds `text` in pieces of `step` bytes until the conversation ends.
template <class Feed>
void InPieces(std::string_view text, std::size_t step, const Feed& feed) {
  Buffer in;
  for (std::size_t at = 0; at < text.size(); at += step) {
    in.Append(text.substr(at, step));
    if (!feed(in)) return;
  }
}

Heard ClientHears(std::string_view server, std::size_t step) {
  mysql::RatingsQuery client({.user = "root", .password = "password"});
  Heard out;
  Buffer said;
  InPieces(server, step, [&](Buffer& in) {
    const auto result = client.Feed(in, said);
    if (!result) {
      if (in.size() > mysql::kMaxBytes) std::abort();
      return true;
    }
    out.ended = true;
    out.result = *result ? RatingsJson(0, **result) : result->error().ToString();
    if (!*result && result->error().message.empty()) std::abort();
    return false;
  });
  out.said = said.ToString();
  return out;
}

Heard ServerHears(std::string_view client, std::size_t step) {
  mysql::ServerConversation server("", "10.0.0.9", "0123456789abcdefghij");
  Heard out;
  Buffer said;
  server.Begin(said);
  InPieces(client, step, [&](Buffer& in) {
    out.ended = !server.Feed(in, said);
    return !out.ended;
  });
  out.said = said.ToString();
  out.result = server.logged_in() ? "logged in" : "";
  return out;
}

template <class Packet>
void RoundTrip(const Result<Packet>& packet, Result<Packet> (*read)(std::string_view)) {
  if (packet && read(mysql::Compose(*packet)) != packet) std::abort();
}

void OnePacket(std::string_view payload) {
  RoundTrip(mysql::ReadHandshakeV10(payload), &mysql::ReadHandshakeV10);
  RoundTrip(mysql::ReadHandshakeResponse41(payload), &mysql::ReadHandshakeResponse41);
  RoundTrip(mysql::ReadAuthSwitchRequest(payload), &mysql::ReadAuthSwitchRequest);
  RoundTrip(mysql::ReadErrPacket(payload), &mysql::ReadErrPacket);
  const auto row = mysql::ReadTextResultsetRow(payload);
  if (row && mysql::ReadTextResultsetRow(mysql::ComposeTextResultsetRow(*row)) != row) std::abort();
  const auto count = mysql::ReadColumnCount(payload);
  if (count && *count == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4 * mysql::kMaxBytes) return 0;
  const std::string_view text = AsText({data + 2, size - 2});
  const std::size_t step = 1 + data[1] % 64;
  if (data[0] == 's' && ClientHears(text, text.size() + 1) != ClientHears(text, step)) std::abort();
  if (data[0] == 'c' && ServerHears(text, text.size() + 1) != ServerHears(text, step)) std::abort();
  if (data[0] == 'p') OnePacket(text);
  return 0;
}
