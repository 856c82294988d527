#include "cli/gateways.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

// A listener of port 80 with these virtual hosts, as a gateway dumps it.
Json Dump(const std::string& virtual_hosts, const std::string& chain = "{}") {
  Json dump = Json::parse(R"({"configs":[
{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump","dynamic_listeners":[{"name":"l","active_state":{"listener":
 {"name":"l","address":{"socket_address":{"address":"0.0.0.0","port_value":80}},"filter_chains":[]}}}]},
{"@type":"type.googleapis.com/envoy.admin.v3.RoutesConfigDump","dynamic_route_configs":[{"route_config":{"name":"http.80"}}]}]})");
  Json one = Json::parse(chain);
  one["filters"] = Json::parse(R"([{"typed_config":{"rds":{"route_config_name":"http.80"}}}])");
  dump["configs"][0]["dynamic_listeners"][0]["active_state"]["listener"]["filter_chains"].push_back(one);
  dump["configs"][1]["dynamic_route_configs"][0]["route_config"]["virtual_hosts"] = Json::parse(virtual_hosts);
  return dump;
}

std::vector<std::string> Ways(const Json& dump, std::uint16_t port = 80) {
  std::vector<std::string> out;
  for (const WayIn& way : WaysIn({{.workload = "gw", .dump = Data(dump)}}, {{Port{port}, Port{8080}}})) {
    EXPECT_EQ(way.port, Port{port});
    out.push_back(way.command);
  }
  return out;
}
using Commands = std::vector<std::string>;

TEST(WaysIn, AreTheFirstPathOfEachHost) {
  const Json dump = Dump(R"([
{"domains":["*"],"routes":[{"match":{"path":"/productpage"},"route":{"cluster":"c"}},{"match":{"prefix":"/static"},"route":{"cluster":"c"}}]},
{"domains":["shop.example","shop.example:80"],"routes":[{"match":{"prefix":"/api"},"route":{"cluster":"c"}}]},
{"domains":["*.wild.example:80"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":"c"}}]}])");
  EXPECT_EQ(Ways(dump),
            (Commands{"http://127.0.0.1:8080/productpage", "curl -H 'Host: shop.example' http://127.0.0.1:8080/api",
                      "curl -H 'Host: www.wild.example' http://127.0.0.1:8080"}));
  EXPECT_TRUE(Ways(dump, 81).empty()) << "no listener has it";
}

TEST(WaysIn, PassOverWhatAGetAloneDoesNotFind) {
  EXPECT_EQ(Ways(Dump(R"([{"domains":["*"],"routes":[
{"match":{"prefix":"/old"},"redirect":{"path_redirect":"/new"}},
{"match":{"prefix":"/tested","headers":[{"name":"x-test","present_match":true}]},"route":{"cluster":"c"}},
{"match":{"path":"/post","headers":[{"name":":method","string_match":{"exact":"POST"}}]},"route":{"cluster":"c"}},
{"match":{"path":"/asked","query_parameters":[{"name":"q"}]},"route":{"cluster":"c"}},
{"match":{"safe_regex":{"regex":"/r.*"}},"route":{"cluster":"c"}},
{"match":{"path":"/get","headers":[{"name":":method","string_match":{"exact":"GET"}}]},"route":{"cluster":"c"}}]}])")),
            Commands{"http://127.0.0.1:8080/get"});
  EXPECT_TRUE(Ways(Dump(R"([{"domains":["*"],"routes":[{"match":{"prefix":"/"},"direct_response":{"status":404}}]}])"))
                  .empty());
}

TEST(WaysIn, OfTlsNameTheServerThatIsAskedFor) {
  const std::string tls = R"({"transport_socket":{"name":"tls"})";
  const std::string named =
      R"([{"domains":["shop.example"],"routes":[{"match":{"path":"/x"},"route":{"cluster":"c"}}]}])";
  const std::string any = R"([{"domains":["*"],"routes":[{"match":{"path":"/x"},"route":{"cluster":"c"}}]}])";
  EXPECT_EQ(Ways(Dump(named, tls + "}")),
            Commands{"curl -k --resolve shop.example:8080:127.0.0.1 https://shop.example:8080/x"});
  EXPECT_EQ(Ways(Dump(any, tls + "}")), Commands{"curl -k https://127.0.0.1:8080/x"});
  EXPECT_EQ(Ways(Dump(any, tls + R"(,"filter_chain_match":{"server_names":["*.shop.example"]}})")),
            Commands{"curl -k --resolve www.shop.example:8080:127.0.0.1 https://www.shop.example:8080/x"});
}

TEST(WaysIn, TakeADumpOfAnyShape) {
  for (const char* hosts : {"null", "3", "[3]", R"([{"domains":3,"routes":[3]}])",
                            R"([{"domains":["*"],"routes":[{"match":3,"route":{}}]}])"})
    EXPECT_TRUE(Ways(Dump(hosts)).empty()) << hosts;
}

TEST(ListenerFailures, AreWhatTheProxySaidOfWhatIsNotInForce) {
  const char* entry = R"({"name":"l","error_state":{"details":"l: port 90 is taken"}})";
  const std::string type = R"("@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump)";
  const std::string of_list = R"({"configs":[{)" + type + R"(","dynamic_listeners":[)" + entry + R"(,{"name":"m"}]}]})";
  EXPECT_EQ(ListenerFailures(Json::parse(of_list)), Commands{"l: port 90 is taken"});
  Json element = Json::parse(entry);
  element["@type"] = "type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener";
  EXPECT_EQ(ListenerFailures({{"configs", Json::array({element})}}), Commands{"l: port 90 is taken"});
  EXPECT_TRUE(ListenerFailures(Json::parse("[1]")).empty());
}

}  // namespace
}  // namespace plait::cli
