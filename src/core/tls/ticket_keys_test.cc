#include "core/tls/ticket_keys.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/base/bytes.h"
#include "testing/manual_clock.h"

namespace plait::tls {
namespace {
using namespace std::chrono_literals;

class Tickets : public ::testing::Test {
 protected:
  std::vector<std::uint8_t> Seal(const std::string& session, WallTime until) {
    std::vector<std::uint8_t> ticket(session.size() + TicketKeys::kOverhead);
    EXPECT_TRUE(keys.Seal(clock, AsBytes(session), until, ticket));
    return ticket;
  }
  std::string Open(TicketKeys& with, const std::vector<std::uint8_t>& ticket) {
    std::vector<std::uint8_t> out(ticket.size());
    const auto size = with.Open(clock, ticket, out);
    return size ? std::string(AsText(Bytes(out).first(*size))) : "refused";
  }
  const WallTime never = WallTime{} + 1000h;
  ManualClock clock;
  TicketKeys keys;
};

TEST_F(Tickets, AreOpenedByTheProcessThatMadeThemAlone) {
  const auto ticket = Seal("session", never);
  EXPECT_EQ(Open(keys, ticket), "session");
  EXPECT_EQ(std::string(AsText(ticket)).find("session"), std::string::npos);
  TicketKeys others;
  EXPECT_EQ(Open(others, ticket), "refused");
}

TEST_F(Tickets, HoldUntilTheSecondTheyWereMadeFor) {
  const auto ticket = Seal("session", clock.Wall() + 10s);
  clock.Advance(9s);
  EXPECT_EQ(Open(keys, ticket), "session");
  clock.Advance(1s);
  EXPECT_EQ(Open(keys, ticket), "refused");
}

TEST_F(Tickets, AreOpenedForOneDayAfterTheirKeyHasBeenReplaced) {
  const auto first = Seal("first", never);
  clock.Advance(kTicketKeyLife - 1s);
  const auto last = Seal("last", never);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + 16, last.begin())) << "one key for a whole day";
  clock.Advance(1s);
  const auto next = Seal("next", never);
  EXPECT_FALSE(std::equal(first.begin(), first.begin() + 16, next.begin()));
  clock.Advance(kSessionLife - 1s);
  EXPECT_EQ(Open(keys, last), "last");
  EXPECT_EQ(Open(keys, next), "next");
  clock.Advance(1s);
  EXPECT_EQ(Open(keys, last), "refused") << "two keys have come since";
  EXPECT_EQ(Open(keys, next), "next");
}

TEST_F(Tickets, OfADayInWhichNobodyCameArePastAllTheSame) {
  const auto ticket = Seal("session", never);
  clock.Advance(kTicketKeyLife + kSessionLife);
  EXPECT_EQ(Open(keys, ticket), "refused");
}

TEST_F(Tickets, ThatWereChangedAnywhereAreRefused) {
  const auto ticket = Seal("session", never);
  for (std::size_t at = 0; at < ticket.size(); ++at) {
    auto changed = ticket;
    changed[at] ^= 1;
    EXPECT_EQ(Open(keys, changed), "refused") << at;
  }
  for (std::size_t size = 0; size < ticket.size(); ++size) {
    EXPECT_EQ(Open(keys, {ticket.begin(), ticket.begin() + static_cast<std::ptrdiff_t>(size)}), "refused") << size;
  }
}

TEST_F(Tickets, ServeAllThreadsOfTheProcess) {
  std::vector<std::vector<std::uint8_t>> tickets(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 1000; ++n) tickets[i] = Seal(std::to_string(i), never);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    EXPECT_EQ(Open(keys, tickets[i]), std::to_string(i));
  }
}

}  // namespace
}  // namespace plait::tls
