"""A stock Envoy as the proxy of a workload (annotation plait.dev/proxy: envoy), beside workloads with plait-proxies: as
server (details, reviews), as client (reviews calls ratings), by delta and by state-of-the-world ADS."""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import sysconfig
import urllib.request

import pytest
import yaml

import manifests as m
from load import LOAD, carries_the_load, lost_nothing, moves_between_subsets
from mesh import Mesh, copy_sample, leftovers, until
from test_protocols import CHAT, CHAT_CLIENT, assert_chat

APP = m.APP
ENVOYS = {"details-v1": "GRPC", "reviews-v1": "DELTA_GRPC", "reviews-v2": "DELTA_GRPC", "reviews-v3": "GRPC"}


def envoy_binary(folder):
    """Envoy where the test user can run it: a Python environment may be root's alone."""
    installed = pathlib.Path(sysconfig.get_paths()["purelib"]) / "envoy" / "_bin" / "envoy"
    found = os.environ.get("PLAIT_ENVOY") or shutil.which("envoy") or str(installed)
    copy = folder / "envoy"
    shutil.copyfile(found, copy)
    copy.chmod(0o755)
    return str(copy)


def with_envoys(file):
    """bookinfo with Envoys in place of some plait-proxies."""
    documents = list(yaml.safe_load_all(file.read_text()))
    for document in documents:
        if document and document["kind"] == "Deployment" and (api := ENVOYS.get(document["metadata"]["name"])):
            document["spec"]["template"]["metadata"]["annotations"] = {"plait.dev/proxy": "envoy", "plait.dev/xds-api-type": api}
    file.write_text(yaml.safe_dump_all(documents))


def judge(name, annotations):
    """Serves HTTP at two ports and TCP at a third; what its proxy lets in is what is asked."""
    program = f"{APP} echo --port 8000 & {APP} echo --port 8001 & exec {APP} tcp-echo --port 9000"
    yield m.deployment(name, ["bash", "-c", program], ports=[8000, 8001, 9000], probe=m.http_probe(8000), labels={"app": name, "judge": "yes"},
                       annotations=annotations)
    yield m.service(name, {"http": 8000, "http-more": 8001, "tcp": 9000})


def member(name, annotations):
    """Of the headless service db."""
    program = f"{APP} echo --port 8000 & exec {APP} tcp-echo --port 9000"
    yield m.deployment(name, ["bash", "-c", program], ports=[8000, 9000], labels={"app": name, "set": "db"}, probe=m.http_probe(8000),
                       annotations=annotations, hostname=name, subdomain="db")


def chat(name, annotations):
    """A WebSocket's server, to which proxies speak HTTP/2."""
    yield m.deployment(name, ["python3", "-c", CHAT], ports=[8300], probe={"tcpSocket": {"port": 8300}, "periodSeconds": 1}, annotations=annotations)
    yield m.service(name, {"http": 8300})
    yield m.destination_rule(name, {"host": name, "trafficPolicy": {"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE"}}}})


