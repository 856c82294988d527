#include "proxy/dns/dns_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/io/socket.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/dns/forwarder.h"
#include "proxy/dns/message.h"
#include "proxy/dns/resolver.h"

namespace plait::proxy::dns {
namespace {

std::shared_ptr<const xds::Address> Make(auto value) {
  return std::make_shared<const xds::Address>(xds::Address{std::move(value)});
}
io::IpAddress Ip(const std::string& text) { return io::IpAddress::Parse(text).value(); }

xds::Service NewService(const std::string& name, const std::string& name_space) {
  return {.name = name, .name_space = name_space, .hostname = name + "." + name_space + ".svc.cluster.local"};
}

class Names : public testing::Test {
 protected:
  Names() {
    xds::Service reviews = NewService("reviews", "default");
    reviews.addresses = {{"", io::Cidr::Parse("10.96.0.7").value()}, {"", io::Cidr::Parse("fd00:10:96::7").value()}};
    reviews.ports = {{.port = {.service_port = 9080, .target_port = 9080}, .name = "http"}};
    Put(reviews);
    xds::Service web = NewService("web", "shop");
    web.headless = true;
    web.ports = {{.port = {.service_port = 80, .target_port = 8080}, .name = "http"}};
    Put(web);
    for (const int n : {0, 1}) {
      xds::Workload pod{.uid = "web-" + std::to_string(n),
                        .name_space = "shop",
                        .addresses = {Ip("10.244.1." + std::to_string(n + 1))}};
      pod.dns_hostname = "web-" + std::to_string(n);
      pod.dns_subdomain = "web";
      pod.services["shop/web.shop.svc.cluster.local"] = {};
      index_.Apply({.put = {{pod.uid, Make(pod)}}});
    }
    xds::Service alias = NewService("outside", "default");
    alias.external_name = "api.example.com";
    Put(alias);
    xds::Service second = NewService("second", "default");
    second.external_name = "outside.default.svc.cluster.local";
    Put(second);
    xds::Service renamed = NewService("renamed", "default");
    renamed.external_name = "again.default.svc.cluster.local";
    Put(renamed);
    xds::Service again = NewService("again", "default");
    again.external_name = "reviews.default.svc.cluster.local";
    Put(again);
    xds::Service circle = NewService("circle", "default");
    circle.external_name = circle.hostname;
    Put(circle);
    xds::Service entry{.name = "x",
                       .name_space = "default",
                       .hostname = "*.wild.example",
                       .addresses = {{"", io::Cidr::Parse("240.240.0.1").value()}}};
    Put(entry);
  }
  void Put(const xds::Service& service) { index_.Apply({.put = {{service.Key(), Make(service)}}}); }
  NameAnswer Find(std::string_view name) { return MeshDnsIndex(index_, "cluster.local", "default").Find(name); }
  cluster::DestinationIndex index_;
};

TEST_F(Names, FindsServicesPodsAndShortForms) {
  EXPECT_EQ(Find("reviews.default.svc.cluster.local").addresses.size(), 2U);
  EXPECT_EQ(Find("reviews").addresses.size(), 2U);
  EXPECT_EQ(Find("reviews.default").addresses.size(), 2U);
  EXPECT_EQ(Find("reviews.default.svc").addresses.size(), 2U);
  EXPECT_EQ(Find("web.shop").addresses.size(), 2U);
  EXPECT_EQ(Find("web-1.web.shop.svc.cluster.local").addresses, std::vector<io::IpAddress>{Ip("10.244.1.2")});
  EXPECT_EQ(Find("a.wild.example").addresses.size(), 1U);
}

TEST_F(Names, TellsWhatDoesNotExistFromWhatIsNotOurs) {
  EXPECT_TRUE(Find("nope.default.svc.cluster.local").ours);
  EXPECT_FALSE(Find("nope.default.svc.cluster.local").exists);
  EXPECT_FALSE(Find("web-9.web.shop.svc.cluster.local").exists);
  EXPECT_TRUE(Find("www.example.com.default.svc.cluster.local").ours) << "a search list never leaves the mesh";
  EXPECT_TRUE(Find("default.svc.cluster.local").exists);
  EXPECT_FALSE(Find("www.example.com").ours);
  EXPECT_FALSE(Find("nope").ours);
}

TEST_F(Names, AnswersSrvWithPortsAndPods) {
  const NameAnswer one = Find("_http._tcp.reviews.default.svc.cluster.local");
  ASSERT_EQ(one.targets.size(), 1U);
  EXPECT_EQ(one.targets[0].port, 9080);
  const NameAnswer pods = Find("_http._tcp.web.shop.svc.cluster.local");
  ASSERT_EQ(pods.targets.size(), 2U);
  EXPECT_EQ(pods.targets[0].port, 8080);
  EXPECT_EQ(pods.targets[1].host, "web-1.web.shop.svc.cluster.local");
  EXPECT_FALSE(Find("_grpc._tcp.reviews.default.svc.cluster.local").exists);
  EXPECT_FALSE(Find("_http._udp.reviews.default.svc.cluster.local").exists);
  EXPECT_TRUE(Find("_tcp.reviews.default.svc.cluster.local").exists) << "names lie below it";
}

TEST_F(Names, CallPodsWithoutHostnameByTheirAddress) {
  xds::Workload pod{.uid = "x", .name_space = "shop", .addresses = {Ip("10.244.1.9"), Ip("fd00::9")}};
  pod.services["shop/web.shop.svc.cluster.local"] = {{.service_port = 80, .target_port = 8081}};
  index_.Apply({.put = {{"x", Make(pod)}}});
  EXPECT_EQ(Find("10-244-1-9.web.shop.svc.cluster.local").addresses.size(), 2U);
  EXPECT_FALSE(Find("10-244-1-1.web.shop.svc.cluster.local").exists) << "web-0 has a name";
  const NameAnswer pods = Find("_http._tcp.web.shop.svc.cluster.local");
  ASSERT_EQ(pods.targets.size(), 3U);
  EXPECT_EQ(std::count_if(pods.targets.begin(), pods.targets.end(),
                          [](const ServiceTarget& target) {
                            return target.host == "10-244-1-9.web.shop.svc.cluster.local" && target.port == 8081;
                          }),
            1);
}

TEST_F(Names, LeavesUnreadyPodsOutUnlessTheyArePublished) {
  xds::Workload sick{.uid = "web-0", .name_space = "shop", .addresses = {Ip("10.244.1.1")}, .healthy = false};
  sick.services["shop/web.shop.svc.cluster.local"] = {};
  index_.Apply({.put = {{"web-0", Make(sick)}}});
  EXPECT_EQ(Find("web.shop.svc.cluster.local").addresses.size(), 1U);
}

class Server : public Names {
 protected:
  static io::UniqueFd BoundUdp() {
    io::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_storage to{};
    const socklen_t length = io::SocketAddress::Parse("127.0.0.1:0").value().ToNative(to);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&to), length), 0);
    return fd;
  }
  static io::UniqueFd ConnectedTo(const io::SocketAddress& address, int type) {
    io::UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_storage to{};
    const socklen_t length = address.ToNative(to);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&to), length), 0);
    EXPECT_EQ(fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
    return fd;
  }
  void Start() {
    DnsSockets sockets;
    sockets.udp.push_back(BoundUdp());
    at_ = io::LocalAddress(sockets.udp[0].get());
    sockets.tcp.push_back(io::ListenOn(io::SocketAddress::Parse("127.0.0.1:0").value()).value());
    tcp_at_ = io::LocalAddress(sockets.tcp[0].get());
    resolver_ = BoundUdp();
    std::vector<io::UniqueFd> resolvers;
    if (with_resolver_) resolvers.push_back(ConnectedTo(io::LocalAddress(resolver_.get()), SOCK_DGRAM));
    forwarder_ = std::make_unique<Forwarder>(loop_, std::move(resolvers), std::vector<Forwarder::Dial>());
    server_ =
        std::make_unique<DnsServer>(loop_, DnsServerOptions{}, names_, *forwarder_, registry_, std::move(sockets));
    client_ = ConnectedTo(at_, SOCK_DGRAM);
  }
  void Send(std::string_view name, std::uint16_t type) {
    const auto query = WriteQuery(77, name, type);
    ASSERT_GT(send(client_.get(), query.data(), query.size(), 0), 0);
  }
  // What arrived on a socket; empty after 5 s.
  std::vector<std::uint8_t> Receive(int fd, sockaddr_storage* from = nullptr) {
    std::vector<std::uint8_t> message(4096);
    ssize_t n = -1;
    loop_.RunUntil(
        [&] {
          socklen_t length = sizeof(sockaddr_storage);
          n = recvfrom(fd, message.data(), message.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(from),
                       from ? &length : nullptr);
          return n >= 0;
        },
        std::chrono::seconds(5));
    message.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return message;
  }
  bool with_resolver_ = true;
  io::Loop loop_;
  telemetry::Registry registry_;
  MeshDnsIndex names_{index_, "cluster.local", "default"};
  io::SocketAddress at_, tcp_at_;
  io::UniqueFd resolver_, client_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<DnsServer> server_;
};

