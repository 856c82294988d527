"""Whatever way a mesh ends, nothing of it stays: no process, namespace, mount or listening socket."""
import contextlib
import os
import pathlib
import pty
import signal
import subprocess
import threading

import pytest

import manifests as m
from mesh import BIN, TEST_UID, Mesh, command_lines, copy_sample, nothing_runs, process_status, unprivileged, until

DETAILS = "http://details:9080/details/0"


def listening():
    """{(tcp or udp, address)} of sockets of the test user on the host that wait for whoever comes."""
    out = subprocess.run(["ss", "-Hltune"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {(words[0], words[4]) for line in out if f"uid:{TEST_UID} " in line for words in [line.split()]}


def namespaces(pids):
    """Namespaces that these processes are in and we are not: {(kind, inode)}."""
    found = set()
    for pid in pids:
        for kind in ("net", "mnt", "user", "pid"):
            with contextlib.suppress(OSError):  # it has ended, or is not ours to look at
                found.add((kind, os.stat(f"/proc/{pid}/ns/{kind}").st_ino))
    return found - {(kind, os.stat(f"/proc/self/ns/{kind}").st_ino) for kind in ("net", "mnt", "user", "pid")}


def processes():
    return [entry.name for entry in pathlib.Path("/proc").glob("[0-9]*")]


def test_what_looks_for_listening_sockets_sees_both_kinds():
    """The test of the tests: one of each is seen while it is there, and not afterwards."""
    before = listening()
    script = ("import socket, sys; kept = [socket.create_server(('127.0.0.1', 0)), socket.socket(type=socket.SOCK_DGRAM)]; "
              "kept[1].bind(('127.0.0.1', 0)); print(flush=True); sys.stdin.read()")
    with subprocess.Popen(unprivileged(["/usr/bin/python3", "-c", script]), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert sorted(kind for kind, _ in listening() - before) == ["tcp", "udp"]
        process.stdin.close()
    assert not listening() - before


def mounts():
    return pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")


@contextlib.contextmanager
def busy(mesh):
    """Requests are under way; whoever sends them may end with the mesh."""
    process = subprocess.Popen(mesh.command("exec", "productpage-v1", "--", "plait-demo-app", "load", DETAILS, "--rate", "100"),
                               env=mesh.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: mesh.generators(DETAILS), 10, "the load runs")
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.short
@pytest.mark.parametrize("how", ["down", "SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_the_end_leaves_nothing_behind(folder, how, concurrency):
    mounted, listened = mounts(), listening()
    work = folder / f"{how}-{concurrency}"
    work.mkdir()
    os.chmod(work, 0o777)
    mesh = Mesh(work, copy_sample(work), name=f"end-{how.lower()}", concurrency=concurrency).start()
    try:
        ends_without_a_trace(mesh, how, mounted, listened)
    finally:
        mesh.stop()


def ends_without_a_trace(mesh, how, mounted, listened):
    used = namespaces_of(mesh)
    assert len(listening() - listened) >= 2 and (used or os.geteuid() != 0)
    with busy(mesh):
        if how == "down":
            mesh.named("down")
        else:
            os.kill(mesh.process.pid, getattr(signal, how))
        mesh.process.wait(45)
        nothing_runs()
    nothing_is_left(mesh, used, mounted, listened)


def namespaces_of(mesh):
    return namespaces(pid for program in ("plait-proxy", "plaitd") for pid in mesh.processes(program))


def nothing_is_left(mesh, used, mounted, listened):
    assert not listening() - listened
    assert mounts() == mounted
    until(lambda: not namespaces(processes()) & used, 5, "no namespace is left")
    assert mesh.named("status", check=False).returncode != 0


@contextlib.contextmanager
def terminal(command, env):
    """A process in the foreground of a terminal of its own: it, what is typed there, and what it has shown so far."""
    ours, theirs = pty.openpty()
    shown = []

    def show():
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                shown.append(piece.decode(errors="replace"))
    with subprocess.Popen(["setsid", "--ctty", *command], env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        reader = threading.Thread(target=show)
        reader.start()
        try:
            yield process, lambda keys: os.write(ours, keys), lambda: "".join(shown)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(45)
            reader.join(5)
            os.close(ours)


@contextlib.contextmanager
def at_a_terminal(folder, name, *words):
    """A mesh by `plait WORDS` in the foreground of a terminal, what it has shown, and Ctrl-C there: a function that returns the
    exit code when nothing of the mesh is left."""
    mounted, listened = mounts(), listening()
    mesh = Mesh(folder, folder, name=name)
    with terminal(unprivileged([str(BIN / "plait"), *words, "--name", name, "--port", "0"]), mesh.env) as (mesh.process, typed, shown):
        def ctrl_c():
            used = namespaces_of(mesh)
            assert len(listening() - listened) >= 1 and (used or os.geteuid() != 0)
            typed(b"\x03")  # the terminal makes SIGINT of it, for all that is in the foreground
            code = mesh.process.wait(45)
            nothing_runs()
            nothing_is_left(mesh, used, mounted, listened)
            assert not (folder / "run/plait" / name).exists()
            return code
        yield mesh, shown, ctrl_c


@pytest.fixture
def work(folder, request):
    path = folder / request.node.name
    path.mkdir()
    os.chmod(path, 0o777)
    return path


def test_ctrl_c_ends_a_demo_in_the_foreground_and_leaves_nothing_behind(work):
    with at_a_terminal(work, "ctrl-c", "demo") as (mesh, shown, ctrl_c):
        mesh.wait_ready(60)
        until(lambda: "What to try next" in shown(), 10, "the demo has said what it is")
        assert "Stop     Ctrl-C, or plait down --name ctrl-c" in shown() and mesh.get("/productpage")[0] == 200
        with busy(mesh):
            assert ctrl_c() == 0, shown()  # this is how it ends
        assert "plait: stopping (Ctrl-C again: at once)" in shown()
    assert not list((work / "state").iterdir())  # no authority and no file that was edited


def test_a_demo_beside_the_state_of_a_mesh_removes_only_what_is_its_own(folder):
    mesh = Mesh(folder, copy_sample(folder, into="kept"), name="kept")
    mesh.plait("up", str(mesh.directory), "--name", "kept", "--port", "0", "--detach")
    mesh.named("down")
    before = (mesh.state / "ca/root-key.pem").read_bytes()
    mesh.plait("demo", "--name", "kept", "--port", "0", "--detach")
    try:
        assert mesh.status()["directory"] == str(mesh.state / "demo/bookinfo")
        # The start of a second one, which fails, takes nothing from the first.
        assert mesh.plait("demo", "--name", "kept", check=False).returncode == 1
        assert (mesh.state / "demo/bookinfo/bookinfo.yaml").exists()
    finally:
        mesh.named("down")
    nothing_runs()
    assert not (mesh.state / "demo").exists()
    assert (mesh.state / "ca/root-key.pem").read_bytes() == before


def demo_without_namespaces(folder, state):
    """Its start fails when its files are there already."""
    mesh = Mesh(folder, folder, name="refused")
    result = subprocess.run(unprivileged(["unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces; "
                                          f"exec {BIN}/plait demo --name refused --port 0"]),
                            env={**mesh.env, "PLAIT_STATE_DIR": str(state)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    return result.stderr


def test_a_demo_that_cannot_start_leaves_nothing_behind(folder):
    assert "does not let a user make namespaces" in demo_without_namespaces(folder, folder / "state/new/place")
    assert not (folder / "state/new").exists()


def test_a_demo_takes_nothing_that_it_did_not_make(work):
    state = work / "mine"
    (state / "demo").mkdir(parents=True)
    (state / "demo/notes.txt").write_text("mine")
    for path in (state, state / "demo"):
        path.chmod(0o777)
    assert "does not let a user make namespaces" in demo_without_namespaces(work, state)
    assert [path.name for path in (state / "demo").iterdir()] == ["notes.txt"]

    link = work / "link"  # to a disk that is not there
    link.symlink_to(work / "nowhere/disk")
    demo_without_namespaces(work, link)
    assert link.is_symlink()


def test_a_demo_whose_state_cannot_be_reached_says_so(work):
    closed = work / "closed"
    closed.mkdir(mode=0o700)
    assert str(closed) in demo_without_namespaces(work, closed / "state")


def test_ctrl_c_during_the_start_is_an_interruption(work):
    """A workload that never becomes ready: nothing has come to its end."""
    directory = work / "never"
    directory.mkdir()
    m.write(directory / "never.yaml", m.deployment("never", [m.APP, "client"], ports=[80], probe=m.http_probe(80)))
    with at_a_terminal(work, "start", "up", str(directory)) as (mesh, shown, ctrl_c):
        until(lambda: mesh.pods("never")[0]["phase"] == "Running", 20, "the workload runs")
        assert ctrl_c() == 130, shown()


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
    nothing_runs()


def test_detach_returns_4_where_a_file_has_errors_and_the_mesh_goes_on(folder):
    directory = folder / "wrong"
    directory.mkdir()
    (directory / "broken.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{prot: 80}]}\n")
    mesh = Mesh(folder, directory, name="wrong")
    result = mesh.plait("up", str(directory), "--name", "wrong", "--port", "0", "--detach", check=False)
    try:
        assert result.returncode == 4, result.stderr
        assert "broken.yaml:4:" in result.stderr and "the mesh is up, but" in result.stderr
        assert "plait status --name wrong" in result.stderr and "plait down --name wrong" in result.stderr
        assert mesh.status()["state"] == "ready"
    finally:
        mesh.named("down")
    nothing_runs()


def outermost(mesh):
    """The `plait up` that `--detach` has left."""
    ups = {pid for pid, words in command_lines() if words[0].endswith(b"plait") and b"up" in words and str(mesh.directory).encode() in words}
    (outer,) = [pid for pid in ups if int(process_status(pid)["PPid"]) not in ups]
    return outer


@pytest.mark.parametrize("how", ["down", "SIGTERM", "SIGKILL"])
def test_the_end_of_a_detached_mesh_leaves_nothing_behind(folder, how):
    mounted, listened = mounts(), listening()
    mesh = Mesh(folder, copy_sample(folder, into=f"away-{how}"), name=f"away-{how.lower()}")
    mesh.plait("up", str(mesh.directory), "--name", mesh.name, "--port", "0", "--detach")
    try:
        used = namespaces_of(mesh)
        assert len(listening() - listened) >= 2 and (used or os.geteuid() != 0)
        if how == "down":
            mesh.named("down")
        else:
            os.kill(outermost(mesh), getattr(signal, how))
        nothing_runs(45)
    finally:
        mesh.named("down", check=False)
    nothing_is_left(mesh, used, mounted, listened)


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
