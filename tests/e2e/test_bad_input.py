"""Bad YAML: a clear message with its place, the last good version stays live, other objects are unaffected, and a bad
security policy denies when nothing good is known."""
import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP


def echo_mesh(folder, name, *more):
    directory = folder / name
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            m.account("server"),
            m.deployment("echo", [APP, "echo", "--port", "8000"], account="server", ports=[8000], probe=m.http_probe(8000)),
            m.service("echo", {"http": 8000}),
            m.account("client"),
            m.deployment("client", [APP, "client"], account="client"))
    for file, text in more:
        (directory / file).write_text(text)
    return Mesh(folder, directory, name=name).start()


@pytest.fixture(scope="module")
def mesh(folder):
    mesh = echo_mesh(folder, "bad-input", ("routes.yaml", ROUTES))
    yield mesh
    mesh.stop()


ROUTES = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: echo
spec:
  hosts: [echo]
  http:
    - headers: {response: {set: {x-rule: good}}}
      route: [{destination: {host: echo}}]
"""


def status_of(mesh):
    return mesh.load("client", "http://echo:8000/", "--count", "1")["status"]


def rule(mesh):
    return set(mesh.load("client", "http://echo:8000/", "--count", "2", "--count-by", "x-rule")["by"])


def said(mesh, *parts):
    """A message of `plait up`, also in `plait status`, that holds all parts."""
    def found():
        lines = mesh.output.read_text(errors="replace").splitlines()
        return next((line for line in lines if all(part in line for part in parts)), None)
    return until(found, 5, f"a message with {parts}")


@pytest.mark.short
@pytest.mark.parametrize("text, parts", [
    (ROUTES.replace("  hosts: [echo]", "  hosts: [echo"), ["routes.yaml:"]),
    (ROUTES.replace("      route:", "      rout:"), ["routes.yaml:9:7", "rout", "route"]),
    (ROUTES + "---\n" + ROUTES, ["routes.yaml:1", "echo", "twice"]),
    (ROUTES.replace("metadata:", "\tmetadata:"), ["routes.yaml:3"]),
    (ROUTES.replace("kind: VirtualService", "kind: VirtualServise"), ["routes.yaml:", "VirtualServise"]),
], ids=["broken", "unknown-field", "duplicate", "tab", "unknown-kind"])
def test_a_bad_edit_is_told_with_its_place_and_changes_nothing(mesh, text, parts):
    file = mesh.directory / "routes.yaml"
    assert rule(mesh) == {"good"}
    file.write_text(text)
    said(mesh, *parts)
    # Another object, changed meanwhile, is unaffected by the bad file.
    m.write(mesh.directory / "other.yaml", m.authorization("deny-post", {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]}))
    until(lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "POST")["status"] == {"403": 1}, 5, "the other file is live")
    assert rule(mesh) == {"good"}
    (mesh.directory / "other.yaml").unlink()
    until(lambda: mesh.load("client", "http://echo:8000/", "--count", "1", "--method", "POST")["status"] == {"200": 1}, 5, "the other file is gone")
    file.write_text(ROUTES)
    until(lambda: rule(mesh) == {"good"}, 5, "all is well")


def test_a_reference_to_nothing_is_told_with_its_place(mesh):
    file = mesh.directory / "routes.yaml"
    file.write_text(ROUTES.replace("{host: echo}", "{host: eccho}"))
    said(mesh, "routes.yaml:9:", "eccho")
    file.write_text(ROUTES)
    until(lambda: rule(mesh) == {"good"}, 5, "the route is back")


BAD_POLICY = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: broken
spec:
  selector: {matchLabels: {app: echo}}
  action: ALLOW
  rules:
    - to: [{operation: {methds: [GET]}}]
"""


def test_an_invalid_policy_in_force_at_the_first_start_denies(folder):
    mesh = echo_mesh(folder, "bad-policy", ("policy.yaml", BAD_POLICY))
    try:
        said(mesh, "policy.yaml:9:", "methds")
        assert status_of(mesh) == {"403": 1}
        until(lambda: "invalid_policy[default/broken]" in mesh.named("logs", "echo", "-c", "istio-proxy").stdout, 5, "the log names the policy")
        (mesh.directory / "policy.yaml").write_text(BAD_POLICY.replace("methds", "methods"))
        until(lambda: status_of(mesh) == {"200": 1}, 5, "the mended policy allows")
        # With a last good version a bad edit keeps its meaning.
        (mesh.directory / "policy.yaml").write_text(BAD_POLICY)
        said(mesh, "policy.yaml", "last good version of this file stays in force")
        assert status_of(mesh) == {"200": 1}
    finally:
        mesh.stop()
