#include "cli/health.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace plait::cli {
namespace {

const WallTime kNow = *ParseRfc3339("2026-11-28T14:00:00Z");

MeshFacts Healthy() {
  MeshFacts facts{.control_plane = "0.1.0", .now = kNow};
  facts.status.name = "default";
  facts.status.workloads = {{.name = "web-0", .ns = "default", .proxy = "sidecar", .ready = true, .phase = "Running"}};
  facts.syncz = Data(Json::parse(
      R"([{"proxy":"web-0.default","istio_version":"0.1.0","cluster_sent":"1","cluster_acked":"1","types":{}}])"));
  facts.push_status = Data(Json::parse(R"({"ProxyStatus":{}})"));
  facts.proxies = {{.workload = "web-0.default",
                    .ready = "LIVE",
                    .listeners = Data(Json::parse(R"({"listener_statuses":[
{"name":"virtualOutbound","local_address":{"socket_address":{"address":"0.0.0.0","port_value":15001}}},
{"name":"virtualInbound","local_address":{"socket_address":{"address":"0.0.0.0","port_value":15006}}}]})")),
                    .certificates = Data(Json::parse(R"({"certificates":[
{"cert_chain":[{"path":"default","expiration_time":"2026-11-29T14:00:00Z"}],"ca_cert":[]},
{"cert_chain":[],"ca_cert":[{"path":"ROOTCA","serial_number":"1","expiration_time":"2036-11-29T14:00:00Z"}]}]})"))}};
  return facts;
}

// As an Envoy tells of them, which does not name what it gets by SDS.
void MakeEnvoy(MeshFacts& facts) {
  facts.status.workloads[0].proxy_program = "envoy";
  facts.proxies[0].envoy = "1.38.0";
  Json page = *facts.proxies[0].certificates;
  for (Json& entry : page["certificates"])
    for (const char* part : {"cert_chain", "ca_cert"})
      for (Json& certificate : entry[part]) certificate["path"] = "<inline>";
  facts.proxies[0].certificates = Data(std::move(page));
}

// The one check that is not passed; all others are.
Check Failed(const MeshFacts& facts) {
  std::vector<Check> wrong = JudgeHealth(facts);
  std::erase_if(wrong, [](const Check& check) { return check.result == Mark::kPassed; });
  EXPECT_EQ(wrong.size(), 1u);
  return wrong.empty() ? Check{} : wrong.front();
}

TEST(Health, OfAMeshThatIsWellHasNothingToMend) {
  const std::vector<Check> checks = JudgeHealth(Healthy());
  for (const Check& check : checks) EXPECT_EQ(check.result, Mark::kPassed) << check.description << ": " << check.detail;
  EXPECT_EQ(ChecksOutput(checks).code, kDone);
}

TEST(Health, GivesAFixWithEachFailure) {
  MeshFacts facts = Healthy();
  facts.status.workloads[0].ready = false;
  facts.control_plane = "";
  facts.control_error = "no answer";
  facts.proxies[0].error = "refused";
  facts.syncz = Data(Json::array());
  for (const Check& check : JudgeHealth(facts)) {
    EXPECT_TRUE(check.result == Mark::kPassed || !check.fix.empty()) << check.description;
    EXPECT_EQ(check.fix.find("WORKLOAD"), std::string::npos) << "it can be copied: " << check.fix;
  }
}

TEST(Health, NamesTheWorkloadInTheFix) {
  MeshFacts facts = Healthy();
  facts.status.name = "shop";
  facts.status.workloads[0].ready = false;
  EXPECT_EQ(Failed(facts).fix, "plait logs --name shop web-0.default");
}

TEST(Health, SeesAProxyThatIsNotConnected) {
  MeshFacts facts = Healthy();
  facts.syncz = Data(Json::array());
  EXPECT_EQ(Failed(facts).detail, "web-0.default");
}

TEST(Health, GivesTheReasonOfARefusal) {
  MeshFacts facts = Healthy();
  facts.syncz = Data(Json::parse(R"([{"proxy":"web-0.default","istio_version":"0.1.0",
"types":{"envoy.config.cluster.v3.Cluster":{"error":"no such field"}}}])"));
  EXPECT_EQ(Failed(facts).detail, "web-0.default refuses Cluster: no such field");
}

