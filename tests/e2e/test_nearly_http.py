"""Bytes that some server would take for HTTP and a parser of policies would not: where a policy looks at HTTP on a port
that nobody declared, they reach no application, neither in mutual TLS nor in plaintext."""
import pytest

import manifests as m
from mesh import Mesh, until

PORT = 7000
FORMS = {
    "lower-case-method": "get /secret HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "unknown-method": "FETCH /secret HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "leading-line-end": "\\r\\nget /secret HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "leading-space": " GET /secret HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "tabs": "GET\\t/secret\\tHTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "vertical-tabs": "GET\\x0b/secret\\x0bHTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "form-feeds": "GET\\f/secret\\fHTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "bare-carriage-returns": "GET\\r/secret\\rHTTP/1.1\\r\\nHost: a\\r\\n\\r\\n",
    "http-0.9": "GET /secret\\r\\n",
    "bare-line-feeds": "get /secret HTTP/1.1\\nHost: a\\n\\n",
    "half-a-method": "GE",
}


@pytest.fixture(scope="module")
def mesh(folder):
    """The application says every byte back that reaches it."""
    directory = folder / "nearly"
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            m.peer_authentication("PERMISSIVE"),
            m.deployment("lines", [m.APP, "tcp-echo", "--port", str(PORT)], ports=[PORT]),
            m.document("Service", "lines", {"selector": {"app": "lines"}, "ports": [{"port": PORT}]}),
            m.deployment("meshed", [m.APP, "client"]),
            m.deployment("plain", [m.APP, "client"], inject=False))
    m.write(directory / "policy.yaml", m.authorization("no-secret", {
        "selector": {"matchLabels": {"app": "lines"}}, "action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/secret"]}}]}]}))
    mesh = Mesh(folder, directory, name="nearly")
    mesh.start()
    yield mesh
    mesh.stop()


def said(mesh, caller, text, family="ahostsv4"):
    """What comes back over IPv4 or IPv6 (a database of getent)."""
    script = f"""address=$(getent {family} lines) || exit
                 exec 3<>/dev/tcp/${{address%% *}}/{PORT}; printf '{text}' >&3; timeout 3 cat <&3"""
    return mesh.exec(caller, "bash", "-c", script, check=False).stdout


@pytest.mark.parametrize("caller", ["meshed", "plain"])
@pytest.mark.parametrize("form", FORMS)
def test_it_is_refused(mesh, caller, form):
    for family in ("ahostsv4", "ahostsv6"):
        answer = said(mesh, caller, FORMS[form], family)
        assert answer.startswith("HTTP/1.1 400 "), (family, answer)
        assert "secret" not in answer


def test_the_log_says_what_was_wrong(mesh):
    said(mesh, "plain", FORMS["lower-case-method"])
    until(lambda: " DPE " in mesh.named("logs", "-c", "istio-proxy", "lines").stdout, 10, "the log has the flag DPE")


@pytest.mark.parametrize("caller", ["meshed", "plain"])
def test_without_the_policy_it_reaches_the_application(mesh, caller):
    """Else the tests above would prove nothing."""
    (mesh.directory / "policy.yaml").unlink(missing_ok=True)
    for family in ("ahostsv4", "ahostsv6"):
        until(lambda family=family: said(mesh, caller, FORMS["lower-case-method"], family).startswith("get /secret"), 10,
              f"the application says it back ({family})")
