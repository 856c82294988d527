"""Names that are not those of a Service with pods: other names of services, written endpoints, names of the outside, ports of
services, networks and localities.
"""
import collections
import contextlib
import json
import re
import socketserver

import pytest

import manifests as m
from mesh import Mesh, until
from outside import HOST, serving, web_server
from resolver import Resolver

APP = m.APP
ISTIO = "networking.istio.io/v1"


@pytest.fixture(name="outside", scope="module")
def fixture_outside():
    """The port of a web server of the host."""
    with web_server() as port:
        yield port


@pytest.fixture(name="resolver", scope="module")
def fixture_resolver():
    resolver = Resolver(ttl=1)
    yield resolver
    resolver.close()


def on_node(deployment, node):
    deployment["spec"]["template"]["spec"]["nodeName"] = node
    return deployment


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder, resolver):
    directory = folder / "names"
    directory.mkdir()
    node = m.document("Node", "east-1", None)
    node["metadata"]["labels"] = {"topology.kubernetes.io/region": "east", "topology.kubernetes.io/zone": "east-a"}
    m.write(directory / "mesh.yaml", node, m.account("client"), m.account("web"),
            m.deployment("client", [APP, "client"], account="client", labels={"app": "client", "topology.istio.io/network": "near"}),
            on_node(m.deployment("web", [APP, "echo", "--port", "8000"], replicas=2, account="web", ports=[8000], probe=m.http_probe(8000)), "east-1"),
            m.service("web", {"http": 8000}), m.service("each", {"http": 8000}, {"app": "web"}, headless=True))
    mesh = Mesh(folder, directory, name="names")
    resolver.tell(mesh)
    mesh.start()
    yield mesh
    mesh.stop()


@contextlib.contextmanager
def written(mesh, name, *documents):
    """A file of the mesh, for a while."""
    file = mesh.directory / f"{name}.yaml"
    m.write(file, *documents)
    yield file
    file.unlink()


def is_outside(answer):
    return answer[0] == 200 and answer[1].startswith("outside ")


def ask(mesh, url):
    """(status, body) of one request of the client."""
    result = mesh.exec("client", "curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", url, check=False)
    body, _, code = result.stdout.rpartition("\n")
    return int(code), body


# One question for records of type SRV to the resolver of /etc/resolv.conf; prints "PORT TARGET" of each.
SRV = r"""
import socket, struct, sys
def name_at(message, at):
    labels = []
    while message[at]:
        if message[at] >= 0xc0:
            at = struct.unpack("!H", message[at:at + 2])[0] & 0x3fff
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels)
server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
name = b"".join(bytes((len(label),)) + label.encode() for label in sys.argv[1].split(".")) + b"\0"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(5)
    one.sendto(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + name + struct.pack("!2H", 33, 1), (server, 53))
    answer = one.recv(4096)
count, at = struct.unpack("!H", answer[6:8])[0], 12 + len(name) + 4
for _ in range(count):
    while answer[at] and answer[at] < 0xc0:
        at += 1 + answer[at]
    at += 2 if answer[at] else 1
    length = struct.unpack("!H", answer[at + 8:at + 10])[0]
    print(struct.unpack("!H", answer[at + 14:at + 16])[0], name_at(answer, at + 16))
    at += 10 + length
print("code", answer[3] & 15)
"""


def srv(mesh, name):
    return mesh.exec("client", "python3", "-c", SRV, name).stdout.splitlines()


def test_applications_have_the_variables_of_services_as_on_kubernetes(mesh):
    show = ("sh", "-c", "echo $WEB_SERVICE_HOST $WEB_SERVICE_PORT $WEB_SERVICE_PORT_HTTP")
    host, *ports = mesh.exec("client", *show).stdout.split()
    assert ports == ["8000", "8000"] and ask(mesh, f"http://{host}:{ports[0]}/")[0] == 200
    bare = m.deployment("bare", [APP, "client"])
    bare["spec"]["template"]["spec"]["enableServiceLinks"] = False
    with written(mesh, "bare", bare):
        said = until(lambda: (told := mesh.exec("bare", *show, check=False)).returncode == 0 and told, 30, "the workload bare")
        assert said.stdout.strip() == ""


def test_the_ports_of_services_have_srv_records(mesh):
    assert srv(mesh, "_http._tcp.web.default.svc.cluster.local") == ["8000 web.default.svc.cluster.local", "code 0"]
    each = srv(mesh, "_http._tcp.each.default.svc.cluster.local")
    assert len(each) == 3 and len(set(each)) == 3, each
    for line in each[:2]:
        port, target = line.split()
        assert port == "8000" and target.endswith(".each.default.svc.cluster.local")
        assert ask(mesh, f"http://{target}:8000/")[0] == 200, "a record's target is a name of one pod"
    assert srv(mesh, "_grpc._tcp.web.default.svc.cluster.local") == ["code 3"], "there is no such port"


