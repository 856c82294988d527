"""Who a caller is, is what its certificate says; and no application can read the key that makes certificates."""
import pathlib
import re

import pytest

import manifests as m
from mesh import Mesh, until

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
            m.deployment("plain", [m.APP, "client"], inject=False))
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
