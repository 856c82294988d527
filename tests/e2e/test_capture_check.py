"""`plait check` asks the kernel: capture rules that somebody takes away or adds to are told, with the workload and what to do."""
import json
import subprocess

import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "captured"
    directory.mkdir()
    m.write(directory / "mesh.yaml", *documents("first"))
    mesh = Mesh(folder, directory, name="captured").start()
    yield mesh
    mesh.stop()


def documents(annotation):
    yield m.deployment("web", [APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000), annotations={"note": annotation})
    yield m.service("web", {"http": 8000})
    yield m.deployment("other", [APP, "client"])
    yield m.deployment("plain", [APP, "client"], inject=False)


def capture_check(mesh):
    """The check of capture rules: (result, error, hint)."""
    answer = json.loads(mesh.named("check", "-o", "json", check=False).stdout)
    (found,) = [one for category in answer["categories"] for one in category["checks"] if "taken to its sidecar" in one["description"]]
    assert answer["success"] == (found["result"] == "success"), answer
    return found["result"], found["error"], found["hint"]


def nft(mesh, pod, *command):
    """In the pod's network, with the rights of who made it: no process inside has them."""
    subprocess.run(mesh.in_network_of(mesh.proxy_pid(pod), "/usr/sbin/nft", *command), check=True)


def sees_capture_rules_that_are_gone(mesh, workload):
    (pod,) = mesh.pods(workload)
    until(lambda: capture_check(mesh) == ("success", "", ""), 10, "the mesh is well")
    nft(mesh, pod["name"], "add", "rule", "inet", "plait", "prerouting", "accept")
    result, error, _ = capture_check(mesh)
    assert result == "error" and f"{pod['name']}.default: besides the capture rules there is \"accept\"" in error
    nft(mesh, pod["name"], "flush", "ruleset")
    result, error, hint = capture_check(mesh)
    assert (result, error) == ("error", f"{pod['name']}.default: the capture rules (table inet plait) are gone")
    assert f"in place of {pod['name']}.default" in hint


@pytest.mark.short
def test_rules_that_are_gone_are_told_and_a_new_pod_has_them(mesh):
    uids = lambda: [w["pid"] for w in mesh.pods("web")]
    sees_capture_rules_that_are_gone(mesh, "web")
    before = uids()
    m.write(mesh.directory / "mesh.yaml", *documents("second"))  # as the hint says
    until(lambda: len(mesh.pods("web")) == 1 and mesh.pods("web")[0]["ready"] and not set(uids()) & set(before), 30, "a new pod is ready")
    assert until(lambda: capture_check(mesh) == ("success", "", ""), 10, "the mesh is well")
