"""What keeps the claims honest: the mesh's own network, as a packet socket sees it."""
import base64
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

import manifests as m
from mesh import Mesh

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
    # Root owns every user namespace; another user has to enter that of the mesh first.
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    command = ["nsenter", "--target", str(supervisor), *user, "--net", sys.executable,
               str(pathlib.Path(__file__).with_name("wire.py")), *canaries]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    try:
        yield report
    finally:
        out, _ = process.communicate(timeout=20)
    report.update(json.loads(out))


def is_tls(text):
    first = base64.b64decode(text)
    return len(first) == 5 and first[0] == 0x16 and first[1] == 3


LINE = "exec 3<>/dev/tcp/$0/$1 && echo $2 >&3 && read -t 5 -r answer <&3 && echo $answer"


def test_every_connection_of_the_mesh_begins_with_tls_and_shows_no_content(wired):
    canary = f"canary-{uuid.uuid4().hex}"
    with watch(wired, canary) as report:
        for host in ("echo", "echo.default.svc.cluster.local"):
            wired.load("client", f"http://{host}:8000/{canary}", "--count", "50", "--connections", "10", "-H", f"x-canary:{canary}", "--body", canary, "--method", "POST")
        assert wired.exec("client", "bash", "-c", LINE, "lines", "9000", canary).stdout.strip() == canary
        pod = wired.pods("echo")[0]
        wired.load("client", f"http://{pod['ip']}:8000/{canary}", "--count", "10")
    assert len(report["connections"]) >= 12 and report["packets"] > 200
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
