#include "proxy/cluster/connection_limit.h"

#include <gtest/gtest.h>

namespace plait::proxy::cluster {
namespace {

using Permit = ConnectionShare::Permit;

// A pool of one worker as far as the limit knows it: what it was granted and asked.
struct FakePool {
  explicit FakePool(ConnectionLimit& limit, std::string place = "a", bool exclusive = true)
      : share(limit, loop,
              {.place = std::move(place),
               .exclusive = exclusive,
               .on_granted = [this](Permit permit) { granted.push_back(permit); },
               .on_asked = [this] { ++asked; }}) {}
  // A connection that comes by itself; false: it must wait.
  bool Connect() {
    std::optional<Permit> permit = share.Take();
    if (!permit && held.empty()) permit = share.TakeBeyond();
    if (permit) held.push_back(*permit);
    return permit.has_value();
  }
  void Close(bool for_other = false) {
    held.back().for_other = for_other;
    share.Return(held.back());
    held.pop_back();
  }
  bool Run() {
    loop.RunOnce(Duration(0));
    const bool any = !granted.empty();
    for (; !granted.empty(); granted.pop_back()) held.push_back(granted.back());
    return any;
  }

  io::Loop loop;
  std::vector<Permit> held, granted;
  int asked = 0;
  ConnectionShare share;
};

TEST(ConnectionLimit, LetsASecondPoolWaitForTheOnlyConnectionOfAPlace) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool first(limit), second(limit);
  ASSERT_TRUE(first.Connect());
  EXPECT_FALSE(second.Connect());
  second.share.Want(/*without_any=*/true);
  EXPECT_FALSE(second.Run());
  first.Close();
  EXPECT_TRUE(second.Run());
  EXPECT_EQ(limit.used(), 1u);
}

TEST(ConnectionLimit, GoesBeyondForThePlaceThatHasNoConnection) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool first(limit, "a"), second(limit, "b"), third(limit, "b");
  ASSERT_TRUE(first.Connect());
  EXPECT_TRUE(second.Connect()) << "else its requests would be stuck";
  EXPECT_EQ(limit.used(), 2u);
  EXPECT_FALSE(third.Connect()) << "one for the process, not for each worker";
  third.share.Want(true);
  second.Close();
  EXPECT_TRUE(third.Run()) << "although the limit is reached still";
  EXPECT_EQ(limit.used(), 2u);
}

TEST(ConnectionLimit, GivesEachWorkerOneOfThoseThatCarryManyRequests) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool first(limit, "a", /*exclusive=*/false), second(limit, "a", false);
  EXPECT_TRUE(first.Connect());
  EXPECT_TRUE(second.Connect()) << "the streams of the other one are no use to this worker";
}

TEST(ConnectionLimit, WakesWhoWaitsWhenAConnectionTurnsOutToCarryMany) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool first(limit), second(limit);
  ASSERT_TRUE(first.Connect());
  ASSERT_FALSE(second.Connect());
  second.share.Want(true);
  first.share.LeavePlace(first.held.back());
  EXPECT_TRUE(second.Run());
}

TEST(ConnectionLimit, ServesThoseWithoutAConnectionFirstAndEachInTurn) {
  ConnectionLimit limit;
  limit.SetMost(2);
  FakePool rich(limit), poor(limit), poorer(limit);
  ASSERT_TRUE(rich.Connect());
  ASSERT_TRUE(rich.Connect());
  rich.share.Want(false);
  poor.share.Want(true);
  poorer.share.Want(true);
  rich.Close();
  EXPECT_FALSE(rich.Run());
  EXPECT_FALSE(poorer.Run());
  EXPECT_TRUE(poor.Run());
  rich.Close();
  EXPECT_FALSE(rich.Run());
  EXPECT_TRUE(poorer.Run());
  poor.Close();
  EXPECT_TRUE(rich.Run());
}

