#include "core/xds/bootstrap.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

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

// A file of this test's own.
class BootstrapFile : public testing::Test {
 protected:
  BootstrapFile() { EXPECT_NE(mkdtemp(folder_.data()), nullptr); }
  ~BootstrapFile() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& text) {
    std::ofstream(folder_ + "/bootstrap.yaml") << text;
    return folder_ + "/bootstrap.yaml";
  }

 private:
  std::string folder_ = std::filesystem::temp_directory_path() / "bootstrap-XXXXXX";
};

constexpr const char* kBase =
    "node: {id: base, cluster: kept}\n"
    "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}\n"
    "static_resources: {clusters: [{name: a, load_assignment: {cluster_name: a}}]}\n";

TEST_F(BootstrapFile, IsMergedWithMoreAsEnvoyDoesIt) {
  const auto merged = ReadBootstrapFile(
      Write(kBase),
      "{node: {id: over}, admin: {address: {socket_address: {address: 127.0.0.2, port_value: 2}}}, static_resources: "
      "{clusters: [{name: b, load_assignment: {cluster_name: b}}]}}");
  ASSERT_TRUE(merged) << merged.error().ToString();
  EXPECT_EQ(merged->node.id, "over");
  EXPECT_EQ(merged->node.cluster, "kept");
  EXPECT_EQ(merged->admin.address->ToString(), "127.0.0.2:2");
  ASSERT_EQ(merged->clusters.size(), 2U) << "lists go on";
  EXPECT_EQ(merged->clusters[0].name, "a");
  EXPECT_EQ(merged->clusters[1].name, "b");
}

TEST_F(BootstrapFile, SaysWhichOfBothIsWrong) {
  const std::string path = Write(kBase);
  const auto wrong = ReadBootstrapFile(path, "node: {idd: x}");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().at.file, "--config-yaml");
  const auto twice =
      ReadBootstrapFile(path, "static_resources: {clusters: [{name: a, load_assignment: {cluster_name: a}}]}");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().at.file, path + " with --config-yaml");
  EXPECT_TRUE(twice.error().message.contains("\"a\" stands twice")) << twice.error().message;
}

}  // namespace
}  // namespace plait::xds
