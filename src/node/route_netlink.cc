#include "node/route_netlink.h"

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

namespace plait::node {
namespace {

constexpr std::size_t kMaxMessage = 1024;  // the largest we make (veth) is below 300 bytes

std::uint8_t FamilyOf(const io::IpAddress& ip) { return ip.is_v4() ? AF_INET : AF_INET6; }

void PutIp(nlmsghdr* message, std::uint16_t type, const io::IpAddress& ip) {
  mnl_attr_put(message, type, ip.byte_count(), ip.bytes().data());
}

void PutName(nlmsghdr* message, std::uint16_t type, std::string_view name) {
  mnl_attr_put_strz(message, type, std::string(name).c_str());
}

}  // namespace

// One message under construction; handed to the batch when it goes out of scope.
struct RouteBatch::Message {
  Message(RouteBatch& owner, std::string description, std::uint16_t type, std::uint16_t flags)
      : batch(owner), what(std::move(description)), header(mnl_nlmsg_put_header(bytes)) {
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  }
  Message(const Message&) = delete;
  ~Message() {
    batch.messages_.emplace_back(bytes, bytes + header->nlmsg_len);
    batch.what_.push_back(std::move(what));
  }
  template <class T>
  T& Extra() {
    return *static_cast<T*>(mnl_nlmsg_put_extra_header(header, sizeof(T)));
  }
  // `type`: RTN_...; `scope`: RT_SCOPE_...
  void Route(const io::Cidr& to, unsigned char type, unsigned char scope) {
    auto& route = Extra<rtmsg>();
    route.rtm_family = FamilyOf(to.base);
    route.rtm_dst_len = to.length;
    route.rtm_table = RT_TABLE_MAIN;
    route.rtm_protocol = RTPROT_STATIC;
    route.rtm_scope = scope;
    route.rtm_type = type;
    if (to.length != 0) PutIp(header, RTA_DST, to.base);
  }

