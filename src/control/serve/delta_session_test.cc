#include "control/serve/delta_session.h"

#include <gtest/gtest.h>

#include "control/serve/delta_client.h"
#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types
using Client = DeltaClient;
using Names = DeltaClient::Names;

TEST(DeltaSession, AFirstRequestWithoutNamesIsAWildcard) {
  Client client;
  client.provider.Set(kListener, "virtualInbound", "1");
  client.provider.Set(kListener, "virtualOutbound", "1");
  const auto responses = client.Subscribe(kListener, {});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), (Names{"virtualInbound", "virtualOutbound"}));
  EXPECT_TRUE(client.Ack(responses[0]).empty());
  EXPECT_TRUE(client.session.status().at(std::string(kListener)).synced());
}

TEST(DeltaSession, WhatIsRefusedStaysSoUntilItIsAcknowledgedItself) {
  Client client;
  for (const char* name : {"a", "b"}) client.provider.Set(kCluster, name, "1");
  client.Settle(client.Subscribe(kCluster, {"*"}));
  const auto error = [&] { return client.session.error(std::string(kCluster)); };
  client.provider.Set(kCluster, "a", "2");
  const auto bad = client.Change();
  ASSERT_EQ(bad.size(), 1U);
  EXPECT_EQ(
      *client.session.OnRequest(
          {.type_url = std::string(kCluster), .response_nonce = bad[0].nonce, .error = "cluster a: no such file"}),
      Reply::kNack);
  EXPECT_EQ(error(), "cluster a: no such file");
  client.provider.Set(kCluster, "b", "2");
  client.Settle(client.Change());
  EXPECT_EQ(error(), "cluster a: no such file") << "of b alone nothing follows for a";
  client.provider.Set(kCluster, "a", "3");
  client.Settle(client.Change());
  EXPECT_EQ(error(), "");
}

// Refuses a response with a reason.
void Nack(Client& client, const xds::SharedDeltaResponse& response, std::string error) {
  EXPECT_EQ(*client.session.OnRequest(
                {.type_url = response.type_url, .response_nonce = response.nonce, .error = std::move(error)}),
            Reply::kNack);
}

TEST(DeltaSession, WhatWasRefusedAndIsRemovedInARefusedResponseIsRefusedNoMore) {
  Client client;
  const auto error = [&] { return client.session.error(std::string(kListener)); };
  client.provider.Set(kListener, "first", "1");
  const auto first = client.Subscribe(kListener, {});
  Nack(client, first.at(0), "listener first: no such field");
  client.provider.Remove(kListener, "first");
  client.provider.Set(kListener, "second", "1");
  client.provider.Set(kListener, "third", "1");
  const auto second = client.Change();
  ASSERT_EQ(second.at(0).removed, Names{"first"});
  Nack(client, second[0], "listener second: no such field");
  client.provider.Set(kListener, "third", "2");
  client.Settle(client.Change());
  EXPECT_EQ(error(), "listener second: no such field");
  client.provider.Set(kListener, "second", "2");
  client.Settle(client.Change());
  EXPECT_EQ(error(), "");
}

TEST(DeltaSession, ARefusalIsOfTheNamesThatItHasAsAWhole) {
  Client client;
  const auto error = [&] { return client.session.error(std::string(kListener)); };
  for (const char* name : {"0.0.0.0_44", "0.0.0.0_443", "0.0.0.0", "_443"}) client.provider.Set(kListener, name, "1");
  const auto all = client.Subscribe(kListener, {});
  Nack(client, all.at(0), "listener 0.0.0.0_443: no such field");
  client.provider.Set(kListener, "0.0.0.0_443", "2");
  client.Settle(client.Change());
  EXPECT_EQ(error(), "") << "the others are as they were";
}

TEST(DeltaSession, AWildcardOfNothingIsAnswered) {
  Client client;
  const auto responses = client.Subscribe(kCluster, {"*"});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_TRUE(responses[0].resources.empty());
  EXPECT_TRUE(client.Settle(responses).size() == 1U);
}

TEST(DeltaSession, AWildcardThatWasGivenUpIsAnsweredAgain) {
  Client client;
  for (const char* name : {"a", "b"}) client.provider.Set(kCluster, name, "1");
  client.Settle(client.Subscribe(kCluster, {"*", "b"}));
  EXPECT_TRUE(client.Send({.type_url = std::string(kCluster), .unsubscribe = {"*"}}).empty());
  EXPECT_EQ(client.session.Held(kCluster), (std::map<std::string, std::string>{{"b", "1"}}));
  const auto again = client.Subscribe(kCluster, {"*"});
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(NamesOf(again[0]), (Names{"a"})) << "b it has by its name";
  client.Settle(again);
  client.Send({.type_url = std::string(kCluster), .unsubscribe = {"*"}});
  client.provider.Remove(kCluster, "a");
  const auto nothing = client.Subscribe(kCluster, {"*"});
  ASSERT_EQ(nothing.size(), 1U);
  EXPECT_TRUE(nothing[0].resources.empty());
}

