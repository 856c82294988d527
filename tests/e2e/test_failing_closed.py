"""What must not get through does not, and only that: plaintext and foreign TLS at STRICT, forged headers at the gateway,
open connections that a new policy forbids, and limits that hold for the process and not for each of its workers."""
import contextlib
import json

import pytest

import manifests as m
from mesh import Mesh, until
from talk import Talk

APP = m.APP


def documents():
    yield m.account("server")
    yield m.deployment("echo", [APP, "echo", "--port", "8000"], account="server", ports=[8000], probe=m.http_probe(8000))
    yield m.service("echo", {"http": 8000})
    yield from limited()
    yield m.deployment("talker", [APP, "tcp-echo", "--port", "7000", "--greeting", "hello\n"], account="server", ports=[7000])
    yield m.service("talker", {"tcp": 7000})
    for name in ("alice", "bob"):
        yield m.account(name)
        yield m.deployment(name, [APP, "client"], account=name)
    yield m.deployment("plain", [APP, "client"], inject=False)
    yield m.gateway("edge", {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}, namespace=None)
    yield m.virtual_service("edge", {"hosts": ["*"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "echo", "port": {"number": 8000}}}]}]})


# Takes connections and says nothing: TLS with it is never over.
MUTE = "import signal, socket; s = socket.create_server(('::', 8000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512); signal.pause()"


def limited():
    """Services with one limit each. Envoy's default of two retries would hide what most of them refuse."""
    def service(name, policy, retries=None, command=None, port="http", **how):
        number = 7000 if port == "tcp" else 8000
        yield m.deployment(name, command or [APP, "echo", "--port", "8000", "--delay-ms", "1500"], account="server", ports=[number], **how)
        yield m.service(name, {port: number})
        yield m.destination_rule(name, {"host": name, "trafficPolicy": policy})
        if port == "http":
            yield m.virtual_service(name, {"hosts": [name], "http": [{"retries": retries or {"attempts": 0}, "route": [{"destination": {"host": name}}]}]})
    once = {"attempts": 1, "retryOn": "5xx"}
    failing = [APP, "echo", "--port", "8000", "--delay-ms", "1500", "--fail-every", "1"]
    yield from service("slow", {"connectionPool": {"http": {"http2MaxRequests": 7}}})
    yield from service("slower", {"connectionPool": {"http": {"http2MaxRequests": 40}}})
    yield from service("mute", {"connectionPool": {"tcp": {"connectTimeout": "2s"}, "http": {"http1MaxPendingRequests": 5}}, "tls": {"mode": "ISTIO_MUTUAL"}},
                       command=["python3", "-c", MUTE], inject=False)
    yield from service("flaky", {"connectionPool": {"http": {"maxRetries": 3}}}, once, failing)
    yield from service("budget", {"retryBudget": {"percent": 10, "minRetryConcurrency": 5}}, once, failing)
    yield from service("narrow", {"connectionPool": {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1000}}},
                       command=[APP, "echo", "--port", "8000", "--delay-ms", "10"])
    yield from service("few", {"connectionPool": {"tcp": {"maxConnections": 3}}}, port="tcp",
                       command=[APP, "tcp-echo", "--port", "7000", "--greeting", "hello\n"])
    yield from service("outlier", {"outlierDetection": {"consecutive5xxErrors": 5, "baseEjectionTime": "300s", "maxEjectionPercent": 100}},
                       command=[APP, "echo", "--port", "8000"])
    yield m.deployment("outlier-bad", [APP, "echo", "--port", "8000", "--fail-every", "1"], labels={"app": "outlier", "version": "bad"},
                       account="server", ports=[8000])


@pytest.fixture(scope="module", params=[1, 4], ids=["one-worker", "four-workers"])
def mesh(folder, request):
    directory = folder / f"closed-{request.param}"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *documents())
    mesh = Mesh(folder, directory, concurrency=request.param, name=f"closed-{request.param}")
    mesh.start()
    yield mesh
    mesh.stop()


