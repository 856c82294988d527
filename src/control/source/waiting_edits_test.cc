#include "control/source/waiting_edits.h"

#include "control/source/testing_waiting_edits.h"

namespace plait::control::source {
namespace {
namespace fs = std::filesystem;

TEST_F(WaitingEdits, LeaveTheLastGoodVersionOfTheirFileInForceAndSayWhatTheyWaitFor) {
  Write("a.yaml", Route("web", "host: web"));
  Write("b.yaml", Route("api", "host: api"));
  EXPECT_EQ(InForce(), "web->web api->api ");
  EXPECT_EQ(Said(), "");
  Write("a.yaml", Route("web", "host: wep"));
  Write("b.yaml", Route("api", "host: web"));
  EXPECT_EQ(InForce(), "web->web api->web ") << "the other file's edit is in force";
  EXPECT_EQ(Said(), "Error [IST0101] " + Path("a.yaml") +
                        ":4:52: VirtualService default/web: Referenced host not found: \"wep\" (did you mean \"web\"? "
                        "correct the name, or create a Service or ServiceEntry with the host "
                        "wep.default.svc.cluster.local; until then the last good version of this file stays in force, "
                        "and then this edit takes effect by itself)\n");
  EXPECT_EQ(files_.Written().at("VirtualService default/web").find("wep"), std::string::npos);
  Write("a.yaml", Route("web", "host: api"));
  EXPECT_EQ(InForce(), "web->api api->web ");
  EXPECT_EQ(Said(), "");
}

TEST_F(WaitingEdits, AreNeverTheLastGoodVersion) {
  Write("a.yaml", Route("web", "host: web"));
  Look();
  Write("a.yaml", Route("web", "host: wep"));
  Look();
  Write("a.yaml", "broken: [");
  EXPECT_EQ(InForce(), "web->web ");
  Write("a.yaml", Route("web", "host: wepp"));
  EXPECT_EQ(InForce(), "web->web ");
}

TEST_F(WaitingEdits, TakeEffectByThemselvesWhenWhatTheyNameIsThere) {
  Write("a.yaml", Route("web", "host: web"));
  Look();
  Write("a.yaml", Route("web", "host: web, subset: v1"));
  EXPECT_EQ(InForce(), "web->web ");
  EXPECT_NE(Said().find("Referenced host+subset in destinationrule not found: \"web+v1\" (define the subset in a "
                        "DestinationRule for web.default.svc.cluster.local; until then the last good version"),
            std::string::npos)
      << Said();
  Write("z.yaml", Subsets("web", {"v2"}));
  EXPECT_EQ(InForce(), "web->web web{v2} ");
  EXPECT_NE(Said().find("did you mean \"v2\"?"), std::string::npos) << Said();
  Write("z.yaml", Subsets("web", {"v1", "v2"}));
  EXPECT_EQ(InForce(), "web->web+v1 web{v1,v2} ");
  EXPECT_EQ(Said(), "");
  // Now it is the last good version.
  Write("a.yaml", "broken: [");
  EXPECT_EQ(InForce(), "web->web+v1 web{v1,v2} ");
}

TEST_F(WaitingEdits, AreNoneWhereFilesNameEachOthersNewObjects) {
  Write("a.yaml", Route("web", "host: web"));
  Write("b.yaml", Route("api", "host: api"));
  Look();
  Write("a.yaml", Route("web", "host: new, subset: v1") + Service("newer"));
  Write("b.yaml", Route("api", "host: newer") + Service("new") + Subsets("new", {"v1"}));
  EXPECT_EQ(InForce(), "web->new+v1 api->newer new{v1} ");
  EXPECT_EQ(Said(), "");
}

TEST_F(WaitingEdits, WaitForOneAnother) {
  for (const char* name : {"a", "b", "c", "d"}) Write(std::string(name) + ".yaml", Route(name, "host: web"));
  EXPECT_EQ(InForce(), "a->web b->web c->web d->web ");
  Write("a.yaml", Route("a", "host: of-b"));
  Write("b.yaml", Route("b", "host: of-c") + Service("of-b"));
  Write("c.yaml", Route("c", "host: nowhere") + Service("of-c"));
  Write("d.yaml", Route("d", "host: api"));
  EXPECT_EQ(InForce(), "a->web b->web c->web d->api ");
  EXPECT_EQ(Blamed(), "a.yaml b.yaml c.yaml ");
  Write("services.yaml", Service("web") + Service("api") + Service("nowhere"));
  EXPECT_EQ(InForce(), "a->of-b b->of-c c->nowhere d->api ");
  EXPECT_EQ(Said(), "");
}

// What an edit would remove is there as long as that edit waits, so nobody else waits for it.
TEST_F(WaitingEdits, TakeNothingFromOthers) {
  const auto begin = [this] {
    Write("a.yaml", Route("web", "host: web"));
    Write("b.yaml", Route("api", "host: api") + Subsets("web", {"v1", "v3"}));
    EXPECT_EQ(InForce(), "web->web api->api web{v1,v3} ");
  };
  const auto edit_a = [this] { Write("a.yaml", Route("web", "host: web, subset: v3")); };
  const auto edit_b = [this] { Write("b.yaml", Route("api", "host: nowhere") + Subsets("web", {"v1"})); };
  for (const int order : {0, 1, 2}) {
    SCOPED_TRACE(order);
    begin();
    if (order == 2) {
      edit_b();
      Look();
    }
    edit_a();
    if (order == 1) Look();
    if (order != 2) edit_b();
    EXPECT_EQ(InForce(), "web->web+v3 api->api web{v1,v3} ");
    EXPECT_EQ(Blamed(), "b.yaml ");
  }
}

TEST_F(WaitingEdits, TakeNothingFromOthersByWayOfAThird) {
  Write("a.yaml", Route("web", "host: web"));
  Write("h.yaml", Route("api", "host: api") + Subsets("web", {"v9"}));
  Write("k.yaml", Route("other", "host: api"));
  EXPECT_EQ(InForce(), "web->web api->api web{v9} other->api ");
  Write("a.yaml", Route("web", "host: web, subset: v9"));
  Write("h.yaml", Route("api", "host: of-k"));  // v9 would be gone
  Write("k.yaml", Route("other", "host: nowhere") + Service("of-k"));
  EXPECT_EQ(InForce(), "web->web+v9 api->api web{v9} other->api ");
  EXPECT_EQ(Blamed(), "h.yaml k.yaml ");
}

TEST_F(WaitingEdits, AreOneWhereTwoTakeFromEachOther) {
  Write("a.yaml", Route("web", "host: web") + Subsets("api", {"v1"}));
  Write("b.yaml", Route("api", "host: api") + Subsets("web", {"v1"}));
  Look();
  Write("a.yaml", Route("web", "host: web, subset: v1"));
  Write("b.yaml", Route("api", "host: api, subset: v1"));
  EXPECT_EQ(InForce(), "web->web+v1 api->api web{v1} ") << "the first has what it names, the last has not";
  EXPECT_EQ(Blamed(), "b.yaml ");
}

// Not one after the other, which would take a snapshot for each.
TEST(FindWaiting, TellsManyFilesAtOnceWhichNameWhatAnotherOneTook) {
  const auto read = [](const std::string& text, const std::string& file) {
    return model::DecodeText(text, file).objects;
  };
  constexpr std::size_t kRoutes = 50;
  std::vector<std::vector<model::ObjectRef>> written, last_good;
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kRoutes; ++i) {
    const std::string name = "r" + std::to_string(100 + i);
    paths.push_back(name + ".yaml");
    last_good.push_back(read(Route(name, "host: web"), paths.back()));
    written.push_back(read(Route(name, "host: web, subset: v2"), paths.back()));
  }
  paths.emplace_back("z.yaml");
  last_good.push_back(read(Service("web") + Subsets("web", {"v1", "v2"}), paths.back()));
  written.push_back(read(Service("web") + Subsets("web", {"v1"}), paths.back()));
  std::vector<EditedFile> edited;
  for (std::size_t i = 0; i < paths.size(); ++i) edited.push_back({paths[i], &last_good[i], &written[i]});
  int asked = 0;
  const Waiting waiting = FindWaiting(edited,
                                      [&](const std::vector<bool>& waits) {
                                        ++asked;
                                        std::vector<model::ObjectRef> out;
                                        for (std::size_t i = 0; i < paths.size(); ++i) {
                                          const auto& objects = waits[i] ? last_good[i] : written[i];
                                          out.insert(out.end(), objects.begin(), objects.end());
                                        }
                                        return out;
                                      },
                                      {});
  ASSERT_EQ(waiting.size(), kRoutes + 1);
  for (std::size_t i = 0; i < kRoutes; ++i) {
    ASSERT_EQ(waiting[i].size(), 1U) << paths[i];
    EXPECT_EQ(waiting[i][0].diagnostic.at.file, paths[i]);
  }
  EXPECT_TRUE(waiting[kRoutes].empty()) << "nothing that it names is missing";
  EXPECT_LE(asked, 5);
}

TEST_F(WaitingEdits, AreNoFilesOfAFirstStart) {
  Write("a.yaml", Route("web", "host: wep"));
  EXPECT_EQ(InForce(), "web->wep ") << "there is no last good version";
  EXPECT_EQ(Said(), "") << "the snapshot warns of it";
  Write("a.yaml", Route("web", "host: wep") + Route("api", "host: api"));
  EXPECT_EQ(InForce(), "web->wep api->api ") << "the edit did not do it";
  Write("a.yaml", Route("web", "host: wep") + Route("api", "host: apy"));
  EXPECT_EQ(InForce(), "web->wep api->api ");
  EXPECT_NE(Said().find("a.yaml:9:52: VirtualService default/api: Referenced host not found: \"apy\""),
            std::string::npos)
      << Said();
  EXPECT_EQ(Said().find("wep\" ("), std::string::npos) << Said();
}

TEST_F(WaitingEdits, AreNewFilesOfRoutingBesideWhatRuns) {
  Look();
  Write("a.yaml", Route("web", "host: wep"));
  EXPECT_EQ(InForce(), "") << "web goes to web, as before";
  EXPECT_NE(Said().find("until then nothing of this file is in force"), std::string::npos) << Said();
  Write("a.yaml", Route("web", "host: wep") + Route("api", "host: api"));
  EXPECT_EQ(InForce(), "");
  Write("b.yaml", Service("wep"));
  EXPECT_EQ(InForce(), "web->wep api->api ");
  EXPECT_EQ(Said(), "");
}

TEST_F(WaitingEdits, AreNoNewFilesWithMoreThanRouting) {
  Look();
  Write("a.yaml", Service("shop") + Route("shop", "host: shopp"));
  EXPECT_EQ(InForce(), "shop->shopp ");
}

TEST_F(WaitingEdits, AreNoFilesThatOnlyGotAnotherName) {
  Write("a.yaml", Route("web", "host: wep"));
  EXPECT_EQ(InForce(), "web->wep ");
  std::filesystem::rename(Path("a.yaml"), Path("b.yaml"));
  EXPECT_EQ(InForce(), "web->wep ");
}

TEST_F(WaitingEdits, AreNoneThatRenameWhoseNameLedToNothing) {
  Write("a.yaml", Route("web", "host: wep"));
  EXPECT_EQ(InForce(), "web->wep ");
  Write("a.yaml", Route("api", "host: wep"));
  EXPECT_EQ(InForce(), "api->wep ");
  EXPECT_EQ(Said(), "");
  // In another namespace the same word is another name.
  Write("a.yaml",
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: api, namespace: far}\nspec: "
        "{hosts: [api], http: [{route: [{destination: {host: wep}}]}]}\n");
  InForce();
  EXPECT_NE(Said().find("not found: \"wep\""), std::string::npos) << Said();
}

