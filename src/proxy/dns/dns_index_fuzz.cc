// Names that applications ask for, against a small mesh. Checked: the mesh's names never leave it, what is not ours has
// no answer, and every answer can be written as a message and read again.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/dns/dns_index.h"
#include "proxy/dns/message.h"

namespace {
using namespace plait;
using proxy::dns::NameAnswer;

io::IpAddress Ip(const std::string& text) { return *io::IpAddress::Parse(text); }

void Put(proxy::cluster::DestinationIndex& index, const std::string& name, auto value) {
  index.Apply({.put = {{name, std::make_shared<const xds::Address>(xds::Address{std::move(value)})}},
               .removed = {},
               .absent = {},
               .forgotten = {}});
}

xds::Service NewService(const std::string& name, const std::string& name_space, const std::string& hostname) {
  xds::Service service;
  service.name = name;
  service.name_space = name_space;
  service.hostname = hostname;
  service.ports.resize(1);
  service.ports[0].port.service_port = 80;
  service.ports[0].name = "http";
  return service;
}

const proxy::cluster::DestinationIndex& Mesh() {
  static const proxy::cluster::DestinationIndex mesh = [] {
    proxy::cluster::DestinationIndex index;
    xds::Service reviews = NewService("reviews", "default", "reviews.default.svc.cluster.local");
    reviews.addresses = {{"", *io::Cidr::Parse("10.96.0.7")}, {"", *io::Cidr::Parse("fd00:10:96::7")}};
    Put(index, reviews.Key(), reviews);
    xds::Service web = NewService("web", "shop", "web.shop.svc.cluster.local");
    web.headless = true;
    Put(index, web.Key(), web);
    for (const char* ip : {"10.244.1.1", "10.244.1.2"}) {
      xds::Workload pod;
      pod.uid = ip;
      pod.name_space = "shop";
      pod.addresses = {Ip(ip)};
      if (pod.uid == "10.244.1.1") {  // the other one is called by its address
        pod.dns_hostname = "web-0";
        pod.dns_subdomain = "web";
      }
      pod.services[web.Key()] = {};
      Put(index, pod.uid, pod);
    }
    xds::Service outside = NewService("outside", "default", "outside.default.svc.cluster.local");
    outside.external_name = "api.example.com";
    Put(index, outside.Key(), outside);
    xds::Service wild = NewService("x", "default", "*.wild.example");
    wild.addresses = {{"", *io::Cidr::Parse("240.240.0.1")}};
    Put(index, wild.Key(), wild);
    return index;
  }();
  return mesh;
}

void CheckMessage(const proxy::dns::Query& query, const NameAnswer& answer) {
  proxy::dns::AnswerWriter writer(query, proxy::dns::Code::kOk, /*authoritative=*/true);
  for (const io::IpAddress& ip : answer.addresses) writer.AddAddress(query.name, ip, 30);
  for (const proxy::dns::ServiceTarget& target : answer.targets) {
    PLAIT_CHECK(target.port != 0 && !target.host.empty());
    writer.AddSrv(query.name, target.port, target.host, 30);
  }
  if (!answer.alias.empty()) writer.AddCname(query.name, answer.alias, 30);
  const std::vector<std::uint8_t> message = std::move(writer).Finish(65535);
  const auto found = proxy::dns::ParseAddresses(message);
  PLAIT_CHECK(found && found->addresses == answer.addresses);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // As the server gets it: through a message, which refuses what is no name.
  const auto query = proxy::dns::ParseQuery(proxy::dns::WriteQuery(7, text.substr(0, 300), 1));
  if (!query) return 0;
  const std::string& name = query->name;
  static const proxy::dns::MeshDnsIndex index(Mesh(), "cluster.local", "default");
  const NameAnswer answer = index.Find(name);
  const bool in_mesh = name == "cluster.local" || name.ends_with(".cluster.local");
  if (in_mesh) PLAIT_CHECK(answer.ours && !answer.entry);
  if (!answer.ours) PLAIT_CHECK(!answer.exists && !answer.entry);
  if (!answer.exists) PLAIT_CHECK(answer.addresses.empty() && answer.alias.empty() && answer.targets.empty());
  if (answer.entry) PLAIT_CHECK(name.ends_with(".wild.example"));
  CheckMessage(*query, answer);
  return 0;
}
