"""`plait up --net netns`: root makes the namespaces, no user namespace is there; all else is as in the default mode."""
import os
import subprocess
import uuid

import pytest

from mesh import Mesh, command_lines, copy_sample, nothing_runs, process_status, until
from test_capture_check import capture_rules_come_back
from test_lifecycle import mounts, namespaces, namespaces_of, processes
from test_wire import is_tls, watch

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces without a user namespace")


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def host():
    """What a mesh could leave on this host. Addresses of links may change by themselves; rules only root may see."""
    links = sorted(line.split(": ")[1] for line in said("ip", "-o", "link").splitlines())
    return mounts(), links, said("nft", "list", "ruleset") if os.geteuid() == 0 else ""


def users(pids):
    """Real user ids of processes, as this host counts them."""
    return {int(process_status(pid)["Uid"].split()[0]) for pid in pids}


def shows_bookinfo_by_mutual_tls_alone(mesh):
    """The page through the gateway and requests between workloads, while a packet socket looks at the mesh's own network."""
    canary = f"canary-{uuid.uuid4().hex}"
    with watch(mesh, canary) as report:  # before the first connection: what begins a connection is looked at
        until(lambda: 'class="review"' in mesh.get("/productpage")[1], 20, "the page with its reviews")
        for version in range(6):
            assert mesh.get(f"/productpage?{canary}-{version}", {"x-canary": canary})[0] == 200
        sent = mesh.load("productpage-v1", f"http://reviews:9080/reviews/0?{canary}", "--count", "30", "-H", f"x-canary:{canary}")
        assert sent["status"] == {"200": 30}
    assert len(report["connections"]) >= 4 and report["packets"] > 100, report
    assert all(is_tls(connection["client"]) for connection in report["connections"]), report["connections"]
    assert report["canaries"] == []


def leaves_nothing_behind(mesh, before, used):
    """`before`: what the host was like; `used`: the mesh's namespaces."""
    of_the_mesh = lambda: [words for _, words in command_lines() if any(f"{mesh.folder}/run".encode() in word for word in words)]
    nothing_runs(5, of_the_mesh)
    until(lambda: not namespaces(processes()) & used, 5, "no namespace is left")
    assert host() == before
    assert not list((mesh.folder / "run").rglob("*.sock")) and mesh.named("status", check=False).returncode != 0


@needs_root
def test_bookinfo_of_root_is_encrypted_on_the_wire_and_leaves_nothing_behind(folder):
    before = host()
    mesh = Mesh(folder, copy_sample(folder, into="netns"), name="netns").as_root().start("--net", "netns")
    try:
        status = mesh.status()
        assert (status["mode"], status["mode_reason"]) == ("netns", "as --net says")
        shows_bookinfo_by_mutual_tls_alone(mesh)
        # The proxies are root's, confined; an application is nobody's.
        proxies = mesh.processes("plait-proxy")
        assert users(proxies) == {0} and len(proxies) == len(status["workloads"])
        inside, outside, count = mesh.exec("details-v1", "cat", "/proc/self/uid_map").stdout.split()
        assert (inside, count) == ("1000", "1") and int(outside) >= 60100
        assert mesh.exec("details-v1", "sh", "-c", "id -u; cat /etc/shadow", check=False).stdout == "1000\n"
        capture_rules_come_back(mesh, "details-v1")
        used = namespaces_of(mesh)
        assert {kind for kind, _ in used} == {"net", "mnt", "pid"}
    finally:
        mesh.stop()
    leaves_nothing_behind(mesh, before, used)