TEST(DeltaSession, NamesAloneAreNoWildcardAndEachIsAnswered) {
  Client client;
  client.provider.Set(kCluster, "a", "1");
  client.provider.Set(kCluster, "b", "1");
  const auto responses = client.Subscribe(kCluster, {"a", "nothing"});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"a"});
  EXPECT_EQ(responses[0].removed, Names{"nothing"});
}

TEST(DeltaSession, SendsOnlyWhatChanged) {
  Client client;
  client.provider.Set(kRoute, "80", "1");
  client.provider.Set(kRoute, "9080", "1");
  client.Settle(client.Subscribe(kRoute, {"80", "9080"}));
  client.provider.Set(kRoute, "9080", "2");
  const auto responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"9080"});
  EXPECT_TRUE(client.Change().empty());
}

TEST(DeltaSession, ANameThatComesToExistIsSentAndOneThatEndsIsRemoved) {
  Client client;
  client.Settle(client.Subscribe(kRoute, {"80"}));
  EXPECT_TRUE(client.Change().empty());  // told once that it does not exist
  client.provider.Set(kRoute, "80", "1");
  auto responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"80"});
  client.provider.Remove(kRoute, "80");
  responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].removed, Names{"80"});
}

TEST(DeltaSession, AReconnectingClientGetsOnlyTheDifference) {
  Client client;
  client.provider.Set(kAddress, "same", "1");
  client.provider.Set(kAddress, "other", "2");
  client.provider.Set(kAddress, "new", "1");
  const auto responses = client.Subscribe(kAddress, {"*"}, {{"same", "1"}, {"other", "1"}, {"gone", "1"}});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), (Names{"new", "other"}));
  EXPECT_EQ(responses[0].removed, Names{"gone"});
}

TEST(DeltaSession, AReconnectingClientOfNamesGetsOnlyTheDifference) {
  Client client;
  client.provider.Set(kCluster, "same", "1");
  const auto responses = client.Subscribe(kCluster, {"same", "gone"}, {{"same", "1"}, {"gone", "1"}});
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_TRUE(responses[0].resources.empty());
  EXPECT_EQ(responses[0].removed, Names{"gone"});
}

TEST(DeltaSession, ANameAskedForAgainIsSentAgain) {
  Client client;
  client.provider.Set(kAddress, "uid", "1", {"net/10.0.0.1", "net/fd00::1"});
  client.Settle(client.Subscribe(kAddress, {"net/10.0.0.1"}));
  client.Send({.type_url = std::string(kAddress), .unsubscribe = {"net/10.0.0.1"}});
  for (const std::string name : {"net/10.0.0.1", "net/fd00::1"}) {
    const auto responses = client.Settle(client.Subscribe(kAddress, {name}));
    ASSERT_EQ(responses.size(), 1U) << name;
    EXPECT_EQ(NamesOf(responses[0]), Names{"uid"});
  }
}

TEST(DeltaSession, AnAliasThatPassesToAnotherResourceRemovesTheFirst) {
  Client client;
  client.provider.Set(kAddress, "pod-a", "1", {"net/10.0.0.1"});
  client.Settle(client.Subscribe(kAddress, {"net/10.0.0.1"}));
  client.provider.Remove(kAddress, "pod-a");
  client.provider.Set(kAddress, "pod-b", "1", {"net/10.0.0.1"});
  const auto responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"pod-b"});
  EXPECT_EQ(responses[0].removed, Names{"pod-a"});
}

TEST(DeltaSession, ANameBesideTheWildcardThatDoesNotExistIsAnswered) {
  Client client;
  client.provider.Set(kAddress, "uid", "1", {"net/10.0.0.1"});
  client.Settle(client.Subscribe(kAddress, {"*"}));
  auto responses = client.Settle(client.Subscribe(kAddress, {"net/192.0.2.1"}));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(responses[0].removed, Names{"net/192.0.2.1"});
  client.provider.Set(kAddress, "late", "1", {"net/192.0.2.1"});
  responses = client.Settle(client.Change());
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"late"});
}