TEST(Health, FailsForAGatewayThatTheMeshDoesNotReach) {
  MeshFacts facts = Healthy();
  facts.status.workloads[0].reason = std::string(local::kNotReached) + "cannot bind 10.244.0.8:90";
  const Check check = Failed(facts);
  EXPECT_EQ(check.description, "every workload is ready");
  EXPECT_EQ(check.detail,
            "web-0.default: the mesh does not reach the gateway at its own address: cannot bind 10.244.0.8:90");
  EXPECT_TRUE(check.fix.ends_with("then: plait proxy restart web-0.default")) << check.fix;
}

TEST(Health, FailsForAListenerWhosePortStaysTaken) {
  MeshFacts facts = Healthy();
  facts.proxies[0].listener_failures = {"0.0.0.0_90: cannot listen on 0.0.0.0:90: it is taken"};
  const Check check = Failed(facts);
  EXPECT_EQ(check.result, Mark::kFailed);
  EXPECT_EQ(check.description, "no proxy refuses its configuration");
  EXPECT_EQ(check.detail,
            "web-0.default does not serve a listener: 0.0.0.0_90: cannot listen on 0.0.0.0:90: it is taken");
  EXPECT_NE(check.fix.find("give it a port that is free"), std::string::npos);
  EXPECT_NE(check.fix.find("plait proxy restart web-0.default"), std::string::npos) << check.fix;
}

TEST(Health, WarnsOfARootThatExpiresSoonAndFailsForACertificateThatHas) {
  MeshFacts facts = Healthy();
  facts.now = *ParseRfc3339("2036-11-10T14:00:00Z");
  const std::vector<Check> checks = JudgeHealth(facts);
  const auto with = [&](Mark mark) {
    return std::count_if(checks.begin(), checks.end(), [&](const Check& check) { return check.result == mark; });
  };
  EXPECT_EQ(with(Mark::kWarning), 1);
  EXPECT_EQ(with(Mark::kFailed), 1);
}

Check Named(const std::string& description, const MeshFacts& facts) {
  for (const Check& check : JudgeHealth(facts))
    if (check.description == description) return check;
  ADD_FAILURE() << "no check \"" << description << "\"";
  return {};
}
void AddCertificates(const char* entries, ProxyFacts& proxy) {
  Json page = *proxy.certificates;
  for (const Json& entry : Json::parse(entries)) page["certificates"].push_back(entry);
  proxy.certificates = Data(std::move(page));
}

// The bootstrap of a proxy keeps the root that its control plane had when it started, and files are whose they are.
TEST(Health, TakesOnlyTheMeshsRootsForRootsOfTheMesh) {
  MeshFacts facts = Healthy();
  AddCertificates(R"([
{"cert_chain":[],"ca_cert":[{"path":"/run/p/root.pem","serial_number":"0","expiration_time":"2026-12-03T14:00:00Z"}]},
{"cert_chain":[],"ca_cert":[{"path":"/etc/ssl/certs/ca-certificates.crt","serial_number":"2",
 "expiration_time":"2025-05-01T14:00:00Z"}]}])",
                  facts.proxies[0]);
  for (const Check& check : JudgeHealth(facts)) EXPECT_EQ(check.result, Mark::kPassed) << check.detail;
  EXPECT_EQ(Named("the trust roots are good for 30 days", facts).detail, "1 root");
}

TEST(Health, TakesOnlyTheIdentityOfAProxyForItsCertificate) {
  MeshFacts facts = Healthy();
  facts.proxies[0].certificates = Data(Json::parse(R"({"certificates":[{"ca_cert":[],"cert_chain":[
{"path":"kubernetes://shop","expiration_time":"2026-11-28T15:00:00Z"}]}]})"));
  const Check check = Failed(facts);
  EXPECT_EQ(check.description, "every proxy has a certificate");
  EXPECT_EQ(check.detail, "web-0.default");
  EXPECT_EQ(Named("no certificate has expired", facts).detail, "");
}

