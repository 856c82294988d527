"""TLS that a client's proxy begins (DestinationRule, mode SIMPLE) to servers outside the mesh: it is for the host that the
application asks for, and a certificate of the right authority for another name is not accepted."""
import contextlib
import http.server
import ssl

import pytest

import manifests as m
from authority import Authority
from certificates import shared_folder
from mesh import Mesh
from outside import HOST, Page, serving


class Named(Page):
    """Answers with the server name that the client asked for."""

    def text(self):
        return f"for {self.server.asked.get(self.client_address)}"


class TlsServer(http.server.ThreadingHTTPServer):
    """With the certificate and key of `pem`, an attribute."""
    pem = None

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.asked = {}

    def finish_request(self, request, client_address):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        context.sni_callback = lambda _, name, __: self.asked.update({client_address: name})
        with contextlib.suppress(OSError), context.wrap_socket(request, server_side=True) as stream:
            super().finish_request(stream, client_address)


# What the server's certificate names, and what the rule says of TLS.
RULES = {
    "right.example.com": ("right.example.com", {}),
    "wrong.example.com": ("evil.example.org", {}),
    "named.example.com": ("evil.example.org", {"subjectAltNames": ["evil.example.org"]}),
    "asked.example.com": ("evil.example.org", {"sni": "evil.example.org"}),
    "skipped.example.com": ("evil.example.org", {"insecureSkipVerify": True}),
}


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "origination"
    directory.mkdir()
    authority = Authority.new()
    with shared_folder() as shared, contextlib.ExitStack() as servers:
        (shared / "ca.pem").write_text(authority.certificate_pem())
        (shared / "ca.pem").chmod(0o644)
        documents = [m.account("client"), m.deployment("client", ["sleep", "infinity"], account="client")]
        for host, (name, tls) in RULES.items():
            port = servers.enter_context(serving(TlsServer, Named, pem=authority.issue(shared / f"{host}.pem", dns=name)))
            documents += [
                m.document("ServiceEntry", host.split(".", maxsplit=1)[0], {
                    "hosts": [host], "resolution": "STATIC", "endpoints": [{"address": HOST, "ports": {"http": port}}],
                    "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}]}, "networking.istio.io/v1"),
                m.destination_rule(host.split(".", maxsplit=1)[0], {"host": host, "trafficPolicy": {"tls": {
                    "mode": "SIMPLE", "caCertificates": str(shared / "ca.pem"), **tls}}})]
        m.write(directory / "mesh.yaml", *documents)
        mesh = Mesh(folder, directory, name="origination")
        mesh.start()
        yield mesh
        mesh.stop()


def get(mesh, host):
    """(status, body)."""
    said = mesh.exec("client", "curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", f"http://{host}/", check=False).stdout
    body, _, code = said.rpartition("\n")
    return int(code), body


@pytest.mark.parametrize("host, name", [("right.example.com", "right.example.com"), ("named.example.com", "named.example.com"),
                                        ("asked.example.com", "evil.example.org"), ("skipped.example.com", "skipped.example.com")])
def test_a_server_that_proves_who_it_has_to_be_is_reached_under_its_name(mesh, host, name):
    assert get(mesh, host) == (200, f"for {name}")


def test_a_certificate_of_the_right_authority_for_another_name_is_refused(mesh):
    status, body = get(mesh, "wrong.example.com")
    assert status == 503 and not body.startswith("for "), body
    mesh.logged("client", "TLS_error:_peer_certificate:_no_subject_alternative_name_of_a_peer_without_SPIFFE_identity_"
                          "(evil.example.org)_is_wrong.example.com")
