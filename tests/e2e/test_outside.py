"""Destinations outside the mesh: what the outbound policy allows is dialled outside and its socket passed in."""
import json
import os
import signal
import socketserver

import pytest

from manifests import account, deployment, document, write
from mesh import Mesh, command_lines, until
from outside import HOST, NAME, serving, web_server

class Shout(socketserver.StreamRequestHandler):
    """Speaks first, then answers each line in capitals."""

    def handle(self):
        self.wfile.write(b"welcome\n")
        for line in self.rfile:
            self.wfile.write(line.upper())


@pytest.fixture(name="web", scope="module")
def fixture_web():
    with web_server() as port:
        yield port


@pytest.fixture(name="tcp", scope="module")
def fixture_tcp():
    with serving(socketserver.ThreadingTCPServer, Shout) as port:
        yield port


def entry(port, protocol="HTTP", host="api.example.com"):
    return document("ServiceEntry", "api", {
        "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": [{"address": HOST}],
        "ports": [{"number": port, "name": protocol.lower(), "protocol": protocol}]}, "networking.istio.io/v1")


def entry_at(address, port, protocol):
    """Tells what is at a port of an address, and leads nowhere else."""
    return document("ServiceEntry", "at", {
        "hosts": ["at.example.com"], "addresses": [address], "location": "MESH_EXTERNAL", "resolution": "NONE",
        "ports": [{"number": port, "name": protocol.lower(), "protocol": protocol}]}, "networking.istio.io/v1")


def policy(mode):
    mesh = f"outboundTrafficPolicy: {{mode: {mode}}}\naccessLogFile: /dev/stdout\n"
    return {**document("ConfigMap", "istio", None, namespace="istio-system"), "data": {"mesh": mesh}}


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "outside"
    directory.mkdir()
    write(directory / "client.yaml", account("client"), deployment("client", ["sleep", "infinity"], account="client"))
    write(directory / "mesh.yaml", policy("ALLOW_ANY"))
    mesh = Mesh(folder, directory).start()
    yield mesh
    mesh.stop()


def curl(mesh, url, *options):
    """(status or curl's exit code, body)."""
    result = mesh.exec("client", "curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", *options, url, check=False)
    body, _, code = result.stdout.rpartition("\n")
    return (int(code) or -result.returncode, body)


TALK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) as s, s.makefile("rw") as f:
    greeting = f.readline().strip(); assert greeting, "closed"
    print(greeting); f.write("quiet\\n"); f.flush(); print(f.readline().strip())