TEST(Health, SaysWhichCertificateHasExpiredWhenAndWhatToDo) {
  MeshFacts facts = Healthy();
  AddCertificates(
      R"([{"ca_cert":[],"cert_chain":[{"path":"kubernetes://shop","expiration_time":"2026-11-25T11:00:00Z"}]}])",
      facts.proxies[0]);
  Check check = Failed(facts);
  EXPECT_EQ(check.description, "no certificate has expired");
  EXPECT_EQ(check.detail, "web-0.default: kubernetes://shop expired 3d3h ago");
  EXPECT_EQ(check.fix, "write a new certificate into the Secret or file that is named");
  facts = Healthy();
  facts.now = *ParseRfc3339("2026-11-29T16:30:00Z");
  check = Failed(facts);
  EXPECT_EQ(check.detail, "web-0.default: its certificate expired 2h30m ago");
  EXPECT_EQ(check.fix, "plait exec web-0.default -- curl -X POST 127.0.0.1:15000/plait/renew");
}

TEST(Health, SaysHowLongAgoARootHasExpired) {
  MeshFacts facts = Healthy();
  AddCertificates(R"([{"cert_chain":[],"ca_cert":[
{"path":"ROOTCA","serial_number":"2","expiration_time":"2026-11-24T13:00:00Z"},
{"path":"ROOTCA","serial_number":"3","expiration_time":"2026-12-08T14:00:00Z"}]}])",
                  facts.proxies[0]);
  EXPECT_EQ(Failed(facts).detail, "root 2 expired 4d1h ago; root 3 expires in 10d0h");
}

// Envoy does not name what it gets by SDS, which is nothing but the mesh's; each of its sockets has an entry.
TEST(Health, KnowsTheMeshsCertificatesInAnEnvoy) {
  MeshFacts facts = Healthy();
  MakeEnvoy(facts);
  const auto page = [](const char* own_end) {
    const Json own = {{"path", "<inline>"}, {"expiration_time", own_end}};
    const Json root = {{"path", "<inline>"}, {"serial_number", "1"}, {"expiration_time", "2036-11-29T14:00:00Z"}};
    const Json old = {{"path", "/run/p/root.pem"}, {"serial_number", "0"}, {"expiration_time", "2026-12-03T14:00:00Z"}};
    const Json both = {{"ca_cert", {root}}, {"cert_chain", {own}}};
    return Data(Json{{"certificates", {both, both, Json{{"ca_cert", {old}}, {"cert_chain", {own}}}}}});
  };
  facts.proxies[0].certificates = page("2026-11-29T14:00:00Z");
  for (const Check& check : JudgeHealth(facts)) EXPECT_EQ(check.result, Mark::kPassed) << check.detail;
  EXPECT_EQ(Named("the trust roots are good for 30 days", facts).detail, "1 root");
  facts.proxies[0].certificates = page("2026-11-28T13:59:00Z");
  const Check check = Failed(facts);
  EXPECT_EQ(check.detail, "web-0.default: its certificate expired 1m0s ago") << "told once";
  EXPECT_EQ(check.fix, "plait logs -c plait-identity web-0.default") << "an Envoy has no /plait/renew";
}

TEST(Health, SaysHowLongTheFirstCertificateLivesAsPeopleCount) {
  const auto first = [](const char* now) {
    MeshFacts facts = Healthy();
    facts.now = *ParseRfc3339(now);
    for (const Check& check : JudgeHealth(facts))
      if (check.description == "no certificate has expired") return check.detail;
    return std::string();
  };
  EXPECT_EQ(first("2026-11-28T14:00:20Z"), "the first one in 23h59m");
  EXPECT_EQ(first("2026-11-27T13:00:00Z"), "the first one in 2d1h");
  EXPECT_EQ(first("2026-11-29T13:58:30Z"), "the first one in 1m30s");
  EXPECT_EQ(first("2026-11-29T13:59:30Z"), "the first one in 30s");
}

TEST(Health, HasALineForEachProblemOfTheConfiguration) {
  MeshFacts facts = Healthy();
  facts.push_status = Data(Json::parse(R"({"ProxyStatus":{"PLAIT":[
{"severity":"error","message":"a.yaml:1: one"},{"severity":"error","message":"b.yaml:2: two"}]}})"));
  const Check check = Failed(facts);
  const std::string text = ChecksOutput({check}).text;
  EXPECT_NE(text.find(":\n      a.yaml:1: one\n      b.yaml:2: two\n      fix: "), std::string::npos) << text;
  EXPECT_EQ(ChecksJson({check})["categories"][0]["checks"][0]["error"], "a.yaml:1: one\nb.yaml:2: two");
}

