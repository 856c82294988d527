"""Two networks in one mesh: what is in the other one is reached through its east-west gateway, which passes the mutual TLS
between the workloads on by the server name in it. Pods say their network by label; the policies are the servers' own.
"""
import json
import subprocess

import pytest

import manifests as m
from mesh import Mesh, until
from test_envoy import envoy_binary

APP = m.APP
NETWORK = "topology.istio.io/network"
GATEWAY = "istio-eastwestgateway.istio-system"
WEB = "outbound_.8000_._.web.default.svc.cluster.local"


def networks():
    text = json.dumps({"networks": {
        "near": {"endpoints": []},
        "far": {"endpoints": [], "gateways": [{"registryServiceName": f"{GATEWAY}.svc.cluster.local", "port": 15443}]}}})
    return {**m.document("ConfigMap", "istio", None, namespace="istio-system"), "data": {"meshNetworks": text}}


def gateway():
    labels = {"istio": "eastwestgateway", NETWORK: "far"}
    yield m.document("Deployment", "istio-eastwestgateway", {
        "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": {"inject.istio.io/templates": "gateway"}},
            "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]}}}, "apps/v1", "istio-system")
    yield m.service("istio-eastwestgateway", {"tls": 15443}, {"istio": "eastwestgateway"}, namespace="istio-system")
    yield m.gateway("cross-network", {"port": {"number": 15443, "name": "tls", "protocol": "TLS"}, "tls": {"mode": "AUTO_PASSTHROUGH"},
                                      "hosts": ["*.local"]}, selector="eastwestgateway")


def documents():
    yield networks()
    yield from gateway()
    for name in ("web", "client", "stranger"):
        yield m.account(name)
    for network in ("near", "far"):
        yield m.deployment(f"web-{network}", [APP, "echo", "--port", "8000"], account="web", ports=[8000], probe=m.http_probe(8000),
                           labels={"app": "web", "where": network, NETWORK: network})
    yield m.service("web", {"http": 8000}, {"app": "web", "where": "far"})
    yield m.service("both", {"http": 8000}, {"app": "web"})
    # A connection a request, so that each has a line in the gateway's log.
    yield m.destination_rule("web", {"host": "web", "trafficPolicy": {"connectionPool": {"http": {"maxRequestsPerConnection": 1}}},
                                     "subsets": [{"name": "there", "labels": {"where": "far"}}]})
    yield m.virtual_service("web", {"hosts": ["web"], "http": [
        {"match": [{"uri": {"prefix": "/subset"}}], "route": [{"destination": {"host": "web", "subset": "there"}}]},
        {"route": [{"destination": {"host": "web"}}]}]})
    yield m.authorization("web", {"selector": {"matchLabels": {"app": "web"}}, "action": "ALLOW", "rules": [
        {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/client"]}}]}]})
    for name, account, annotations in (("client", "client", {}), ("stranger", "stranger", {}), ("envoy-client", "client", {"plait.dev/proxy": "envoy"})):
        yield m.deployment(name, [APP, "client"], account=account, labels={"app": name, NETWORK: "near"}, annotations=annotations)
    yield m.deployment("plain", [APP, "client"], inject=False)


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "networks"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *documents())
    mesh = Mesh(folder, directory, name="networks")
    mesh.env["PLAIT_ENVOY"] = envoy_binary(folder)
    mesh.start(wait=90)
    yield mesh
    mesh.stop()


def gateway_ip(mesh):
    [pod] = mesh.pods("istio-eastwestgateway")
    return pod["ip"]


def connections(mesh, cluster):
    """How many the gateway has made to a cluster."""
    lines = mesh.admin(GATEWAY, "/stats?filter=upstream_cx_total").splitlines()
    return next((int(value) for name, _, value in (line.partition(": ") for line in lines) if name == f"cluster.{cluster}.upstream_cx_total"), 0)


def ask(mesh, caller, url):
    """(status, body) of one request."""
    result = mesh.exec(caller, "curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", url, check=False)
    body, _, code = result.stdout.rpartition("\n")
    return int(code), body


@pytest.mark.parametrize("caller", ["client", "envoy-client"])
def test_a_request_reaches_the_other_network_through_its_gateway_alone(mesh, caller):
    until(lambda: ask(mesh, caller, "http://web:8000/")[0] == 200, 20, "the other network answers")
    before = connections(mesh, WEB)
    status, body = ask(mesh, caller, "http://web:8000/")
    assert status == 200 and "pod: web-far-0" in body
    assert "uri=spiffe://cluster.local/ns/default/sa/client" in body.lower(), "the server knows the caller, not the gateway"
    assert connections(mesh, WEB) > before
    mesh.logged(GATEWAY, f"{mesh.pods('web-far')[0]['ip']}:8000\" {WEB} ")
    mesh.logged(caller, f"{gateway_ip(mesh)}:15443", 20)  # an Envoy writes its log every ten seconds


def test_the_server_asks_for_the_caller_behind_the_gateway(mesh):
    until(lambda: ask(mesh, "stranger", "http://web:8000/") == (403, "RBAC: access denied"), 20, "another account is denied")


def test_the_way_through_the_gateway_is_explained(mesh):
    for caller, status in (("client", 200), ("stranger", 403)):
        until(lambda: ask(mesh, caller, "http://web:8000/")[0] == status, 20, "it is as it shall be")
        answer = json.loads(mesh.named("explain", caller, "web:8000", "-o", "json", check=False).stdout)
        assert answer["forwarded"] is (status == 200), answer
        assert {step["workload"] for step in answer["steps"]} >= {f"{caller}-0.default", "istio-eastwestgateway-0.istio-system", "web-far-0.default"}


def test_a_subset_has_a_server_name_of_its_own(mesh):
    cluster = WEB.replace("8000_._.", "8000_.there_.")
    until(lambda: ask(mesh, "client", "http://web:8000/subset")[0] == 200, 20, "the subset answers")
    assert connections(mesh, cluster) > 0


def test_a_service_of_both_networks_has_the_share_of_each(mesh):
    until(lambda: ask(mesh, "client", "http://both:8000/")[0] == 200, 20, "the service answers")
    report = mesh.load("client", "http://both:8000/", "--count", "200", "--connections", "8", "--count-by", "x-app-pod")
    assert report["failed"] == 0 and set(report["by"]) == {"web-near-0", "web-far-0"} and min(report["by"].values()) > 20, report
    assert connections(mesh, WEB.replace("web", "both")) > 0


# A TLS handshake with a server name and an ALPN; prints the certificate that the other side shows.
HANDSHAKE = """
import socket, ssl, sys
context = ssl._create_unverified_context()
context.set_alpn_protocols([sys.argv[3]])
try:
    with socket.create_connection((sys.argv[1], 15443), 5) as one, context.wrap_socket(one, server_hostname=sys.argv[2]) as tls:
        print(ssl.DER_cert_to_PEM_cert(tls.getpeercert(True)))
        tls.sendall(b"GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n")
        print(tls.recv(1000))
except (ssl.SSLError, OSError) as error:
    print("ended", error)
"""


def handshake(mesh, name, alpn="istio"):
    return mesh.exec("plain", "python3", "-c", HANDSHAKE, gateway_ip(mesh), name, alpn).stdout


def test_who_has_no_certificate_of_the_mesh_meets_the_workload_and_gets_nothing(mesh):
    said = handshake(mesh, WEB)
    certificate = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=said, capture_output=True, text=True, check=True)
    assert "URI:spiffe://cluster.local/ns/default/sa/web" in certificate.stdout, "TLS does not end at the gateway"
    assert "ended" in said and "HTTP/1.1" not in said, said


@pytest.mark.parametrize("name, alpn", [("web.default.svc.cluster.local", "istio"), (WEB.replace("8000", "8001"), "istio"),
                                        (WEB.replace("web", "nobody"), "istio"), (WEB, "h2")])
def test_a_name_that_the_gateway_does_not_know_gets_nothing(mesh, name, alpn):
    """Neither does TLS that is not the mesh's: it could be for an application itself."""
    before = connections(mesh, WEB)
    said = handshake(mesh, name, alpn)
    assert said.startswith("ended") and "CERTIFICATE" not in said, said
    assert connections(mesh, WEB) == before