TEST_F(WaitingEdits, TellOfEachObjectThatHasAName) {
  Write("a.yaml", Route("web", "host: web") + Route("api", "host: api"));
  Look();
  Write("a.yaml", Route("web", "host: wep") + Route("api", "host: wep"));
  EXPECT_EQ(InForce(), "web->web api->api ");
  EXPECT_NE(Said().find("a.yaml:4:52: VirtualService default/web: "), std::string::npos) << Said();
  EXPECT_NE(Said().find("a.yaml:9:52: VirtualService default/api: "), std::string::npos) << Said();
}

TEST_F(WaitingEdits, LeaveInForceWhatWasSoAlsoWhereItCouldNotBeKeptOnDisk) {
  Write("a.yaml", Route("web", "host: web"));
  Look();
  // As a full disk does: what is kept can be read, and nothing be written.
  std::vector<fs::path> blocks;
  for (const auto& entry : fs::directory_iterator(root_ + "/last-good"))
    blocks.emplace_back(entry.path().string() + ".new");
  for (const fs::path& block : blocks) fs::create_directory(block);
  Write("a.yaml", Route("web", "host: api"));
  Look();
  const std::string told =
      "last-good: the last good version cannot be kept: open: Is a directory (make room for it there";
  EXPECT_NE(Said().find(told), std::string::npos) << Said();
  for (const char* text : {"wep", "nowhere", "["}) {
    Write("a.yaml", Route("web", std::string("host: ") + text));
    Look();
    EXPECT_EQ(files_.Written().at("VirtualService default/web").find("\"host\":\"web\""), std::string::npos) << text;
    EXPECT_NE(files_.Written().at("VirtualService default/web").find("\"host\":\"api\""), std::string::npos) << text;
    EXPECT_NE(Said().find(told), std::string::npos) << Said();
  }
  EXPECT_FALSE(files_.Update(ScanFolders({root_ + "/conf"}))) << "it is told, not told again and again";
  for (const fs::path& block : blocks) fs::remove(block);
  EXPECT_EQ(InForce(), "web->api ") << "it was tried again";
  EXPECT_EQ(Said().find("cannot be kept"), std::string::npos) << Said();
}

