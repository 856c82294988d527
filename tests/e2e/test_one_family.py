"""Applications that listen at addresses of one family only: workloads have both, and names of the mesh lead to either."""
import pytest

import manifests
from mesh import Mesh, until

# HTTP at 8080 and bytes at 9000. Each answer begins with the peer that the application sees.
SERVER = r"""
import http.server, socket, socketserver, sys, threading
HOST = sys.argv[1]
class OneFamily:
    address_family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
    daemon_threads = allow_reuse_address = True
    def server_bind(self):
        if ":" in HOST:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind((HOST, self.server_address[1]))
        self.server_name, self.server_port = HOST, self.server_address[1]
class Http(OneFamily, http.server.ThreadingHTTPServer): pass
class Tcp(OneFamily, socketserver.ThreadingTCPServer): pass
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.client_address[0].encode() + b" " + self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class Bytes(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.client_address[0].encode() + b" " + self.rfile.readline())
threading.Thread(target=Tcp((HOST, 9000), Bytes).serve_forever, daemon=True).start()
Http((HOST, 8080), Page).serve_forever()
"""
# What a client of this family gets of the HTTP and of the TCP port: "<status> <answer>|<answer>".
CLIENT = r"""
import http.client, socket, sys
host, family, text, port = sys.argv[1], {"4": socket.AF_INET, "6": socket.AF_INET6}[sys.argv[2]], sys.argv[3], int(sys.argv[4])
def connect(port):
    one = socket.socket(family)
    one.settimeout(10)
    one.connect(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4])
    return one
web = http.client.HTTPConnection(host, port)
web.sock = connect(port)
web.request("POST", "/" + text, body=text)
answer = web.getresponse()
said = f"{answer.status} {answer.read().decode()}"
tcp = connect(9000)
try:
    tcp.sendall(text.encode() + b"\n")
    said += "|" + tcp.makefile().readline().strip()
except OSError:
    said += "|"
print(said)
"""
PEERS = {"only4": "127.0.0.6", "only6": "::6"}
CLIENTS = ("inside-0", "outside-0")


def server(name, host):
    return [manifests.deployment(name, ["python3", "-c", SERVER, host], ports=(8080, 9000), subdomain=f"{name}-pods"),
            {**manifests.service(name, {"http": 80, "tcp": 9000}),
             "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "tcp", "port": 9000}]}},
            manifests.service(f"{name}-pods", {"http": 8080, "tcp": 9000}, {"app": name}, headless=True)]


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "families"
    directory.mkdir()
    manifests.write(directory / "mesh.yaml", manifests.peer_authentication("PERMISSIVE", namespace="istio-system"),
                    *server("only4", "0.0.0.0"), *server("only6", "::"), *server("local4", "127.0.0.1"),
                    manifests.deployment("inside", ["sleep", "infinity"]),
                    manifests.deployment("outside", ["sleep", "infinity"], inject=False))
    mesh = Mesh(folder, directory)
    mesh.start()
    yield mesh
    mesh.stop()


def ask(mesh, client, host, family, text="hello", port=80):
    return mesh.exec(client, "python3", "-c", CLIENT, host, family, text, str(port)).stdout.strip()


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", PEERS)
def test_an_application_of_one_family_is_reached_by_clients_of_both(mesh, name, client):
    expected = f"200 {PEERS[name]} hello|{PEERS[name]} hello"
    until(lambda: ask(mesh, client, name, "4" if name == "only4" else "6") == expected, 10, "it listens")
    for family in ("4", "6"):
        assert ask(mesh, client, name, family) == expected, family
        assert ask(mesh, client, f"{name}-0.{name}-pods", family, port=8080) == expected, family


@pytest.mark.parametrize("client", CLIENTS)
def test_an_application_at_its_loopback_address_is_reached_by_nobody(mesh, client):
    for family in ("4", "6"):
        said = ask(mesh, client, "local4", family)
        assert said.startswith("503 ") and said.endswith("|"), said


def test_policies_and_mutual_tls_are_the_same_in_both_families(mesh):
    for name in PEERS:
        manifests.write(mesh.directory / f"{name}-deny.yaml", manifests.authorization(f"{name}-deny", {
            "selector": {"matchLabels": {"app": name}}, "action": "DENY",
            "rules": [{"to": [{"operation": {"paths": ["/secret"], "ports": ["8080"]}}]}]}))
    for name in PEERS:
        for client in CLIENTS:
            for family in ("4", "6"):
                until(lambda c=client, n=name, f=family: ask(mesh, c, n, f, "secret").startswith("403 RBAC: access denied"), 10, "a denial")
    manifests.write(mesh.directory / "strict.yaml", manifests.peer_authentication("STRICT", namespace="default"))

    def refused(name, family):
        return mesh.exec("outside-0", "python3", "-c", CLIENT, name, family, "hello", "80", check=False).returncode != 0
    for name in PEERS:
        for family in ("4", "6"):
            until(lambda n=name, f=family: refused(n, f), 10, "plaintext is refused")
            assert ask(mesh, "inside-0", name, family).startswith(f"200 {PEERS[name]} hello|"), family