// Of kinds that mean nothing to a mesh nobody has to edit anything.
TEST(Health, HasInformationAboutTheConfigurationBehindItsProblemsAndIsWellWithoutAny) {
  MeshFacts facts = Healthy();
  facts.push_status = Data(Json::parse(R"({"ProxyStatus":{"plait":{
"a.yaml:0:0 ":{"severity":"info","message":"Info a.yaml: one"},
"a.yaml:0:0 #2":{"severity":"info","message":"Info a.yaml: two"}}}})"));
  const Check well = Named("the configuration has no problem", facts);
  EXPECT_EQ(well.result, Mark::kPassed);
  EXPECT_EQ(well.detail, "Info a.yaml: one\nInfo a.yaml: two");
  Json status = *facts.push_status;
  status["ProxyStatus"]["plait"]["b.yaml:1:1 "] = {{"severity", "warning"}, {"message", "Warning b.yaml:1:1: three"}};
  facts.push_status = Data(std::move(status));
  const Check warned = Failed(facts);
  EXPECT_EQ(warned.result, Mark::kWarning);
  EXPECT_EQ(warned.detail, "Warning b.yaml:1:1: three\nInfo a.yaml: one\nInfo a.yaml: two");
}

TEST(Health, OfWhatPlaitdCouldNotBeAskedIsNotWell) {
  MeshFacts facts = Healthy();
  facts.status.name = "shop";
  facts.push_status = nullptr;
  facts.push_status_error = "it does not answer within 5s";
  const Check check = Failed(facts);
  EXPECT_EQ(check.description, "the configuration has no problem");
  EXPECT_EQ(check.result, Mark::kFailed);
  EXPECT_EQ(check.detail, "could not be asked: it does not answer within 5s");
  EXPECT_EQ(check.fix, "plait logs --name shop plaitd");
}

TEST(Health, HasEachCheckOfTheProxiesSyncWherePlaitdDoesNotAnswer) {
  const auto of_sync = [](const MeshFacts& facts) {
    std::vector<Check> checks = JudgeHealth(facts);
    std::erase_if(checks, [](const Check& check) { return check.category != "plait-sync"; });
    return checks;
  };
  MeshFacts facts = Healthy();
  const std::vector<Check> asked = of_sync(facts);
  facts.syncz = nullptr;
  facts.syncz_error = "it does not answer within 5s";
  const std::vector<Check> unasked = of_sync(facts);
  ASSERT_EQ(asked.size(), 4u);
  ASSERT_EQ(unasked.size(), asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(unasked[i].description, asked[i].description);
    EXPECT_EQ(unasked[i].result, Mark::kFailed);
    EXPECT_EQ(unasked[i].detail, "could not be asked: it does not answer within 5s");
    EXPECT_EQ(unasked[i].fix, "plait logs plaitd");
  }
}

TEST(Health, TellsOnceOfAWorkloadThatIsNotReady) {
  MeshFacts facts = Healthy();
  facts.status.workloads[0].ready = false;
  facts.push_status = Data(
      Json::parse(R"({"ProxyStatus":{"pilot_endpoint_not_ready":{"10.244.0.2":{"message":"the pod is not ready"}}}})"));
  EXPECT_EQ(Failed(facts).description, "every workload is ready");
}

TEST(Health, GivesTheFixThatMendsADrainingProxyAndOneWithoutListeners) {
  MeshFacts facts = Healthy();
  facts.proxies[0].ready = "DRAINING";
  EXPECT_EQ(Failed(facts).fix, "plait exec web-0.default -- curl -X POST 127.0.0.1:15000/healthcheck/ok");
  facts.proxies[0].ready = "PRE_INITIALIZING";
  EXPECT_EQ(Failed(facts).fix, "plait logs -c istio-proxy web-0.default");
  facts = Healthy();
  facts.proxies[0].listeners = Data(Json::parse(R"({"listener_statuses":[]})"));
  EXPECT_EQ(Failed(facts).fix, "plait proxy restart web-0.default");
  MakeEnvoy(facts);
  EXPECT_EQ(Failed(facts).fix, "plait logs -c istio-proxy web-0.default");
}

TEST(Health, SeesACaptureSocketThatIsNotThere) {
  MeshFacts facts = Healthy();
  facts.proxies[0].listeners = Data(Json::parse(R"({"listener_statuses":[
{"name":"virtualInbound","local_address":{"socket_address":{"address":"0.0.0.0","port_value":15006}}}]})"));
  EXPECT_EQ(Failed(facts).detail, "web-0.default has no listener virtualOutbound on 15001");
}

