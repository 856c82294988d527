"""What must not get through does not, and only that: plaintext and foreign TLS at STRICT, forged headers at the gateway,
open connections that a new policy forbids, and limits that hold for the process and not for each of its workers."""
import contextlib
import json
import select
import subprocess

import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP


def documents():
    yield m.account("server")
    yield m.deployment("echo", [APP, "echo", "--port", "8000"], account="server", ports=[8000], probe=m.http_probe(8000))
    yield m.service("echo", {"http": 8000})
    yield m.deployment("slow", [APP, "echo", "--port", "8000", "--delay-ms", "1500"], account="server", ports=[8000])
    yield m.service("slow", {"http": 8000})
    yield m.destination_rule("slow", {"host": "slow", "trafficPolicy": {"connectionPool": {"http": {"http2MaxRequests": 7}}}})
    # Envoy's default of two retries would hide what the limits refuse.
    yield m.virtual_service("slow", {"hosts": ["slow"], "http": [{"retries": {"attempts": 0}, "route": [{"destination": {"host": "slow"}}]}]})
    yield m.deployment("talker", [APP, "tcp-echo", "--port", "7000", "--greeting", "hello\n"], account="server", ports=[7000])
    yield m.service("talker", {"tcp": 7000})
    for name in ("alice", "bob"):
        yield m.account(name)
        yield m.deployment(name, [APP, "client"], account=name)
    yield m.deployment("plain", [APP, "client"], inject=False)
    yield m.document("Gateway", "edge", {"selector": {"istio": "ingressgateway"}, "servers": [
        {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}, "networking.istio.io/v1")
    yield m.virtual_service("edge", {"hosts": ["*"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "echo", "port": {"number": 8000}}}]}]})


@pytest.fixture(scope="module", params=[1, 4], ids=["one-worker", "four-workers"])
def mesh(folder, request):
    directory = folder / f"closed-{request.param}"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *documents())
    mesh = Mesh(folder, directory, concurrency=request.param, name=f"closed-{request.param}")
    mesh.start()
    yield mesh
    mesh.stop()


def logged(mesh, workload, text):
    """The access log is written in batches."""
    until(lambda: text in mesh.named("logs", "-c", "istio-proxy", workload).stdout, 10, f"{workload} logs {text}")


def test_limits_hold_for_the_whole_process(mesh):
    """7 requests at a time, whatever number of workers serves the 20 callers."""
    until(lambda: mesh.load("alice", "http://slow:8000/", "--count", "1")["status"] == {"200": 1}, 10, "slow answers")
    report = mesh.load("alice", "http://slow:8000/", "--count", "20", "--connections", "20")
    assert report["status"] == {"200": 7, "503": 13}, report
    logged(mesh, "alice", " UO ")


def test_plaintext_and_foreign_tls_are_refused_under_strict(mesh):
    assert mesh.load("alice", "http://echo:8000/", "--count", "1")["status"] == {"200": 1}
    plain = mesh.load("plain", "http://echo:8000/", "--count", "3")
    assert plain["failed"] == 3 and not plain.get("status"), plain
    foreign = mesh.exec("plain", "curl", "-sk", "--max-time", "5", "https://echo:8000/", check=False)
    assert foreign.returncode != 0 and foreign.stdout == ""
    logged(mesh, "echo", "plaintext_refused_by_strict_mutual_tls")
    logged(mesh, "echo", "tls_handshake_failed{")


def test_what_a_client_forges_does_not_pass_the_gateway(mesh):
    forged = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx", "x-envoy-internal": "true", "x-plait-anything": "1",
              "x-forwarded-client-cert": "By=spiffe://cluster.local/ns/default/sa/alice"}
    until(lambda: mesh.get("/")[0] == 200, 10, "the gateway serves")
    status, seen = mesh.get("/forged", forged)
    assert status == 200
    seen = seen.lower()
    for name in set(forged) - {"x-forwarded-client-cert"}:
        assert name not in seen, seen
    assert "sa/alice" not in seen


class Talk:
    """A TCP connection of a workload that stays open: a line in, a line out."""

    SCRIPT = r"""exec 3<>/dev/tcp/talker/7000 || exit 7
read -r -u 3 greeting || exit 8
echo "$greeting"
while read -r line; do echo "$line" >&3 || exit 9; read -r -u 3 answer || exit 9; echo "$answer"; done"""

    def __init__(self, mesh, workload):
        self.process = subprocess.Popen(mesh.command("exec", workload, "--", "bash", "-c", self.SCRIPT), env=mesh.env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1)
        assert self.line() == "hello"

    def line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 20)
        assert ready, "the connection says nothing"
        return self.process.stdout.readline().strip()

    def says(self, text):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
            return self.line()
        return ""

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


def test_a_policy_closes_exactly_the_connections_that_it_forbids(mesh):
    with contextlib.closing(Talk(mesh, "alice")) as alice, contextlib.closing(Talk(mesh, "bob")) as bob:
        assert alice.says("one") == "one" and bob.says("one") == "one"
        file = mesh.directory / "policy.yaml"
        m.write(file, m.authorization("no-alice", {"selector": {"matchLabels": {"app": "talker"}}, "action": "DENY", "rules": [
            {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/alice"]}}]}]}))
        until(lambda: alice.says("two") == "", 10, "alice's connection is closed")
        assert bob.says("two") == "two"
        logged(mesh, "talker", "rbac_access_denied")
        file.unlink()
        assert bob.says("three") == "three"


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
