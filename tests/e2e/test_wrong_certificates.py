"""Real proxies before peers that they must not believe: certificates that have ended, of a foreign root, of another name or
of another workload, as a client's and as a server's; and a client of the mesh whose ClientHello comes late, while the
server speaks first."""
import pytest

import manifests as m
from authority import HOUR, Authority
from certificates import shared_folder
from mesh import Mesh, until

SA = "spiffe://cluster.local/ns/default/sa/"
# Workloads of the mesh whose proxies do not see this port: they answer the mesh's mutual TLS themselves. What they show is
# read anew for each connection.
SERVER = """
import socket, ssl, sys, threading
def serve(raw):
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        context.set_alpn_protocols(["istio-http/1.1"])
        with context.wrap_socket(raw, server_side=True) as stream:
            seen = b""
            while b"\\r\\n\\r\\n" not in seen:
                more = stream.recv(65536)
                if not more: return
                seen += more
            stream.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\nx-server: %s\\r\\n\\r\\n" % sys.argv[2].encode())
    except OSError:
        raw.close()
listener = socket.create_server(("::", 8000), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
TLS = """
import select, socket, ssl, sys, time
def tls(raw, pem, alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(pem)
    context.set_alpn_protocols([alpn])
    return context.wrap_socket(raw)
"""
CLIENT = TLS + """
try:
    with tls(socket.create_connection((sys.argv[1], 8000), 10), sys.argv[2], "istio-http/1.1") as stream:
        stream.sendall(b"GET / HTTP/1.1\\r\\nhost: echo\\r\\nconnection: close\\r\\n\\r\\n")
        print(stream.recv(99).split(b"\\r")[0].decode() or "refused")
except OSError:
    print("refused")
"""
LATE = TLS + """
for _ in range(8):
    raw = socket.create_connection((sys.argv[1], int(sys.argv[3])), 10)
    said = "greeted in plaintext" if select.select([raw], [], [], 0.2)[0] else "silence"
    with tls(raw, sys.argv[2], "istio") as stream:
        print(said, stream.recv(99).decode().strip())
"""
OUTSIDER = TLS + """
for _ in range(8):
    began = time.monotonic()
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as raw:
        print(raw.recv(99).decode().strip(), "soon" if time.monotonic() - began < 0.5 else "late")
"""
GREETING = [m.APP, "tcp-echo", "--port", "7000", "--greeting", "5.5.5-10.11-MariaDB\n"]


@pytest.fixture(name="pems", scope="module")
def fixture_pems():
    with shared_folder() as folder:
        yield folder


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder, pems):
    directory = folder / "impostors"
    directory.mkdir()
    m.write(
        directory / "mesh.yaml", m.peer_authentication("STRICT"),
        m.deployment("echo", [m.APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000)), m.service("echo", {"http": 8000}),
        m.deployment("alice", [m.APP, "client"]), m.deployment("plain", [m.APP, "client"], inject=False),
        *(one for name in ("blue", "green") for one in (m.account(name), m.deployment(
            name, ["python3", "-c", SERVER, str(pems / f"{name}.pem"), name], labels={"app": "pair", "colour": name}, account=name, ports=[8000],
            annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "8000"}))),
        m.service("pair", {"http": 8000}),
        # No proxy at all: a DestinationRule says that it speaks the mesh's mutual TLS.
        m.account("bare"), m.deployment("bare", ["python3", "-c", SERVER, str(pems / "bare.pem"), "bare"], account="bare", ports=[8000], inject=False),
        m.service("bare", {"http": 8000}), m.destination_rule("bare", {"host": "bare", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}),
        m.deployment("late", [m.APP, "client"], annotations={"traffic.sidecar.istio.io/excludeOutboundPorts": "7000"}),
        *(one for name, port in (("quiet", "any"), ("mariadb", "mysql")) for one in (
            m.deployment(name, GREETING, ports=[7000]), m.service(name, {port: 7000}),
            m.peer_authentication("PERMISSIVE", name, selector={"matchLabels": {"app": name}}))))
    mesh = Mesh(folder, directory, concurrency=4, name="impostors")
    mesh.start()
    yield mesh
    mesh.stop()


def show(mesh, file, account, wrong=None):
    """Writes what a workload of this account shows; `wrong` with one thing that is not as it should be."""
    if wrong == "foreign root":
        return Authority.new().issue(file, SA + account)
    authority = Authority.of(mesh)
    if wrong == "foreign root of the same name":
        return Authority.new(authority.certificate.subject.rfc4514_string().removeprefix("O=")).issue(file, SA + account)
    if wrong == "expired":
        return authority.issue(file, SA + account, life=-HOUR)
    if wrong == "trust domain":
        return authority.issue(file, "spiffe://other.domain/ns/default/sa/" + account)
    if wrong == "no identity":
        return authority.issue(file, dns="echo.default.svc.cluster.local")
    return authority.issue(file, SA + account)


WRONG = {"expired": "certificate_has_expired", "foreign root": "unable_to_get_local_issuer_certificate",
         "foreign root of the same name": "unable_to_get_local_issuer_certificate", "trust domain": "spiffe://other.domain/ns/default/sa/",
         "no identity": "a_peer_without_SPIFFE_identity"}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_strict_workload_refuses_a_client_whose_certificate_is_wrong(mesh, pems, wrong):
    echo = mesh.pods("echo")[0]["ip"]
    said = {}
    for name, flaw in (("right", None), ("wrong", wrong)):
        pem = show(mesh, pems / f"client-{name}.pem", "bob", flaw)
        said[name] = mesh.exec("plain", "python3", "-c", CLIENT, echo, str(pem)).stdout.strip()
    assert said == {"right": "HTTP/1.1 200 OK", "wrong": "refused"}
    # A name is looked at in other words than an identity.
    told = {"no identity": "no_subject_alternative_name_of_a_peer_without_SPIFFE_identity"}.get(wrong, WRONG[wrong])
    mesh.logged("echo", "tls_handshake_failed{peer_certificate:_")
    mesh.logged("echo", told)


def ask(mesh, host="pair"):
    return mesh.load("alice", f"http://{host}:8000/", "--count", "20", "--count-by", "x-server")


@pytest.fixture(name="right")
def fixture_right(mesh, pems):
    """Both accounts of the service show what they should: the client takes them."""
    for name in ("blue", "green"):
        show(mesh, pems / f"{name}.pem", name)
    until(lambda: ask(mesh)["status"] == {"200": 20}, 10, "both servers are taken")
    report = ask(mesh)
    assert set(report["by"]) == {"blue", "green"}, report


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.usefixtures("right")
def test_a_client_refuses_a_server_whose_certificate_is_wrong(mesh, pems, wrong):
    for name in ("blue", "green"):
        show(mesh, pems / f"{name}.pem", name, wrong)
    report = ask(mesh)
    assert report["status"] == {"503": 20}, report
    mesh.logged("alice", WRONG[wrong])


@pytest.mark.usefixtures("right")
def test_a_client_refuses_a_server_that_shows_the_certificate_of_another_account_of_its_service(mesh, pems):
    """Both are valid, and the service has them both; but an endpoint is one workload."""
    for name, other in (("blue", "green"), ("green", "blue")):
        show(mesh, pems / f"{name}.pem", other)
    report = ask(mesh)
    assert report["status"] == {"503": 20}, report
    mesh.logged("alice", f"the_peer_is_{SA}green,_expected_{SA}blue")


def test_a_client_refuses_a_server_without_a_proxy_that_shows_another_identity(mesh, pems):
    show(mesh, pems / "bare.pem", "bare")
    until(lambda: ask(mesh, "bare")["status"] == {"200": 20}, 10, "the right certificate is taken")
    for account, wrong in (("blue", None), ("bare", "trust domain"), ("bare", "no identity")):
        show(mesh, pems / "bare.pem", account, wrong)
        report = ask(mesh, "bare")
        assert report["status"] == {"503": 20}, (account, wrong, report)


@pytest.mark.parametrize("name", ["quiet", "mariadb"])
def test_a_server_that_speaks_first_is_not_heard_before_a_late_client_hello(mesh, pems, name):
    """PERMISSIVE: whoever the index knows as meshed is waited for, and greeted inside mutual TLS; for others it is plaintext, at
    once. `late` goes past its own proxy."""
    pem = show(mesh, pems / "late.pem", "late")
    server = mesh.pods(name)[0]["ip"]
    late = mesh.exec("late", "python3", "-c", LATE, server, str(pem), "7000").stdout.splitlines()
    assert late == ["silence 5.5.5-10.11-MariaDB"] * 8, late
    outsider = mesh.exec("plain", "python3", "-c", OUTSIDER, server, "7000").stdout.splitlines()
    assert outsider == ["5.5.5-10.11-MariaDB soon"] * 8, outsider
    captured = mesh.exec("alice", "python3", "-c", OUTSIDER, name, "7000").stdout.splitlines()
    assert captured == ["5.5.5-10.11-MariaDB soon"] * 8, captured

    def principals():
        series = mesh.metrics(name, "istio_tcp_connections_opened_total")
        return {labels["source_principal"]: count for labels, count in series}
    until(lambda: principals() == {SA + "late": 8.0, SA + "default": 8.0, "unknown": 8.0}, 10, f"who came is known: {principals()}")
