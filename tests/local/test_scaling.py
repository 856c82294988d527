"""What goes leaves nothing behind: processes, links, namespaces and descriptors are as before."""
import os
import pathlib
import signal
import subprocess

from local_mesh import Mesh, until, web


def supervisor(local):
    return int(next(line.split()[0] for line in local.leftovers() if "@supervisor" in line))


def possessions(local):
    """What the mesh holds: processes, links of workloads, open descriptors of the supervisor by kind."""
    pid = supervisor(local)
    links = subprocess.run(Mesh.in_network_of(pid, "ip", "-o", "link"), capture_output=True, text=True, check=True).stdout
    kinds = {}
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        kind = os.readlink(descriptor).partition(":[")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return {"processes": len(local.leftovers()), "links": links.count(": w"), "descriptors": kinds}


def ready(local, count):
    return lambda: [w["ready"] for w in local.status()["workloads"]] == [True] * count


def test_one_to_five_and_back_leaves_what_was_there_before(local):
    local.want(web("a-0"))
    local.up()
    before = possessions(local)
    for _ in range(2):
        local.want(*(web(f"a-{i}") for i in range(5)))
        until(ready(local, 5), 20, "five are ready")
        assert possessions(local)["links"] == before["links"] + 4
        local.want(web("a-0"))
        until(ready(local, 1), 20, "one is left")
        until(lambda: possessions(local) == before, 10, f"nothing is left of the others: {possessions(local)} was {before}")


def test_a_container_that_is_killed_again_and_again_leaves_nothing(local):
    local.want(web("a-0"))
    local.up()
    before = possessions(local)
    for kills in range(1, 4):
        application = next(int(line.split()[0]) for line in local.leftovers() if "http.server" in line and "plait-init" not in line)
        os.kill(application, signal.SIGKILL)
        until(lambda n=kills: local.workload("a-0")["restarts"] == n and local.workload("a-0")["ready"], 20, "it is back")
    until(lambda: possessions(local) == before, 10, f"nothing is left: {possessions(local)} was {before}")
    assert local.workload("a-0")["reason"] == ""
