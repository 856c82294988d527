"""Whatever way a mesh ends, nothing of it stays: no process, namespace, mount or listening socket."""
import os
import signal
import subprocess

import pytest

from mesh import Mesh, copy_sample, leftovers, until


def sockets(status):
    ports = [int(u.rsplit(":", 1)[1].split("/")[0]) for u in (status["url"], status["debug_url"])]
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    return [p for p in ports if f":{p} " in listening]


def mounts():
    return pathlib_read("/proc/self/mountinfo")


def pathlib_read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


@pytest.mark.short
@pytest.mark.parametrize("how", ["down", "SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_the_end_leaves_nothing_behind(folder, how):
    before = mounts()
    work = folder / how
    work.mkdir()
    os.chmod(work, 0o777)
    mesh = Mesh(work, copy_sample(work), name=f"end-{how.lower()}").start()
    status = mesh.status()
    assert sockets(status)
    if how == "down":
        mesh.named("down")
    else:
        os.kill(mesh.process.pid, getattr(signal, how))
    mesh.process.wait(45)
    until(lambda: not leftovers(), 5, "no process is left: " + "\n".join(leftovers()))
    assert not sockets(status)
    assert mounts() == before
    assert mesh.named("status", check=False).returncode != 0


def test_a_second_start_of_the_same_name_names_the_first(folder):
    mesh = Mesh(folder, copy_sample(folder, "bookinfo"), name="twice").start()
    try:
        second = mesh.plait("up", str(mesh.directory), "--name", "twice", check=False)
        assert second.returncode != 0 and "twice" in second.stderr
    finally:
        mesh.stop()


def test_detach_returns_when_all_is_ready_and_down_ends_it(folder):
    mesh = Mesh(folder, folder / "bookinfo", name="detached")
    mesh.plait("up", str(mesh.directory), "--name", "detached", "--port", "0", "--detach")
    try:
        assert all(w["ready"] for w in mesh.status()["workloads"])
        assert mesh.get("/productpage")[0] == 200
    finally:
        mesh.named("down")
    until(lambda: not leftovers(), 5, "no process is left")


def test_exec_gives_the_exit_code_and_the_streams_of_the_command(folder):
    mesh = Mesh(folder, folder / "bookinfo", name="exec").start()
    try:
        assert mesh.exec("details-v1", "sh", "-c", "exit 7", check=False).returncode == 7
        assert mesh.exec("details-v1", "cat", stdin="through\n").stdout == "through\n"
        assert mesh.exec("details-v1-0", "hostname").stdout.strip() == "details-v1-0"
        missing = mesh.exec("no-such-workload", "true", check=False)
        assert missing.returncode != 0 and "no-such-workload" in missing.stderr
    finally:
        mesh.stop()