TEST_F(Server, AnswersNamesOfTheMesh) {
  Start();
  Send("Reviews.default.svc.cluster.local", 1);
  const auto answer = Receive(client_.get());
  EXPECT_EQ(ParseResponseHead(answer)->id, 77);
  EXPECT_EQ(ParseAddresses(answer)->addresses, std::vector<io::IpAddress>{Ip("10.96.0.7")});
  EXPECT_EQ(ParseAddresses(answer)->ttl, 30U);
  Send("reviews.default.svc.cluster.local", 28);
  EXPECT_EQ(ParseAddresses(Receive(client_.get()))->addresses, std::vector<io::IpAddress>{Ip("fd00:10:96::7")});
}

TEST_F(Server, SaysNxdomainAndNodataApart) {
  Start();
  Send("nope.default.svc.cluster.local", 1);
  EXPECT_EQ(ParseResponseHead(Receive(client_.get()))->code, Code::kNoSuchName);
  Send("a.wild.example", 28);
  const auto nodata = Receive(client_.get());
  EXPECT_EQ(ParseResponseHead(nodata)->code, Code::kOk);
  EXPECT_TRUE(ParseAddresses(nodata)->addresses.empty());
}

TEST_F(Server, ForwardsOtherNamesAndIgnoresForgedAnswers) {
  Start();
  Send("www.example.com", 1);
  sockaddr_storage from{};
  const auto forwarded = Receive(resolver_.get(), &from);
  const auto query = ParseQuery(forwarded).value();
  EXPECT_EQ(query.name, "www.example.com");
  const auto answer_with = [&](Query q, const std::string& ip) {
    AnswerWriter writer(q, Code::kOk, false);
    writer.AddAddress(q.name, Ip(ip), 60);
    const auto bytes = std::move(writer).Finish(512);
    EXPECT_GT(
        sendto(resolver_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), sizeof(sockaddr_in)),
        0);
  };
  Query wrong_id = query;
  wrong_id.id = static_cast<std::uint16_t>(query.id + 1);
  answer_with(wrong_id, "6.6.6.6");
  const auto other = WriteQuery(query.id, "other.example.com", 1);
  answer_with(ParseQuery(other).value(), "6.6.6.6");
  answer_with(query, "93.184.216.34");
  const auto answer = Receive(client_.get());
  EXPECT_EQ(ParseResponseHead(answer)->id, 77);
  EXPECT_EQ(ParseAddresses(answer)->addresses, std::vector<io::IpAddress>{Ip("93.184.216.34")});
}