TEST_F(WaitingEdits, AreNoneWithoutAStateDirectory) {
  ConfigFiles files("", {});
  Write("a.yaml", Route("web", "host: web"));
  files.Update(ScanFolders({root_ + "/conf"}));
  Write("a.yaml", Route("web", "host: wep"));
  files.Update(ScanFolders({root_ + "/conf"}));
  EXPECT_EQ(std::get<model::VirtualService>(*files.objects().at(0)).http.at(0).destinations.at(0).destination.host,
            "wep");
}

TEST_F(WaitingEdits, AreNoneOfFilesWhoseNamesLeadToNothingBecauseOfAnotherFile) {
  Write("a.yaml", Route("web", "host: web"));
  Write("b.yaml", Route("api", "host: api"));
  Look();
  fs::remove(Path("services.yaml"));
  EXPECT_EQ(InForce(), "web->web api->api ");
  EXPECT_EQ(Said(), "");
  // An edit of such a file does not wait either, as long as it names nothing else in vain.
  Write("a.yaml",
        Route("web", "host: web") + Istio("VirtualService", "more", "{hosts: [x], http: [{redirect: {uri: /}}]}"));
  EXPECT_EQ(InForce(), "web->web more api->api ");
  Write("services.yaml", Service("web"));
  Write("b.yaml", "# edited\n" + Route("api", "host: api"));
  EXPECT_EQ(InForce(), "web->web more api->api ");
  EXPECT_EQ(Said(), "");
}

