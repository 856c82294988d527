"""What is inside a connection is decided by its bytes: servers that speak first, HTTP/1.0, both address families, with
applications that know nothing of it, under STRICT and PERMISSIVE, from callers in the mesh and from plain ones."""
import concurrent.futures
import subprocess
import sys
import urllib.parse

import pytest

import manifests as m
from mesh import Mesh, until
from test_metrics import are_known, has_known_labels, series

APP = m.APP
GREETING = "220 ready"

# A WebSocket's handshake, and then the bytes come back; "bye" is the last of them.
CHAT = r"""
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b''
        while (line := self.rfile.readline()) not in (b'', b'\r\n'):
            head += line.lower()
        if b'upgrade: websocket' not in head:
            return self.wfile.write(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
        self.wfile.write(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n')
        for line in self.rfile:
            self.wfile.write(line)
            if line == b'bye\n':
                break
socketserver.ThreadingTCPServer(('', 8300), Handler).serve_forever()"""

CHAT_CLIENT = r"""
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
s.sendall(b'GET /chat HTTP/1.1\r\nHost: ' + sys.argv[1].encode() + b'\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
f = s.makefile('rb')
for line in iter(f.readline, b'\r\n'):
    if not line:
        sys.exit('the connection was closed')
    print(line.decode().strip().lower())
s.sendall(b'hello\n')
print(f.readline().decode().strip())
s.sendall(b'bye\n')
print(f.read().decode().strip())"""


def mesh_documents():
    yield m.document("Namespace", "strict", None)
    yield m.document("Namespace", "open", None)
    yield m.peer_authentication("STRICT", namespace="strict")
    yield m.peer_authentication("PERMISSIVE", namespace="open")
    for space in ("strict", "open"):
        yield m.account("server", space)
        # Ports without a declared protocol: nothing but the bytes tells.
        yield m.deployment("greeter", [APP, "tcp-echo", "--port", "2525", "--greeting", GREETING + "\n"], space, account="server", ports=[2525])
        yield m.service("greeter", {"mail": 2525}, namespace=space)
        yield m.deployment("echo", [APP, "echo", "--port", "8000"], space, account="server", ports=[8000], probe=m.http_probe(8000))
        yield m.service("echo", {"any": 8000}, namespace=space)
    yield m.account("web", "strict")
    yield m.deployment("web", [APP, "echo", "--port", "8080"], "strict", account="web", replicas=3, ports=[8080], probe=m.http_probe(8080), subdomain="web")
    yield m.service("web", {"http": 8080}, namespace="strict", headless=True)
    yield m.account("chat")
    yield m.deployment("chat", ["python3", "-c", CHAT], account="chat", ports=[8300], probe={"tcpSocket": {"port": 8300}, "periodSeconds": 1})
    yield m.service("chat", {"http": 8300})
    yield m.gateway("edge", m.server(80, "HTTP", "*"))
    yield m.virtual_service("chat", {"hosts": ["*"], "gateways": ["istio-system/edge"], "http": [{"route": [{"destination": {"host": "chat"}}]}]})
    yield m.destination_rule("chat", {"host": "chat", "trafficPolicy": {"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE"}}}})
    yield m.account("client")
    yield m.deployment("client", [APP, "client"], account="client")
    yield m.deployment("plain", [APP, "client"], inject=False)


@pytest.fixture(scope="module")
def protocols(folder, concurrency):
    directory = folder / f"protocols-{concurrency}"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *mesh_documents())
    mesh = Mesh(folder, directory, concurrency=concurrency, name=f"protocols-{concurrency}")
    mesh.start()
    yield mesh
    mesh.stop()


# Reads what the server says first, sends a line, reads the echo. Python is not in every workload's image; bash is here.
TALK = """exec 3<>/dev/tcp/$0/$1 || exit 7
read -t 5 -r greeting <&3 || exit 8
echo hello >&3
read -t 5 -r answer <&3 || exit 9
echo "$greeting|$answer" """

HTTP10 = r"""exec 3<>/dev/tcp/$0/$1 || exit 7
printf 'GET /old HTTP/1.0\r\n\r\n' >&3
timeout 5 cat <&3"""


