"""TLS at the gateway, as a browser outside sees it: SIMPLE, MUTUAL, PASSTHROUGH, names by SNI, and Secrets that change."""
import base64
import json
import subprocess

import pytest

import manifests as m
from mesh import Mesh, until

# A server with a certificate of its own, which the gateway never sees.
TLS_SERVER = """
import http.server, os, ssl
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "12"); self.end_headers(); self.wfile.write(b"own tls here")
    def log_message(self, *ignored): pass
for name in ("cert", "key"):
    open("/tmp/" + name, "w").write(os.environ[name.upper()])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/cert", "/tmp/key")
server = http.server.ThreadingHTTPServer(("", 8443), Answer)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


class Authority:
    """A certificate authority that has nothing to do with the mesh's."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.cert = folder / f"{name}.crt"
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                     "-keyout", folder / f"{name}.key", "-out", self.cert)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, host):
        """(certificate, key) of a host, as files."""
        cert, key, request = (self.folder / f"{self.name}-{host}.{end}" for end in ("crt", "key", "csr"))
        extensions = self.folder / "extensions"
        extensions.write_text(f"subjectAltName=DNS:{host}\n")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.folder / f"{self.name}.key",
                     "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", cert)
        return cert, key


def secret(name, pair, roots=None, generic=False, namespace="istio-system"):
    names = ("cert", "key", "cacert") if generic else ("tls.crt", "tls.key", "ca.crt")
    files = dict(zip(names, (*pair, *([roots] if roots else []))))
    data = {key: base64.b64encode(path.read_bytes()).decode() for key, path in files.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "type": "Opaque" if generic else "kubernetes.io/tls", "data": data}


def documents(outside, own):
    yield m.account("web")
    yield m.deployment("web", [m.APP, "echo", "--port", "8080"], account="web", ports=[8080], probe=m.http_probe(8080))
    yield m.service("web", {"http": 8080})
    yield m.account("own")
    cert, key = own.issue("pass.example.com")
    app = m.deployment("own", ["python3", "-c", TLS_SERVER], account="own", ports=[8443], probe={"tcpSocket": {"port": 8443}, "periodSeconds": 1})
    app["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "CERT", "value": cert.read_text()}, {"name": "KEY", "value": key.read_text()}]
    yield app
    yield m.service("own", {"tls": 8443})
    yield m.gateway(
        "edge",
        m.server(80, "HTTP", "site.example.com", httpsRedirect=True),
        m.server(443, "HTTPS", "site.example.com", mode="SIMPLE", credentialName="site"),
        m.server(443, "HTTPS", "new.example.com", mode="SIMPLE", credentialName="new", minProtocolVersion="TLSV1_3"),
        m.server(443, "HTTPS", "old.example.com", mode="SIMPLE", credentialName="old", maxProtocolVersion="TLSV1_2",
                 cipherSuites=["ECDHE-RSA-AES256-GCM-SHA384"]),
        m.server(443, "HTTPS", "mutual.example.com", mode="MUTUAL", credentialName="mutual"),
        m.server(443, "HTTPS", "asked.example.com", mode="OPTIONAL_MUTUAL", credentialName="asked"),
        m.server(443, "TLS", "pass.example.com", mode="PASSTHROUGH"),
        m.server(443, "HTTPS", "foreign.example.com", mode="SIMPLE", credentialName="foreign"))
    yield m.virtual_service("site", {
        "hosts": [f"{name}.example.com" for name in ("site", "new", "old", "mutual", "asked", "foreign")], "gateways": ["istio-system/edge"],
        "http": [{"route": [{"destination": {"host": "web", "port": {"number": 8080}}}]}]})
    yield m.virtual_service("pass", {
        "hosts": ["pass.example.com"], "gateways": ["istio-system/edge"],
        "tls": [{"match": [{"port": 443, "sniHosts": ["pass.example.com"]}], "route": [{"destination": {"host": "own", "port": {"number": 8443}}}]}]})


class Edge:
    def __init__(self, mesh, directory, outside, own, clients):
        self.mesh, self.directory, self.outside, self.own, self.clients = mesh, directory, outside, own, clients
        self.ports = mesh.gateway_ports()

    def curl(self, host, *arguments, roots=None):
        port = self.ports[443]
        return subprocess.run(
            ["curl", "-sS", "--max-time", "10", "--cacert", str((roots or self.outside).cert), "--resolve", f"{host}:{port}:127.0.0.1",
             "-w", "|%{http_code}|%{http_version}", *arguments, f"https://{host}:{port}/"],
            capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def edge(folder):
    directory = folder / "edge"
    directory.mkdir()
    keys = folder / "keys"
    keys.mkdir()
    outside, own, clients = (Authority(keys, name) for name in ("outside", "own", "clients"))
    m.write(directory / "mesh.yaml", *documents(outside, own))
    m.write(directory / "secrets.yaml",
            *[secret(name, outside.issue(f"{name}.example.com")) for name in ("site", "new", "old")],
            secret("mutual", outside.issue("mutual.example.com"), clients.cert, generic=True),
            secret("asked", outside.issue("asked.example.com")),
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "asked-cacert", "namespace": "istio-system"},
             "stringData": {"ca.crt": clients.cert.read_text()}},
            # Beside the applications, not beside the gateway: it may not read it.
            secret("foreign", outside.issue("foreign.example.com"), namespace="default"))
    mesh = Mesh(folder, directory, name="edge")
    mesh.start()
    yield Edge(mesh, directory, outside, own, clients)
    mesh.stop()