// As a proxy of `plait up --net loopback` tells it: real addresses stand before those that were configured.
TEST(Health, OfALoopbackMeshIsWellWhereListenersHaveASocketForEachDestination) {
  MeshFacts facts = Healthy();
  facts.status.mode = "loopback";
  facts.proxies[0].listeners = Data(Json::parse(R"({"listener_statuses":[
{"name":"virtualInbound","local_address":{"socket_address":{"address":"127.0.16.5","port_value":9080}},
 "additional_local_addresses":[{"socket_address":{"address":"0.0.0.0","port_value":15006}}]},
{"name":"virtualOutbound","local_address":{"socket_address":{"address":"127.128.0.13","port_value":9080}}}]})"));
  for (const Check& check : JudgeHealth(facts))
    EXPECT_EQ(check.result, Mark::kPassed) << check.description << ": " << check.detail;
  facts.proxies[0].listeners = Data(Json::parse(R"({"listener_statuses":[{"name":"virtualOutbound"}]})"));
  const std::vector<Check> checks = JudgeHealth(facts);
  EXPECT_EQ(checks.back().detail,
            "web-0.default has no listener virtualOutbound; web-0.default has no listener virtualInbound");
}

TEST(Health, FindsACapturePortAtAnyAddressOfItsListener) {
  MeshFacts facts = Healthy();
  facts.proxies[0].listeners = Data(Json::parse(R"({"listener_statuses":[
{"name":"virtualOutbound","local_address":{"socket_address":{"address":"10.1.1.1","port_value":80}},
 "additional_local_addresses":[{"socket_address":{"address":"::","port_value":15001}}]},
{"name":"virtualInbound","local_address":{"socket_address":{"address":"0.0.0.0","port_value":15006}}}]})"));
  for (const Check& check : JudgeHealth(facts)) EXPECT_EQ(check.result, Mark::kPassed) << check.detail;
}

TEST(Health, FailsForCaptureRulesThatAreGone) {
  MeshFacts facts = Healthy();
  facts.proxies[0].capture = "the capture rules (table inet plait) are gone";
  const Check check = Failed(facts);
  EXPECT_EQ(check.detail, "web-0.default: the capture rules (table inet plait) are gone");
  EXPECT_NE(check.fix.find("in place of web-0.default"), std::string::npos) << check.fix;
}

TEST(Health, OnlyWarnsOfCaptureRulesThatNobodyCouldLookAt) {
  MeshFacts facts = Healthy();
  facts.proxies[0].capture_unasked =
      Diagnostic{.message = "unknown operation", .hint = "plait and the mesh must be of one version"};
  const Check unasked = Failed(facts);
  EXPECT_EQ(unasked.result, Mark::kWarning);
  EXPECT_EQ(unasked.detail, "web-0.default: whether its connections are captured cannot be told: unknown operation");
  EXPECT_EQ(unasked.fix, "plait and the mesh must be of one version");
  facts.proxies[0].capture_unasked->hint.clear();
  facts.status.name = "shop";
  EXPECT_EQ(Failed(facts).fix, "ask again: plait check --name shop");
  ProxyFacts open = facts.proxies[0];
  open.capture_unasked.reset();
  open.capture = "the rules are gone";
  facts.proxies.push_back(open);
  const Check both = Failed(facts);
  EXPECT_EQ(both.result, Mark::kFailed);
  EXPECT_TRUE(both.detail.starts_with("web-0.default: the rules are gone; web-0.default: whether ")) << both.detail;
  EXPECT_NE(both.fix.find("in place of web-0.default"), std::string::npos) << both.fix;
}

TEST(Health, DoesNotTakeAPageThatCannotBeReadForAHealthyOne) {
  MeshFacts facts = Healthy();
  facts.proxies[0].listeners = nullptr;
  EXPECT_EQ(Failed(facts).detail, "web-0.default does not say where it listens");
  facts = Healthy();
  facts.proxies[0].certificates = nullptr;
  EXPECT_EQ(Failed(facts).detail, "web-0.default does not say which certificates it has");
  facts.proxies[0].listeners = nullptr;
  facts.proxies[0].error = "refused";
  EXPECT_EQ(Failed(facts).detail, "web-0.default: refused") << "told once";
}

