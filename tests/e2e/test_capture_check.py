"""Capture rules that somebody takes away or adds to come back by themselves. Where they cannot, the workload is cut off, and
`plait check`, which asks the kernel, says so with the workload and what to do."""
import contextlib
import json
import subprocess
import uuid

import pytest

import manifests as m
from mesh import Mesh, until
from test_wire import is_tls, watch

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
    yield m.peer_authentication("PERMISSIVE", namespace="istio-system")
    yield m.deployment("web", [APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000), annotations={"note": annotation})
    yield m.service("web", {"http": 8000})
    yield m.deployment("other", [APP, "client"])
    yield m.deployment("plain", [APP, "client"], inject=False)


def capture_check(mesh):
    """The check of capture rules: (result, error, hint)."""
    answer = json.loads(mesh.named("check", "-o", "json", check=False).stdout)
    (found,) = [one for category in answer["categories"] for one in category["checks"] if "taken to its sidecar" in one["description"]]
    assert answer["success"] == (found["result"] == "success"), json.dumps([c for k in answer["categories"] for c in k["checks"] if c["result"] != "success"])
    return found["result"], found["error"], found["hint"]


def nft(mesh, pod):
    """The words of `nft` in the pod's network, with the rights of who made it: no process inside has them."""
    return mesh.in_network_of(mesh.proxy_pid(pod), "/usr/sbin/nft")


def rules(mesh, pod):
    return subprocess.run([*nft(mesh, pod), "list", "ruleset"], check=True, capture_output=True, text=True).stdout


def capture_rules_come_back(mesh, workload):
    """After each kind of change, and `plait logs supervisor` names it and the workload."""
    (pod,) = mesh.pods(workload)
    before = rules(mesh, pod["name"])
    assert "redirect to :15001" in before and "redirect to :15006" in before
    for command, told in (
        ("add rule inet plait prerouting accept", 'besides the capture rules there is "accept"'),
        ("add table ip stranger", 'besides the capture rules there is "table ip stranger {"'),
        ("delete chain inet plait guard", 'the capture rules have lost "chain guard {"'),
        ("flush ruleset", "the capture rules (table inet plait) are gone"),
    ):
        subprocess.run([*nft(mesh, pod["name"]), command], check=True)
        until(lambda: rules(mesh, pod["name"]) == before, 5, f"the rules come back after {command}")
        line = f"{pod['name']}.default: {told}; they are loaded again"
        until(lambda: line in mesh.named("logs", "supervisor").stdout, 5, line)
    said = [line for line in mesh.named("logs", "supervisor").stdout.splitlines() if f"{pod['name']}.default: " in line]
    assert len(said) == 4, said
    until(lambda: capture_check(mesh) == ("success", "", ""), 10, "the mesh is well")


@pytest.mark.short
def test_rules_that_are_taken_away_come_back_and_the_traffic_is_mutual_tls(mesh):
    capture_rules_come_back(mesh, "web")
    capture_rules_come_back(mesh, "other")
    canary = f"canary-{uuid.uuid4().hex}"
    with watch(mesh, canary) as report:
        sent = mesh.load("other", f"http://web:8000/{canary}", "--count", "20", "-H", f"x-canary:{canary}")
        assert sent["status"] == {"200": 20}
    assert report["connections"] and all(is_tls(connection["client"]) for connection in report["connections"]), report["connections"]
    assert report["canaries"] == []


@contextlib.contextmanager
def somebody_owns_the_table(mesh, pod):
    """As long as the body runs the rules are gone, and nobody else may make them: the kernel keeps a table for its owner."""
    owner = subprocess.Popen([*nft(mesh, pod), "-i"], stdin=subprocess.PIPE, text=True)
    owner.stdin.write("delete table inet plait; add table inet plait { flags owner; }\n")
    owner.stdin.flush()
    try:
        yield
    finally:
        owner.stdin.close()
        owner.wait(10)


def answers(mesh, workload, ip):
    """Whether a request to the pod's address arrives: (from a workload without a proxy) in plaintext, as PERMISSIVE allows."""
    return mesh.exec(workload, "curl", "-s", "-m", "1", "-o", "/dev/null", f"http://{ip}:8000/", check=False).returncode == 0


def test_a_workload_whose_rules_cannot_be_loaded_again_is_cut_off_until_they_can(mesh):
    (pod,) = mesh.pods("web")
    assert answers(mesh, "plain", pod["ip"])
    with somebody_owns_the_table(mesh, pod["name"]):
        result, error, hint = until(lambda: (found := capture_check(mesh))[0] == "error" and "cut off" in found[1] and found, 10, "it is told")
        assert error.startswith(f"{pod['name']}.default: the capture rules ") and "Operation not permitted" in error, error
        assert f"in place of {pod['name']}.default" in hint
        assert not answers(mesh, "plain", pod["ip"])
        assert not mesh.pods("web")[0]["ready"] and "cut off" in mesh.pods("web")[0]["reason"]
    until(lambda: mesh.pods("web")[0]["ready"] and answers(mesh, "plain", pod["ip"]), 10, "it is there again")
    assert mesh.load("other", "http://web:8000/", "--count", "5")["status"] == {"200": 5}
    until(lambda: capture_check(mesh) == ("success", "", ""), 10, "the mesh is well")


def test_a_new_pod_takes_the_place_of_one_that_is_cut_off(mesh):
    (pod,) = mesh.pods("web")
    with somebody_owns_the_table(mesh, pod["name"]):
        until(lambda: not mesh.pods("web")[0]["ready"], 10, "it is cut off")
        m.write(mesh.directory / "mesh.yaml", *documents("second"))  # as the hint says
        until(lambda: [(w["pid"] != pod["pid"], w["ready"]) for w in mesh.pods("web")] == [(True, True)], 30, "a new pod is there alone")
        until(lambda: capture_check(mesh) == ("success", "", ""), 10, "the mesh is well")
    assert mesh.load("other", "http://web:8000/", "--count", "5")["status"] == {"200": 5}
