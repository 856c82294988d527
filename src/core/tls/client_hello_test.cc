#include "core/tls/client_hello.h"

#include <gtest/gtest.h>

#include "core/io/socket.h"
#include "core/tls/stream.h"

namespace plait::tls {
namespace {

// The first bytes that a client of ours sends.
std::string HelloBytes(const std::string& sni, const std::vector<std::string>& alpn,
                       const std::string& groups = "X25519:P-256") {
  io::Loop loop;
  auto [ours, theirs] = io::StreamPair(loop);
  const auto context = *Context::Make({.identities = {},
                                       .bundle_pem = {},
                                       .crl_pem = {},
                                       .peer = {},
                                       .alpn = alpn,
                                       .groups = groups,
                                       .tls12_ciphers = {}});
  const auto client =
      Wrap(loop, std::move(ours), context, {.sni = sni, .expected_identity = {}, .alpn = {}, .session_key = {}});
  Buffer seen;
  loop.RunUntil(
      [&, &peer = theirs] {
        (void)peer->Read(seen, 100'000);
        return !seen.empty();
      },
      std::chrono::seconds(5));
  return seen.ToString();
}

TEST(ClientHelloPeek, ReadsNameAndProtocolsOfARealHello) {
  const ClientHelloPeek peek = PeekClientHello(AsBytes(HelloBytes("Reviews.Default.svc", {"istio", "h2"})));
  ASSERT_EQ(peek.status, PeekStatus::kComplete);
  EXPECT_EQ(peek.hello.sni, "reviews.default.svc");
  EXPECT_EQ(peek.hello.alpn, (std::vector<std::string>{"istio", "h2"}));
  EXPECT_NE(std::find(peek.hello.versions.begin(), peek.hello.versions.end(), 0x0304), peek.hello.versions.end());
}

TEST(ClientHelloPeek, NeedsMoreForEveryProperPrefix) {
  const std::string hello = HelloBytes("a.b", {"h2"}, "X25519MLKEM768");
  EXPECT_GT(hello.size(), 1400u);
  for (std::size_t n = 0; n < hello.size(); ++n)
    ASSERT_EQ(PeekClientHello(AsBytes(hello).first(n)).status, PeekStatus::kNeedMore) << n;
}

TEST(ClientHelloPeek, JoinsAHelloThatSpansRecords) {
  const std::string hello = HelloBytes("split.example.com", {"h2"});
  std::string split;
  for (std::size_t at = 5; at < hello.size(); at += 100) {
    const std::string piece = hello.substr(at, 100);
    split += std::string{22, 3, 1, 0, static_cast<char>(piece.size())} + piece;
  }
  const ClientHelloPeek peek = PeekClientHello(AsBytes(split));
  ASSERT_EQ(peek.status, PeekStatus::kComplete);
  EXPECT_EQ(peek.hello.sni, "split.example.com");
}

TEST(ClientHelloPeek, TellsOtherProtocolsAtTheFirstWrongByte) {
  for (const std::string_view other :
       {"GET / HTTP/1.1", "PRI * HTTP/2.0", "\x15\x03\x01", "\x16\x02", "SSH-2.0", "\x16\x03\x01\xff\xff"})
    EXPECT_EQ(PeekClientHello(AsBytes(other)).status, PeekStatus::kNotTls) << other;
}

TEST(ClientHelloPeek, RefusesAHelloWithBrokenExtensions) {
  std::string hello = HelloBytes("a.b", {"h2"});
  const std::size_t name = hello.find("a.b");
  ASSERT_NE(name, std::string::npos);
  hello[name - 1] = 100;  // length of the name now points behind its list
  EXPECT_EQ(PeekClientHello(AsBytes(hello)).status, PeekStatus::kNotTls);
}

}  // namespace
}  // namespace plait::tls
