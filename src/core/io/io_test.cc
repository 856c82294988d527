#include <gtest/gtest.h>
#include <sys/socket.h>

#include <random>
#include <thread>

#include "core/io/socket.h"
#include "testing/manual_clock.h"

namespace plait::io {
namespace {
using namespace std::chrono_literals;

class Recorder final : public StreamEvents {
 public:
  explicit Recorder(Stream& stream) : stream_(stream) { stream.SetEvents(this); }
  void OnOpen() override { open = true; }
  void OnReadable() override {
    for (;;) {
      const auto n = stream_.Read(received, 100'000);
      if (!n && n.error().code == Errc::kPeerClosed) ended = true;
      if (!n) read_error = n.error();
      if (!n || *n == 0) return;
    }
  }
  void OnWritable() override { ++writable; }
  void OnFailed(Error e) override {
    error = e;
    ++failures;
  }
  bool open = false, ended = false;
  int writable = 0, failures = 0;
  Buffer received;
  std::optional<Error> error, read_error;

 private:
  Stream& stream_;
};

TEST(IpAddress, MappedAddressesEqualTheirIpv4Form) {
  EXPECT_EQ(*IpAddress::Parse("::ffff:10.0.0.1"), *IpAddress::Parse("10.0.0.1"));
  EXPECT_NE(*IpAddress::Parse("::1"), *IpAddress::Parse("127.0.0.1"));
  for (const char* bad : {"", "10.0.0", "10.0.0.256", "fe80::1%eth0", "::g", "[::1]"})
    EXPECT_FALSE(IpAddress::Parse(bad)) << bad;
}

TEST(SocketAddress, PrintsWhatItParses) {
  for (const char* text : {"10.0.0.1:80", "[fd00::1]:15006", "0.0.0.0:0"})
    EXPECT_EQ(SocketAddress::Parse(text)->ToString(), text);
  for (const char* bad : {"10.0.0.1", "fd00::1:80", ":80", "1.2.3.4:65536", "unix:"})
    EXPECT_FALSE(SocketAddress::Parse(bad)) << bad;
}

TEST(Cidr, ContainsComparesOnlyThePrefixAndOnlyTheSameFamily) {
  const Cidr ten = *Cidr::Parse("10.240.0.0/12");
  EXPECT_TRUE(ten.Contains(*IpAddress::Parse("10.255.1.2")));
  EXPECT_FALSE(ten.Contains(*IpAddress::Parse("10.239.0.0")));
  EXPECT_FALSE(Cidr::Parse("::/0")->Contains(*IpAddress::Parse("10.0.0.1")));
  EXPECT_TRUE(Cidr::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("10.0.0.1")));
  EXPECT_FALSE(Cidr::Parse("10.0.0.0/33"));
}

TEST(TimerWheel, FiresNeverEarlyAndInOrderOverAllLevels) {
  const MonotonicTime start{};
  TimerWheel wheel(start);
  std::mt19937 random(7);
  struct Entry {
    Duration due;
    Timer timer;
  };
  std::vector<std::unique_ptr<Entry>> entries;
  MonotonicTime now = start;
  int fired = 0;
  for (int i = 0; i < 2000; ++i) {
    auto entry = std::make_unique<Entry>();
    entry->due = std::chrono::milliseconds(random() % (i % 2 != 0 ? 300U : 20'000'000U));
    Entry* e = entry.get();
    e->timer.SetCallback([&fired, &now, e, start] {
      ++fired;
      EXPECT_GE(now - start, e->due);
    });
    e->timer.Start(wheel, e->due);
    entries.push_back(std::move(entry));
  }
  while (wheel.armed_count() > 0) {
    const Duration step = wheel.UntilNext(now);
    ASSERT_NE(step, Duration::max());
    now += std::max<Duration>(step, 1ms);
    wheel.Advance(now);
  }
  EXPECT_EQ(fired, 2000);
}

TEST(TimerWheel, IsVisitedOnlyWhereItHoldsTimers) {
  TimerWheel wheel(MonotonicTime{});
  MonotonicTime now{};
  bool fired = false;
  Timer in_an_hour([&] { fired = true; });
  in_an_hour.Start(wheel, std::chrono::hours(1));
  Timer cancelled([] { FAIL() << "was cancelled"; });
  cancelled.Start(wheel, 70ms);
  cancelled.Cancel();
  int visits = 0;
  for (; !fired; ++visits) {
    now += wheel.UntilNext(now);
    wheel.Advance(now);
    ASSERT_LT(visits, 5);  // one for each level
  }
  EXPECT_EQ(now - MonotonicTime{}, std::chrono::hours(1));
  EXPECT_EQ(wheel.UntilNext(now), Duration::max());
}

TEST(TimerWheel, LeavesWhatIsStartedWithoutDelayToTheNextRound) {
  TimerWheel wheel(MonotonicTime{});
  int fired = 0;
  Timer again;
  again.SetCallback([&] {
    ++fired;
    again.Start(wheel, Duration(0));
  });
  again.Start(wheel, Duration(0));
  for (int round = 1; round <= 3; ++round) {
    wheel.Advance(MonotonicTime{} + round * 100ms);
    EXPECT_EQ(fired, round);
  }
}

TEST(TimerWheel, KeepsATimerThatIsNeverDue) {
  TimerWheel wheel(MonotonicTime{});
  Timer never([] { FAIL() << "is not over"; });
  wheel.Advance(MonotonicTime{} + std::chrono::hours(1));
  never.Start(wheel, Duration::max());
  wheel.Advance(MonotonicTime{} + std::chrono::hours(1) + std::chrono::minutes(1));
  EXPECT_TRUE(never.armed());
}

TEST(TimerWheel, CallbacksMayCancelRestartAndDestroyTimers) {
  TimerWheel wheel(MonotonicTime{});
  int restarted = 0;
  auto other = std::make_unique<Timer>([] { FAIL() << "was cancelled"; });
  auto self = std::make_unique<Timer>();
  Timer again;
  again.SetCallback([&] {
    if (++restarted < 3) again.Start(wheel, 1ms);
  });
  self->SetCallback([&] {
    other.reset();
    self.reset();
  });
  self->Start(wheel, 5ms);
  other->Start(wheel, 5ms);
  again.Start(wheel, 1ms);
  for (int i = 1; i <= 20; ++i) wheel.Advance(MonotonicTime{} + i * 5ms);
  EXPECT_EQ(wheel.armed_count(), 0u);
  EXPECT_EQ(self, nullptr);
  EXPECT_EQ(restarted, 3);
}

TEST(Loop, RunsPostedCallsOfOtherThreadsInOrder) {
  Loop loop;
  std::vector<int> seen;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop.Post([&seen, i] { seen.push_back(i); });
  });
  EXPECT_TRUE(loop.RunUntil([&] { return seen.size() == 100; }, 5s));
  other.join();
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

// A loop that has slept for long before the event that starts the timer.
TEST(Loop, TimersCountFromTheRoundInWhichTheyAreStarted) {
  ManualClock clock;
  Loop loop(clock);
  bool fired = false;
  Pending timer;
  loop.RunOnce(Duration(0));
  clock.Advance(1s);
  loop.Post([&] { timer = loop.After(500ms, [&] { fired = true; }); });
  loop.RunOnce(Duration(0));
  clock.Advance(499ms);
  loop.RunOnce(Duration(0));
  EXPECT_FALSE(fired);
  clock.Advance(1ms);
  loop.RunOnce(Duration(0));
  EXPECT_TRUE(fired);
}

TEST(Loop, DroppingAPendingCancelsIt) {
  Loop loop;
  bool fired = false;
  bool end = false;
  Pending dropped = loop.After(1ms, [&] { fired = true; });
  const Pending kept = loop.After(5ms, [&] { end = true; });
  dropped.Cancel();
  EXPECT_TRUE(loop.RunUntil([&] { return end; }, 5s));
  EXPECT_FALSE(fired);
}

struct Connected {
  Loop loop;
  UniqueFd listening = *ListenOn(*SocketAddress::Parse("127.0.0.1:0"));
  std::unique_ptr<Stream> client, server;
  std::unique_ptr<Recorder> at_client, at_server;
  Listener listener{loop, listening.get(), false, [this](UniqueFd fd) {
                      server = AdoptSocket(loop, std::move(fd));
                      at_server = std::make_unique<Recorder>(*server);
                    }};
  Connected() {
    client = Connect(loop, LocalAddress(listening.get()));
    at_client = std::make_unique<Recorder>(*client);
    EXPECT_TRUE(loop.RunUntil([&] { return at_client->open && at_server && at_server->open; }, 5s));
  }
};

TEST(SocketStream, CarriesMoreThanTheSocketHoldsInBothDirections) {
  Connected c;
  const std::string big(20'000'000, 'x');
  Buffer up(big);
  Buffer down(big);
  ASSERT_TRUE(c.client->Write(up));
  ASSERT_FALSE(up.empty());
  const auto pump = [&] {
    EXPECT_TRUE(c.client->Write(up));
    EXPECT_TRUE(c.server->Write(down));
    return c.at_client->received.size() == big.size() && c.at_server->received.size() == big.size();
  };
  EXPECT_TRUE(c.loop.RunUntil(pump, 10s));
  EXPECT_GT(c.at_client->writable, 0);
  EXPECT_EQ(c.client->remote(), LocalAddress(c.listening.get()));
}

TEST(SocketStream, TellsTheOrderlyEndAndStillWrites) {
  Connected c;
  Buffer last("last words");
  ASSERT_TRUE(c.client->Write(last));
  c.client->ShutdownWrite();
  EXPECT_TRUE(c.loop.RunUntil([&] { return c.at_server->ended; }, 5s));
  EXPECT_EQ(c.at_server->received.ToString(), "last words");
  Buffer answer("answer");
  ASSERT_TRUE(c.server->Write(answer));
  EXPECT_TRUE(c.loop.RunUntil([&] { return c.at_client->received.size() == 6; }, 5s));
}

TEST(SocketStream, TellsAResetAsSuch) {
  Connected c;
  c.client->Close(/*reset=*/true);
  EXPECT_TRUE(c.loop.RunUntil([&] { return c.at_server->read_error.has_value(); }, 5s));
  EXPECT_EQ(c.at_server->read_error->code, Errc::kPeerReset);
}

TEST(Connect, TellsARefusalInALaterRound) {
  Loop loop;
  SocketAddress closed;
  {
    const UniqueFd gone = *ListenOn(*SocketAddress::Parse("127.0.0.1:0"));
    closed = LocalAddress(gone.get());
  }
  const auto stream = Connect(loop, closed);
  Recorder events(*stream);
  EXPECT_FALSE(events.error);
  EXPECT_TRUE(loop.RunUntil([&] { return events.error.has_value(); }, 5s));
  EXPECT_EQ(events.error->code, Errc::kUnavailable);
}

TEST(Connect, FailsOnceAlsoWhereItsTimeWouldBeOverLater) {
  SocketAddress closed;
  {
    const UniqueFd gone = *ListenOn(*SocketAddress::Parse("127.0.0.1:0"));
    closed = LocalAddress(gone.get());
  }
  ManualClock clock(ManualClock::Start::kRunning);
  Loop loop(clock);
  const auto stream = Connect(loop, closed, {.timeout = 1h});
  const Recorder events(*stream);
  EXPECT_TRUE(loop.RunUntil([&] { return events.failures > 0; }, 5s));
  clock.Advance(2h);
  for (int round = 0; round < 3; ++round) loop.RunOnce(Duration(0));
  EXPECT_EQ(events.failures, 1);
}

TEST(Listener, LeavesConnectionsInTheBacklogWhilePaused) {
  Connected c;
  c.listener.Pause();
  c.server.reset();
  const auto second = Connect(c.loop, LocalAddress(c.listening.get()));
  Recorder events(*second);
  EXPECT_TRUE(c.loop.RunUntil([&] { return events.open; }, 5s));
  EXPECT_EQ(c.server, nullptr);
  c.listener.Resume();
  EXPECT_TRUE(c.loop.RunUntil([&] { return c.server != nullptr; }, 5s));
}

TEST(ListenOn, SaysWhoIsInTheWayAndWhatToDo) {
  const UniqueFd first = *ListenOn(*SocketAddress::Parse("127.0.0.1:0"));
  const auto second = ListenOn(LocalAddress(first.get()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  EXPECT_NE(second.error().ToString().find("another process listens there"), std::string::npos);
}

TEST(OriginalDestination, IsNotFoundForAConnectionThatWasNotRedirected) {
  Connected c;
  const auto destination = OriginalDestination(c.server->fd());
  if (destination) {
    EXPECT_EQ(*destination, c.server->local());
  }
}

TEST(Descriptors, TravelOverAUnixSocket) {
  std::array<int, 2> pair{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()), 0);
  UniqueFd a(pair[0]);
  const UniqueFd b(pair[1]);
  const UniqueFd listening = *ListenOn(*SocketAddress::Parse("127.0.0.1:0"));
  ASSERT_TRUE(SendFds(a.get(), "15006", {listening.get()}));
  const auto got = ReceiveFds(b.get());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->message, "15006");
  ASSERT_EQ(got->fds.size(), 1u);
  EXPECT_EQ(LocalAddress(got->fds[0].get()), LocalAddress(listening.get()));
  a.Reset();
  EXPECT_EQ(ReceiveFds(b.get()).error().code, Errc::kPeerClosed);
}

}  // namespace
}  // namespace plait::io