def counters(mesh, host):
    """{name: value} of alice's statistics of a service."""
    prefix = f"cluster.outbound|8000||{host}.default.svc.cluster.local."
    lines = mesh.admin("alice", f"/stats?filter=8000.*{host}.default").splitlines()
    return {name.removeprefix(prefix): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize("host, most, callers", [("slow", 7, 20), ("slower", 40, 60)])
def test_requests_at_a_time_are_limited_for_the_whole_process(mesh, host, most, callers):
    """Whatever number of workers serves the callers."""
    until(lambda: mesh.load("alice", f"http://{host}:8000/", "--count", "1")["status"] == {"200": 1}, 10, f"{host} answers")
    report = mesh.load("alice", f"http://{host}:8000/", "--count", str(callers), "--connections", str(callers))
    assert report["status"] == {"200": most, "503": callers - most}, report
    mesh.logged("alice", " UO ")


def test_requests_that_wait_for_a_connection_are_limited_for_the_whole_process(mesh):
    before = counters(mesh, "mute")
    report = mesh.load("alice", "http://mute:8000/", "--count", "20", "--connections", "20", "--count-by", "x-envoy-overloaded")
    assert report["status"] == {"503": 20}, report
    now = counters(mesh, "mute")
    waited, refused = (int(now[name]) - int(before.get(name, 0)) for name in ("upstream_rq_pending_total", "upstream_rq_pending_overflow"))
    assert (waited, refused) == (5, 15), now


def test_requests_wait_where_only_connections_are_limited(mesh):
    """Also those of a worker that has none, while another has the only one that is allowed."""
    report = mesh.load("alice", "http://narrow:8000/", "--count", "200", "--connections", "20")
    assert report["status"] == {"200": 200}, report
    now = counters(mesh, "narrow")
    assert now["upstream_cx_active"] == "1" and int(now["upstream_cx_overflow"]) > 0, now
    assert int(now["upstream_cx_total"]) - int(now["upstream_cx_destroy"]) == 1, now
    assert mesh.concurrency > 1 or now["upstream_cx_total"] == "1", now


@pytest.mark.parametrize("host, most", [("flaky", 3), ("budget", 5)])
def test_retries_at_a_time_are_limited_for_the_whole_process(mesh, host, most):
    report = mesh.load("alice", f"http://{host}:8000/", "--count", "20", "--connections", "20")
    assert report["status"] == {"503": 20}, report
    now = counters(mesh, host)
    assert (now["upstream_rq_retry"], now["upstream_rq_retry_overflow"]) == (str(most), str(20 - most)), now


CONNECTIONS = """
import socket
held = [socket.create_connection(("few", 7000), 10) for _ in range(8)]
for one in held:
    try:
        print("greeted" if one.recv(99) else "refused")
    except ConnectionResetError:
        print("refused")
"""


def test_connections_are_limited_for_the_whole_process(mesh):
    said = mesh.exec("alice", "python3", "-c", CONNECTIONS).stdout.split()
    assert (said.count("greeted"), said.count("refused")) == (3, 5), said


# One request at a time over kept connections, of which each worker has some; a pause after a failure, so that the
# verdict is known before the next request.
PROBES = """
import http.client, select
kept = [http.client.HTTPConnection("outlier", 8000, timeout=10) for _ in range(8)]
for turn in range(80):
    one = kept[turn % 8]
    one.request("GET", "/")
    answer = one.getresponse()
    answer.read()
    print(answer.status)
    if answer.status != 200: select.select([], [], [], 0.1)
"""


def test_a_failing_host_is_ejected_by_the_failures_that_all_workers_saw(mesh):
    until(lambda: counters(mesh, "outlier").get("membership_healthy", "2") == "2", 10, "both hosts are known")
    said = mesh.exec("alice", "python3", "-c", PROBES).stdout.split()
    assert (said.count("503"), said.count("200")) == (5, 75), said
    assert counters(mesh, "outlier")["outlier_detection.ejections_active"] == "1"
    # `plait pc endpoint` shows which.
    host = ["pc", "endpoint", "alice", "--mesh", mesh.name, "--cluster", "outbound|8000||outlier.default.svc.cluster.local"]
    found = {row[0].split(":")[0]: row[1:3] for row in (line.split() for line in mesh.plait(*host).stdout.splitlines()[1:])}
    bad, good = (mesh.pods(name)[0]["ip"] for name in ("outlier-bad-", "outlier-0"))
    assert found == {bad: ["HEALTHY", "FAILED"], good: ["HEALTHY", "OK"]}
    unhealthy = json.loads(mesh.plait(*host, "--status", "UNHEALTHY", "-o", "json").stdout)
    (endpoint,) = [one for locality in unhealthy[0]["endpoints"] for one in locality["lb_endpoints"]]
    assert endpoint["endpoint"]["address"]["socket_address"]["address"] == bad and endpoint["host_health_status"]["failed_outlier_check"]


def test_plaintext_and_foreign_tls_are_refused_under_strict(mesh):
    assert mesh.load("alice", "http://echo:8000/", "--count", "1")["status"] == {"200": 1}
    plain = mesh.load("plain", "http://echo:8000/", "--count", "3")
    assert plain["failed"] == 3 and not plain.get("status"), plain
    foreign = mesh.exec("plain", "curl", "-sk", "--max-time", "5", "https://echo:8000/", check=False)
    assert foreign.returncode != 0 and foreign.stdout == ""
    mesh.logged("echo", "plaintext_refused_by_strict_mutual_tls")
    mesh.logged("echo", "tls_handshake_failed{")


def test_what_a_client_forges_does_not_pass_the_gateway(mesh):
    forged = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx", "x-envoy-internal": "true", "x-plait-anything": "1",
              "x-envoy-peer-metadata": "AAAA", "x-envoy-peer-metadata-id": "sidecar~1.2.3.4~a.b~c",
              "x-forwarded-client-cert": "By=spiffe://cluster.local/ns/default/sa/alice"}
    until(lambda: mesh.get("/")[0] == 200, 10, "the gateway serves")
    status, seen = mesh.get("/forged", forged)
    assert status == 200
    seen = seen.lower()
    for name in set(forged) - {"x-forwarded-client-cert"}:
        assert name not in seen, seen
    assert "sa/alice" not in seen