  RouteBatch& batch;
  std::string what;
  alignas(nlmsghdr) std::uint8_t bytes[kMaxMessage] = {};
  nlmsghdr* header;
};

RouteBatch& RouteBatch::AddVeth(const Veth& veth) {
  Message m(*this, "make the link " + veth.name, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  m.Extra<ifinfomsg>().ifi_family = AF_UNSPEC;
  PutName(m.header, IFLA_IFNAME, veth.name);
  mnl_attr_put(m.header, IFLA_ADDRESS, veth.mac.size(), veth.mac.data());
  if (veth.master != 0) mnl_attr_put_u32(m.header, IFLA_MASTER, static_cast<std::uint32_t>(veth.master));
  if (veth.mtu != 0) mnl_attr_put_u32(m.header, IFLA_MTU, veth.mtu);
  nlattr* info = mnl_attr_nest_start(m.header, IFLA_LINKINFO);
  PutName(m.header, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(m.header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(m.header, VETH_INFO_PEER);
  m.Extra<ifinfomsg>().ifi_family = AF_UNSPEC;
  PutName(m.header, IFLA_IFNAME, veth.peer_name);
  mnl_attr_put(m.header, IFLA_ADDRESS, veth.peer_mac.size(), veth.peer_mac.data());
  if (veth.mtu != 0) mnl_attr_put_u32(m.header, IFLA_MTU, veth.mtu);
  if (veth.peer_netns >= 0) mnl_attr_put_u32(m.header, IFLA_NET_NS_FD, static_cast<std::uint32_t>(veth.peer_netns));
  mnl_attr_nest_end(m.header, peer);
  mnl_attr_nest_end(m.header, data);
  mnl_attr_nest_end(m.header, info);
  return *this;
}

RouteBatch& RouteBatch::AddBridge(std::string_view name, const MacAddress& mac, std::uint32_t mtu) {
  Message m(*this, "make the bridge " + std::string(name), RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  m.Extra<ifinfomsg>().ifi_family = AF_UNSPEC;
  PutName(m.header, IFLA_IFNAME, name);
  mnl_attr_put(m.header, IFLA_ADDRESS, mac.size(), mac.data());
  if (mtu != 0) mnl_attr_put_u32(m.header, IFLA_MTU, mtu);
  nlattr* info = mnl_attr_nest_start(m.header, IFLA_LINKINFO);
  PutName(m.header, IFLA_INFO_KIND, "bridge");
  nlattr* data = mnl_attr_nest_start(m.header, IFLA_INFO_DATA);
  mnl_attr_put_u32(m.header, IFLA_BR_STP_STATE, 0);
  mnl_attr_put_u32(m.header, IFLA_BR_FORWARD_DELAY, 0);
  mnl_attr_put_u8(m.header, IFLA_BR_MCAST_SNOOPING, 0);
  mnl_attr_nest_end(m.header, data);
  mnl_attr_nest_end(m.header, info);
  return *this;
}

RouteBatch& RouteBatch::LinkUp(std::string_view name) {
  Message m(*this, "bring up " + std::string(name), RTM_NEWLINK, 0);
  auto& link = m.Extra<ifinfomsg>();
  link.ifi_change = IFF_UP;
  link.ifi_flags = IFF_UP;
  PutName(m.header, IFLA_IFNAME, name);
  return *this;
}

RouteBatch& RouteBatch::DeleteLink(std::string_view name) {
  Message m(*this, "remove the link " + std::string(name), RTM_DELLINK, 0);
  m.Extra<ifinfomsg>().ifi_family = AF_UNSPEC;
  PutName(m.header, IFLA_IFNAME, name);
  return *this;
}

RouteBatch& RouteBatch::AddAddress(int interface, const io::IpAddress& ip, std::uint8_t prefix_length) {
  Message m(*this, "add the address " + ip.ToString(), RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  auto& address = m.Extra<ifaddrmsg>();
  address.ifa_family = FamilyOf(ip);
  address.ifa_prefixlen = prefix_length;
  address.ifa_index = static_cast<std::uint32_t>(interface);
  address.ifa_flags = ip.is_v4() ? std::uint8_t{0} : std::uint8_t{IFA_F_NODAD};
  PutIp(m.header, IFA_LOCAL, ip);
  PutIp(m.header, IFA_ADDRESS, ip);
  return *this;
}

RouteBatch& RouteBatch::AddRoute(const io::Cidr& to, int interface, const io::IpAddress* via) {
  Message m(*this, "add the route to " + to.ToString(), RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  m.Route(to, RTN_UNICAST, via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  if (via) PutIp(m.header, RTA_GATEWAY, *via);
  mnl_attr_put_u32(m.header, RTA_OIF, static_cast<std::uint32_t>(interface));
  return *this;
}

RouteBatch& RouteBatch::AddUnreachable(const io::Cidr& to) {
  Message m(*this, "make " + to.ToString() + " unreachable", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  m.Route(to, RTN_UNREACHABLE, RT_SCOPE_UNIVERSE);
  return *this;
}

RouteBatch& RouteBatch::AddPermanentNeighbour(int interface, const io::IpAddress& ip, const MacAddress& mac) {
  Message m(*this, "add the neighbour " + ip.ToString(), RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  auto& neighbour = m.Extra<ndmsg>();
  neighbour.ndm_family = FamilyOf(ip);
  neighbour.ndm_ifindex = interface;
  neighbour.ndm_state = NUD_PERMANENT;
  PutIp(m.header, NDA_DST, ip);
  mnl_attr_put(m.header, NDA_LLADDR, mac.size(), mac.data());
  return *this;
}

RouteBatch& RouteBatch::DeleteNeighbour(int interface, const io::IpAddress& ip) {
  Message m(*this, "remove the neighbour " + ip.ToString(), RTM_DELNEIGH, 0);
  auto& neighbour = m.Extra<ndmsg>();
  neighbour.ndm_family = FamilyOf(ip);
  neighbour.ndm_ifindex = interface;
  PutIp(m.header, NDA_DST, ip);
  return *this;
}

Outcome<RouteSocket> RouteSocket::Open() {
  io::UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return Explain(Errc::kInternal, std::string("cannot open a netlink socket: ") + strerror(errno));
  return RouteSocket(std::move(fd));
}

Outcome<> RouteSocket::Apply(const RouteBatch& batch) {
  if (batch.messages_.empty()) return {};
  std::vector<std::uint8_t> all;
  const std::uint32_t first = sequence_ + 1;
  for (const auto& message : batch.messages_) {
    const std::size_t at = all.size();
    all.insert(all.end(), message.begin(), message.end());
    all.resize(at + MNL_ALIGN(message.size()));
    reinterpret_cast<nlmsghdr*>(all.data() + at)->nlmsg_seq = ++sequence_;
  }
  if (send(fd_.get(), all.data(), all.size(), 0) < 0)
    return Explain(Errc::kInternal, std::string("netlink: cannot send: ") + strerror(errno));

  Outcome<> result;
  alignas(nlmsghdr) std::uint8_t answer[16 * 1024];
  for (std::size_t left = batch.messages_.size(); left > 0;) {
    const ssize_t n = recv(fd_.get(), answer, sizeof answer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Explain(Errc::kInternal, std::string("netlink: no answer: ") + strerror(errno));
    int size = static_cast<int>(n);
    for (auto* m = reinterpret_cast<nlmsghdr*>(answer); mnl_nlmsg_ok(m, size); m = mnl_nlmsg_next(m, &size)) {
      const std::uint32_t index = m->nlmsg_seq - first;
      if (m->nlmsg_type != NLMSG_ERROR || index >= batch.messages_.size()) continue;
      --left;
      const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(m))->error;
      if (error != 0 && result)
        result = Explain(error == EPERM ? Errc::kDenied : Errc::kInternal,
                         "cannot " + batch.what_[index] + ": " + strerror(error));
    }
  }
  return result;
}

Outcome<int> RouteSocket::IndexOf(std::string_view name) {
  alignas(nlmsghdr) std::uint8_t bytes[16 * 1024] = {};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes);
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_REQUEST;
  request->nlmsg_seq = ++sequence_;
  static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)))->ifi_family = AF_UNSPEC;
  PutName(request, IFLA_IFNAME, name);
  if (send(fd_.get(), bytes, request->nlmsg_len, 0) < 0)
    return Explain(Errc::kInternal, std::string("netlink: cannot send: ") + strerror(errno));
  const ssize_t n = recv(fd_.get(), bytes, sizeof bytes, 0);
  const auto* answer = reinterpret_cast<const nlmsghdr*>(bytes);
  if (n < 0 || !mnl_nlmsg_ok(answer, static_cast<int>(n)) || answer->nlmsg_type != RTM_NEWLINK)
    return Explain(Errc::kNotFound, "there is no network interface " + std::string(name));
  return static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(answer))->ifi_index;
}

}  // namespace plait::node