@pytest.fixture(scope="module")
def mixed(folder):
    directory = copy_sample(folder)
    with_envoys(directory / "bookinfo.yaml")
    envoy = {"plait.dev/proxy": "envoy"}
    m.write(
        directory / "more.yaml",
        m.deployment("plain", [APP, "client"], inject=False),
        m.deployment("client", [APP, "client"]),
        m.deployment("envoy-client", [APP, "client"], annotations=envoy),
        m.deployment("envoy-caller", [APP, "client"], annotations={**envoy, "plait.dev/xds-api-type": "GRPC"}),
        *[m.deployment(f"echo-{version}", [APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000),
                       labels={"app": "echo", "version": version}) for version in ("v1", "v2")],
        m.service("echo", {"http": 8000}),
        m.deployment("lines", [APP, "tcp-echo", "--port", "9000"], ports=[9000], annotations=envoy),
        m.service("lines", {"tcp": 9000}),
        m.deployment("slow", [APP, "echo", "--port", "8000", "--delay-ms", "3000"], ports=[8000]),
        m.service("slow", {"http": 8000}),
        m.virtual_service("slow", {"hosts": ["slow"], "http": [{"timeout": "0.5s", "route": [{"destination": {"host": "slow"}}]}]}),
        m.deployment("talker", [APP, "tcp-echo", "--port", "9100"], ports=[9100]),
        m.service("talker", {"tcp": 9100}),
        m.document("Namespace", "other", None),
        m.account("other", "other"),
        m.deployment("stranger", [APP, "client"], "other", account="other"),
        *judge("judge-plait", {}), *judge("judge-envoy", envoy), *chat("chat-plait", {}), *chat("chat-envoy", envoy),
        *member("db-0", envoy), *member("db-1", {}), *member("db-2", {"sidecar.istio.io/inject": "false"}),
        m.service("db", {"http": 8000, "tcp": 9000}, {"set": "db"}, headless=True))
    mesh = Mesh(folder, directory, name="envoys")
    mesh.env["PLAIT_ENVOY"] = envoy_binary(folder)
    mesh.start(wait=90)
    yield mesh
    mesh.stop()
    assert not leftovers()


def sync_status(mesh):
    with urllib.request.urlopen(mesh.status()["debug_url"] + "/debug/syncz", timeout=10) as answer:
        return {entry["proxy"]: entry for entry in json.load(answer)}


def stat(mesh, workload, name):
    """The value of a counter or gauge of the workload's Envoy."""
    for line in mesh.admin(workload, "/stats?usedonly").splitlines():
        if line.startswith(f"{name}: "):
            return int(line.rpartition(" ")[2])
    return 0


def test_envoys_acknowledge_everything(mixed):
    envoys = {pod["name"] for pod in mixed.pods() if pod["name"].rpartition("-")[0] in {*ENVOYS, "envoy-client", "envoy-caller", "lines", "judge-envoy"}}
    assert len(envoys) == 8

    def all_synced():
        status = sync_status(mixed)
        for name in envoys:
            types = status[f"{name}.default"]["types"]
            for kind in ("Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration"):
                (of_kind,) = [value for key, value in types.items() if key.endswith("." + kind)]
                assert of_kind["sent"] > 0 and of_kind["nacked"] == 0 and of_kind["synced"], (name, kind, of_kind)
        return True
    until(all_synced, 10, "every Envoy has acknowledged what it was sent")
    for name in envoys:
        assert json.loads(mixed.admin(name, "/server_info"))["state"] == "LIVE"
        assert stat(mixed, name, "listener_manager.lds.update_rejected") == 0
        assert stat(mixed, name, "cluster_manager.cds.update_rejected") == 0


@pytest.mark.parametrize("server", ["chat-plait", "chat-envoy"])
@pytest.mark.parametrize("client", ["client", "envoy-client"])
def test_a_websocket_passes_over_http_2_between_an_envoy_and_a_plait_proxy(mixed, client, server):
    assert_chat(mixed.exec(client, "python3", "-c", CHAT_CLIENT, server, "8300").stdout.splitlines())
    mixed.logged(server, '"GET /chat HTTP/2" 101 ')


def test_bookinfo_is_served_with_mutual_tls_both_ways(mixed):
    seen = set()
    for _ in range(30):
        status, page = mixed.get("/productpage")
        assert status == 200 and "William Shakespeare" in page and "answered by reviews-v" in page
        seen |= set(re.findall(r'class="stars (black|red)"', page))
    assert seen == {"black", "red"}  # reviews could ask ratings
    assert stat(mixed, "details-v1", "listener.0.0.0.0_15006.ssl.handshake") > 0
    handshakes = "cluster.outbound|9080||ratings.default.svc.cluster.local.ssl.handshake"
    assert stat(mixed, "reviews-v2", handshakes) > 0 and stat(mixed, "reviews-v3", handshakes) > 0


