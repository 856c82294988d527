#include "core/xds/bootstrap.h"

#include <gtest/gtest.h>

#include "core/xds/decode.h"

namespace plait::xds {
namespace {

std::string Typed(std::string_view name, std::string_view type) {
  return "{name: \"" + std::string(name) + "\", typed_config: {\"@type\": \"type.googleapis.com/" + std::string(type) +
         "\"}}";
}

TEST(Bootstrap, KnowsTypesOfWhichItReadsNothing) {
  const std::string extensions = "envoy.extensions.";
  std::string filters;
  for (const char* name : {"original_dst.v3.OriginalDst", "tls_inspector.v3.TlsInspector",
                           "http_inspector.v3.HttpInspector", "proxy_protocol.v3.ProxyProtocol"}) {
    filters += "    - " + Typed(name, extensions + "filters.listener." + name) + "\n";
  }
  const std::string text =
      "static_resources:\n"
      "  listeners:\n"
      "  - name: main\n"
      "    address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n"
      "    listener_filters:\n" +
      filters +
      "    filter_chains:\n"
      "    - transport_socket: " +
      Typed("raw", extensions + "transport_sockets.raw_buffer.v3.RawBuffer") +
      "\n"
      "      filters: [" +
      Typed("echo", extensions + "filters.network.echo.v3.Echo") + "]\n";
  const auto bootstrap = ReadBootstrap(text, "test.yaml");
  ASSERT_TRUE(bootstrap.has_value()) << bootstrap.error().ToString();
  ASSERT_EQ(bootstrap->listeners.size(), 1U);
  const Listener& listener = *bootstrap->listeners[0].value;
  ASSERT_EQ(listener.listener_filters.size(), 4U);
  EXPECT_EQ(listener.listener_filters[1].kind, ListenerFilter::Kind::kTlsInspector);
  EXPECT_EQ(listener.listener_filters[2].kind, ListenerFilter::Kind::kHttpInspector);
  EXPECT_FALSE(listener.filter_chains[0].tls.has_value());
}

}  // namespace
}  // namespace plait::xds