"""


def requests(mesh, service):
    return sum(value for labels, value in mesh.metrics("client", "istio_requests_total")
               if labels["destination_service_name"] == service and labels["reporter"] == "source")


def test_allow_any_reaches_what_nobody_declared(mesh, web):
    before = requests(mesh, "PassthroughCluster")
    assert curl(mesh, f"http://{NAME}:{web}/page") == (200, f"outside /page {NAME}:{web}\n")
    until(lambda: requests(mesh, "PassthroughCluster") == before + 1, 10, "it is counted")
    log = until(lambda: [line for line in mesh.named("logs", "client", "-c", "istio-proxy").stdout.splitlines()
                         if "GET /page" in line], 10, "it is logged")[-1]
    assert " 200 - " in log and "PassthroughCluster" in log and f"{HOST}:{web}" in log, log


def test_a_server_that_speaks_first_is_relayed(mesh, tcp):
    said = mesh.exec("client", "python3", "-c", TALK, NAME, str(tcp)).stdout.split()
    assert said == ["welcome", "QUIET"]


def test_a_closed_port_outside_is_refused_as_upstream_failure(mesh):
    status, body = curl(mesh, f"http://{NAME}:1/")
    assert status == 503 and "remote connection failure" in body, body
    until(lambda: "delayed_connect_error:_Connection_refused" in mesh.named("logs", "client", "-c", "istio-proxy").stdout, 10, "the log says why")


def test_a_service_entry_is_reached_by_its_host_and_counted_under_it(mesh, web):
    write(mesh.directory / "entry.yaml", entry(web))
    try:
        until(lambda: curl(mesh, f"http://api.example.com:{web}/entry") == (200, f"outside /entry api.example.com:{web}\n"),
              15, "the entry is served")
        until(lambda: requests(mesh, "api.example.com") >= 1, 10, "it is counted")
    finally:
        (mesh.directory / "entry.yaml").unlink()


def destination(mesh, port):
    """What `plait explain` says of it, and where it leads to."""
    answer = json.loads(mesh.named("explain", "client", f"{HOST}:{port}", "GET", "/", "-o", "json", check=False).stdout)
    return {step["step"]: step["text"] for step in answer["steps"]}


@pytest.mark.parametrize("address", [HOST, f"{HOST}/24"])
def test_an_address_is_reached_again_when_its_service_entry_is_gone(mesh, web, address):
    url = f"http://{HOST}:{web}/again"
    assert curl(mesh, url)[0] == 200
    for _ in range(2):
        write(mesh.directory / "at.yaml", entry_at(address, web, "HTTP"))
        try:
            until(lambda: "at.example.com" in destination(mesh, web)["destination"], 15, "the entry is known")
            assert curl(mesh, url)[0] == 200
        finally:
            (mesh.directory / "at.yaml").unlink()
        until(lambda: "at.example.com" not in destination(mesh, web).get("destination", "at.example.com"), 15, "the entry is gone")
        assert curl(mesh, url) == (200, f"outside /again {HOST}:{web}\n")


@pytest.mark.parametrize("address", [HOST, f"{HOST}/24"])
def test_other_ports_of_a_service_entrys_addresses_follow_the_outbound_policy(mesh, web, tcp, address):
    write(mesh.directory / "at.yaml", entry_at(address, 3306, "TCP"))
    try:
        until(lambda: "which has no port" in destination(mesh, web)["destination"], 15, "the entry is known")
        assert curl(mesh, f"http://{HOST}:{web}/other")[0] == 200
        assert mesh.exec("client", "python3", "-c", TALK, HOST, str(tcp)).stdout.split() == ["welcome", "QUIET"]
        said = destination(mesh, web)
        assert said["destination"].endswith(f"no port {web} (there is 3306): the outbound policy decides"), said
        assert "cluster PassthroughCluster" in said["endpoint"], said
        write(mesh.directory / "mesh.yaml", policy("REGISTRY_ONLY"))
        until(lambda: curl(mesh, f"http://{HOST}:{web}/other")[0] == 502, 15, "it is refused")
        assert "answered here with 502" in destination(mesh, web)["answer"]
    finally:
        (mesh.directory / "at.yaml").unlink()
        write(mesh.directory / "mesh.yaml", policy("ALLOW_ANY"))
    until(lambda: curl(mesh, f"http://{HOST}:{web}/other")[0] == 200, 15, "the policy is the old one")


def test_registry_only_reaches_what_is_declared_and_nothing_else(mesh, web, tcp):
    write(mesh.directory / "mesh.yaml", policy("REGISTRY_ONLY"))
    write(mesh.directory / "entry.yaml", entry(web))
    try:
        until(lambda: curl(mesh, f"http://api.example.com:{web}/only")[0] == 200, 15, "the entry is served")
        until(lambda: curl(mesh, f"http://{NAME}:{web}/other")[0] == 502, 15, "an unknown host is refused")
        until(lambda: mesh.exec("client", "python3", "-c", TALK, NAME, str(tcp), check=False).returncode == 1, 15,
              "an unknown TCP destination is refused")
        assert requests(mesh, "BlackHoleCluster") >= 1
    finally:
        (mesh.directory / "entry.yaml").unlink()
        write(mesh.directory / "mesh.yaml", policy("ALLOW_ANY"))


def test_applications_cannot_ask_the_helper_nor_pass_the_proxy(mesh, web):
    run = mesh.status()["run_dir"]
    assert os.path.exists(f"{run}/dial.sock")
    ask = (f"import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('{run}/dial.sock'); "
           f"s.send(b'1 {HOST}:{web}')")
    refused = mesh.exec("client", "python3", "-c", ask, check=False)
    assert refused.returncode == 1 and ("FileNotFoundError" in refused.stderr or "PermissionError" in refused.stderr)
    # The debug pages of the control plane trust whoever is on the host: they are not for applications.
    debug = json.loads(mesh.named("status", "-o", "json").stdout)["debug_url"]
    assert curl(mesh, f"http://{NAME}:{debug.rsplit(':', 1)[1]}/debug/syncz")[0] == 503


def test_a_helper_that_dies_is_replaced(mesh, web):
    def helpers():
        return [pid for pid, words in command_lines() if words[:2] == [b"plait", b"@dial-helper"] and os.stat(f"/proc/{pid}").st_uid
                == os.stat(mesh.status()["run_dir"]).st_uid]
    old = helpers()
    assert len(old) == 1
    os.kill(old[0], signal.SIGKILL)
    until(lambda: helpers() not in ([], old), 10, "another one runs")
    assert curl(mesh, f"http://{NAME}:{web}/again")[0] == 200
