"""`plait explain` of TLS that a DestinationRule asks for: what it says is what happens, live and from a directory."""
import pytest

import manifests as m
from authority import Authority
from certificates import shared_folder
from mesh import Mesh
from test_explain import as_saved, curl, explain, steps
from test_gateway_tls import TLS_SERVER, secret

NAME = "app.example"  # of the application's own certificate
# Services of workload `at`, and what the rule says of TLS; the answer; what `explain` says ("1": forwarded, "0": not, "?": it cannot
# know); the flag of the caller's proxy; a part of the step that decides.
CASES = {
    "plain": ("strict", {"mode": "DISABLE"}, "503", "0", "UC", "STRICT, and the caller does not speak mutual TLS"),
    "simple": ("strict", {"mode": "SIMPLE"}, "503", "0", "", "STRICT, and the TLS that the caller begins is its own, without a certificate"),
    "skipped": ("strict", {"mode": "SIMPLE", "insecureSkipVerify": True}, "503", "0", "", "without a certificate of the mesh"),
    "foreign": ("strict", {"mode": "MUTUAL", "insecureSkipVerify": True, "clientCertificate": "PEM", "privateKey": "PEM"}, "503", "0", "",
                "without a certificate of the mesh"),
    "mutual": ("strict", {"mode": "ISTIO_MUTUAL"}, "200", "1", "", ""),
    "other": ("strict", {"mode": "ISTIO_MUTUAL", "subjectAltNames": ["spiffe://cluster.local/ns/default/sa/other"]}, "503", "0", "UF",
              "strict-0.default is spiffe://cluster.local/ns/default/sa/default"),
    "named": ("strict", {"mode": "ISTIO_MUTUAL", "subjectAltNames": ["spiffe://cluster.local/ns/default/sa/default"]}, "200", "1", "", ""),
    "off": ("off", {"mode": "ISTIO_MUTUAL"}, "503", "?", "", "an application seldom speaks"),
    "bare": ("bare", {"mode": "ISTIO_MUTUAL"}, "503", "?", "", "an application seldom speaks"),
    # The application ends what the caller's proxy begins.
    "own": ("own", {"mode": "SIMPLE", "caCertificates": "CA", "subjectAltNames": [NAME]}, "200", "1", "", ""),
    "own-mutual": ("own", {"mode": "MUTUAL", "caCertificates": "CA", "sni": NAME, "subjectAltNames": [NAME], "clientCertificate": "PEM",
                           "privateKey": "PEM"}, "200", "1", "", ""),
}


def through_gateway(pem):
    """site.example, which is led through a gateway, in TLS that the client's proxy begins."""
    gateway = "gwsvc.istio-system.svc.cluster.local"
    outside = {"hosts": ["site.example"], "resolution": "STATIC", "endpoints": [{"address": "192.0.2.1"}],
               "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}

    def route(gateway, host, port):
        return m.virtual_service(f"to-{port}", {"hosts": ["site.example"], "gateways": [gateway], "http": [
            {"route": [{"destination": {"host": host, "port": {"number": port}}}]}]})
    return (secret("site", (pem, pem)), m.gateway("edge", m.server(8443, "HTTPS", "site.example", mode="SIMPLE", credentialName="site")),
            m.document("Service", "gwsvc", {"selector": {"istio": "ingressgateway"}, "ports": [
                {"name": "http", "port": 81, "targetPort": 8443}]}, namespace="istio-system"),
            m.document("ServiceEntry", "site", outside, "networking.istio.io/v1"),
            route("mesh", gateway, 81), route("istio-system/edge", "to-mutual", 80),
            m.destination_rule("gateway", {"host": gateway, "trafficPolicy": {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}}))


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "explain-tls"
    directory.mkdir()
    authority = Authority.new()
    with shared_folder() as shared:
        (shared / "ca.pem").write_text(authority.certificate_pem())
        (shared / "ca.pem").chmod(0o644)
        pem = authority.issue(shared / "app.pem", dns=NAME)
        own = m.deployment("own", ["python3", "-c", TLS_SERVER], ports=[8443], probe={"tcpSocket": {"port": 8443}, "periodSeconds": 1})
        own["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": key, "value": pem.read_text()} for key in ("CERT", "KEY")]
        documents = [m.deployment("client", [m.APP, "client"]), own, *through_gateway(pem)]
        for name in ("strict", "off", "bare"):
            documents.append(m.deployment(name, [m.APP, "echo", "--port", "8000"], ports=[8000], inject=name != "bare", probe=m.http_probe(8000)))
        for name, mode in (("off", "DISABLE"), ("own", "PERMISSIVE")):
            documents.append(m.peer_authentication(mode, name, selector={"matchLabels": {"app": name}}))
        files = {"CA": str(shared / "ca.pem"), "PEM": str(pem)}
        for name, (at, tls, *_) in CASES.items():
            port = 8443 if at == "own" else 8000
            documents += [
                m.document("Service", f"to-{name}", {"selector": {"app": at}, "ports": [
                    {"name": "http", "port": 80, "targetPort": port}, {"name": "tcp", "port": 81, "targetPort": port}]}),
                m.destination_rule(name, {"host": f"to-{name}", "trafficPolicy": {"tls": {
                    key: files.get(value, value) if isinstance(value, str) else value for key, value in tls.items()}}})]
        m.write(directory / "mesh.yaml", *documents)
        mesh = Mesh(folder, directory, name="explain-tls").start()
        yield mesh
        mesh.stop()


@pytest.mark.parametrize("case", CASES)
def test_tls_of_a_rule_is_explained_as_it_happens(mesh, case):
    _, _, real, passes, flag, says = CASES[case]
    assert curl(mesh, "client", f"http://to-{case}/") == real
    assert curl(mesh, "client", f"http://to-{case}:81/") == ("200" if real == "200" else "000")
    code = 0 if passes == "1" else 1
    for words in ([f"to-{case}"], [f"to-{case}:81", "--tcp"]):
        live = explain(mesh, "client", *words, code=code)
        as_saved(mesh, live, "client", *words, code=code)
        assert live["forwarded"] == {"0": False, "1": True, "?": None}[passes], live
        decisive = [step["text"] for step in live["steps"] if step["passes"] is not True]
        assert len(decisive) == (passes != "1") and says in "".join(decisive), decisive
        status = 503 if passes == "0" and "--tcp" not in words else 0
        assert live["verdict"].get("status", 0) == status and (status == 0 or live["verdict"]["flag"] == flag), live["verdict"]
    mutual = steps(explain(mesh, "client", f"to-{case}", code=code), "tls")[0]["text"].startswith("mutual TLS")
    assert mutual == (CASES[case][1]["mode"] == "ISTIO_MUTUAL")


def test_tls_to_a_gateway_is_for_the_host_that_is_asked_for(mesh):
    assert curl(mesh, "client", "http://site.example/") == "200"
    live = explain(mesh, "client", "site.example")
    assert live["forwarded"] and live["steps"][-1]["workload"] == "strict-0.default"
    [out, into] = steps(live, "tls")[:2]
    assert out["text"].endswith("; SNI site.example") and "TLS with server name site.example ends here" in into["text"]
    as_saved(mesh, live, "client", "site.example")
