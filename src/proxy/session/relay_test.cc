// The end of a relay: everything has been delivered by then, whatever carries it.
#include "proxy/session/relay.h"

#include <gtest/gtest.h>

#include "core/io/socket.h"
#include "core/tls/stream.h"
#include "core/tls/test_pki.h"
#include "proxy/session/prefixed_stream.h"
#include "proxy/session/test_opened.h"

namespace plait::proxy::session {
namespace {

constexpr Duration kLimit = std::chrono::seconds(10);

std::shared_ptr<const tls::Context> ContextOf(const tls::TestCa& ca, bool server) {
  tls::ContextOptions options;
  options.server = server;
  options.identities = {ca.Issue(std::string("spiffe://cluster.local/ns/default/sa/") + (server ? "app" : "client"))};
  options.bundle_pem = ca.root_pem();
  return tls::Context::Make(options).value();
}

// Both sides have said that they are done long before a slow client has what the TLS stream holds for it.
TEST(Relay, DeliversTheLastBytesOverTlsToAClientThatReadsSlowly) {
  io::Loop loop;
  const tls::TestCa ca;
  auto [client_below, proxy_below] = io::StreamPair(loop);
  auto [app, upstream] = io::StreamPair(loop);
  auto client = tls::Wrap(loop, std::move(client_below), ContextOf(ca, false));
  auto downstream = tls::Wrap(loop, std::move(proxy_below), ContextOf(ca, true));
  Opened client_events;
  Opened downstream_events;
  client->SetEvents(&client_events);
  downstream->SetEvents(&downstream_events);
  ASSERT_TRUE(loop.RunUntil([&] { return client_events.open && downstream_events.open; }, kLimit));

  std::optional<RelayEnd> end;
  Relay relay(loop, GiveAgain(loop, std::move(downstream), Buffer()), std::move(upstream), {}, {},
              [&](RelayEnd why) { end = why; });
  relay.Start();
  client->ShutdownWrite();
  const std::string sent(1'000'000, 'x');
  Buffer rest(sent);
  Buffer got;
  std::optional<Error> ended;
  for (int round = 0; round < 100'000 && !(ended && end); ++round) {
    if (!rest.empty()) {
      ASSERT_TRUE(app->Write(rest));
      if (rest.empty()) app->ShutdownWrite();
    }
    const Result<std::size_t> read = client->Read(got, 2000);
    if (!read) ended = read.error();
    loop.RunOnce(Duration(0));
  }
  ASSERT_TRUE(ended && end);
  EXPECT_EQ(ended->code, Errc::kPeerClosed);
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_EQ(end, RelayEnd::kBothClosed);
}

}  // namespace
}  // namespace plait::proxy::session
