// What single command operators give, where more than one part of a record decides.
#include "proxy/record/operators.h"

#include <gtest/gtest.h>

#include "proxy/cluster/host.h"
#include "proxy/record/format.h"

namespace plait::proxy::record {
namespace {

io::SocketAddress At(const char* text) { return io::SocketAddress::Parse(text).value(); }

TEST(UpstreamRemoteAddress, IsTheOneThatAHostOfTwoWasCalledAt) {
  StreamRecord record;
  record.host = std::make_shared<cluster::Host>(
      cluster::Host::Facts{.address = At("[fd00::5]:9080"), .additional_addresses = {At("10.244.0.5:9081")}}, 1,
      xds::HealthStatus::kHealthy);
  const Format format = Format::Compile(
                            "%UPSTREAM_REMOTE_ADDRESS% %UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% "
                            "%UPSTREAM_REMOTE_PORT%")
                            .value();
  const auto text = [&](const char* local) {
    record.upstream_local = At(local);
    std::string out;
    format.Append(record, out);
    return out;
  };
  EXPECT_EQ(text("127.0.0.6:40000"), "10.244.0.5:9081 10.244.0.5 9081");
  EXPECT_EQ(text("[::6]:40000"), "[fd00::5]:9080 fd00::5 9080");
}

}  // namespace
}  // namespace plait::proxy::record
