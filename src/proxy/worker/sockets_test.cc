#include "proxy/worker/sockets.h"

#include <gtest/gtest.h>

#include <set>

namespace plait::proxy::worker {
namespace {

io::SocketAddress At(const char* text) { return *io::SocketAddress::Parse(text); }

io::InheritedFd Inherited(const std::string& name, const char* address = "127.0.0.1:0") {
  return {name, *io::ListenOn(At(address))};
}

xds::Listener Outbound() {
  xds::Listener listener;
  listener.name = "virtualOutbound";
  for (const char* address : {"0.0.0.0:15001", "[::]:15001"}) {
    xds::ListenerAddress& one = listener.addresses.emplace_back();
    one.address = At(address);
  }
  return listener;
}

TEST(Sockets, GiveAListenerTheSocketsOfAllDestinationsOfItsPort) {
  std::vector<io::InheritedFd> given;
  for (const char* name : {"15001", "15001@10.96.0.7@9080", "15001@10.96.0.8@80", "15006@127.0.16.2@9080", "15021"})
    given.push_back(Inherited(name));
  const io::SocketAddress reviews = io::LocalAddress(given[1].fd.get());
  const io::SocketAddress plain = io::LocalAddress(given[0].fd.get());
  std::set<int> wanted;
  for (int i = 0; i < 3; ++i) wanted.insert(given[static_cast<std::size_t>(i)].fd.get());
  Sockets sockets(std::move(given));

  for (int round = 0; round < 2; ++round) {  // a changed listener gets the same again
    const auto got = sockets.For(Outbound());
    ASSERT_TRUE(got);
    EXPECT_EQ(std::set<int>(got->begin(), got->end()), wanted);
    EXPECT_EQ(got->size(), wanted.size());
  }
  ASSERT_NE(sockets.DestinationOf(reviews), nullptr);
  EXPECT_EQ(sockets.DestinationOf(reviews)->ToString(), "10.96.0.7:9080");
  EXPECT_EQ(sockets.DestinationOf(plain), nullptr);
  EXPECT_TRUE(sockets.Take("15021"));
}

TEST(Sockets, KeepTheNamesOfWhatAListenerLetGo) {
  std::vector<io::InheritedFd> given;
  given.push_back(Inherited("15001@10.96.0.7@9080"));
  Sockets sockets(std::move(given));
  ASSERT_TRUE(sockets.For(Outbound()));
  sockets.Release(sockets.LetGo("virtualOutbound"));
  EXPECT_TRUE(sockets.Take("15001@10.96.0.7@9080"));
}

TEST(Sockets, SayWhereAListenerIsReachedAlsoIfOneSocketStandsForBothFamilies) {
  std::vector<io::InheritedFd> given;
  given.push_back(Inherited("15001"));
  Sockets sockets(std::move(given));
  ASSERT_TRUE(sockets.For(Outbound()));
  std::vector<std::string> shown;
  for (const io::SocketAddress& address : sockets.AddressesOf(Outbound())) shown.push_back(address.ToString());
  EXPECT_EQ(shown, (std::vector<std::string>{"0.0.0.0:15001", "[::]:15001"}));
}

TEST(Sockets, SayTheRealAddressesOfOneSocketForEachDestination) {
  std::vector<io::InheritedFd> given;
  given.push_back(Inherited("15001@10.96.0.7@9080"));
  const io::SocketAddress real = io::LocalAddress(given[0].fd.get());
  Sockets sockets(std::move(given));
  ASSERT_TRUE(sockets.For(Outbound()));
  EXPECT_EQ(sockets.AddressesOf(Outbound()), std::vector<io::SocketAddress>{real});
}

}  // namespace
}  // namespace plait::proxy::worker