TEST_F(Server, FollowsExternalNamesInsideTheMesh) {
  Start();
  Send("renamed", 1);
  const auto answer = Receive(client_.get());
  EXPECT_EQ(ParseAddresses(answer)->addresses, std::vector<io::IpAddress>{Ip("10.96.0.7")});
  Send("circle", 1);
  EXPECT_EQ(ParseResponseHead(Receive(client_.get()))->code, Code::kServerFailure);
}

TEST_F(Server, FollowsExternalNamesOutOfTheMesh) {
  Start();
  Send("second", 1);
  sockaddr_storage from{};
  const auto query = ParseQuery(Receive(resolver_.get(), &from)).value();
  EXPECT_EQ(query.name, "api.example.com");
  AnswerWriter writer(query, Code::kOk, false);
  writer.AddAddress(query.name, Ip("1.2.3.4"), 60);
  const auto bytes = std::move(writer).Finish(512);
  ASSERT_GT(
      sendto(resolver_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), sizeof(sockaddr_in)),
      0);
  const auto answer = Receive(client_.get());
  EXPECT_EQ(ParseResponseHead(answer)->name, "second");
  EXPECT_EQ(ParseAddresses(answer)->addresses, std::vector<io::IpAddress>{Ip("1.2.3.4")});
}

TEST_F(Server, ResolvesNamesOfClustersInTheFamilyThatTheyAskFor) {
  Start();
  Resolver resolver(loop_, *forwarder_, &names_, {.hosts_file = "/nowhere"});
  std::string asked;
  const auto resolve = [&](const std::string& name, xds::DnsLookupFamily family) {
    std::optional<Result<cluster::NameResolver::Answer>> got;
    const Pending pending =
        resolver.Resolve(name, family, [&](Result<cluster::NameResolver::Answer> answer) { got = std::move(answer); });
    EXPECT_FALSE(got);
    sockaddr_storage from{};
    for (int i = 0; i < 2 && !got; ++i) {
      loop_.RunUntil(
          [&] {
            pollfd wait{resolver_.get(), POLLIN, 0};
            return got || poll(&wait, 1, 0) > 0;
          },
          std::chrono::seconds(5));
      if (got) break;
      const auto query = ParseQuery(Receive(resolver_.get(), &from)).value();
      asked = query.name;
      AnswerWriter writer(query, Code::kOk, false);
      if (query.type == 1) writer.AddAddress(query.name, Ip("1.2.3.4"), 60);
      const auto bytes = std::move(writer).Finish(512);
      EXPECT_GT(sendto(resolver_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from),
                       sizeof(sockaddr_in)),
                0);
    }
    loop_.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(5));
    return got->value_or(cluster::NameResolver::Answer{}).addresses;
  };
  using Family = xds::DnsLookupFamily;
  EXPECT_EQ(resolve("10.0.0.9", Family::kAuto), std::vector<io::IpAddress>{Ip("10.0.0.9")});
  EXPECT_EQ(resolve("localhost", Family::kV4Only), std::vector<io::IpAddress>{Ip("127.0.0.1")});
  EXPECT_EQ(resolve("reviews.default.svc.cluster.local", Family::kV6Only),
            std::vector<io::IpAddress>{Ip("fd00:10:96::7")});
  EXPECT_EQ(resolve("renamed.default.svc.cluster.local", Family::kV4Only), std::vector<io::IpAddress>{Ip("10.96.0.7")});
  EXPECT_EQ(resolve("second.default.svc.cluster.local", Family::kV4Only), std::vector<io::IpAddress>{Ip("1.2.3.4")});
  EXPECT_EQ(asked, "api.example.com") << "names of the mesh are never asked for outside";
  EXPECT_EQ(resolve("www.example.com", Family::kV4Only), std::vector<io::IpAddress>{Ip("1.2.3.4")});
  EXPECT_EQ(resolve("www.example.com", Family::kAuto), std::vector<io::IpAddress>{Ip("1.2.3.4")})
      << "no IPv6 address: IPv4";
  EXPECT_EQ(resolve("a.wild.example", Family::kV4Only), std::vector<io::IpAddress>{Ip("1.2.3.4")})
      << "not the address that stands for a ServiceEntry in the mesh";
}

