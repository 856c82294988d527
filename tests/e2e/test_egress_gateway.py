"""An ingress and an egress gateway beside each other, as in Istio's demo profile: both serve port 80. The host's port leads to the
ingress gateway, and what a VirtualService says of "tcp" for a gateway by its bare name is in force."""
import contextlib
import socket
import urllib.error
import urllib.request

import pytest

import manifests as m
from mesh import Mesh, until

EGRESS = "istio-egressgateway"


def egress():
    labels = {"istio": "egressgateway"}
    yield m.document("Deployment", EGRESS, {
        "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": {"inject.istio.io/templates": "gateway"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]}}}, "apps/v1", "istio-system")
    yield m.service(EGRESS, {"http": 80, "more": 8081}, labels, namespace="istio-system")
    yield m.gateway("egress", m.server(80, "HTTP", "*"), m.server(8081, "HTTP", "*"), selector="egressgateway")


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "egress"
    directory.mkdir()
    web = {"destination": {"host": "web.default.svc.cluster.local", "port": {"number": 8080}}}
    m.write(directory / "mesh.yaml", *m.behind_gateway("web"), *egress(),
            m.gateway("tcp", m.server(31400, "TCP", "*"), m.server(31401, "TCP", "*")),
            m.virtual_service("web", {"hosts": ["*"], "gateways": ["istio-system/edge"], "http": [{"route": [web]}]}),
            m.virtual_service("tcp", {"hosts": ["*"], "gateways": ["tcp"], "tcp": [
                {"match": [{"gateways": ["tcp"], "port": 31400}], "route": [web]}]}, namespace="istio-system"),
            m.deployment("client", ["sleep", "infinity"]))
    mesh = Mesh(folder, directory, name="egress").start()
    yield mesh
    mesh.stop()


def status_at(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_hosts_port_leads_to_the_ingress_gateway_only(mesh):
    ports = mesh.gateway_ports()
    assert set(ports) == {80, 31400, 31401}, "8081 is the egress gateway's, which is for workloads alone"
    assert mesh.url == f"http://127.0.0.1:{ports[80]}"
    assert {status_at(ports[80]) for _ in range(50)} == {200}
    said = mesh.tail()
    assert f"istio-system/{EGRESS} is behind a Service of type ClusterIP" in said, said


def test_workloads_reach_the_egress_gateway_at_each_of_its_ports(mesh):
    [gateway] = mesh.pods(EGRESS)
    for port in (80, 8081):
        asked = mesh.exec("client", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5", f"http://{gateway['ip']}:{port}/")
        assert asked.stdout == "404", "there is no rule for it"


def test_a_tcp_rule_that_names_its_gateway_barely_is_in_force(mesh):
    assert status_at(mesh.gateway_ports()[31400]) == 200


def closes(port):
    with socket.create_connection(("127.0.0.1", port), timeout=3) as stream, contextlib.suppress(ConnectionResetError):
        assert stream.recv(1) == b""
    return True


def test_a_port_of_a_gateway_without_a_rule_closes_who_connects(mesh):
    assert closes(mesh.gateway_ports()[31401])


def test_a_port_that_no_gateway_serves_any_more_closes_who_connects_until_one_does(mesh):
    file = mesh.directory / "once.yaml"
    for _ in range(2):
        m.write(file, m.gateway("once", m.server(9600, "HTTP", "*")))
        until(lambda: status_at(mesh.gateway_ports()[9600]) == 404, 15, "it is served")
        port = mesh.gateway_ports()[9600]
        file.unlink()
        until(lambda port=port: closes(port), 10, "nobody serves it")


def test_a_port_that_two_gateways_of_the_host_want_is_told(mesh):
    file = mesh.directory / "other.yaml"
    labels = {"istio": "another"}
    other = [m.document("Deployment", "another", {
        "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": {"inject.istio.io/templates": "gateway"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]}}}, "apps/v1", "istio-system"),
        m.gateway("another", m.server(80, "HTTP", "*"), m.server(9700, "HTTP", "*"), selector="another")]
    m.write(file, *other)
    told = "leads to istio-system/istio-ingressgateway, not to istio-system/another"
    until(lambda: [line for line in mesh.status()["messages"] if told in line], 10, "it is told")
    until(lambda: status_at(mesh.gateway_ports()[9700]) == 404, 15, "the port that it alone has leads there")
    assert {status_at(mesh.gateway_ports()[80]) for _ in range(50)} == {200}
    file.unlink()
    until(lambda: not [line for line in mesh.status()["messages"] if told in line and "mended" not in line], 10, "it is gone")
