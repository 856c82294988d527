"""Edits of a gateway lose no request of the clients outside: of those on kept connections and on new ones, by HTTP and by TLS."""
import contextlib
import http.client
import json
import select
import socket
import ssl
import threading
import urllib.request

import pytest

import manifests as m
from certificates import self_signed
from load import KEPT, load_from_outside, lost_nothing
from mesh import Mesh, until

SITE = "site.example.com"
ROUNDS = 8


def routes(name, hosts, gateways, told):
    """All to `web`; `told` is in the header `x-from` of the answers."""
    return m.virtual_service(name, {"hosts": hosts, "gateways": [f"istio-system/{one}" for one in gateways], "http": [
        {"headers": {"response": {"set": {"x-from": told}}}, "route": [{"destination": {"host": "web", "port": {"number": 8080}}}]}]})


def site(pem):
    """The Secret, from a file that has both."""
    certificate, mark, key = pem.read_text().partition("-----BEGIN PRIVATE KEY-----")
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "site", "namespace": "istio-system"}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate, "tls.key": mark + key}}


def tls(oldest):
    return m.gateway("tls", m.server(443, "HTTPS", SITE, mode="SIMPLE", credentialName="site", minProtocolVersion=oldest))


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "gateway-edits"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *m.behind_gateway("web"))
    m.write(directory / "edge.yaml", routes("edge", ["*"], ["edge", "tls"], "edge"))
    m.write(directory / "tls.yaml", tls("TLSV1_2"))
    m.write(directory / "secret.yaml", site(self_signed(folder, "first", [SITE])))
    mesh = Mesh(folder, directory, name="gateway-edits").start()
    yield mesh
    mesh.stop()


def told(port, host="any.example.com"):
    """Whose routes answer at this port."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["x-from"]


class TlsClient:
    """Asks over TLS all the time, one request at a time, in turn on a kept connection and on a new one."""

    def __init__(self, port):
        self.port, self.asked, self.failures, self.shown, self.running = port, {"kept": 0, "new": 0}, [], None, True
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which certificate there is changes
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.kept = None

    def connected(self):
        connection = http.client.HTTPConnection(SITE)
        raw = socket.create_connection(("127.0.0.1", self.port), 10)
        connection.sock = self.context.wrap_socket(raw, server_hostname=SITE)
        self.shown = connection.sock.getpeercert(binary_form=True)
        return connection

    def takes(self, version):
        """Whether the gateway speaks this version of TLS with clients that know nothing newer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, version
        with socket.create_connection(("127.0.0.1", self.port), 10) as raw:
            try:
                return context.wrap_socket(raw, server_hostname=SITE).version() is not None
            except ssl.SSLError:
                return False

    def ask(self, connection):
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return connection.sock and connection  # none: the answer said that it is the last one

    def run(self):
        for n in range(1 << 30):
            if not self.running:
                break
            kind = ("kept", "new")[n % 2]
            try:
                if kind == "new":
                    if connection := self.ask(self.connected()):
                        connection.close()
                else:
                    if self.kept and select.select([self.kept.sock], [], [], 0)[0]:
                        self.kept = None  # it has ended between two requests
                    self.kept = self.ask(self.kept or self.connected())
                self.asked[kind] += 1
            except (OSError, AssertionError, http.client.HTTPException) as error:
                self.failures.append((kind, n, repr(error)))
                self.kept = None
            select.select([], [], [], 0.05)

    @contextlib.contextmanager
    def asking(self):
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self.running = False
            thread.join(20)