TEST_F(WaitingEdits, AreNoneWhenAServiceAndItsCallersAreEditedAtOnce) {
  Write("a.yaml", Route("web", "host: web"));
  Write("b.yaml", Route("api", "host: api"));
  Look();
  Write("services.yaml", Service("web"));
  Write("a.yaml", Route("web", "host: web") + Route("b", "host: web"));
  Write("b.yaml", "# edited\n" + Route("api", "host: api"));
  EXPECT_EQ(InForce(), "web->web b->web api->api ");
  EXPECT_EQ(Said(), "");
}

TEST_F(WaitingEdits, AreThoseThatRemoveWhatTheSameFileStillNames) {
  Write("a.yaml", Route("web", "host: web, subset: v1") + Subsets("web", {"v1", "v2"}));
  Look();
  Write("a.yaml", Route("web", "host: web, subset: v1") + Subsets("web", {"v2"}));
  EXPECT_EQ(InForce(), "web->web+v1 web{v1,v2} ");
  EXPECT_EQ(Blamed(), "a.yaml ");
}

TEST_F(WaitingEdits, AreNoneWhenFilesAreMoved) {
  Write("a.yaml", Route("web", "host: new"));
  Write("b.yaml", Service("new"));
  Write("c.yaml", Route("api", "host: nowhere"));
  EXPECT_EQ(InForce(), "web->new api->nowhere ");
  for (const std::string name : {"a.yaml", "b.yaml", "c.yaml"}) fs::rename(Path(name), Path("moved-" + name));
  EXPECT_EQ(InForce(), "web->new api->nowhere ");
  EXPECT_EQ(Said(), "");
  fs::rename(Path("moved-b.yaml"), Path("b.yaml"));
  Write("moved-a.yaml", Route("web", "host: new, port: {number: 80}"));
  EXPECT_EQ(InForce(), "web->new api->nowhere ");
  EXPECT_EQ(Said(), "");
}

TEST_F(WaitingEdits, AreNoneForAnObjectThatAnotherFileHas) {
  Write("a.yaml", Route("web", "host: web"));
  Write("b.yaml", Route("api", "host: api"));
  Look();
  Write("b.yaml", Route("api", "host: web") + Route("web", "host: nowhere"));
  EXPECT_EQ(InForce(), "web->web api->web ");
  EXPECT_EQ(Said().find("nowhere"), std::string::npos) << Said();
  EXPECT_NE(Said().find("the object stands twice"), std::string::npos) << Said();
}