# One question for IPv4 addresses over TCP to the resolver of /etc/resolv.conf; prints [truncated, code, answers].
OVER_TCP = r"""
import json, socket, struct, sys
server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
name = b"".join(bytes((len(label),)) + label.encode() for label in sys.argv[1].split(".")) + b"\0"
query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)
with socket.create_connection((server, 53), timeout=10) as one, one.makefile("rb") as answers:
    one.sendall(struct.pack("!H", len(query)) + query)
    answer = answers.read(*struct.unpack("!H", answers.read(2)))
flags, _, count = struct.unpack("!3H", answer[2:8])
print(json.dumps([bool(flags & 0x200), flags & 15, count]))
"""


def over_tcp(mesh, name):
    return json.loads(mesh.exec("client", "python3", "-c", OVER_TCP, name).stdout)


def test_a_resolver_is_asked_over_tcp_again_after_it_hung_up(mesh, resolver):
    resolver.names["many.example.com"] = [f"10.9.{n // 100}.{n % 100}" for n in range(300)]
    whole, failure = [False, 0, 300], [False, 2, 0]
    for _ in range(3):
        assert over_tcp(mesh, "many.example.com") == whole
        resolver.hang_up()
    resolver.names["few.example.com"] = [HOST]
    resolver.refuses_tcp = True
    try:
        assert over_tcp(mesh, "many.example.com") == failure, "a truncated answer is none over TCP"
        assert over_tcp(mesh, "few.example.com") == [False, 0, 1], "one that is whole is"
    finally:
        resolver.refuses_tcp = False
    assert over_tcp(mesh, "many.example.com") == whole


def test_an_external_name_of_a_service_is_that_service(mesh):
    """With its identity: the server sees mutual TLS."""
    front = m.document("Service", "front", {"type": "ExternalName", "externalName": "web.default.svc.cluster.local"})
    with written(mesh, "front", front):
        until(lambda: ask(mesh, "http://front:8000/")[0] == 200, 10, "the other name answers")
        until(lambda: [labels for labels, _ in mesh.metrics("web-0", "istio_requests_total") + mesh.metrics("web-1", "istio_requests_total")
                       if labels["connection_security_policy"] == "mutual_tls"], 10, "by mutual TLS")
        assert {labels["destination_service"] for labels, _ in mesh.metrics("client", "istio_requests_total")
                if labels["destination_service_name"] == "web"} == {"web.default.svc.cluster.local"}


def test_an_external_name_of_the_outside_is_resolved_there(mesh, resolver, outside):
    resolver.names["db.example.com"] = [HOST]
    front = m.document("Service", "elsewhere", {"type": "ExternalName", "externalName": "db.example.com",
                                                "ports": [{"name": "http", "port": outside}]})
    with written(mesh, "elsewhere", front):
        until(lambda: is_outside(ask(mesh, f"http://elsewhere:{outside}/")), 10, "the other name answers")


def external(name, target, port):
    return m.document("Service", name, {"type": "ExternalName", "externalName": target, "ports": [{"name": "http", "port": port}]})


def explain(mesh, *arguments):
    """The answer, and the destination and the cluster that it names."""
    answer = json.loads(mesh.named("explain", "client", *arguments, "-o", "json", check=False).stdout)
    return answer, "; ".join(step["text"] for step in answer["steps"] if step["step"] in ("destination", "cluster"))


def test_an_external_name_may_lead_to_another_one(mesh, resolver, outside):
    resolver.names["db.example.com"] = [HOST]
    chains = [external(f"to-{end}", f"by-{end}.default.svc.cluster.local", port) for end, port in (("web", 8000), ("out", outside))]
    last = [external("by-web", "web.default.svc.cluster.local", 8000), external("by-out", "db.example.com", outside)]
    with written(mesh, "chains", *chains, *last):
        until(lambda: ask(mesh, "http://to-web:8000/")[0] == 200, 10, "the service at the end of the chain answers")
        until(lambda: is_outside(ask(mesh, f"http://to-out:{outside}/")), 10, "the host at the end of the chain answers")
        answer, told = explain(mesh, "to-web:8000")
        assert answer["forwarded"] and "web.default.svc.cluster.local" in told, answer
        until(lambda: [labels for labels, _ in mesh.metrics("client", "istio_requests_total")
                       if labels["destination_service"] == "web.default.svc.cluster.local"], 10, "by the service itself")