def test_a_policy_closes_exactly_the_connections_that_it_forbids(mesh):
    with contextlib.closing(Talk(mesh, "alice")) as alice, contextlib.closing(Talk(mesh, "bob")) as bob:
        assert alice.says("one") == "one" and bob.says("one") == "one"
        file = mesh.directory / "policy.yaml"
        m.write(file, m.authorization("no-alice", {"selector": {"matchLabels": {"app": "talker"}}, "action": "DENY", "rules": [
            {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/alice"]}}]}]}))
        until(lambda: alice.says("two") == "", 10, "alice's connection is closed")
        assert bob.says("two") == "two"
        mesh.logged("talker", "rbac_access_denied")
        file.unlink()
        assert bob.says("three") == "three"


def test_strict_mutual_tls_closes_exactly_the_plaintext_connections(mesh):
    file = mesh.directory / "talker.yaml"
    talker = {"selector": {"matchLabels": {"app": "talker"}}}
    m.write(file, m.peer_authentication("PERMISSIVE", "talker", **talker))
    greeting = ["bash", "-c", "exec 3<>/dev/tcp/talker/7000 && read -t 5 -r -u 3 line && echo $line"]
    until(lambda: mesh.exec("plain", *greeting, check=False).stdout == "hello\n", 10, "plaintext is let in")
    with contextlib.closing(Talk(mesh, "plain")) as plain, contextlib.closing(Talk(mesh, "alice")) as alice:
        assert plain.says("one") == "one" and alice.says("one") == "one"
        m.write(file, m.peer_authentication("STRICT", "talker", **talker))
        until(lambda: plain.says("two") == "", 10, "the plaintext connection is closed")
        assert alice.says("two") == "two"
        mesh.logged("talker", " LR - plaintext_refused_by_strict_mutual_tls ")
        file.unlink()
        assert alice.says("three") == "three"


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "PeerAuthentication"])
def test_a_policy_that_became_invalid_keeps_its_last_good_meaning(mesh, kind):
    """Also after a restart of plaitd, which remembers on disk."""
    file = mesh.directory / "guard.yaml"
    if kind == "AuthorizationPolicy":
        good = m.authorization("guard", {"selector": {"matchLabels": {"app": "echo"}}, "action": "DENY", "rules": [
            {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/bob"]}}]}]})
        bad = json.loads(json.dumps(good).replace("principals", "principls"))
        refused = lambda: mesh.load("bob", "http://echo:8000/", "--count", "1")["status"] == {"403": 1}  # noqa: E731
    else:
        good = m.peer_authentication("PERMISSIVE", "guard", selector={"matchLabels": {"app": "echo"}})
        bad = json.loads(json.dumps(good).replace("PERMISSIVE", "PERMISSIVELY"))
        refused = lambda: mesh.load("plain", "http://echo:8000/", "--count", "1")["status"] == {"200": 1}  # noqa: E731
    m.write(file, good)
    until(refused, 10, "the policy is in force")
    m.write(file, bad)
    until(lambda: "guard.yaml:" in mesh.output.read_text(), 10, "the edit is told")
    assert refused()
    pid = mesh.plaitd_pid()
    mesh.signal(pid, "KILL")
    until(lambda: mesh.plaitd_pid() not in (0, pid), 20, "plaitd runs again")
    until(lambda: all(w["ready"] for w in mesh.status()["workloads"]), 20, "all is ready")
    until(refused, 10, "the last good meaning is in force")
    assert mesh.load("alice", "http://echo:8000/", "--count", "1")["status"] == {"200": 1}
    file.unlink()
    until(lambda: not refused(), 10, "the policy is gone")