TEST_F(Server, FindsNamesOfClustersInBothFilesOfHostsBeforeItAsks) {
  Start();
  const std::string folder = ::testing::TempDir();
  const std::string hosts = folder + "plait-hosts-" + std::to_string(getpid());
  const std::string more = hosts + ".more";
  std::ofstream(hosts) << "10.0.0.1 one\n# 10.0.0.9 two\n";
  std::ofstream(more) << "169.254.7.1\tanother two\n";
  Resolver resolver(loop_, *forwarder_, &names_, {.hosts_file = hosts, .more_hosts = more});
  const auto resolve = [&](const std::string& name) {
    std::optional<Result<cluster::NameResolver::Answer>> got;
    const Pending pending =
        resolver.Resolve(name, xds::DnsLookupFamily::kAll,
                         [&](Result<cluster::NameResolver::Answer> answer) { got = std::move(answer); });
    loop_.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(5));
    return got->value_or(cluster::NameResolver::Answer{}).addresses;
  };
  EXPECT_EQ(resolve("one"), std::vector<io::IpAddress>{Ip("10.0.0.1")});
  EXPECT_EQ(resolve("Two."), std::vector<io::IpAddress>{Ip("169.254.7.1")});
  std::remove(hosts.c_str());
  std::remove(more.c_str());
}