def test_a_name_is_explained_by_the_search_list_of_the_workload(mesh):
    """Live, and from the directory."""
    namespace = m.document("Namespace", "alpha", None)
    database = m.deployment("db", [APP, "echo", "--port", "5000"], namespace="alpha", ports=[5000], probe=m.http_probe(5000),
                            hostname="db-0", subdomain="db")
    with written(mesh, "search", namespace, database, m.service("db", {"http": 5000}, namespace="alpha", headless=True)):
        for name in ("db-0.db.alpha", "db-0.db.alpha.svc", "DB-0.db.alpha.svc.cluster.local", "db.alpha"):
            until(lambda n=name: ask(mesh, f"http://{n}:5000/")[0] == 200, 30, f"{name} answers")
            for where in ((), ("-f", str(mesh.directory))):
                answer, told = explain(mesh, *where, f"{name}:5000")
                assert answer["forwarded"] and "workload db-0.alpha" in told, (name, where, answer)
        assert ask(mesh, "http://db-1.db.alpha:5000/")[0] != 200
        answer, told = explain(mesh, "db-1.db.alpha.svc:5000")
        assert not answer["forwarded"], told


def test_a_service_without_selector_has_the_endpoints_of_its_slices(mesh, outside):
    url, file = "http://database/", mesh.directory / "database.yaml"
    service = m.document("Service", "database", {"ports": [{"name": "http", "port": 80}]})

    def slices(address, port, ready=True):
        one = m.document("EndpointSlice", "database-1", None, "discovery.k8s.io/v1", labels={"kubernetes.io/service-name": "database"})
        return {**one, "addressType": "IPv4", "ports": [{"name": "http", "port": port}],
                "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}]}
    with written(mesh, "database", service, slices(HOST, outside)):
        until(lambda: is_outside(ask(mesh, url)), 10, "the written endpoint answers")
        m.write(file, service, slices(HOST, outside, ready=False))
        until(lambda: ask(mesh, url)[0] == 503, 10, "it is not ready")
        m.write(file, service, slices(mesh.pods("web-0")[0]["ip"], 8000))
        until(lambda: "pod: web-0" in ask(mesh, url)[1], 10, "an endpoint that is a pod answers, by the mutual TLS that it demands")


def entry(name, port, endpoints=()):
    spec = {"hosts": [name], "location": "MESH_EXTERNAL", "resolution": "DNS", "ports": [{"number": port, "name": "http", "protocol": "HTTP"}]}
    return m.document("ServiceEntry", name.replace(".", "-"), {**spec, **({"endpoints": list(endpoints)} if endpoints else {})}, ISTIO)


def test_an_entry_that_is_resolved_by_dns_follows_the_resolver(mesh, resolver, outside):
    url = f"http://api.example.com:{outside}/"
    resolver.names["api.example.com"] = [HOST]
    with written(mesh, "api", entry("api.example.com", outside)):
        until(lambda: is_outside(ask(mesh, url)), 10, "the entry answers")
        resolver.names["api.example.com"] = ["127.0.0.2"]  # which nobody may dial
        until(lambda: ask(mesh, url)[0] == 503, 10, "the name has moved, and the record's time was over")
        resolver.names["api.example.com"] = [HOST]
        until(lambda: is_outside(ask(mesh, url)), 10, "it has moved back")
        served = [labels for labels, _ in mesh.metrics("client", "istio_requests_total") if labels["destination_service_name"] == "api.example.com"]
        assert {labels["response_code"] for labels in served} == {"200", "503"}


def test_a_name_that_begins_to_exist_is_used_soon(mesh, resolver, outside):
    """Much sooner than after the refresh rate, a minute."""
    url = f"http://young.example.com:{outside}/"
    with written(mesh, "young", entry("young.example.com", outside)):
        until(lambda: ask(mesh, url)[0] == 503, 10, "the entry is known, and nobody behind it")
        resolver.names["young.example.com"] = [HOST]
        until(lambda: is_outside(ask(mesh, url)), 20, "its address is known")


def test_names_are_asked_for_at_the_refresh_rate_of_the_mesh(mesh, resolver, outside):
    name, questions = "rare.example.com", 2  # for addresses of either family
    settings = {**m.document("ConfigMap", "istio", None, namespace="istio-system"), "data": {"mesh": "dnsRefreshRate: 0.5s"}}
    with written(mesh, "settings", settings), written(mesh, "rare", entry(name, outside)):
        until(lambda: ask(mesh, f"http://{name}:{outside}/")[0] == 503, 10, "the entry is known, and nobody behind it")
        before = resolver.asked.count(name)
        until(lambda: resolver.asked.count(name) >= before + 12 * questions, 15, "it is asked for twice a second, and no rarer each time")


@pytest.mark.parametrize("address", ["named.example.com", "host.plait.internal"])
def test_endpoints_of_an_entry_may_be_names(mesh, resolver, outside, address):
    """Also the name that every workload has for the host itself."""
    resolver.names["named.example.com"] = [HOST]
    name = "of-" + address
    with written(mesh, "named", entry(name, 80, [{"address": address, "ports": {"http": outside}}])):
        until(lambda: is_outside(ask(mesh, f"http://{name}/")), 10, f"{address} answers")


@pytest.mark.parametrize("address", ["web.default.svc.cluster.local", "10.96.200.200"])
def test_the_address_of_a_service_is_never_looked_for_outside(mesh, address):
    """It is one in the mesh alone; on the host's networks it may be anybody's."""
    log = lambda: mesh.named("logs", "client", "-c", "istio-proxy").stdout  # noqa: E731
    with written(mesh, "inside", entry("inside.example.com", 80, [{"address": address, "ports": {"http": 8000}}])):
        until(lambda: ask(mesh, "http://inside.example.com/")[0] == 503, 10, "it cannot be reached")
        until(lambda: [line for line in log().splitlines() if "inside.example.com" in line and "Connection_refused" in line], 10, "by the workload's own rules")


def endpoints(mesh, cluster):
    return json.loads(mesh.named("pc", "endpoint", "client", "--cluster", cluster, "-o", "json").stdout)


WEB = "outbound|8000||web.default.svc.cluster.local"


def test_endpoints_have_the_locality_of_their_node(mesh):
    assert ask(mesh, "http://web:8000/")[0] == 200
    [assignment] = endpoints(mesh, WEB)
    [group] = assignment["endpoints"]
    assert group["locality"] == {"region": "east", "zone": "east-a"} and len(group["lb_endpoints"]) == 2


def answered_by(mesh, address, count=20):
    """{pod: requests} for the service's name, sent to this address on one connection."""
    at = f"web:8000:[{address}]" if ":" in address else f"web:8000:{address}"
    out = mesh.exec("client", "curl", "-sS", "--max-time", "10", "--resolve", at, f"http://web:8000/[1-{count}]", check=False).stdout
    return collections.Counter(re.findall(r"^pod: (\S+)", out, re.MULTILINE))


def test_passthrough_keeps_to_the_pod_that_was_dialled_and_balances_the_address_of_a_service(mesh):
    """With mutual TLS, under STRICT. On Kubernetes, kube-proxy leads from such an address to a pod; here nobody but the proxy does."""
    rule = m.destination_rule("web", {"host": "web", "trafficPolicy": {"loadBalancer": {"simple": "PASSTHROUGH"}}})
    pods = mesh.pods("web")
    names = {pod["name"] for pod in pods}
    assert len(names) == 2
    with written(mesh, "passthrough", m.peer_authentication("STRICT"), rule):
        for pod in pods:
            for address in pod["ips"]:
                until(lambda a=address, p=pod: answered_by(mesh, a) == {p["name"]: 20}, 10, f"all of them come to {pod['name']}, {address}")
        report = mesh.load("client", "http://web:8000/", "--count", "100", "--connections", "4", "--count-by", "x-app-pod")
        assert report["failed"] == 0 and report["status"] == {"200": 100} and set(report["by"]) == names, report
        received = [labels for pod in names for labels, _ in mesh.metrics(pod, "istio_requests_total")
                    if labels["reporter"] == "destination" and labels["source_workload"] == "client"]
        assert received and {labels["connection_security_policy"] for labels in received} == {"mutual_tls"}
        steps = json.loads(mesh.named("explain", "client", "web:8000", "-o", "json").stdout)["steps"]
        told = {name: "; ".join(step["text"] for step in steps if step["step"] == name) for name in ("tls", "admission")}
        assert "spiffe://cluster.local/ns/default/sa/web" in told["tls"] and "STRICT" in told["admission"], steps


class Hello(socketserver.BaseRequestHandler):
    """Keeps the first bytes of each connection."""

    def handle(self):
        self.server.hellos.append(self.request.recv(4096))


def test_another_network_is_reached_by_its_gateway(mesh):
    """As far as a client can see it: the endpoints of its proxy, and the name that it asks the gateway for."""
    hellos = []
    with serving(socketserver.ThreadingTCPServer, Hello, hellos=hellos) as port:
        networks = json.dumps({"networks": {
            "near": {"endpoints": [{"fromCidr": mesh.pods("client")[0]["ip"] + "/32"}]},
            "far": {"endpoints": [{"fromCidr": "10.244.0.0/16"}], "gateways": [{"address": HOST, "port": port}]}}})
        with written(mesh, "networks", {**m.document("ConfigMap", "istio", None, namespace="istio-system"), "data": {"meshNetworks": networks}}):
            until(lambda: f"{HOST}:{port}" in mesh.named("pc", "endpoint", "client", "--cluster", WEB).stdout, 10,
                  "the gateway stands for the pods")
            assert ask(mesh, "http://web:8000/")[0] == 503  # this gateway ends the connection
            assert any(b"outbound_.8000_._.web.default.svc.cluster.local" in hello for hello in hellos), hellos
        until(lambda: ask(mesh, "http://web:8000/")[0] == 200, 10, "there is one network again")