TEST(Health, DoesNotCompareTheVersionOfAnEnvoyButThatOfTheProxyBesideIt) {
  MeshFacts facts = Healthy();
  MakeEnvoy(facts);
  facts.syncz = Data(Json::parse(R"([{"proxy":"web-0.default","istio_version":"1.31.4","types":{}},
{"proxy":"web-0-identity.default","istio_version":"0.1.0","types":{}}])"));
  const std::vector<Check> checks = JudgeHealth(facts);
  for (const Check& check : checks) EXPECT_EQ(check.result, Mark::kPassed) << check.description << ": " << check.detail;
  EXPECT_TRUE(std::any_of(checks.begin(), checks.end(), [](const Check& check) {
    return check.detail == "1 Envoy has a version of its own: 1.38.0";
  }));
  // The plait-proxy that keeps its identity has a configuration and a version as every other.
  facts.syncz = Data(Json::parse(R"([{"proxy":"web-0.default","istio_version":"1.31.4","types":{}},
{"proxy":"web-0-identity.default","istio_version":"0.1.0","types":{"x.Secret":{"error":"no such field"}}}])"));
  EXPECT_EQ(Failed(facts).detail, "web-0-identity.default refuses Secret: no such field");
  facts.syncz = Data(Json::parse(R"([{"proxy":"web-0.default","istio_version":"1.31.4","types":{}},
{"proxy":"web-0-identity.default","istio_version":"0.0.9","types":{}}])"));
  EXPECT_EQ(Failed(facts).detail, "web-0-identity.default is 0.0.9");
  facts = Healthy();
  facts.syncz = Data(Json::parse(R"([{"proxy":"web-0.default","istio_version":"0.0.9","types":{}}])"));
  EXPECT_EQ(Failed(facts).detail, "web-0.default is 0.0.9");
}

TEST(Health, OfAMeshWithWorkThatHasEndedIsWell) {
  MeshFacts facts = Healthy();
  facts.status.workloads.push_back({.name = "job-0", .ns = "default", .proxy = "sidecar", .phase = "Succeeded"});
  for (const Check& check : JudgeHealth(facts)) EXPECT_EQ(check.result, Mark::kPassed) << check.detail;
}

TEST(Health, TellsAJobThatFailedUnlessItGoesOnOrEnoughOthersSucceeded) {
  MeshFacts facts = Healthy();
  const auto add = [&](const char* name, const char* kind, const char* phase) {
    facts.status.workloads.push_back({.name = name,
                                      .ns = "default",
                                      .owner = "job",
                                      .owner_kind = kind,
                                      .completions = 2,
                                      .proxy = "sidecar",
                                      .ready = std::string_view(phase) == "Running",
                                      .phase = phase});
  };
  add("job-0", "Job", "Failed");
  const auto failures = [&] {
    const std::vector<Check> checks = JudgeHealth(facts);
    return std::count_if(checks.begin(), checks.end(),
                         [](const Check& check) { return check.result != Mark::kPassed; });
  };
  EXPECT_EQ(failures(), 1);
  add("job-9", "Deployment", "Running");
  EXPECT_EQ(failures(), 1);
  add("job-1", "Job", "Succeeded");
  EXPECT_EQ(failures(), 1);
  add("job-2", "Job", "Running");
  EXPECT_EQ(failures(), 0);
  facts.status.workloads.back().phase = "Succeeded";
  EXPECT_EQ(failures(), 0);
}

TEST(Checks, HaveTheShapeOfLinkerds) {
  const Json json =
      ChecksJson({{.category = "a", .description = "x"},
                  {.category = "a", .description = "y", .result = Mark::kFailed, .detail = "why", .fix = "how"},
                  {.category = "b", .description = "z", .result = Mark::kWarning}});
  EXPECT_EQ(json["success"], false);
  ASSERT_EQ(json["categories"].size(), 2u);
  EXPECT_EQ(json["categories"][0]["categoryName"], "a");
  EXPECT_EQ(json["categories"][0]["checks"][1],
            Json::parse(R"({"description":"y","result":"error","error":"why","hint":"how"})"));
  EXPECT_EQ(json["categories"][1]["checks"][0]["result"], "warning");
}

}  // namespace
}  // namespace plait::cli