TEST_F(Server, TellsAFailingResolverFromANameWithoutAddress) {
  Start();
  Resolver resolver(loop_, *forwarder_, &names_, {.hosts_file = "/nowhere"});
  const auto resolve = [&](Code code) {
    std::optional<Result<cluster::NameResolver::Answer>> got;
    const Pending pending = resolver.Resolve("www.example.com", xds::DnsLookupFamily::kV4Only,
                                             [&](Result<cluster::NameResolver::Answer> a) { got = std::move(a); });
    sockaddr_storage from{};
    loop_.RunUntil(
        [&] {
          pollfd wait{resolver_.get(), POLLIN, 0};
          return poll(&wait, 1, 0) > 0;
        },
        std::chrono::seconds(5));
    const auto query = ParseQuery(Receive(resolver_.get(), &from)).value();
    AnswerWriter writer(query, code, false);
    if (code == Code::kOk) writer.AddAddress(query.name, Ip("1.2.3.4"), 17);
    const auto bytes = std::move(writer).Finish(512);
    EXPECT_GT(
        sendto(resolver_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), sizeof(sockaddr_in)),
        0);
    loop_.RunUntil([&] { return got.has_value(); }, std::chrono::seconds(5));
    return got.value_or(Fail(Errc::kTimedOut, "no answer in the test"));
  };
  const auto good = resolve(Code::kOk);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->ttl, std::chrono::seconds(17));
  const auto none = resolve(Code::kNoSuchName);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->addresses.empty());
  EXPECT_FALSE(resolve(Code::kServerFailure));
}

TEST_F(Server, FailsOtherNamesWithoutAResolver) {
  with_resolver_ = false;
  Start();
  Send("www.example.com", 1);
  EXPECT_EQ(ParseResponseHead(Receive(client_.get()))->code, Code::kServerFailure);
}

TEST_F(Server, AnswersOverTcpWhatDoesNotFitIntoADatagram) {
  xds::Service big = NewService("big", "default");
  big.headless = true;
  Put(big);
  for (std::uint32_t i = 0; i < 200; ++i) {
    xds::Workload pod{.uid = "big-" + std::to_string(i), .addresses = {io::IpAddress::V4(0x0AF40000U + i)}};
    pod.services["default/big.default.svc.cluster.local"] = {};
    index_.Apply({.put = {{pod.uid, Make(pod)}}});
  }
  Start();
  Send("big.default.svc.cluster.local", 1);
  EXPECT_TRUE(ParseResponseHead(Receive(client_.get()))->truncated);

  const io::UniqueFd tcp = ConnectedTo(tcp_at_, SOCK_STREAM);
  const auto query = WriteQuery(5, "big.default.svc.cluster.local", 1);
  std::vector<std::uint8_t> framed = {0, static_cast<std::uint8_t>(query.size())};
  framed.insert(framed.end(), query.begin(), query.end());
  ASSERT_EQ(send(tcp.get(), framed.data(), framed.size(), 0), static_cast<ssize_t>(framed.size()));
  std::vector<std::uint8_t> got;
  loop_.RunUntil(
      [&] {
        std::array<std::uint8_t, 4096> piece;
        const ssize_t n = recv(tcp.get(), piece.data(), piece.size(), MSG_DONTWAIT);
        if (n > 0) got.insert(got.end(), piece.begin(), piece.begin() + n);
        return got.size() > 2 && got.size() >= 2U + (static_cast<std::size_t>(got[0] << 8) | got[1]);
      },
      std::chrono::seconds(5));
  ASSERT_GT(got.size(), 2U);
  EXPECT_EQ(ParseAddresses(Bytes(got).subspan(2))->addresses.size(), 200U);
}

}  // namespace
}  // namespace plait::proxy::dns
