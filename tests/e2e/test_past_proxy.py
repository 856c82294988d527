"""What annotations keep from a workload's proxy and goes to a Service: led to its endpoints in plaintext, as kube-proxy does."""
import re
import subprocess

import pytest

import manifests as m
from mesh import Mesh, until
from outside import web_server

APP = m.APP
TRAFFIC = "traffic.sidecar.istio.io/"
KEPT = {"port": {"excludeOutboundPorts": "80,8000"}, "ranges": {"excludeOutboundIPRanges": "10.96.0.0/16,fd00:10:96::/112"},
        "limited": {"includeOutboundIPRanges": "192.0.2.0/24"}}


def documents(replicas=2):
    yield m.peer_authentication("PERMISSIVE", namespace="istio-system")
    yield m.peer_authentication("STRICT", "strict", selector={"matchLabels": {"app": "strict"}})
    for name, count in (("web", replicas), ("strict", 1)):
        yield m.account(name)
        yield m.deployment(name, [APP, "echo", "--port", "8000"], account=name, replicas=count, ports=[8000], probe=m.http_probe(8000))
        yield m.document("Service", name, {"selector": {"app": name}, "ports": [
            {"name": "http", "port": 80, "targetPort": 8000}, {"name": "http-captured", "port": 81, "targetPort": 8000}]})
    for name, annotations in KEPT.items():
        yield m.deployment(name, [APP, "client"], annotations={TRAFFIC + key: value for key, value in annotations.items()})


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "past"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *documents())
    mesh = Mesh(folder, directory, name="past").start()
    yield mesh
    mesh.stop()


def code(mesh, workload, url):
    return mesh.exec(workload, "curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", url, check=False).stdout


def caller_seen(mesh, workload, url):
    """(the pod that answered, whether it came by mutual TLS)"""
    answer = mesh.exec(workload, "curl", "-sS", "-m", "5", url).stdout
    return re.search("^pod: (.*)$", answer, re.M)[1], "x-forwarded-client-cert: " in answer


@pytest.mark.parametrize("workload", list(KEPT))
def test_it_arrives_in_plaintext_at_each_of_the_endpoints(mesh, workload):
    seen = [caller_seen(mesh, workload, "http://web/") for _ in range(20)]
    assert set(seen) == {("web-0", False), ("web-1", False)}
    assert code(mesh, workload, "http://strict/") == "000", "STRICT takes no plaintext"
    assert code(mesh, workload, "http://[fd00:10:96::fffe]/") == "000"


def test_what_is_not_kept_from_the_proxy_has_mutual_tls(mesh):
    assert {tls for _, tls in (caller_seen(mesh, "port", "http://web:81/") for _ in range(5))} == {True}
    assert code(mesh, "port", "http://strict:81/") == "200"
    assert not [line for line in mesh.output.read_text().splitlines() if "excludeOutboundPorts" in line], "nothing is to be warned of"


def test_endpoints_that_go_fail_no_call(mesh):
    m.write(mesh.directory / "mesh.yaml", *documents(replicas=1))
    calls = "for i in $(seq 150); do curl -sS -m 5 -o /dev/null -w '%{http_code}\\n' http://web/ || true; sleep 0.02; done"
    assert set(mesh.exec("port", "sh", "-c", calls).stdout.split()) == {"200"}
    until(lambda: len(mesh.pods("web")) == 1, 20, "one is left")
    assert {pod for pod, _ in (caller_seen(mesh, "port", "http://web/") for _ in range(10))} == {"web-0"}
    m.write(mesh.directory / "mesh.yaml", *documents())
    until(lambda: {pod for pod, _ in (caller_seen(mesh, "port", "http://web/") for _ in range(10))} == {"web-0", "web-1"}, 30, "both are called")


def test_rules_that_somebody_takes_away_come_back_with_the_services(mesh):
    nft = [*mesh.in_network_of(mesh.proxy_pid("port-0"), "/usr/sbin/nft")]
    for command in ("flush ruleset", "add rule inet plait_services output accept", "delete table inet plait_services"):
        subprocess.run([*nft, command], check=True)
        until(lambda: "; they are loaded again" in mesh.named("logs", "supervisor").stdout, 5, "it is told")
        until(lambda: code(mesh, "port", "http://web/") == "200", 5, f"services are there again after {command}")
        assert caller_seen(mesh, "port", "http://web:81/")[1], "and so is capture"
    until(lambda: mesh.named("check", check=False).returncode == 0, 10, "the mesh is well")


def test_nothing_leaves_the_mesh_this_way_and_the_application_cannot_change_it(mesh):
    with web_server() as port:
        m.write(mesh.directory / "outward.yaml",
                m.deployment("outward", [APP, "client"], annotations={TRAFFIC + "excludeOutboundPorts": f"80,{port}"}),
                m.document("Service", "elsewhere", {"ports": [{"name": "http", "port": port}]}),
                {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                 "metadata": {"name": "elsewhere", "labels": {"kubernetes.io/service-name": "elsewhere"}}, "addressType": "IPv4",
                 "endpoints": [{"addresses": ["169.254.7.1"]}], "ports": [{"name": "http", "port": port}]})
        until(lambda: mesh.pods("outward") and mesh.pods("outward")[0]["ready"], 20, "it is there")
        assert code(mesh, "outward", f"http://host.plait.internal:{port}/") == "000"
        assert code(mesh, "outward", f"http://elsewhere:{port}/") == "000"
        assert mesh.exec("outward", "/usr/sbin/nft", "flush", "ruleset", check=False).returncode != 0
        assert code(mesh, "outward", "http://web/") == "200"
