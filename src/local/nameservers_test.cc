#include "local/nameservers.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "core/io/socket.h"

namespace plait::local {
namespace {

using Names = std::vector<std::string>;

TEST(Nameservers, AreReadAsTheCLibraryReadsThem) {
  EXPECT_EQ(ReadNameservers("# comment\nsearch a.b\nnameserver 10.0.0.2\nnameserver\tfd00::53 # two\n"),
            (Names{"10.0.0.2", "fd00::53"}));
  EXPECT_EQ(ReadNameservers("nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n"),
            (Names{"1.1.1.1", "2.2.2.2", "3.3.3.3"}));
  EXPECT_EQ(ReadNameservers("nameserver [127.0.0.1]:5353\nnameserver dns.example\nnameservers 9.9.9.9\n"),
            (Names{"[127.0.0.1]:5353"}));
  EXPECT_EQ(ReadNameservers(""), (Names{"127.0.0.1"}));
}

TEST(Nameservers, ThatAreNoneAreLeftOut) {
  using namespace std::string_literals;
  EXPECT_EQ(ReadNameservers("nameserver [127.0.0.1]:65535\nnameserver [127.0.0.1]:99999\nnameserver [127.0.0.1]:\n"
                            "nameserver [127.0.0.1]x\nnameserver [127.0.0.1\nnameserver [127.0.0.1]:0\n"),
            (Names{"[127.0.0.1]:65535"}));
  EXPECT_EQ(ReadNameservers("nameserver 10.0.0.1\0x\nnameserver [::1]:53\0x\nnameserver [::1]\n"s), (Names{"[::1]"}));
}

TEST(Nameservers, GiveAUdpAndATcpSocketThatAreConnected) {
  const auto server = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  ASSERT_TRUE(server.has_value());
  const std::string port = std::to_string(io::LocalAddress(server->get()).port.value);
  const auto sockets = ConnectToNameservers({"[127.0.0.1]:" + port});
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0].name, "resolver-udp-0");
  EXPECT_EQ(sockets[1].name, "resolver-tcp-0");
  for (const auto& socket : sockets) EXPECT_EQ(io::PeerAddress(socket.fd.get()).ToString(), "127.0.0.1:" + port);
}

TEST(Nameservers, OfAHostWithoutNetworkGiveNothing) {
  EXPECT_TRUE(ConnectToNameservers({"[::ffff:300.1.1.1]:53", "nonsense"}).empty());
}

}  // namespace
}  // namespace plait::local
