"""Services with certificates of their own: what a client and a server encrypt themselves passes the mesh untouched, inside
the mesh's own mutual TLS, whatever the port is called; from outside the mesh it passes only where somebody has said so."""
import sys

import pytest

import manifests as m
from certificates import self_signed, shared_folder
from mesh import Mesh, until

# Names whom the client's own certificate names.
SERVER = """
import http.server, socket, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        peer = self.connection.getpeercert()
        body = ("hello " + (dict(pair[0] for pair in peer["subject"])["commonName"] if peer else "nobody")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
context.load_verify_locations(sys.argv[1])
context.verify_mode = ssl.CERT_OPTIONAL
http.server.ThreadingHTTPServer.address_family = socket.AF_INET6  # both families
server = http.server.ThreadingHTTPServer(("::", 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""
# How the port is called; `open` and `guarded` are for callers that the mesh does not know.
PORTS = {"bare": "any", "misnamed": "http", "secure": "https", "passed": "tls", "opaque": "tcp"}
OPEN = {"annotated": {"plait.dev/app-tls-ports": "8443"}, "guarded": {"plait.dev/app-tls-ports": "8443"}, "permissive": {}, "disabled": {}}


@pytest.fixture(name="pem", scope="module")
def fixture_pem():
    """A certificate for all of them and its key."""
    with shared_folder() as folder:
        yield self_signed(folder, "somebody", [*PORTS, *OPEN])


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder, pem):
    directory = folder / "own-tls"
    directory.mkdir()
    command = [f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}", "-c", SERVER, str(pem)]
    probe = {"tcpSocket": {"port": 8443}, "periodSeconds": 1}
    m.write(
        directory / "mesh.yaml", m.peer_authentication("STRICT"), m.account("client"),
        m.deployment("client", [m.APP, "client"], account="client"), m.deployment("plain", [m.APP, "client"], inject=False),
        *(m.deployment(name, command, ports=[8443], probe=probe, annotations=OPEN.get(name)) for name in [*PORTS, *OPEN]),
        *(m.service(name, {PORTS.get(name, "any"): 8443}) for name in [*PORTS, *OPEN]),
        *(m.peer_authentication(mode, name, selector={"matchLabels": {"app": name}}) for name, mode in
          (("permissive", "PERMISSIVE"), ("disabled", "DISABLE"))),
        m.authorization("guarded", {"selector": {"matchLabels": {"app": "guarded"}}, "action": "ALLOW", "rules": [
            {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/client"]}}]}]}))
    mesh = Mesh(folder, directory, name="own-tls")
    mesh.start()
    yield mesh
    mesh.stop()


def get(mesh, caller, name, pem, *arguments, scheme="https"):
    """(exit code of curl, what it printed); the server's own certificate is verified."""
    result = mesh.exec(caller, "curl", "-sS", "--max-time", "10", "--cacert", str(pem), *arguments, f"{scheme}://{name}:8443/", check=False)
    return result.returncode, result.stdout


@pytest.mark.parametrize("name", PORTS)
def test_it_passes_the_mesh_untouched_inside_mutual_tls(mesh, pem, name):
    assert get(mesh, "client", name, pem) == (0, "hello nobody")
    assert get(mesh, "client", name, pem, "--cert", str(pem)) == (0, "hello somebody"), "the client's own certificate reaches the server"
    series = until(lambda: mesh.metrics(name, "istio_tcp_connections_opened_total"), 10, "the connections are counted")
    assert {labels["connection_security_policy"] for labels, _ in series} == {"mutual_tls"}, series
    assert {labels["source_principal"] for labels, _ in series} == {"spiffe://cluster.local/ns/default/sa/client"}, series


@pytest.mark.parametrize("name", ["annotated", "permissive", "disabled"])
def test_a_caller_outside_the_mesh_reaches_it_where_somebody_has_said_so(mesh, pem, name):
    assert get(mesh, "plain", name, pem) == (0, "hello nobody")
    assert get(mesh, "client", name, pem) == (0, "hello nobody")


def test_elsewhere_it_is_refused_with_the_name_of_the_switch(mesh, pem):
    code, said = get(mesh, "plain", "bare", pem)
    assert code != 0 and said == ""
    mesh.logged("bare", "plait.dev/app-tls-ports", 5)


def test_the_switch_does_not_open_the_port_for_plaintext(mesh, pem):
    code, said = get(mesh, "plain", "annotated", pem, scheme="http")
    assert code != 0 and said == ""
    mesh.logged("annotated", "plaintext_refused_by_strict_mutual_tls", 5)


def test_policy_takes_it_as_a_caller_without_a_principal(mesh, pem):
    code, said = get(mesh, "plain", "guarded", pem)
    assert code != 0 and said == ""
    mesh.logged("guarded", "rbac_access_denied_matched_policy[none]", 5)
    assert get(mesh, "client", "guarded", pem) == (0, "hello nobody")