TEST_F(WaitingEdits, FollowWhatMeshConfigMakesVisible) {
  ConfigFiles files(root_ + "/elsewhere", {}, {.root_namespace = "roots"});
  Write("mesh.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: roots}\ndata: {mesh: "
        "'{defaultServiceExportTo: [\".\"]}'}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: far, namespace: "
        "other}\nspec: {ports: [{port: 80}]}\n");
  Write("a.yaml", Route("web", "host: web"));
  files.Update(ScanFolders({root_ + "/conf"}));
  Write("a.yaml", Route("web", "host: far.other.svc.cluster.local"));
  files.Update(ScanFolders({root_ + "/conf"}));
  ASSERT_EQ(files.findings().size(), 1U);
  EXPECT_NE(files.findings()[0].ToString().find("not found: \"far.other"), std::string::npos);
}

struct Edit {
  const char* what;
  std::string before;
  std::string after;
  const char* said;  // "": it does not wait
};
void PrintTo(const Edit& one, std::ostream* out) { *out << one.what; }

class WaitingEditsOf : public WaitingEdits, public testing::WithParamInterface<Edit> {};

TEST_P(WaitingEditsOf, EachKindOfName) {
  Write("a.yaml", GetParam().before);
  Look();
  ASSERT_EQ(Said(), "");
  const auto before = files_.Written();
  Write("a.yaml", GetParam().after);
  InForce();
  if (*GetParam().said == '\0') {
    EXPECT_EQ(Said(), "");
    EXPECT_NE(files_.Written(), before);
    return;
  }
  EXPECT_NE(Said().find("Error [" + std::string(GetParam().said)), std::string::npos) << Said();
  EXPECT_NE(Said().find("; until then the last good version of this file stays in force"), std::string::npos) << Said();
  EXPECT_EQ(files_.Written(), before);
}

std::string Http(const std::string& rule, const std::string& more = "") {
  return Istio("VirtualService", "a", "{hosts: [a], " + more + "http: [{" + rule + "}]}");
}
std::string Tcp(const std::string& host) {
  return Istio("VirtualService", "a", "{hosts: [a], tcp: [{route: [{destination: {host: " + host + "}}]}]}");
}
std::string Set(const std::string& service) {
  return "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {serviceName: " + service +
         ", selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, "
         "image: a}]}}}\n";
}
std::string Slice(const std::string& service) {
  return "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, labels: "
         "{kubernetes.io/service-name: " +
         service + "}}\naddressType: IPv4\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [10.0.0.1]}]\n";
}
std::string Edge(const std::string& selector, const std::string& credential) {
  return Istio("Gateway", "a",
               "{selector: {istio: " + selector +
                   "}, servers: [{port: {number: 443, name: s, protocol: HTTPS}, hosts: "
                   "[a.b], tls: {mode: SIMPLE, credentialName: " +
                   credential + "}}]}");
}
const std::string kToWeb = "route: [{destination: {host: web}}]";

const Edit kEdits[] = {
    {"a port", Http(kToWeb), Http("route: [{destination: {host: web, port: {number: 81}}}]"), "IST0101] "},
    {"a host of TCP", Tcp("web"), Tcp("nowhere"), "IST0101] "},
    {"a mirror", Http(kToWeb), Http(kToWeb + ", mirror: {host: nowhere}"), "IST0101] "},
    {"a gateway", Http(kToWeb), Http(kToWeb, "gateways: [mesh, none], "), "IST0101] "},
    {"a delegate", Http(kToWeb), Http("delegate: {name: none}"), "IST0101] "},
    {"a rule's host", Subsets("web", {}), Istio("DestinationRule", "a", "{host: nowhere}"), "IST0174] "},
    {"a StatefulSet's Service", Set("web"), Set("wep"), "IST0101] "},
    {"an EndpointSlice's Service", Slice("web"), Slice("wep"), "IST0101] "},
    // What these lead to depends on the pods that run.
    {"labels that nobody has", Subsets("web", {"v1"}), Subsets("web", {"v2"}), ""},
    {"a gateway's credential", Edge("ingressgateway", "a"), Edge("ingressgateway", "b"), ""},
    {"a selector", Edge("ingressgateway", "a"), Edge("nobody", "a"), ""},
};
INSTANTIATE_TEST_SUITE_P(Each, WaitingEditsOf, testing::ValuesIn(kEdits));

}  // namespace
}  // namespace plait::control::source
