"""Who a caller is, is what its certificate says; and no application can read the key that makes certificates."""
import pathlib
import re
import subprocess
import sys

import pytest

import manifests as m
from authority import Authority
from mesh import Mesh, until
from plaitd import ADS, DELTA_ADS, field, text_entry
from test_gateway_tls import Authority as ForeignAuthority, secret

FORGED = "By=spiffe://cluster.local/ns/default/sa/echo;URI=spiffe://cluster.local/ns/istio-system/sa/admin"


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "identity"
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            m.peer_authentication("PERMISSIVE"),
            m.account("caller"),
            m.deployment("echo", [m.APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000)),
            m.service("echo", {"http": 8000}),
            m.deployment("meshed", [m.APP, "client"], account="caller"),
            m.deployment("plain", [m.APP, "client"], inject=False),
            m.gateway("edge", {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": ["*"],
                               "tls": {"mode": "SIMPLE", "credentialName": "site"}}),
            *[secret("site", ForeignAuthority(folder, namespace).issue("site.example.com"), namespace=namespace) for namespace in ("istio-system", "default")])
    mesh = Mesh(folder, directory, name="identity")
    mesh.start()
    yield mesh
    mesh.stop()


def seen(mesh, caller):
    """What the application sees of a request with a forged header, in lower case."""
    return mesh.exec(caller, "curl", "-sS", "-H", f"x-forwarded-client-cert: {FORGED}", "http://echo:8000/").stdout.lower()


def test_a_caller_of_the_mesh_has_its_own_name(mesh):
    until(lambda: "x-forwarded-client-cert" in seen(mesh, "meshed"), 10, "the application is told who calls")
    answer = seen(mesh, "meshed")
    assert "uri=spiffe://cluster.local/ns/default/sa/caller" in answer and "sa/admin" not in answer, answer


def test_a_caller_without_a_certificate_has_none(mesh):
    until(lambda: "host" in seen(mesh, "plain"), 10, "the application answers")
    assert "x-forwarded-client-cert" not in seen(mesh, "plain")


def header(answer, name):
    """The value of a header that the application saw."""
    found = re.search(rf"^{name}: *(.*?)\r?$", answer, re.MULTILINE | re.IGNORECASE)
    return found and found[1]


def test_a_request_has_an_id_and_a_trace(mesh):
    until(lambda: "host" in seen(mesh, "meshed"), 10, "the application answers")
    answer = mesh.exec("meshed", "curl", "-sS", "http://echo:8000/").stdout
    assert re.fullmatch(r"[0-9a-f-]{36}", header(answer, "x-request-id")), answer
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", header(answer, "traceparent")), answer
    own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = mesh.exec("meshed", "curl", "-sS", "-H", f"traceparent: {own}", "-H", "x-request-id: mine", "http://echo:8000/").stdout
    assert header(answer, "traceparent") == own and header(answer, "x-request-id") == "mine", answer


def test_no_application_reads_the_key_of_the_authority(mesh):
    [key] = (mesh.folder / "state").glob("plait/*/ca/root-key.pem")
    assert "PRIVATE KEY" in key.read_text()
    secret = key.read_text().splitlines()[1]
    for workload in ("meshed", "plain"):
        found = mesh.exec(workload, "sh", "-c", f"cat {key}; ls {key.parent}; find / -name 'root-key*' -exec grep -l {secret} {{}} + 2>/dev/null; mv {key} /tmp/k && echo moved; "
                          f"for p in /proc/[0-9]*; do cat $p/root{key} 2>/dev/null; done; echo end", check=False, timeout=120)
        assert found.stdout == "end\n", found.stdout
    assert pathlib.Path(key).exists()


# In the mesh's own network, where plaitd is: one request for a Secret; prints what is answered.
ASK = """
import sys
sys.path.insert(0, sys.argv[1])
import plaitd
with plaitd.Call(plaitd.Server(sys.argv[2], sys.argv[3]), sys.argv[5], sys.argv[4]) as call:
    call.send(sys.stdin.buffer.read())
    try:
        print(call.receive(3))
    except plaitd.Ended as ended:
        print(ended)
    except TimeoutError:
        print("no answer")
"""
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


def asks_for_the_key(mesh, method, account, namespace, node_namespace=None):
    """What plaitd answers a caller with this certificate whose node says that it is the gateway. `method`: of either form of ADS."""
    certificate = Authority.of(mesh).issue(mesh.folder / "peer.pem", f"spiffe://cluster.local/ns/{namespace}/sa/{account}")
    named = node_namespace or namespace
    labels = field(1, field(1, "LABELS") + field(2, field(5, text_entry("istio", "ingressgateway") + text_entry("app", "istio-ingressgateway"))))
    node = (field(1, f"router~10.244.0.5~istio-ingressgateway-0.{named}~{named}.svc.cluster.local") + field(6, "plait-proxy") +
            field(3, text_entry("NAMESPACE", named) + text_entry("SERVICE_ACCOUNT", account) + labels))
    name = field(3, "kubernetes://site")
    request = field(1, node) + field(2, SECRET) + name if method == DELTA_ADS else field(2, node) + name + field(4, SECRET)
    inside = mesh.in_network_of(mesh.plaitd_pid(), sys.executable, "-c", ASK, str(pathlib.Path(__file__).parent), mesh.plaitd_address(),
                                str(mesh.state / "ca/root-cert.pem"), str(certificate), method)
    return subprocess.run(inside, input=request, capture_output=True, check=True, timeout=30).stdout.decode()


def key_of(mesh, namespace):
    """A line of the private key of the namespace's Secret."""
    return (mesh.folder / f"{namespace}-site.example.com.key").read_text().splitlines()[1]


@pytest.mark.parametrize("method", [DELTA_ADS, ADS])
def test_a_sidecar_that_calls_itself_the_gateway_gets_no_key_of_it(mesh, method):
    gateway = asks_for_the_key(mesh, method, "istio-ingressgateway-service-account", "istio-system")
    assert key_of(mesh, "istio-system") in gateway, "this is how the gateway itself asks"
    for namespace in ("default", "istio-system"):
        answer = asks_for_the_key(mesh, method, "caller", namespace)
        assert key_of(mesh, namespace) not in answer, "there is no such thing for it"
        # The state of the world has no word for what is not there.
        assert "kubernetes://site" in answer if method == DELTA_ADS else answer == "no answer\n", answer
    elsewhere = asks_for_the_key(mesh, method, "caller", "default", node_namespace="istio-system")
    assert "the node claims namespace 'istio-system'" in elsewhere, elsewhere