def labels(mesh, workload):
    """{family: {names of the labels of a series}} of what Prometheus scrapes of the workload's proxy."""
    found = {}
    for line in mesh.exec(workload, "curl", "-sS", "http://127.0.0.1:15090/stats/prometheus").stdout.splitlines():
        if match := re.fullmatch(r"(envoy_\w+)(?:\{(.*)\})? \S+", line):
            found.setdefault(match[1], set()).add(frozenset(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', match[2] or "")))
    return found


def test_the_metrics_of_an_envoy_have_the_labels_that_a_plait_proxys_have(mixed):
    for _ in range(20):  # reviews-v2 is asked, too
        assert mixed.get("/productpage")[0] == 200
    for client in ("envoy-client", "client"):
        mixed.exec(client, "curl", "-sS", "-o", "/dev/null", "http://echo:8000/")
        mixed.exec(client, "bash", "-c", "exec 3<>/dev/tcp/lines/9000 && echo hello >&3 && read -t 5 -r answer <&3")

    def are_alike(envoys, plaits):
        envoy, plait = labels(mixed, envoys), labels(mixed, plaits)
        both = envoy.keys() & plait.keys()
        assert {"envoy_cluster_upstream_cx_active", "envoy_listener_downstream_cx_active", "envoy_tcp_downstream_cx_total",
                "envoy_http_downstream_rq", "envoy_listener_http_downstream_rq"} <= both
        assert {name: (envoy[name], plait[name]) for name in both if not envoy[name] <= plait[name]} == {}, envoys
        return True
    for pair in (("reviews-v2", "ratings-v1"), ("envoy-client", "client")):  # an answer is counted a little after the client has it
        until(lambda pair=pair: are_alike(*pair), 10, f"the labels of {pair}")


def test_plaintext_to_a_strict_envoy_is_refused(mixed):
    ip = mixed.pods("details-v1")[0]["ip"]
    refused = mixed.exec("plain", "curl", "-sS", "-m", "10", f"http://{ip}:9080/details/0", check=False)
    assert refused.returncode != 0 and refused.stdout == ""


def test_the_same_policies_are_enforced(mixed):
    for caller in ("ratings-v1", "client", "envoy-client"):  # by the Envoy of details
        denied = mixed.exec(caller, "curl", "-sS", "-w", " %{http_code}", "http://details:9080/details/0").stdout
        assert denied == "RBAC: access denied 403"
    posted = mixed.exec("productpage-v1", "curl", "-sS", "-X", "POST", "-w", " %{http_code}", "http://details:9080/details/0").stdout
    assert posted == "RBAC: access denied 403"
    allowed = mixed.exec("productpage-v1", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://details:9080/details/0").stdout
    assert allowed == "200"
    assert stat(mixed, "details-v1", "http.inbound_0.0.0.0_9080.rbac.denied") >= 4
    # and for an Envoy as the caller, by the plait-proxy of ratings
    denied = mixed.exec("envoy-client", "curl", "-sS", "http://ratings:9080/ratings/0").stdout
    assert denied == "RBAC: access denied"


LINE = "exec 3<>/dev/tcp/$0/$1 && echo $2 >&3 && read -t 5 -r answer <&3 && echo $answer"


def test_tcp_goes_through_both_ways(mixed):
    for caller, server, port in (("client", "lines", 9000), ("envoy-client", "talker", 9100), ("envoy-client", "lines", 9000)):
        assert mixed.exec(caller, "bash", "-c", LINE, server, str(port), "hello").stdout.strip() == "hello", (caller, server)


def code(mesh, caller, url, *arguments):
    return mesh.exec(caller, "curl", "-4", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}", *arguments, url, check=False).stdout


@pytest.mark.parametrize("caller", ["client", "envoy-client"])
def test_the_timeout_of_a_rule_counts(mixed, caller):
    assert code(mixed, caller, "http://slow:8000/") == "504"
    # A call's own deadline does not prolong it.
    assert mixed.exec(caller, "curl", "-4", "-sS", "-m", "10", "-o", "/dev/null", "-D", "-", "-X", "POST", "-H", "content-type: application/grpc",
                      "-H", "grpc-timeout: 8S", "http://slow:8000/a.B/C").stdout.lower().find("grpc-status: 14") > 0


@pytest.mark.parametrize("caller", ["client", "envoy-client", "db-0"])
@pytest.mark.parametrize("host", ["db-0.db", "db-1.db.default", "db-2.db", "db-1.db.default.svc.cluster.local", "db"])
def test_each_pod_of_a_headless_service_is_called_by_its_name(mixed, caller, host):
    """The first two take mutual TLS only, the third none; the first calls itself, too."""
    assert code(mixed, caller, f"http://{host}:8000/") == "200"
    assert mixed.exec(caller, "bash", "-c", LINE, host, "9000", "hello").stdout.strip() == "hello"


@pytest.mark.parametrize("name", ["judge-plait", "judge-envoy"])
def test_a_workload_calls_its_own_address_with_its_identity(mixed, name):
    (pod,) = mixed.pods(name)
    assert code(mixed, name, f"http://{pod['ip']}:8000/") == "200"
    assert mixed.exec(name, "bash", "-c", LINE, pod["ip"], "9000", "hello").stdout.strip() == "hello"
    file = mixed.directory / "self.yaml"
    m.write(file, m.authorization("self", {"selector": {"matchLabels": {"app": name}}, "action": "DENY", "rules": [
        {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/default"]}}]}]}))
    until(lambda: code(mixed, name, f"http://{pod['ip']}:8000/") == "403", 10, "it is denied as any caller with its identity")
    file.unlink()
    until(lambda: code(mixed, name, f"http://{pod['ip']}:8000/") == "200", 10, "it is served again")


def test_mutual_tls_of_an_envoy_is_of_version_1_3_and_may_have_to_be(mixed):
    versions = "cluster.outbound|8000||{}.default.svc.cluster.local.ssl.versions.TLSv1.{}"
    servers = ("judge-plait", "judge-envoy")
    for server in servers:
        assert code(mixed, "envoy-client", f"http://{server}:8000/") == "200"
        assert stat(mixed, "envoy-client", versions.format(server, 3)) > 0 and stat(mixed, "envoy-client", versions.format(server, 2)) == 0
    file = mixed.directory / "tls.yaml"
    m.write(file, {**m.document("ConfigMap", "istio", None, namespace="istio-system"), "data": {"mesh": "meshMTLS: {minProtocolVersion: TLSV1_3}"}})

    def only_1_3(envoy):
        return '"tls_minimum_protocol_version": "TLSv1_3"' in mixed.admin(envoy, "/config_dump?resource=dynamic_listeners")
    try:
        until(lambda: only_1_3("judge-envoy"), 10, "the server asks for TLS 1.3")
        for server in servers:
            assert code(mixed, "envoy-client", f"http://{server}:8000/") == "200", server
    finally:
        file.unlink()
    until(lambda: not only_1_3("judge-envoy"), 10, "the server takes TLS 1.2 again")


def test_rules_with_one_server_name_twice_do_not_take_a_listener_away(mixed):
    file = mixed.directory / "names.yaml"
    to = [{"destination": {"host": "twice.example", "port": {"number": 8443}}}]
    m.write(
        file,
        m.document("ServiceEntry", "twice", {"hosts": ["twice.example"], "resolution": "STATIC", "endpoints": [{"address": "192.0.2.7"}],
                                             "addresses": ["192.0.2.7"], "ports": [{"number": 8443, "name": "tls", "protocol": "TLS"}]},
                   "networking.istio.io/v1"),
        *(m.virtual_service(f"twice-{n}", {"hosts": ["twice.example"], "tls": [{"match": [{"port": 8443, "sniHosts": names}], "route": to}]})
          for n, names in enumerate((["a.twice.example", "b.twice.example"], ["b.twice.example", "c.twice.example"]))))
    until(lambda: "c.twice.example" in mixed.admin("envoy-client", "/config_dump?resource=dynamic_listeners"), 10, "the last name is there")
    assert "error_state" not in mixed.admin("envoy-client", "/config_dump?resource=dynamic_listeners")
    assert stat(mixed, "envoy-client", "listener_manager.lds.update_rejected") == 0
    file.unlink()


def test_what_a_listener_had_goes_on_no_longer_than_in_a_plait_proxy(mixed):
    """What a new policy forbids ends with the old listener."""
    times = {json.loads(mixed.admin(name, "/server_info"))["command_line_options"]["drain_time"] for name in ("judge-plait", "judge-envoy")}
    assert times == {"45s"}


def test_http_1_0_without_a_host_is_served_to_clients_without_a_proxy(mixed):
    ask = "exec 3<>/dev/tcp/$0/8000 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && read -t 5 -r answer <&3 && echo $answer"
    file = mixed.directory / "open.yaml"
    m.write(file, peers("PERMISSIVE"))
    try:
        for judge in ("judge-plait", "judge-envoy"):
            ip = mixed.pods(judge)[0]["ip"]
            until(lambda ip=ip: code(mixed, "plain", f"http://{ip}:8000/") == "200", 10, "plaintext is taken")
            answer = mixed.exec("plain", "bash", "-c", ask, ip, check=False).stdout
            assert answer.split()[1:2] == ["200"], (judge, answer)
    finally:
        file.unlink()


def policies(*specs):
    return [m.authorization(f"judged-{n}", {"selector": {"matchLabels": {"judge": "yes"}}, **spec}) for n, spec in enumerate(specs)]


def peers(mode):
    return m.peer_authentication(mode, "judged", selector={"matchLabels": {"judge": "yes"}})


def to(**operation):
    return {"to": [{"operation": operation}]}


def source(**which):
    return {"from": [{"source": which}]}


# name -> (objects, {what is asked: verdict}). What is asked: the caller, a port (9000 is TCP), and for HTTP a path and curl's
# arguments. Where no policy says otherwise callers of the mesh are served, and `plain` is refused.
VERDICTS = {
    "nothing": (lambda ip: [m.service("nothing", {"http": 1})], {
        "client 8000 /": "served", "envoy-client 8001 /": "served", "stranger 9000": "served", "plain 8000 /": "refused", "plain 9000": "refused"}),
    "DENY by path": (lambda ip: policies({"action": "DENY", "rules": [to(paths=["/secret*"])]}), {
        "client 8000 /secret/1": "denied", "client 8000 /": "served", "envoy-client 8001 /secret": "denied", "plain 8000 /": "refused"}),
    "DENY by port": (lambda ip: policies({"action": "DENY", "rules": [to(ports=["8001"])]}), {
        "client 8001 /": "denied", "client 8000 /": "served", "client 9000": "served"}),
    "DENY by principal": (lambda ip: policies({"action": "DENY", "rules": [source(principals=["cluster.local/ns/other/sa/other"])]}), {
        "stranger 8000 /": "denied", "stranger 9000": "refused", "client 8000 /": "served", "envoy-client 9000": "served"}),
    "ALLOW by namespace": (lambda ip: policies({"action": "ALLOW", "rules": [source(namespaces=["other"])]}), {
        "stranger 8000 /": "served", "stranger 9000": "served", "client 8000 /": "denied", "envoy-client 9000": "refused"}),
    "ALLOW nobody": (lambda ip: policies({}), {"client 8000 /": "denied", "envoy-client 8001 /": "denied", "client 9000": "refused"}),
    "ALLOW by header": (lambda ip: policies({"action": "ALLOW", "rules": [{"when": [{"key": "request.headers[x-pass]", "values": ["yes"]}]}]}), {
        "client 8000 / -H x-pass:yes": "served", "client 8000 / -H x-pass:no": "denied", "client 8000 /": "denied", "client 9000": "refused"}),
    "ALLOW by address": (lambda ip: policies({"action": "ALLOW", "rules": [source(ipBlocks=[ip])]}), {
        "client 8000 /": "served", "client 9000": "served", "envoy-client 8000 /": "denied", "stranger 9000": "refused"}),
    "DENY at the TCP port": (lambda ip: policies({"action": "DENY", "rules": [{**source(namespaces=["default"]), **to(ports=["9000"])}]}), {
        "client 9000": "refused", "stranger 9000": "served", "client 8000 /": "served"}),
    # What HTTP alone can answer never allows TCP, and DENY without it denies more.
    "methods at the TCP port": (lambda ip: policies({"action": "ALLOW", "rules": [to(methods=["GET"])]}), {
        "client 9000": "refused", "client 8000 /": "served", "client 8000 / -XPOST": "denied"}),
    "PERMISSIVE": (lambda ip: [peers("PERMISSIVE")], {
        "plain 8000 /": "served", "plain 9000": "served", "client 8000 /": "served", "envoy-client 9000": "served"}),
    "PERMISSIVE for principals": (lambda ip: [peers("PERMISSIVE"), *policies({"action": "ALLOW", "rules": [source(principals=["*"])]})], {
        "plain 8000 /": "denied", "plain 9000": "refused", "client 8000 /": "served", "stranger 9000": "served"}),
    "DISABLE": (lambda ip: [peers("DISABLE")], {
        "plain 8000 /": "served", "plain 9000": "served", "client 8000 /": "served", "envoy-client 8000 /": "served", "client 9000": "served"}),
    "DISABLE for principals": (lambda ip: [peers("DISABLE"), *policies({"action": "ALLOW", "rules": [source(principals=["*"])]})], {
        "plain 8000 /": "denied", "client 8000 /": "denied", "envoy-client 9000": "refused"}),
    "an invalid policy": (lambda ip: policies({"action": "ALLOW", "rules": [to(methds=["GET"])]}), {
        "client 8000 /": "denied", "stranger 8001 /": "denied", "envoy-client 9000": "refused", "plain 8000 /": "refused"}),
}


def verdict(mesh, judge, asked):
    caller, port, *http = asked.split()
    host = mesh.pods(judge)[0]["ip"] if caller == "plain" else f"{judge}.default"
    if port == "9000":
        answer = mesh.exec(caller, "bash", "-c", LINE, host, port, "hello", check=False).stdout.strip()
        return {"hello": "served", "": "refused"}.get(answer, answer)
    path, *arguments = http
    result = mesh.exec(caller, "curl", "-4", "-sS", "-m", "10", "-w", "|%{http_code}", *arguments, f"http://{host}:{port}{path}", check=False)
    if result.returncode != 0:
        return "refused"
    body, _, code = result.stdout.rpartition("|")
    return {"200": "served", "403": "denied" if body == "RBAC: access denied" else body}.get(code, f"{code} {body}")


@pytest.mark.parametrize("name", VERDICTS)
def test_the_same_policies_give_the_same_verdicts_before_a_plait_proxy_and_an_envoy(mixed, name):
    objects, expected = VERDICTS[name]
    # Each case its file: what replaces a file is an edit of it, and of a bad edit the last good version stays.
    file = mixed.directory / f"judged-{list(VERDICTS).index(name)}.yaml"
    m.write(file, *objects(mixed.pods("client")[0]["ip"]))
    try:
        for judge in ("judge-plait", "judge-envoy"):
            told = {}
            with contextlib.suppress(AssertionError):  # what it was at last tells more than that it took too long
                until(lambda: told.update({asked: verdict(mixed, judge, asked) for asked in expected}) or told == expected, 10, "the verdicts")
            assert told == expected, judge
    finally:
        file.unlink()


def test_a_rule_is_live_at_an_envoy_that_calls(mixed):
    rule = mixed.directory / "no-ratings.yaml"
    m.write(rule, m.virtual_service("ratings", {
        "hosts": ["ratings"], "http": [{"fault": {"abort": {"httpStatus": 555, "percentage": {"value": 100}}},
                                        "route": [{"destination": {"host": "ratings"}}]}]}))

    def code():
        return mixed.exec("envoy-client", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://ratings:9080/ratings/0").stdout
    until(lambda: code() == "555", 10, "the fault is there")
    rule.unlink()
    until(lambda: code() == "403", 10, "the fault is gone")


def test_a_regular_expression_that_needs_a_large_program_is_taken_by_an_envoy(mixed):
    """As with Istio's bootstrap: of itself Envoy takes programs of 100 instructions."""
    rule = mixed.directory / "numbered.yaml"
    m.write(rule, m.virtual_service("ratings-numbered", {
        "hosts": ["ratings"], "http": [{"match": [{"uri": {"regex": "/v[0-9]{1,3}/[0-9a-f]{8}-[0-9a-f]{4}/.{0,500}"}}],
                                        "fault": {"abort": {"httpStatus": 555, "percentage": {"value": 100}}},
                                        "route": [{"destination": {"host": "ratings"}}]},
                                       {"route": [{"destination": {"host": "ratings"}}]}]}))

    def code():
        url = "http://ratings:9080/v1/0123abcd-4567/x"
        return mixed.exec("envoy-client", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", url).stdout
    try:
        until(lambda: code() == "555", 10, "the rule is in force")
    finally:
        rule.unlink()
    until(lambda: code() == "403", 10, "the rule is gone")


@pytest.mark.parametrize("caller", ["envoy-client", "envoy-caller"])
def test_a_route_moves_to_a_new_subset_and_the_old_one_goes_in_one_edit(mixed, caller):
    """By delta and by state of the world. An Envoy answers 503 itself for a cluster without endpoints."""
    file = mixed.directory / "echo.yaml"
    moves_between_subsets(mixed, file, caller, "http://echo:8000/", "echo-{}-0")
    gone = "outbound|8000|to-v2|echo.default.svc.cluster.local"
    until(lambda: gone not in mixed.admin(caller, "/clusters"), 10, "the subset of the edit before is gone")
    assert stat(mixed, caller, "cluster_manager.cds.update_rejected") == 0
    file.unlink()


def test_an_envoy_that_is_replaced_loses_no_request(mixed):
    file = mixed.directory / "bookinfo.yaml"
    before = file.read_text()
    documents = list(yaml.safe_load_all(before))
    (details,) = [d for d in documents if d["kind"] == "Deployment" and d["metadata"]["name"] == "details-v1"]
    details["spec"]["replicas"] = 2
    url = "http://details:9080/details/0"
    carries_the_load(mixed, url)
    with mixed.load_while("productpage-v1", url, *LOAD) as report:
        mixed.load("productpage-v1", url, "--rate", "50", "--duration", "0.5")  # so that it has begun
        file.write_text(yaml.safe_dump_all(documents))
        until(lambda: len([p for p in mixed.pods("details-v1") if p["ready"]]) == 2, 60, "two pods of details")
        file.write_text(before)
        until(lambda: len(mixed.pods("details-v1")) == 1, 60, "one pod of details")
        mixed.load("productpage-v1", url, "--rate", "50", "--duration", "0.5")
    lost_nothing(report)


def test_the_root_of_a_mesh_with_envoys_is_replaced(mixed):
    """An Envoy gets roots and certificate from the process beside it; nobody is left with the old ones."""
    def secrets(envoy):
        return json.loads(mixed.named("pc", "secret", envoy, "-o", "json").stdout)
    before = {envoy: secrets(envoy) for envoy in ENVOYS}
    url = "http://details:9080/details/0"
    carries_the_load(mixed, url)
    with mixed.load_while("productpage-v1", url, *LOAD) as report:
        done = json.loads(mixed.named("cert", "rotate", "--anchor", "-o", "json", timeout=150).stdout)
        mixed.load("productpage-v1", url, "--rate", "50", "--duration", "0.5")
    lost_nothing(report)
    assert done["root_serial"]
    for envoy, then in before.items():
        assert secrets(envoy) != then, envoy
    restarts = sum(pod["restarts"] for envoy in ENVOYS for pod in mixed.pods(envoy))
    mixed.named("cert", "rotate", timeout=90)
    assert restarts == sum(pod["restarts"] for envoy in ENVOYS for pod in mixed.pods(envoy)), "what is asked for is no restart"
    assert "William Shakespeare" in mixed.get("/productpage")[1]


def test_an_envoy_that_was_killed_comes_back(mixed):
    (pod,) = mixed.pods("details-v1")
    (pid,) = [pid for pid in mixed.processes("envoy") if f".{pod['name']}/" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
    mixed.signal(pid, "KILL")
    until(lambda: mixed.pods("details-v1")[0]["restarts"] > pod["restarts"], 10, "it was started again")
    until(lambda: mixed.pods("details-v1")[0]["ready"], 30, "it is ready again")
    until(lambda: "William Shakespeare" in mixed.get("/productpage")[1], 10, "details is served")


def test_commands_say_which_proxies_are_envoys(mixed):
    """An Envoy's own version is its own; the plait-proxy that keeps its identity is no proxy of a workload."""
    envoy = json.loads(mixed.admin("details-v1", "/server_info"))["version"].split("/")[1]
    programs = {w["name"]: w["proxy_program"] for w in mixed.pods()}
    assert programs["details-v1-0"] == "envoy" and programs["productpage-v1-0"] == "plait-proxy" and programs["plain-0"] == ""
    proxies = [w for w in mixed.pods() if w["proxy"] in ("sidecar", "gateway")]
    envoys = [w for w in proxies if w["proxy_program"] == "envoy"]
    rows = [line.split() for line in mixed.named("ps").stdout.splitlines()[1:]]
    assert {row[0] for row in rows} >= {f"{w['name']}.{w['namespace']}" for w in proxies} and not [row for row in rows if "-identity." in row[0]]
    assert {row[0] for row in rows if row[-1] == "Envoy"} == {f"{w['name']}.{w['namespace']}" for w in envoys}
    version = json.loads(mixed.named("version", "-o", "json").stdout)
    assert {(one["program"], one["version"], one["proxies"]) for one in version["data_plane"]} == {
        ("plait-proxy", version["client"], len(rows) - len(envoys)), ("envoy", envoy, len(envoys))}
    said = mixed.well()
    assert f"of one version: {len(envoys)} Envoys have versions of their own: {envoy}" in said and "0 failed" in said
    outside = mixed.named("pc", "endpoint", "reviews-v2").stdout
    assert "HEALTHY" in outside and "OK" in outside


def test_what_an_envoy_cannot_explain_is_said_with_the_way_to_ask(mixed):
    offline = f"plait explain -f {mixed.directory}"
    question = ["envoy-client", "ratings:9080", "POST", "/ratings/0?a=b&c", "-H", "end-user: jason's", "-H", "x-a: 1"]
    by_envoy = mixed.named("explain", *question, check=False)
    assert by_envoy.returncode != 0 and "is an Envoy" in by_envoy.stderr and offline in by_envoy.stderr
    [printed] = re.findall(r"plait (explain -f .*)", by_envoy.stderr)
    assert shlex.split(printed) == ["explain", "-f", str(mixed.directory), *question]
    answered = mixed.plait(*shlex.split(printed), check=False)
    assert answered.returncode == 1 and "403 rbac_access_denied" in answered.stdout, answered.stdout + answered.stderr
    to_envoy = mixed.named("explain", "productpage-v1", "details", "GET", "/details/0", check=False)
    assert to_envoy.returncode == 1 and "outbound|9080" in to_envoy.stdout and "is an Envoy" in to_envoy.stdout and offline in to_envoy.stdout
    assert "404" not in by_envoy.stderr + to_envoy.stderr and "admin commands" not in by_envoy.stderr + to_envoy.stderr
    asked = mixed.plait("explain", "-f", str(mixed.directory), "client", "details", "GET", "/details/0", check=False)
    assert asked.returncode == 1 and "403 rbac_access_denied" in asked.stdout, asked.stdout + asked.stderr
    assert mixed.exec("client", "curl", "-sS", "http://details:9080/details/0").stdout == "RBAC: access denied"
    denied = until(lambda: (answer := mixed.named("logs", "--denied", "details-v1")).stdout and answer, 20, "the Envoy has logged it")
    assert "no rule of the ALLOW policies" in denied.stdout and "is an Envoy" in denied.stdout and offline in denied.stdout, denied
