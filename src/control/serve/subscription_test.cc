#include "control/serve/subscription.h"

#include <gtest/gtest.h>

namespace plait::control::serve {
namespace {

class FakeProvider final : public ResourceProvider {
 public:
  std::vector<xds::WireResource> All(const Proxy&, std::string_view) override {
    std::vector<xds::WireResource> out;
    for (const auto& [name, version] : resources) out.push_back({.name = name, .version = version, .aliases = {}, .bytes = "b"});
    return out;
  }
  std::optional<xds::WireResource> Find(const Proxy&, std::string_view, std::string_view name) override {
    const auto alias = aliases.find(std::string(name));
    const auto at = resources.find(alias == aliases.end() ? std::string(name) : alias->second);
    if (at == resources.end()) return std::nullopt;
    return xds::WireResource{.name = at->first, .version = at->second, .aliases = {}, .bytes = "b"};
  }
  bool Serves(std::string_view) const override { return true; }
  std::map<std::string, std::string> resources{{"a", "1"}, {"b", "1"}};
  std::map<std::string, std::string> aliases;
};

class SubscriptionTest : public ::testing::Test {
 protected:
  std::vector<std::string> Names(const std::optional<xds::DeltaResponse>& response) {
    std::vector<std::string> out;
    if (response)
      for (const auto& r : response->resources) out.push_back(r.name);
    return out;
  }
  void Acknowledge(std::optional<std::string> error = {}) {
    xds::DeltaRequest ack;
    ack.response_nonce = nonce;
    ack.error = std::move(error);
    subscription.Apply(ack);
  }
  std::optional<xds::DeltaResponse> Next() {
    auto out = subscription.Next(proxy, provider);
    if (out) nonce = out->nonce;
    return out;
  }
  void Ask(std::vector<std::string> subscribe, std::vector<std::string> unsubscribe = {}, std::map<std::string, std::string> versions = {}) {
    xds::DeltaRequest request;
    request.subscribe = std::move(subscribe);
    request.unsubscribe = std::move(unsubscribe);
    request.initial_versions = std::move(versions);
    subscription.Apply(request);
  }
  Proxy proxy;
  FakeProvider provider;
  Subscription subscription{"t"};
  std::string nonce;
};

TEST_F(SubscriptionTest, SaysNothingBeforeItIsAsked) { EXPECT_FALSE(Next()); }

TEST_F(SubscriptionTest, AnEmptyFirstRequestIsAWildcardNamesAreNot) {
  Ask({});
  EXPECT_EQ(Names(Next()), (std::vector<std::string>{"a", "b"}));
  Subscription named("t");
  xds::DeltaRequest request;
  request.subscribe = {"a"};
  named.Apply(request);
  EXPECT_EQ(Names(named.Next(proxy, provider)), std::vector<std::string>{"a"});
}

TEST_F(SubscriptionTest, SendsOnlyWhatChangedAndOnlyAfterTheAnswer) {
  Ask({"*"});
  Next();
  provider.resources["b"] = "2";
  EXPECT_FALSE(Next());
  provider.resources["c"] = "1";
  Acknowledge();
  EXPECT_EQ(Names(Next()), (std::vector<std::string>{"b", "c"}));
  Acknowledge();
  EXPECT_FALSE(Next());
}

TEST_F(SubscriptionTest, TellsWhatIsGoneAndWhatWasNeverThereOnce) {
  Ask({"a", "nobody"});
  auto first = Next();
  EXPECT_EQ(first->removed, std::vector<std::string>{"nobody"});
  Acknowledge();
  EXPECT_FALSE(Next());
  provider.resources.erase("a");
  EXPECT_EQ(Next()->removed, std::vector<std::string>{"a"});
  Acknowledge();
  EXPECT_FALSE(Next());
  provider.resources["nobody"] = "1";
  EXPECT_EQ(Names(Next()), std::vector<std::string>{"nobody"});
}

TEST_F(SubscriptionTest, AReconnectingClientGetsOnlyTheDifference) {
  provider.resources["b"] = "2";
  Ask({"*"}, {}, {{"a", "1"}, {"b", "1"}, {"old", "1"}});
  const auto response = Next();
  EXPECT_EQ(Names(response), std::vector<std::string>{"b"});
  EXPECT_EQ(response->removed, std::vector<std::string>{"old"});
}

TEST_F(SubscriptionTest, AnswersAFirstRequestAlsoWithNothing) {
  provider.resources.clear();
  Ask({"*"});
  EXPECT_TRUE(Next());
  Acknowledge();
  EXPECT_FALSE(Next());
}

TEST_F(SubscriptionTest, DoesNotRepeatARejectedVersion) {
  Ask({"a"});
  Next();
  Acknowledge("a: bad");
  EXPECT_EQ(subscription.last_error(), "a: bad");
  EXPECT_FALSE(Next());
  provider.resources["a"] = "2";
  EXPECT_EQ(Names(Next()), std::vector<std::string>{"a"});
  Acknowledge();
  EXPECT_EQ(subscription.last_error(), "");
  EXPECT_EQ(subscription.rejections(), 1u);
}

TEST_F(SubscriptionTest, AnswersAKeyWithTheResourceThatCarriesIt) {
  provider.aliases["10.0.0.1"] = "a";
  Ask({"10.0.0.1"});
  EXPECT_EQ(Names(Next()), std::vector<std::string>{"a"});
  Acknowledge();
  EXPECT_FALSE(Next());
  provider.aliases.clear();
  EXPECT_EQ(Next()->removed, (std::vector<std::string>{"10.0.0.1", "a"}));  // the key has no answer now, the resource is gone
}

TEST_F(SubscriptionTest, ALateOrForgedNonceAcknowledgesNothing) {
  Ask({"a"});
  Next();
  nonce = "99";
  Acknowledge();
  EXPECT_TRUE(subscription.awaiting_answer());
}

TEST_F(SubscriptionTest, AskingAgainIsAnsweredAgain) {
  Ask({"a"});
  Next();
  Acknowledge();
  Ask({}, {"a"});
  EXPECT_FALSE(Next());
  Ask({"a"});
  EXPECT_EQ(Names(Next()), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace plait::control::serve
