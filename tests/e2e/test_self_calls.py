"""A workload that calls itself, by its own address or through its own service, is a caller like any other: captured, over
mutual TLS, and under policy. What it sends to its loopback address stays inside."""
import pytest

import manifests as m
from mesh import Mesh, until

GREETING = "220 ready"


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "self"
    directory.mkdir()
    account = "cluster.local/ns/default/sa/{}"
    m.write(
        directory / "mesh.yaml", m.peer_authentication("STRICT"), *(m.account(name) for name in ("open", "shut", "greeter", "other")),
        *(m.deployment(name, [m.APP, "echo", "--port", "8000"], account=name, ports=[8000], probe=m.http_probe(8000)) for name in ("open", "shut")),
        m.deployment("greeter", [m.APP, "tcp-echo", "--port", "2525", "--greeting", GREETING + "\n"], account="greeter", ports=[2525]),
        *(m.service(name, {"http": 8000}) for name in ("open", "shut")), m.service("greeter", {"any": 2525}),
        # One may call itself, the other may be called by another only.
        *(m.authorization(name, {"selector": {"matchLabels": {"app": name}}, "action": "ALLOW", "rules": [
            {"from": [{"source": {"principals": [account.format(caller)]}}]}]}) for name, caller in (("open", "open"), ("shut", "other"))))
    mesh = Mesh(folder, directory, name="self")
    mesh.start()
    yield mesh
    mesh.stop()


def ways(mesh, name, port):
    """Its own addresses of both families, and its service."""
    pod = mesh.pods(f"{name}-0")[0]
    both = [pod["ip"], *(ip for ip in mesh.exec(name, "hostname", "-I").stdout.split() if ":" in ip)]
    assert len(both) == 2, both
    return [*(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in both), f"{name}:{port}"]


def status(mesh, name, at):
    return mesh.exec(name, "curl", "-s", "-o", "/dev/null", "--max-time", "10", "-w", "%{http_code}", f"http://{at}/self", check=False).stdout


def test_it_calls_itself_with_mutual_tls_and_under_policy(mesh):
    for at in ways(mesh, "open", 8000):
        assert status(mesh, "open", at) == "200", at
    for at in ways(mesh, "shut", 8000):
        assert status(mesh, "shut", at) == "403", at
    counted = [labels for labels, _ in until(lambda: mesh.metrics("open", "istio_requests_total"), 10, "the requests are counted")
               if labels["reporter"] == "destination"]
    assert counted and {labels["connection_security_policy"] for labels in counted} == {"mutual_tls"}, counted
    assert {labels["source_principal"] for labels in counted} == {"spiffe://cluster.local/ns/default/sa/open"}, counted


def test_a_server_that_speaks_first_greets_itself(mesh):
    for at in ways(mesh, "greeter", 2525):
        host, port = at.rsplit(":", 1)
        said = mesh.exec("greeter", "bash", "-c", f"exec 3<>/dev/tcp/{host.strip('[]')}/{port}; read -t 5 -r line <&3; echo $line").stdout
        assert said == GREETING + "\n", at


def test_what_it_says_to_its_loopback_address_stays_inside(mesh):
    before = mesh.metrics("shut", "istio_requests_total")
    assert status(mesh, "shut", "127.0.0.1:8000") == "200"
    assert mesh.metrics("shut", "istio_requests_total") == before
