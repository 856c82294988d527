"""A gateway's ports are those of its listeners, whichever ports of the host they have; they come and move without a refusal."""
import re
import urllib.request

import pytest

import manifests as m
from mesh import Mesh, until

GATEWAY = "istio-ingressgateway-0"


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "gateway-ports"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *m.behind_gateway("web"),
            m.virtual_service("edge", {"hosts": ["*"], "gateways": ["istio-system/edge", "istio-system/more"], "http": [
                {"route": [{"destination": {"host": "web", "port": {"number": 8080}}}]}]}))
    mesh = Mesh(folder, directory, name="gateway-ports").start()
    yield mesh
    mesh.stop()


def rejects(mesh):
    """How many answers of plaitd proxies have refused."""
    with urllib.request.urlopen(mesh.status()["debug_url"] + "/metrics", timeout=10) as page:
        found = re.findall(r"^pilot_total_xds_rejects\{.*\} (\d+)$", page.read().decode(), re.MULTILINE)
    assert found
    return sum(map(int, found))


def more(mesh, *servers):
    m.write(mesh.directory / "more.yaml", m.gateway("more", *servers))


def from_within(mesh, port):
    """The status for a workload that asks the gateway at its own address."""
    [gateway] = mesh.pods(GATEWAY)
    asked = mesh.exec("web", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5", f"http://{gateway['ip']}:{port}/", check=False)
    return int(asked.stdout or 0)


def from_outside(mesh, port):
    with urllib.request.urlopen(f"http://127.0.0.1:{mesh.gateway_ports()[port]}/", timeout=5) as answer:
        return answer.status


def denying(field):
    """At the gateway, what `field` says of the port."""
    return m.authorization("port", {"action": "DENY", "selector": {"matchLabels": {"istio": "ingressgateway"}}, "rules": [field]},
                           namespace="istio-system")


def test_policies_at_the_gateway_mean_the_port_of_its_listener(mesh):
    until(lambda: mesh.get("/")[0] == 200, 10, "the gateway serves")
    host_port = int(mesh.url.rpartition(":")[2])
    assert host_port != 80
    for says in (lambda port: {"to": [{"operation": {"ports": [port]}}]}, lambda port: {"when": [{"key": "destination.port", "values": [port]}]}):
        m.write(mesh.directory / "policy.yaml", denying(says("80")))
        until(lambda: mesh.get("/")[0] == 403, 10, "port 80 is denied")
        assert from_within(mesh, 80) == 403
        assert mesh.named("explain", GATEWAY, "localhost:80", "GET", "/", check=False).returncode == 1
        m.write(mesh.directory / "policy.yaml", denying(says(str(host_port))))
        until(lambda: mesh.get("/")[0] == 200, 10, "the host's port means nothing")
    (mesh.directory / "policy.yaml").unlink()


def test_ports_come_one_after_another_and_no_listener_is_refused(mesh):
    before, servers = rejects(mesh), []
    for port in range(9451, 9457):
        servers.append(m.server(port, "HTTP", "*"))
        more(mesh, *servers)
        until(lambda port=port: from_outside(mesh, port) == 200, 10, f"{port} is served outside")
        until(lambda port=port: from_within(mesh, port) == 200, 10, f"{port} is served in the mesh")
    assert rejects(mesh) == before
    assert "cannot bind" not in mesh.named("logs", "-c", "istio-proxy", GATEWAY).stdout


def test_a_server_that_is_bound_otherwise_goes_on_serving(mesh):
    [gateway] = mesh.pods(GATEWAY)
    before = rejects(mesh)
    for bind in ("0.0.0.0", gateway["ip"], None, gateway["ip"]):
        server = m.server(8080, "HTTP", "*")
        more(mesh, {**server, "bind": bind} if bind else server)
        until(lambda bind=bind: f"{bind or '0.0.0.0'}_8080" in mesh.admin(GATEWAY, "/listeners"), 10, f"bind: {bind} has come")
        until(lambda: from_outside(mesh, 8080) == 200, 10, "it is served outside")
        until(lambda: from_within(mesh, 8080) == 200, 10, "it is served in the mesh")
    assert rejects(mesh) == before