TEST(DeltaSession, ChangesWaitForTheAcknowledgementAndAreThenSentOnce) {
  Client client;
  client.provider.Set(kRoute, "80", "1");
  const auto first = client.Subscribe(kRoute, {"80"});
  client.provider.Set(kRoute, "80", "2");
  EXPECT_TRUE(client.Change().empty());
  client.provider.Set(kRoute, "80", "3");
  EXPECT_TRUE(client.Change().empty());
  const auto second = client.Ack(first.at(0));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].resources.at(0)->version, "3");
  EXPECT_TRUE(client.Ack(second[0]).empty());
}

TEST(DeltaSession, AnswersDoNotWaitForAnAcknowledgement) {
  Client client;
  client.provider.Set(kAddress, "a", "1");
  client.provider.Set(kAddress, "b", "1");
  EXPECT_EQ(client.Subscribe(kAddress, {"a"}).size(), 1U);
  EXPECT_EQ(client.Subscribe(kAddress, {"b"}).size(), 1U);
}

TEST(DeltaSession, TooManyUnacknowledgedAnswersWait) {
  Client client;
  std::vector<xds::SharedDeltaResponse> sent;
  for (std::size_t i = 0; i <= DeltaSession::kMaxUnacknowledged; ++i)
    for (auto& response : client.Subscribe(kAddress, {"name-" + std::to_string(i)})) sent.push_back(response);
  EXPECT_EQ(sent.size(), DeltaSession::kMaxUnacknowledged);
  EXPECT_EQ(client.Ack(sent[0]).size(), 1U);
}

TEST(DeltaSession, ARejectionIsKeptForPeopleAndNotSentAgain) {
  Client client;
  client.provider.Set(kRoute, "80", "bad");
  const auto responses = client.Subscribe(kRoute, {"80"});
  const auto reply = client.session.OnRequest(
      {.type_url = std::string(kRoute), .response_nonce = responses.at(0).nonce, .error = "route 80: no such field"});
  EXPECT_EQ(*reply, Reply::kNack);
  EXPECT_TRUE(client.Take().empty());
  EXPECT_TRUE(client.Change().empty());
  const SentStatus status = client.session.status().at(std::string(kRoute));
  EXPECT_EQ(status.last_error, "route 80: no such field");
  EXPECT_FALSE(status.synced());
  client.provider.Set(kRoute, "80", "good");
  client.Settle(client.Change());
  EXPECT_TRUE(client.session.status().at(std::string(kRoute)).synced());
}

// What a change touches, where the rest is known to be as it was.
Difference Only(std::set<std::string, std::less<>> hosts, Names addresses = {}, Names aliases = {}) {
  return {.index = false,
          .hosts = std::move(hosts),
          .all_addresses = false,
          .addresses = std::move(addresses),
          .address_aliases = std::move(aliases)};
}

TEST(DeltaSession, OnlyWhatAChangeTouchesIsCompared) {
  Client client;
  for (const char* name : {"outbound|80||a", "outbound|80||b"}) client.provider.Set(kEndpoint, name, "1");
  client.Settle(client.Subscribe(kEndpoint, {"outbound|80||a", "outbound|80||b"}));
  for (const char* name : {"outbound|80||a", "outbound|80||b"}) client.provider.Set(kEndpoint, name, "2");
  const auto responses = client.Settle(client.Change(Only({"a"})));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"outbound|80||a"});
  EXPECT_EQ(NamesOf(client.Settle(client.Change(Only({"b"}))).at(0)), Names{"outbound|80||b"});
}

TEST(DeltaSession, WhatWasTouchedWaitsForTheAcknowledgement) {
  Client client;
  client.provider.Set(kEndpoint, "outbound|80||a", "1");
  const auto first = client.Subscribe(kEndpoint, {"outbound|80||a"});
  client.provider.Set(kEndpoint, "outbound|80||a", "2");
  EXPECT_TRUE(client.Change(Only({"a"})).empty());
  EXPECT_TRUE(client.Change(Only({"b"})).empty());
  const auto second = client.Ack(first.at(0));
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second[0].resources.at(0)->version, "2");
}

TEST(DeltaSession, AWildcardOfTheIndexHearsOfTouchedAddressesOnly) {
  Client client;
  for (const char* name : {"pod-a", "pod-b", "pod-c"}) client.provider.Set(kAddress, name, "1");
  client.Settle(client.Subscribe(kAddress, {"*"}));
  for (const char* name : {"pod-a", "pod-b", "pod-d"}) client.provider.Set(kAddress, name, "2");
  client.provider.Remove(kAddress, "pod-c");
  const auto responses = client.Settle(client.Change(Only({}, {"pod-a", "pod-c", "pod-d"})));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), (Names{"pod-a", "pod-d"}));
  EXPECT_EQ(responses[0].removed, Names{"pod-c"});
  EXPECT_TRUE(client.Settle(client.Change(Only({}))).empty());
}