def addresses(mesh, service, namespace, caller="client"):
    """The service's IPv4 and IPv6 address as the caller resolves them."""
    host = f"{service}.{namespace}.svc.cluster.local"
    found = []
    for database in ("ahostsv4", "ahostsv6"):
        out = mesh.exec(caller, "getent", database, host).stdout
        found.append(out.split()[0])
    return found


def ways(mesh, service, namespace, caller="client"):
    """The service's name, IPv4 and IPv6 address."""
    return [f"{service}.{namespace}", *addresses(mesh, service, namespace, caller)]


def talk(mesh, workload, host, port=2525):
    return mesh.exec(workload, "bash", "-c", TALK, host, str(port), check=False)


@pytest.mark.short
@pytest.mark.parametrize("namespace", ["strict", "open"])
def test_a_server_that_speaks_first_is_heard_over_mutual_tls(protocols, namespace):
    for host in ways(protocols, "greeter", namespace):
        for _ in range(3):  # what is learned after the first must not change what happens
            result = talk(protocols, "client", host)
            assert result.stdout.strip() == f"{GREETING}|hello", (host, result)
    series = protocols.metrics("client", "istio_tcp_connections_opened_total")
    toward = [labels for labels, _ in series if labels["destination_service_name"] == "greeter" and labels["destination_service_namespace"] == namespace]
    assert toward and {labels["destination_principal"] for labels in toward} == {f"spiffe://cluster.local/ns/{namespace}/sa/server"}


def test_a_plain_caller_hears_the_server_only_where_it_may(protocols):
    for host in ways(protocols, "greeter", "open", "plain"):
        assert talk(protocols, "plain", host).stdout.strip() == f"{GREETING}|hello", host
    hosts = ways(protocols, "greeter", "strict", "plain")
    with concurrent.futures.ThreadPoolExecutor(len(hosts)) as at_once:  # each waits for what does not come
        for host, refused in zip(hosts, at_once.map(lambda host: talk(protocols, "plain", host), hosts)):
            # Connected, and then nothing: what was dialled is there.
            assert refused.returncode in (8, 9) and refused.stdout == "", (host, refused)


@pytest.mark.parametrize("namespace", ["strict", "open"])
def test_http_1_0_without_a_host_reaches_an_undeclared_port(protocols, namespace):
    for host in ways(protocols, "echo", namespace):
        answer = protocols.exec("client", "bash", "-c", HTTP10, host, "8000").stdout
        assert " 200 " in answer.splitlines()[0] and "/old" in answer, (host, answer)


def test_http_1_0_of_a_plain_caller_is_served_where_it_may_and_refused_where_not(protocols):
    for host in ways(protocols, "echo", "open", "plain"):
        answer = protocols.exec("plain", "bash", "-c", HTTP10, host, "8000").stdout
        assert " 200 " in answer.splitlines()[0] and "/old" in answer, (host, answer)
    for host in ways(protocols, "echo", "strict", "plain"):
        refused = protocols.exec("plain", "bash", "-c", HTTP10, host, "8000", check=False)
        assert refused.returncode != 7 and refused.stdout == "", (host, refused)


def assert_chat(lines):
    assert lines[0].startswith("http/1.1 101 ") and lines[-2:] == ["hello", "bye"], lines
    assert {"upgrade: websocket", "connection: upgrade", "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="} <= set(lines), lines


