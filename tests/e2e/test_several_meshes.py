"""Meshes side by side, each under its name: the same names and addresses inside, nothing shared, nothing in each other's way."""
import contextlib
import urllib.request

import pytest

from manifests import APP, account, deployment, gateway, http_probe, service, virtual_service, write
from mesh import Mesh, until


def mesh_named(folder, name):
    directory = folder / name
    directory.mkdir()
    write(directory / "all.yaml",
          account("client"), deployment("client", ["sleep", "infinity"], account="client"),
          account("web"), deployment("web", [APP, "echo", "--port", "8080"], account="web", ports=[8080], probe=http_probe(8080)),
          service("web", {"http": 8080}),
          gateway("edge", {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}, namespace=None),
          virtual_service("edge", {"hosts": ["*"], "gateways": ["edge"], "http": [{
              "route": [{"destination": {"host": "web"}}], "headers": {"response": {"set": {"x-mesh": name}}}}]}))
    return Mesh(folder, directory, name=name)


@pytest.fixture(name="meshes", scope="module")
def fixture_meshes(folder):
    meshes = [mesh_named(folder, name) for name in ("red", "blue")]
    with contextlib.ExitStack() as started:
        for mesh in meshes:
            mesh.start()
            started.callback(mesh.stop)
        yield meshes


def own_name(mesh):
    return mesh.exec("client", "curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", "http://web:8080/").stdout


def from_host(mesh):
    with urllib.request.urlopen(mesh.url, timeout=10) as answer:
        return answer.headers["x-mesh"]


def test_each_has_its_own_ports_and_answers_with_its_own_configuration(meshes):
    red, blue = meshes
    until(lambda: [from_host(mesh) for mesh in meshes] == ["red", "blue"], 15, "both gateways route")
    first, second = red.status(), blue.status()
    assert first["debug_url"] != second["debug_url"] and first["run_dir"] != second["run_dir"] and first["state_dir"] != second["state_dir"]
    assert [own_name(mesh) for mesh in meshes] == ["200", "200"]


def test_what_one_does_the_other_does_not_see(meshes):
    red, blue = meshes
    write(red.directory / "more.yaml", deployment("more", ["sleep", "infinity"]))
    until(lambda: red.pods("more"), 15, "red has it")
    assert not blue.pods("more")
    assert blue.named("exec", "more", "--", "true", check=False).returncode == 1


def test_the_end_of_one_is_not_the_end_of_the_other(meshes):
    red, blue = meshes
    red.named("down")
    red.process.wait(30)
    assert own_name(blue) == "200" and from_host(blue) == "blue"
    assert red.named("status", check=False).returncode == 3
    red.start()
    assert own_name(red) == "200"
