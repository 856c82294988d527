#include "proxy/listen/compiled_listener.h"

#include <gtest/gtest.h>

#include "proxy/record/log_writer.h"

namespace plait::proxy::listen {
namespace {

class CompiledListeners : public testing::Test {
 protected:
  Outcome<ListenerPtr> Compile(xds::ListenerFilter filter) {
    auto config = std::make_shared<xds::Listener>();
    config->name = "l";
    config->listener_filters = {std::move(filter)};
    config->filter_chains.emplace_back().filters.push_back({"tcp", xds::TcpProxy{.clusters = {{.name = "c"}}}});
    return CompileListener(std::move(config), {registry_, logs_});
  }
  telemetry::Registry registry_;
  record::LogWriter logs_;
};

TEST_F(CompiledListeners, LeavesAnInspectorOutOnPortsWhereItIsDisabled) {
  const auto listener = Compile({.kind = xds::ListenerFilter::Kind::kTlsInspector, .disabled_ports = {{3306, 3307}}});
  ASSERT_TRUE(listener.has_value());
  EXPECT_TRUE((*listener)->InspectsTls(3305));
  EXPECT_FALSE((*listener)->InspectsTls(3306));
  EXPECT_TRUE((*listener)->InspectsTls(3307));
  EXPECT_FALSE((*listener)->InspectsHttp(80));
}

TEST_F(CompiledListeners, RefusesFiltersThatWouldChangeTheSourceOrTheBytes) {
  for (const auto kind : {xds::ListenerFilter::Kind::kProxyProtocol, xds::ListenerFilter::Kind::kOriginalSrc}) {
    const auto listener = Compile({.name = "f", .kind = kind});
    ASSERT_FALSE(listener.has_value());
    EXPECT_NE(listener.error().message.find("'f' is not implemented"), std::string::npos);
  }
}

}  // namespace
}  // namespace plait::proxy::listen