def answered(result):
    assert result.returncode == 0, result
    return result.stdout


def test_simple_shows_the_certificate_of_the_secret_and_speaks_http2(edge):
    out = answered(edge.curl("site.example.com"))
    assert out.endswith("|200|2") and "pod: web-0" in out
    assert answered(edge.curl("site.example.com", "--http1.1")).endswith("|200|1.1")


def test_each_name_has_its_own_certificate_and_versions(edge):
    assert answered(edge.curl("new.example.com")).endswith("|200|2")
    assert edge.curl("new.example.com", "--tls-max", "1.2").returncode == 35
    assert answered(edge.curl("old.example.com")).endswith("|200|2")
    assert edge.curl("old.example.com", "--tlsv1.3").returncode == 35
    assert edge.curl("old.example.com", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256").returncode == 35, "only the one that is named"
    assert edge.curl("nobody.example.com").returncode != 0, "no server has this name"


def test_mutual_asks_for_a_certificate_of_its_roots(edge):
    cert, key = edge.clients.issue("someone.example.com")
    assert answered(edge.curl("mutual.example.com", "--cert", str(cert), "--key", str(key))).endswith("|200|2")
    assert edge.curl("mutual.example.com").returncode != 0, "without a certificate"
    stranger, stranger_key = edge.outside.issue("someone.example.com")
    assert edge.curl("mutual.example.com", "--cert", str(stranger), "--key", str(stranger_key)).returncode != 0, "of other roots"


def test_optional_mutual_verifies_what_is_shown(edge):
    assert answered(edge.curl("asked.example.com")).endswith("|200|2")
    stranger, key = edge.outside.issue("other.example.com")
    assert edge.curl("asked.example.com", "--cert", str(stranger), "--key", str(key)).returncode != 0


def test_passthrough_reaches_the_applications_own_certificate(edge):
    assert answered(edge.curl("pass.example.com", "--http1.1", roots=edge.own)).startswith("own tls here|200")
    assert edge.curl("pass.example.com", roots=edge.outside).returncode == 60, "the gateway has none for it"


def test_plain_http_is_sent_to_https(edge):
    port = edge.ports[80]
    result = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "--resolve", f"site.example.com:{port}:127.0.0.1",
                             f"http://site.example.com:{port}/x"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("301 https://site.example.com"), result.stdout


def test_a_secret_of_another_namespace_is_never_shown(edge):
    result = edge.curl("foreign.example.com")
    assert result.returncode == 35 and "pod: web" not in result.stdout, result


def test_a_changed_secret_is_shown_without_a_restart(edge):
    pids = {w["name"]: w["proxy_pid"] for w in edge.mesh.pods("istio-ingressgateway")}
    successor = Authority(edge.outside.folder, "successor")
    others = [json.loads(part) for part in (edge.directory / "secrets.yaml").read_text().split("\n---\n")]
    m.write(edge.directory / "secrets.yaml", *[one for one in others if one["metadata"]["name"] != "site"],
            secret("site", successor.issue("site.example.com")))
    until(lambda: edge.curl("site.example.com", roots=successor).returncode == 0, 10, "the new certificate is shown")
    assert edge.curl("site.example.com").returncode == 60, "the old one is not"
    assert {w["name"]: w["proxy_pid"] for w in edge.mesh.pods("istio-ingressgateway")} == pids