class Edits:
    """Each is one change of one file, awaited until clients outside see it."""

    def __init__(self, mesh, client, certificates):
        self.mesh, self.client, self.certificates, self.port = mesh, client, certificates, mesh.gateway_ports()[80]
        self.count = 0

    def write(self, name, *documents):
        m.write(self.mesh.directory / f"{name}.yaml", *documents)
        self.count += 1

    def remove(self, name):
        (self.mesh.directory / f"{name}.yaml").unlink()
        self.count += 1

    def listens(self, port):
        return f":{port}\n" in self.mesh.admin("istio-ingressgateway-0", "/listeners") + "\n"

    def a_host_comes_and_goes(self, n):
        """At the port that has the load."""
        host = f"host-{n}.example.com"
        self.write("host", m.gateway("host", m.server(80, "HTTP", host)), routes("host", [host], ["host"], host))
        until(lambda: told(self.port, host) == host, 10, f"{host} is served")
        self.remove("host")
        until(lambda: told(self.port, host).startswith("edge"), 10, f"{host} is nothing special any more")

    def a_port_comes_and_goes(self, n):
        self.write("port", m.gateway("port", m.server(8080, "HTTP", "*")), routes("port", ["*"], ["port"], f"port-{n}"))
        until(lambda: told(self.mesh.gateway_ports()[8080]) == f"port-{n}", 10, "the port is served")
        self.remove("port")
        until(lambda: not self.listens(8080), 10, "the listener is gone")

    def the_routes_change(self, n):
        self.write("edge", routes("edge", ["*"], ["edge", "tls"], f"edge-{n}"))
        until(lambda: told(self.port) == f"edge-{n}", 10, "the new routes are in effect")

    def the_versions_of_tls_change(self, n):
        newest = n % 2 == 0
        self.write("tls", tls("TLSV1_3" if newest else "TLSV1_2"))
        until(lambda: self.client.takes(ssl.TLSVersion.TLSv1_2) != newest, 10, "the versions of TLS are the new ones")

    def the_secret_is_replaced(self, _):
        pem = next(self.certificates)
        wanted = ssl.PEM_cert_to_DER_cert(pem.read_text().partition("-----BEGIN PRIVATE")[0])
        self.write("secret", site(pem))
        until(lambda: self.client.shown == wanted, 10, "the new certificate is shown")


def test_a_gateway_that_is_edited_loses_no_request(mesh, folder):
    certificates = iter([self_signed(folder, f"site-{n}", [SITE]) for n in range(ROUNDS)])
    host_ports = mesh.gateway_ports()
    until(lambda: told(host_ports[80]) == "edge", 10, "the gateway serves")
    client = TlsClient(host_ports[443])
    edits = Edits(mesh, client, certificates)
    with client.asking(), load_from_outside(f"http://127.0.0.1:{host_ports[80]}/") as report:
        until(lambda: min(client.asked.values()) > 3, 20, "the gateway serves by TLS")
        for n in range(ROUNDS):
            for edit in (edits.a_host_comes_and_goes, edits.the_routes_change, edits.a_port_comes_and_goes, edits.the_versions_of_tls_change,
                         edits.the_secret_is_replaced):
                edit(n)
        before = mesh.admin("istio-ingressgateway-0", "/certs")
        mesh.plait("cert", "rotate", "--mesh", mesh.name)
        assert json.loads(mesh.admin("istio-ingressgateway-0", "/certs")) != json.loads(before)
        after = dict(client.asked)
        until(lambda: all(client.asked[kind] > after[kind] + 3 for kind in after), 20, "both go on")
    assert edits.count >= 50 and [pod["restarts"] for pod in mesh.pods("istio-ingressgateway")] == [0]
    assert client.failures == [] and min(client.asked.values()) > 20, (client.failures, client.asked)
    # Once: for the socket of the new port the gateway's process is replaced.
    lost_nothing(report, seconds=2, reopened=KEPT)


def test_workloads_call_a_gateway_in_plaintext_as_its_servers_say(mesh):
    """Through a Service with another target port, as Istio's own gateways have one, and at the pod's address."""
    inner = m.service("inner", {"http": 80}, selector={"istio": "ingressgateway"}, namespace="istio-system")
    inner["spec"]["ports"][0]["targetPort"] = 8080
    m.write(mesh.directory / "caller.yaml", inner, m.deployment("caller", ["sleep", "infinity"]), m.peer_authentication("STRICT"))
    until(lambda: mesh.pods("caller") and mesh.pods("caller")[0]["ready"], 20, "the caller is ready")
    address = mesh.pods("istio-ingressgateway")[0]["ip"]
    for host in ("inner.istio-system", address):
        code = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{host}/"]
        until(lambda command=code: mesh.exec("caller", *command, check=False).stdout == "200", 10, f"{host} answers")