TEST(ConnectionLimit, AsksWhereAConnectionIdlesAndClosesNoMoreThanAreWanted) {
  ConnectionLimit limit;
  limit.SetMost(3);
  FakePool first(limit), second(limit), waiting(limit), busy(limit, "b");
  ASSERT_TRUE(first.Connect());
  ASSERT_TRUE(second.Connect());
  ASSERT_TRUE(busy.Connect());
  first.share.NoteIdle(true);
  second.share.NoteIdle(true);
  waiting.share.Want(true);
  for (FakePool* pool : {&first, &second, &busy}) pool->Run();
  EXPECT_EQ(first.asked, 1);
  EXPECT_EQ(second.asked, 1);
  EXPECT_EQ(busy.asked, 0);
  EXPECT_TRUE(first.share.Claim());
  EXPECT_FALSE(second.share.Claim()) << "one is wanted, and one closes";
  EXPECT_FALSE(waiting.share.Claim()) << "nobody gives to itself";
  first.Close(/*for_other=*/true);
  EXPECT_TRUE(waiting.Run());
}

TEST(ConnectionLimit, AboveTheLimitAPlaceGivesUpWhatIdlesUntilWhoWaitsThereIsServed) {
  ConnectionLimit limit;
  limit.SetMost(2);
  FakePool first(limit, "a"), second(limit, "a"), other(limit, "b"), waiting(limit, "a");
  for (FakePool* pool : {&first, &second, &other}) {
    ASSERT_TRUE(pool->Connect());
    pool->share.NoteIdle(true);
  }
  ASSERT_EQ(limit.used(), 3u);
  waiting.share.Want(true);
  EXPECT_FALSE(other.share.Claim()) << "its place is no help, and needs its connection itself";
  ASSERT_TRUE(first.share.Claim());
  first.Close(/*for_other=*/true);
  EXPECT_FALSE(waiting.Run());
  ASSERT_TRUE(second.share.Claim());
  second.Close(/*for_other=*/true);
  EXPECT_TRUE(waiting.Run());
}

TEST(ConnectionLimit, AsksAgainWhenWhatWasGivenUpWentToAnother) {
  ConnectionLimit limit;
  limit.SetMost(2);
  FakePool first(limit, "a"), second(limit, "b"), patient(limit, "b"), quick(limit, "a");
  ASSERT_TRUE(first.Connect());
  ASSERT_TRUE(second.Connect());
  patient.share.Want(false);
  first.share.NoteIdle(true);
  ASSERT_TRUE(first.share.Claim());
  quick.share.Want(true);
  second.share.NoteIdle(true);
  second.Run();
  const int before = second.asked;
  first.Close(/*for_other=*/true);
  EXPECT_TRUE(quick.Run()) << "it has none";
  EXPECT_FALSE(patient.Run());
  second.Run();
  EXPECT_EQ(second.asked, before + 1);
}

TEST(ConnectionLimit, CountsConnectionsOfWhoDoesNotWaitInNoPlace) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool pool(limit), more(limit);
  ASSERT_TRUE(limit.Take());
  EXPECT_FALSE(limit.Take());
  ASSERT_TRUE(pool.Connect()) << "a relayed connection serves no request";
  EXPECT_EQ(limit.used(), 2u);
  more.share.Want(true);
  limit.Return();
  EXPECT_FALSE(more.Run()) << "that one was beyond the limit";
  pool.Close();
  EXPECT_TRUE(more.Run());
  EXPECT_EQ(limit.used(), 1u);
}

TEST(ConnectionLimit, ForgetsThePoolThatEndsAndPassesItsGrantOn) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool first(limit), last(limit);
  auto ending = std::make_unique<FakePool>(limit);
  auto gone = std::make_unique<FakePool>(limit);
  ASSERT_TRUE(first.Connect());
  gone->share.Want(true);
  ending->share.Want(true);
  last.share.Want(true);
  gone.reset();
  first.Close();
  EXPECT_EQ(limit.used(), 1u) << "granted, and on its way";
  ending.reset();
  EXPECT_TRUE(last.Run());
  EXPECT_EQ(limit.used(), 1u);
}

TEST(ConnectionLimit, ServesThoseWhoWaitWhenTheLimitRises) {
  ConnectionLimit limit;
  limit.SetMost(1);
  FakePool first(limit), second(limit);
  ASSERT_TRUE(first.Connect());
  second.share.Want(true);
  limit.SetMost(2);
  EXPECT_TRUE(second.Run());
  second.share.Want(false);
  second.share.Unwant();
  first.Close();
  EXPECT_FALSE(second.Run()) << "it wants none any more";
  EXPECT_FALSE(limit.waited_for());
}

}  // namespace
}  // namespace plait::proxy::cluster
