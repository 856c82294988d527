#include "local/nameservers.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

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

TEST(Nameservers, AreGivenOverUdpAndDialledOverTcp) {
  const auto server = io::ListenOn(*io::SocketAddress::Parse("127.0.0.1:0"));
  ASSERT_TRUE(server.has_value());
  const io::SocketAddress at = io::LocalAddress(server->get());
  const Names nameservers = {"10.0.0.2", "[127.0.0.1]:" + std::to_string(at.port.value)};
  const auto sockets = ConnectToNameservers({nameservers.back()});
  ASSERT_EQ(sockets.size(), 1U);
  EXPECT_EQ(sockets[0].name, "resolver-udp-0");
  EXPECT_EQ(io::PeerAddress(sockets[0].fd.get()), at);
  const auto dialled = DialNameserver(nameservers, at);
  ASSERT_TRUE(dialled.has_value());
  EXPECT_EQ(io::PeerAddress(dialled->get()), at);
}

TEST(Nameservers, AreAllThatIsDialledAsOne) {
  for (const char* other : {"127.0.0.1:53", "127.0.0.1:5354", "127.0.0.2:5353", "[::1]:5353"}) {
    const auto dialled = DialNameserver({"[127.0.0.1]:5353"}, *io::SocketAddress::Parse(other));
    EXPECT_EQ(dialled.has_value() ? 0 : dialled.error(), EACCES) << other;
  }
}

TEST(Nameservers, OfAHostWithoutNetworkGiveNothing) {
  EXPECT_TRUE(ConnectToNameservers({"[::ffff:300.1.1.1]:53", "nonsense"}).empty());
}

}  // namespace
}  // namespace plait::local
