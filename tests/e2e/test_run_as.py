"""`plait run --as`: a command of the user's own desk in a running mesh, with a workload's identity."""
import os
import signal
import subprocess

import pytest

from manifests import APP, account, authorization, deployment, http_probe, service, write
from mesh import Mesh, until


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "run-as"
    directory.mkdir()
    write(directory / "all.yaml",
          account("friend"), deployment("friend", ["sleep", "infinity"], account="friend"),
          account("stranger"), deployment("stranger", ["sleep", "infinity"], account="stranger"),
          account("web"), deployment("web", [APP, "echo", "--port", "8080"], account="web", ports=[8080], probe=http_probe(8080)),
          service("web", {"http": 8080}),
          authorization("friends", {"selector": {"matchLabels": {"app": "web"}}, "action": "ALLOW", "rules": [
              {"from": [{"source": {"principals": ["cluster.local/ns/default/sa/friend"]}}]}]}))
    mesh = Mesh(folder, directory).start()
    yield mesh
    mesh.stop()


def run(mesh, workload, *command, **options):
    return mesh.named("run", "--as", workload, "--", *command, check=False, **options)


CURL = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://web:8080/")


def runs(mesh):
    return [w["name"] for w in mesh.status()["workloads"] if "-run-" in w["name"]]


def test_the_command_has_the_identity_of_the_workload_and_its_own_exit_code(mesh):
    assert run(mesh, "friend", *CURL).stdout == "200"
    assert run(mesh, "stranger.default", *CURL).stdout == "403"
    ended = run(mesh, "friend", "sh", "-c", "cat; echo bad >&2; exit 7", stdin="in\n")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "in\n", "bad\n")
    until(lambda: not runs(mesh), 15, "nothing of it is left")


def test_the_command_runs_in_the_folder_and_environment_of_the_caller(mesh, folder):
    mesh.env["COLOUR"] = "teal"
    command = mesh.command("run", "--as", "friend", "--", "sh", "-c", "echo $COLOUR; pwd; cat note; echo made > made")
    here = folder / "desk"
    here.mkdir()
    os.chmod(here, 0o777)
    (here / "note").write_text("from the desk\n")
    done = subprocess.run(command, env=mesh.env, cwd=here, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"teal\n{here}\nfrom the desk\n"
    assert (here / "made").read_text() == "made\n"


def test_nothing_is_sent_to_the_command_as_to_the_workload(mesh):
    command = mesh.command("run", "--as", "web", "--", "sleep", "60")
    process = subprocess.Popen(command, env=mesh.env, stdin=subprocess.DEVNULL)
    try:
        until(lambda: runs(mesh), 20, "it runs")
        until(lambda: all(w["ready"] for w in mesh.status()["workloads"]), 20, "it is ready")
        codes = mesh.exec("friend", "sh", "-c", "for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{http_code} ' http://web:8080/; done").stdout
        assert codes.split() == ["200"] * 6
    finally:
        process.kill()  # it cannot tidy up: the mesh does
        process.wait()
    until(lambda: not runs(mesh), 15, "the workload went with its command")


def test_an_interrupt_ends_the_command_and_its_workload(mesh):
    # What a shell starts in the background ignores SIGINT, and so would this test's command.
    command = ["env", "--default-signal=INT", *mesh.command("run", "--as", "friend", "--", "sleep", "60")]
    process = subprocess.Popen(command, env=mesh.env, stdin=subprocess.DEVNULL)
    until(lambda: runs(mesh), 20, "it runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) != 0
    until(lambda: not runs(mesh), 15, "nothing of it is left")


def test_mistakes_are_said(mesh):
    unknown = run(mesh, "nobody", "true")
    assert unknown.returncode == 1 and 'there is no workload "nobody"' in unknown.stderr
    assert run(mesh, "friend").returncode == 2
    assert mesh.plait("run", "--name", "no-such-mesh", "--as", "friend", "--", "true", check=False).returncode == 3


def test_certificates_are_renewed_while_a_workload_goes_away(mesh):
    process = subprocess.Popen(mesh.command("run", "--as", "friend", "--", "sleep", "60"), env=mesh.env, stdin=subprocess.DEVNULL)
    try:
        until(lambda: runs(mesh), 20, "it runs")
        until(lambda: all(w["ready"] for w in mesh.status()["workloads"]), 20, "it is ready")
        mesh.signal(mesh.proxy_pid(runs(mesh)[0]), "STOP")  # it does not answer any more, and takes a while to end
        rotation = subprocess.Popen(mesh.command("cert", "rotate"), env=mesh.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        process.kill()
        process.wait()
    out, err = rotation.communicate(timeout=40)
    assert (rotation.returncode, out) == (0, "every workload has a new certificate\n"), err