def test_a_websocket_passes_between_proxies_that_speak_http_2(protocols):
    assert_chat(protocols.exec("client", "python3", "-c", CHAT_CLIENT, "chat", "8300").stdout.splitlines())
    protocols.logged("client", '"GET /chat HTTP/1.1" 101 - via_upstream')
    protocols.logged("chat", '"GET /chat HTTP/2" 101 - via_upstream')
    for workload, reporter in (("client", "source"), ("chat", "destination")):
        until(lambda: [value for labels, value in protocols.metrics(workload, "istio_requests_total")
                       if labels["reporter"] == reporter and labels["response_code"] == "101"], 10, f"{workload} counts it")  # noqa: B023
    # A request that asks for nothing of that reaches the application as HTTP/1.1, too, which is all that it speaks.
    plain = protocols.exec("client", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://chat:8300/")
    assert plain.stdout == "400"


def test_a_websocket_passes_through_a_gateway_that_speaks_http_2_to_the_workload(protocols):
    edge = urllib.parse.urlsplit(protocols.url)
    answer = subprocess.run([sys.executable, "-c", CHAT_CLIENT, edge.hostname, str(edge.port)], capture_output=True, text=True, timeout=30, check=True)
    assert_chat(answer.stdout.splitlines())
    protocols.logged("chat", "outbound_.8300_._.chat.default.svc.cluster.local")


def test_ipv6_and_ipv4_carry_http(protocols):
    for literal in addresses(protocols, "echo", "strict"):
        host = f"[{literal}]" if ":" in literal else literal
        report = protocols.load("client", f"http://{host}:8000/", "--count", "50", "--connections", "5")
        assert report["failed"] == 0 and report["status"] == {"200": 50}, report


def test_a_thousand_requests_to_one_pod_of_a_headless_service_reach_that_pod(protocols):
    pods = protocols.pods("web")
    assert len(pods) == 3
    v4, v6 = pods[1]["ips"]
    for url in (f"http://{v4}:8080/", f"http://[{v6}]:8080/", f"http://{pods[1]['name']}.web.strict.svc.cluster.local:8080/"):
        report = protocols.load("client", url, "--count", "1000", "--connections", "10", "--count-by", "x-app-pod")
        assert report["failed"] == 0, report
        assert report["by"] == {pods[1]["name"]: 1000}, (url, report)


def test_many_new_connections_to_a_server_that_speaks_first_all_hear_it(protocols):
    script = "for i in $(seq 30); do bash -c '" + TALK.replace("'", "'\\''") + "' greeter.strict 2525 || exit 1; done"
    out = protocols.exec("client", "bash", "-c", script).stdout.split("\n")
    assert out[:30] == [f"{GREETING}|hello"] * 30


def test_no_label_of_these_connections_is_unknown(protocols):
    protocols.load("client", "http://echo.strict:8000/", "--count", "5")
    assert talk(protocols, "client", "greeter.strict").stdout.strip() == f"{GREETING}|hello"
    until(lambda: has_known_labels(protocols, "client") and has_known_labels(protocols, "client", of="istio_tcp_connections_opened_total"), 5,
          "every label is known")


@pytest.mark.parametrize("namespace", ["strict", "open"])
def test_a_server_that_speaks_first_has_metrics_of_its_own_and_no_label_of_them_is_unknown(protocols, namespace):
    """All of the mesh's connections are found there, by mutual TLS; a plain caller is known by its address, and there are no principals."""
    assert talk(protocols, "client", f"greeter.{namespace}").stdout.strip() == f"{GREETING}|hello"

    def opened(workload, reporter):
        of = [(labels, value) for labels, value in protocols.metrics(workload, "istio_tcp_connections_opened_total")
              if labels["reporter"] == reporter and labels["source_workload"] == "client" and
              (labels["destination_service_name"], labels["destination_service_namespace"]) == ("greeter", namespace)]
        return of, sum(value for _, value in of)

    def told():
        at_the_server, count = opened(f"greeter-0.{namespace}", "destination")
        assert count == opened("client", "source")[1] > 0
        assert {labels["connection_security_policy"] for labels, _ in at_the_server} == {"mutual_tls"}
        return True
    until(told, 8, "both sides have counted the same connections")
    of_the_mesh = 0
    for name, all_labels in series(protocols, f"greeter-0.{namespace}").items():
        for labels in all_labels:
            if labels["connection_security_policy"] == "mutual_tls":
                are_known(name, labels)
                of_the_mesh += name.startswith("istio_tcp_")
            else:  # strict refuses a plain caller before there is a connection that could be counted
                assert namespace == "open" and (labels["source_workload"], labels["source_principal"]) == ("plain", "unknown"), labels
                are_known(name, labels | {"source_principal": "none", "destination_principal": "none"})
    assert of_the_mesh >= 4
