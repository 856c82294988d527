// Many proxies as plaitd sees them: each an incremental ADS stream over TLS with a token of its own, subscribed as a
// sidecar is. Prints a line for each response that a stream has acknowledged:
//   <monotonic nanoseconds> <stream> <type> <resources> <removed>
//
// usage: bench-ads-fleet PORT ROOTS.pem < PROXIES       a line a proxy: NODE-ID SERVICE-ACCOUNT TOKEN CLUSTER...
// Ends at SIGTERM.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "core/io/socket.h"
#include "core/tls/stream.h"
#include "core/xds/ads_stream.h"
#include "core/xds/type_url.h"

namespace {

using namespace plait;  // NOLINT: a program of its own
namespace url = xds::type_url;
constexpr const char* kServer = "plaitd.plait-system.svc";
constexpr Duration kPatience = std::chrono::minutes(5);  // all of them connect at once

struct Target {
  io::SocketAddress address;
  std::shared_ptr<const tls::Context> context;
};

std::string_view ShortName(std::string_view type_url) { return type_url.substr(type_url.rfind('.') + 1); }

// One proxy. Says what it was given once the acknowledgement is on its way.
class Proxy final : private xds::Subscriber {
 public:
  Proxy(io::Loop& loop, const Target& target, std::size_t index, const std::string& line) : loop_(loop), index_(index) {
    std::istringstream words(line);
    std::string account, cluster;
    xds::Node node;
    words >> node.id >> account >> token_;
    node.metadata_json = R"({"NAMESPACE":"default","SERVICE_ACCOUNT":")" + account + R"(","LABELS":{"app":")" + account + R"("}})";
    node.user_agent_name = "plait-proxy";
    client_ = std::make_unique<xds::DeltaClient>(node, static_cast<xds::Subscriber&>(*this));
    client_->SubscribeAll(url::kListener);
    client_->SubscribeAll(url::kAddress);
    client_->Subscribe(url::kRoute, "80");
    client_->Subscribe(url::kSecret, "ROOTCA");
    while (words >> cluster) {
      client_->Subscribe(url::kCluster, cluster);
      client_->Subscribe(url::kEndpoint, cluster);
    }
    stream_ = std::make_unique<xds::AdsStream>(loop, *client_, [this, &target]() -> Outcome<xds::AdsStream::Connection> {
      return xds::AdsStream::Connection{
          .stream = tls::Wrap(loop_, io::Connect(loop_, target.address), target.context, {.sni = kServer, .handshake_timeout = kPatience}),
          .options = {.authority = "plaitd", .tls = true, .authorization = "Bearer " + token_}};
    });
    stream_->Start();
  }

 private:
  std::vector<xds::Rejection> OnUpdate(const xds::Update& update) override {
    // In a later round the acknowledgement has been written.
    loop_.Defer([index = index_, type = std::string(ShortName(update.type_url)), added = update.added.size(),
                 removed = update.removed.size()] {
      std::printf("%lld %zu %s %zu %zu\n",
                  static_cast<long long>(std::chrono::steady_clock::now().time_since_epoch().count()), index, type.c_str(), added,
                  removed);
      std::fflush(stdout);
    });
    return {};
  }

  io::Loop& loop_;
  std::size_t index_;
  std::string token_;
  std::unique_ptr<xds::DeltaClient> client_;
  std::unique_ptr<xds::AdsStream> stream_;
};

Outcome<Target> TargetOf(const char* port_text, const char* roots) {
  std::ifstream file(roots, std::ios::binary);
  if (!file) return Explain(Errc::kNotFound, std::string("cannot read ") + roots);
  tls::ContextOptions options;
  options.bundle_pem.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  options.peer.sans = {{.type = tls::SanMatcher::Type::kDns, .value = kServer}};
  options.alpn = {"h2"};
  auto context = tls::Context::Make(options);
  if (!context) return std::unexpected(context.error());
  const auto address = io::SocketAddress::Parse("127.0.0.1:" + std::string(port_text));
  if (!address) return Explain(Errc::kInvalidInput, std::string("not a port: ") + port_text);
  return Target{*address, std::move(*context)};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench-ads-fleet PORT ROOTS.pem < PROXIES\n");
    return 2;
  }
  const auto target = TargetOf(argv[1], argv[2]);
  if (!target) {
    std::fprintf(stderr, "bench-ads-fleet: %s\n", target.error().ToString().c_str());
    return 1;
  }
  io::Loop loop;
  std::vector<std::unique_ptr<Proxy>> proxies;
  for (std::string line; std::getline(std::cin, line) && !line.empty();)
    proxies.push_back(std::make_unique<Proxy>(loop, *target, proxies.size(), line));
  loop.Run();
  return 0;
}
