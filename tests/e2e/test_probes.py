"""Probes of all kinds under STRICT: they are the kubelet's, not a caller's, so neither mutual TLS nor policy is asked of them."""
import json
import pathlib
import shutil
import sys
import sysconfig

import pytest

import manifests as m
from certificates import self_signed, shared_folder
from mesh import Mesh, until

APP = m.APP
PEER = pathlib.Path(__file__).with_name("grpc_peer.py")
# Answers /health with the status in the file, and says who asked.
SERVER = """
import http.server, pathlib, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(pathlib.Path("/tmp/status").read_text()) if self.path == "/health?deep=1" and self.headers["x-probe"] == "yes" else 404)
        self.end_headers()
pathlib.Path("/tmp/status").write_text("200")
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
HTTP = {"path": "/health?deep=1", "port": 8080, "httpHeaders": [{"name": "x-probe", "value": "yes"}]}


@pytest.fixture(name="library", scope="module")
def fixture_library():
    """grpcio and a certificate where applications can read them."""
    with shared_folder() as folder:
        packages = pathlib.Path(sysconfig.get_paths()["platlib"])
        shutil.copytree(packages / "grpc", folder / "grpc")
        shutil.copy(packages / "typing_extensions.py", folder)
        shutil.copy(PEER, folder)
        self_signed(folder, "server")
        yield folder


def probed(name, command, readiness, port=8080, liveness=None):
    one = m.deployment(name, command, account=name, ports=[port], probe={**readiness, "periodSeconds": 1, "failureThreshold": 1})
    if liveness:
        one["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = liveness
    return one


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder, library):
    directory = folder / "probes"
    directory.mkdir()
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    server = [python, "-c", SERVER]
    grpc = [python, str(library / PEER.name), "health", "50051"]
    m.write(
        directory / "mesh.yaml", m.peer_authentication("STRICT"),
        # Nobody may call anything: probes are not asked.
        m.authorization("nothing", {}),
        *[m.account(name) for name in ("http", "https", "tcp", "grpc", "exec", "alive")],
        probed("http", server, {"httpGet": HTTP}),
        probed("https", [*server, str(library / "server.pem")], {"httpGet": {**HTTP, "scheme": "HTTPS"}}),
        probed("tcp", [APP, "tcp-echo", "--port", "8080"], {"tcpSocket": {"port": 8080}}),
        probed("grpc", grpc, {"grpc": {"port": 50051, "service": "ready"}}, port=50051),
        probed("exec", [APP, "client"], {"exec": {"command": ["test", "!", "-e", "/tmp/unready"]}}),
        probed("alive", server, {"httpGet": HTTP}, liveness={"httpGet": HTTP, "periodSeconds": 1, "failureThreshold": 2}),
        m.deployment("caller", [APP, "client"]), m.service("http", {"http": 8080}))
    mesh = Mesh(folder, directory, name="probes")
    mesh.start()
    yield mesh
    mesh.stop()


def test_every_kind_of_probe_succeeds(mesh):
    assert {p["name"]: p["ready"] for p in mesh.status()["workloads"] if p["name"] != "caller-0"} == {
        f"{kind}-0": True for kind in ("http", "https", "tcp", "grpc", "exec", "alive")}


def test_what_probes_may_callers_may_not(mesh):
    ip = mesh.pods("http")[0]["ip"]
    answer = json.loads(mesh.exec("caller", APP, "get", f"http://{ip}:8080/health?deep=1", "-H", "x-probe:yes", check=False).stdout)
    assert answer["status"] == 403, "policy holds for a caller in the mesh"


@pytest.mark.parametrize("kind", ["http", "https"])
def test_a_failing_probe_takes_the_workload_away_until_it_succeeds(mesh, kind):
    mesh.exec(kind, "sh", "-c", "echo 503 > /tmp/status")
    until(lambda: not mesh.pods(f"{kind}-0")[0]["ready"], 20, "it is not ready")
    assert "503" in mesh.pods(f"{kind}-0")[0]["reason"]
    mesh.exec(kind, "sh", "-c", "echo 200 > /tmp/status")
    until(lambda: mesh.pods(f"{kind}-0")[0]["ready"], 20, "it is ready again")


def test_a_command_decides_too(mesh):
    mesh.exec("exec", "touch", "/tmp/unready")
    until(lambda: not mesh.pods("exec-0")[0]["ready"], 20, "it is not ready")
    mesh.exec("exec", "rm", "/tmp/unready")
    until(lambda: mesh.pods("exec-0")[0]["ready"], 20, "it is ready again")


def test_grpc_health_is_of_one_service(mesh):
    file = mesh.directory / "other.yaml"
    deployment = json.loads((mesh.directory / "mesh.yaml").read_text().split("\n---\n")[11])
    assert deployment["metadata"]["name"] == "grpc"
    deployment["metadata"]["name"] = "other"
    deployment["spec"]["selector"]["matchLabels"] = deployment["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["grpc"]["service"] = "broken"
    m.write(file, deployment)
    until(lambda: "not serving" in mesh.pods("other-0")[0]["reason"], 20, "it is not serving")
    file.unlink()
    until(lambda: not mesh.pods("other-0"), 30, "it is gone")


def test_a_container_whose_liveness_fails_is_started_again(mesh):
    before = mesh.pods("alive-0")[0]["restarts"]
    mesh.exec("alive", "sh", "-c", "echo 500 > /tmp/status")
    until(lambda: mesh.pods("alive-0")[0]["restarts"] > before and mesh.pods("alive-0")[0]["ready"], 30, "it was started again")