TEST(DeltaSession, ATouchedAliasThatPassesToAnotherResourceRemovesTheFirst) {
  Client client;
  client.provider.Set(kAddress, "pod-a", "1", {"net/10.0.0.1"});
  client.Settle(client.Subscribe(kAddress, {"net/10.0.0.1", "net/10.0.0.2"}));
  client.provider.Set(kAddress, "pod-a", "2", {"net/10.0.0.3"});
  client.provider.Set(kAddress, "pod-b", "1", {"net/10.0.0.1"});
  const auto responses = client.Settle(client.Change(Only({}, {"pod-a", "pod-b"}, {"net/10.0.0.1", "net/10.0.0.3"})));
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_EQ(NamesOf(responses[0]), Names{"pod-b"});
  EXPECT_EQ(responses[0].removed, Names{"pod-a"});
  client.provider.Remove(kAddress, "pod-b");
  const auto gone = client.Settle(client.Change(Only({}, {"pod-b"}, {"net/10.0.0.1"})));
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].removed, (Names{"net/10.0.0.1", "pod-b"}));
}

TEST(DeltaSession, ALargeAnswerIsCutIntoResponses) {
  Client client;
  for (int i = 0; i < 3; ++i)
    client.provider.Set(kAddress, std::to_string(i), "1", {}, std::string(DeltaSession::kResponseBytes, 'x'));
  const auto first = client.Subscribe(kAddress, {"*"});
  ASSERT_EQ(first.size(), DeltaSession::kMostInFlight);
  EXPECT_TRUE(client.Take().empty()) << "nothing was acknowledged";
  EXPECT_FALSE(client.session.status().at(std::string(kAddress)).synced());
  const auto last = client.Ack(first[0]);
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(NamesOf(last[0]), Names{"2"});
  client.Ack(first[1]);
  EXPECT_TRUE(client.session.has_unacknowledged());
  client.Ack(last[0]);
  EXPECT_FALSE(client.session.has_unacknowledged());
}

TEST(DeltaSession, AnAnswerOvertakesWhatWaitsAndIsNotUndoneByIt) {
  Client client;
  const std::string large(DeltaSession::kResponseBytes, 'x');
  for (const char* name : {"0", "1", "2", "3"}) client.provider.Set(kAddress, name, "1", {}, large);
  const auto first = client.Subscribe(kAddress, {"*"});
  client.provider.Set(kAddress, "2", "2", {"alias"}, large);
  const auto answer = client.Subscribe(kAddress, {"alias"});
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].resources.at(0)->version, "2");
  client.Ack(answer[0]);
  const auto rest = client.Settle(first);
  EXPECT_EQ(NamesOf(rest.back()), Names{"3"}) << "the older version of 2 stays where it was";
  EXPECT_FALSE(client.session.has_unacknowledged());
}

TEST(DeltaSession, RefusesTooManyNamesAndTypes) {
  DeltaSession session;
  xds::DeltaRequest request{.type_url = "t"};
  for (std::size_t i = 0; i < SessionLimits::kMaxNames; ++i) request.subscribe.push_back(std::to_string(i));
  EXPECT_TRUE(session.OnRequest(request));
  EXPECT_EQ(session.OnRequest({.type_url = "t", .subscribe = {"one more"}}).error().code, Errc::kLimit);
  DeltaSession reconnected;
  xds::DeltaRequest holds_much{.type_url = "t"};
  for (std::size_t i = 0; i <= SessionLimits::kMaxInitial; ++i) holds_much.initial_versions[std::to_string(i)] = "1";
  EXPECT_EQ(reconnected.OnRequest(holds_much).error().code, Errc::kLimit);
  const std::string long_name(SessionLimits::kMaxNameBytes + 1, 'n');
  EXPECT_EQ(DeltaSession().OnRequest({.type_url = "t", .subscribe = {long_name}}).error().code, Errc::kLimit);
  DeltaSession other;
  for (std::size_t i = 0; i < SessionLimits::kMaxTypes; ++i)
    EXPECT_TRUE(other.OnRequest({.type_url = std::to_string(i)}));
  EXPECT_FALSE(other.OnRequest({.type_url = "one more"}));
}

}  // namespace
}  // namespace plait::control::serve
