#include "proxy/dns/forwarder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/passed_socket.h"
#include "core/io/socket.h"
#include "proxy/dns/message.h"
#include "proxy/dns/tcp_client.h"

namespace plait::proxy::dns {
namespace {

constexpr Duration kSoon = Forwarder::kTry / 2;  // before anything is asked a second time

// Two resolvers: over TCP at the other end of what the forwarder dials, over UDP (if at all) at a pair of sockets.
class ForwarderTest : public testing::Test {
 protected:
  struct Resolver {
    bool refuses = false;
    bool answers = true;
    std::string address;  // that it knows for every name
    int dialled = 0;
    std::vector<std::unique_ptr<TcpMessages>> connections;  // null: ended
    void HangUp() { connections.clear(); }
  };

  void Start(bool udp = false) {
    std::vector<io::UniqueFd> sockets;
    if (udp) {
      int ends[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
      sockets.emplace_back(ends[0]);
      udp_.Reset(ends[1]);
    }
    std::vector<Forwarder::Dial> dials;
    for (Resolver* resolver : {&first_, &second_}) dials.emplace_back([this, resolver] { return Dial(*resolver); });
    forwarder_ = std::make_unique<Forwarder>(loop_, std::move(sockets), std::move(dials));
  }
  std::unique_ptr<io::Stream> Dial(Resolver& resolver) {
    ++resolver.dialled;
    if (resolver.refuses) return io::FailedStream(loop_, ECONNREFUSED);
    auto [ours, theirs] = io::StreamPair(loop_);
    const std::size_t place = resolver.connections.size();
    resolver.connections.push_back(std::make_unique<TcpMessages>(
        loop_, std::move(theirs), Duration::zero(),
        [&resolver, place](Bytes message) {
          if (resolver.answers) resolver.connections[place]->Send(AnswerTo(message, {resolver.address}));
        },
        [] {}));
    return std::move(ours);
  }
  static std::vector<std::uint8_t> AnswerTo(Bytes message, const std::vector<std::string>& addresses,
                                            std::size_t most = 65535) {
    const Query query = ParseQuery(message).value();
    AnswerWriter writer(query, Code::kOk, false);
    for (const std::string& address : addresses) writer.AddAddress(query.name, *io::IpAddress::Parse(address), 60);
    return std::move(writer).Finish(most);
  }
  // Asks over TCP; the answer is what `Answer` gives.
  void Ask() {
    constexpr std::uint16_t kA = 1;
    answer_.reset();
    asked_ = forwarder_->Ask(
        WriteQuery(0, "www.example.com", kA), "www.example.com", kA, /*tcp=*/true, [this](Result<Bytes> message) {
          const auto found =
              message ? ParseAddresses(*message) : Result<FoundAddresses>(std::unexpected(message.error()));
          answer_ = !found ? "failed" : found->addresses.empty() ? "nothing" : found->addresses.front().ToString();
        });
  }
  std::string Answer() {
    loop_.RunUntil([&] { return answer_.has_value(); }, kSoon);
    return answer_.value_or("no answer");
  }
  // What the forwarder asks over UDP.
  std::vector<std::uint8_t> AskedOverUdp() {
    std::vector<std::uint8_t> message(512);
    ssize_t n = -1;
    loop_.RunUntil([&] { return (n = recv(udp_.get(), message.data(), message.size(), MSG_DONTWAIT)) >= 0; }, kSoon);
    message.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return message;
  }
  void SendOverUdp(const std::vector<std::uint8_t>& message) {
    EXPECT_EQ(send(udp_.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
  }

  io::Loop loop_;
  Resolver first_{.address = "10.0.0.1", .connections = {}};
  Resolver second_{.address = "10.0.0.2", .connections = {}};
  io::UniqueFd udp_;
  std::unique_ptr<Forwarder> forwarder_;
  std::optional<std::string> answer_;
  Pending asked_;
};

TEST_F(ForwarderTest, ConnectsWhenAQuestionNeedsItAndStaysConnected) {
  Start();
  EXPECT_EQ(first_.dialled, 0);
  for (int i = 0; i < 3; ++i) {
    Ask();
    EXPECT_EQ(Answer(), "10.0.0.1");
  }
  EXPECT_EQ(first_.dialled, 1);
  EXPECT_EQ(second_.dialled, 0);
}

TEST_F(ForwarderTest, ConnectsAgainAfterAResolverHungUp) {
  Start();
  for (int i = 0; i < 3; ++i) {
    Ask();
    EXPECT_EQ(Answer(), "10.0.0.1");
    first_.HangUp();
    loop_.RunOnce(Duration::zero());
  }
  EXPECT_EQ(first_.dialled, 3);
}

TEST_F(ForwarderTest, AsksAgainWhatAConnectionTookWithIt) {
  Start();
  first_.answers = false;
  Ask();
  ASSERT_TRUE(loop_.RunUntil([&] { return !first_.connections.empty(); }, kSoon));
  first_.HangUp();
  EXPECT_EQ(Answer(), "10.0.0.2");
}

TEST_F(ForwarderTest, AsksTheNextResolverWhereOneCannotBeReached) {
  Start();
  first_.refuses = true;
  Ask();
  EXPECT_EQ(Answer(), "10.0.0.2");
}

TEST_F(ForwarderTest, GivesUpAtOnceWhereNobodyCanBeReached) {
  Start();
  first_.refuses = second_.refuses = true;
  Ask();
  EXPECT_EQ(Answer(), "failed");
  EXPECT_LE(first_.dialled + second_.dialled, 3);
  first_.refuses = false;
  Ask();
  EXPECT_EQ(Answer(), "10.0.0.1");
}

TEST_F(ForwarderTest, TakesWholeAnswersOverUdpWhereThereIsNoTcp) {
  Start(/*udp=*/true);
  first_.refuses = second_.refuses = true;
  Ask();
  SendOverUdp(AnswerTo(AskedOverUdp(), {"10.0.0.3"}));
  EXPECT_EQ(Answer(), "10.0.0.3");
  Ask();
  SendOverUdp(AnswerTo(AskedOverUdp(), std::vector<std::string>(100, "10.0.0.3"), /*most=*/512));
  EXPECT_EQ(Answer(), "failed") << "over TCP there is no answer that is cut short";
}

TEST_F(ForwarderTest, TellsNothingOfAQuestionThatWasDropped) {
  Start();
  first_.answers = false;
  Ask();
  ASSERT_TRUE(loop_.RunUntil([&] { return !first_.connections.empty(); }, kSoon));
  asked_.Cancel();
  first_.HangUp();
  loop_.RunOnce(Duration::zero());
  loop_.RunOnce(Duration::zero());
  EXPECT_EQ(second_.dialled, 0);
  EXPECT_FALSE(answer_);
}

}  // namespace
}  // namespace plait::proxy::dns
