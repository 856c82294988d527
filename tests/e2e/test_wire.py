"""What keeps the claims honest: the mesh's own network, as a packet socket sees it."""
import base64
import contextlib
import json
import pathlib
import subprocess
import sys
import uuid

import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP


@pytest.fixture(scope="module")
def wired(folder):
    directory = folder / "wired"
    directory.mkdir()
    m.write(
        directory / "mesh.yaml",
        m.peer_authentication("PERMISSIVE"),
        m.account("server"),
        m.deployment("echo", [APP, "echo", "--port", "8000"], account="server", ports=[8000], probe=m.http_probe(8000)),
        m.service("echo", {"http": 8000}),
        m.deployment("lines", [APP, "tcp-echo", "--port", "9000"], account="server", ports=[9000]),
        m.service("lines", {"tcp": 9000}),
        # Speaks first, on a port that nobody declared.
        m.deployment("greeter", [APP, "tcp-echo", "--port", "7000", "--greeting", "CANARY-of-the-greeter"], account="server", ports=[7000]),
        m.document("Service", "greeter", {"selector": {"app": "greeter"}, "ports": [{"port": 7000}]}),
        m.deployment("strict", [APP, "echo", "--port", "8000"], account="server", ports=[8000], probe=m.http_probe(8000)),
        m.service("strict", {"http": 8000}),
        m.peer_authentication("STRICT", "strict", selector={"matchLabels": {"app": "strict"}}),
        m.gateway("edge", {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}, namespace=None),
        m.virtual_service("edge", {"hosts": ["*"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "echo", "port": {"number": 8000}}}]}]}),
        m.deployment("client", [APP, "client"]),
        m.deployment("plain", [APP, "client"], inject=False))
    mesh = Mesh(folder, directory, name="wired")
    mesh.start()
    yield mesh
    mesh.stop()


@contextlib.contextmanager
def watch(mesh, *canaries):
    """Yields a dictionary that holds the report afterwards."""
    supervisor = mesh.processes("plaitd")[0]  # plaitd lives in the mesh's own namespaces
    report = {}
    command = mesh.in_network_of(supervisor, sys.executable, str(pathlib.Path(__file__).with_name("wire.py")), *canaries)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    try:
        yield report
    finally:
        out, _ = process.communicate(timeout=20)
    report.update(json.loads(out))
    assert report["dropped"] == 0, "the watcher has seen every packet"


def is_tls(text):
    first = base64.b64decode(text)
    return len(first) == 5 and first[0] == 0x16 and first[1] == 3


def address(mesh, host, database):
    """As the client resolves it."""
    return mesh.exec("client", "getent", database, host).stdout.split()[0]


GREETED = "exec 3<>/dev/tcp/$0/7000 && read -t 5 -r -n 21 greeting <&3 && echo $greeting && echo $1 >&3 && read -t 5 -r -n 5 answer <&3"
LINE = "exec 3<>/dev/tcp/$0/$1 && echo $2 >&3 && read -t 5 -r answer <&3 && echo $answer"


def test_every_connection_of_the_mesh_begins_with_tls_and_shows_no_content(wired):
    canary = f"canary-{uuid.uuid4().hex}"
    greeting = "CANARY-of-the-greeter"
    until(lambda: wired.get("/")[0] == 200, 10, "the gateway serves")
    with watch(wired, canary, greeting) as report:
        post = ["--connections", "10", "-H", f"x-canary:{canary}", "--body", canary, "--method", "POST"]
        v6 = address(wired, "echo", "ahostsv6")
        for host in ("echo", "echo.default.svc.cluster.local", "strict", f"[{v6}]"):
            assert wired.load("client", f"http://{host}:8000/{canary}", "--count", "50", *post)["status"] == {"200": 50}
        for host in ("lines", address(wired, "lines", "ahostsv6")):
            assert wired.exec("client", "bash", "-c", LINE, host, "9000", canary).stdout.strip() == canary
        for host in ("greeter", address(wired, "greeter", "ahostsv6")):
            assert wired.exec("client", "bash", "-c", GREETED, host, canary).stdout.strip() == greeting
        v4, v6 = wired.exec("echo", "hostname", "-I").stdout.split()
        for ip in (v4, f"[{v6}]"):
            assert wired.load("client", f"http://{ip}:8000/{canary}", "--count", "10")["status"] == {"200": 10}
        assert wired.get(f"/{canary}", {"x-canary": canary})[0] == 200
    assert len(report["connections"]) >= 16 and report["packets"] > 200
    assert {":" in connection["to"][0] for connection in report["connections"]} == {True, False}, "both families"
    for connection in report["connections"]:
        assert is_tls(connection["client"]), connection
        assert not connection["server"] or is_tls(connection["server"]) or base64.b64decode(connection["server"])[0] == 0x15, connection
    assert report["canaries"] == []


def test_the_watcher_sees_plaintext_when_there_is_some(wired):
    """Else the test above would prove nothing."""
    canary = f"canary-{uuid.uuid4().hex}"
    with watch(wired, canary) as report:
        wired.load("plain", f"http://{wired.pods('echo')[0]['ip']}:8000/{canary}", "--count", "3")
    assert report["canaries"] == [canary]
    assert any(not is_tls(connection["client"]) for connection in report["connections"])
