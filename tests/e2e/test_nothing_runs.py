"""`plait up DIR` of a directory that has no workload: it says so, where it looked and what to do, and goes on looking."""
import pytest

import manifests as m
from mesh import Mesh, until

TOLD = "nothing runs: "


@pytest.fixture
def mesh(folder):
    directory = folder / "nothing"
    directory.mkdir(exist_ok=True)
    for file in directory.iterdir():
        file.unlink()
    mesh = Mesh(folder, directory, name="nothing")
    yield mesh
    mesh.named("down", "--purge", check=False)


def start(mesh):
    return mesh.plait("up", "--detach", "--name", mesh.name, "--port", "0", str(mesh.directory), check=False, timeout=90)


def test_an_empty_directory_is_told_and_followed(mesh):
    up = start(mesh)
    assert up.returncode == 0, up.stderr
    where = f"! Warning {mesh.directory}: {TOLD}there is no file *.yaml, *.yml or *.json in this directory or below it"
    assert where in up.stderr and "save a Deployment, StatefulSet, Job or Pod there" in up.stderr
    assert up.stderr.index(where) < up.stderr.index("0 of 0 workloads ready")
    assert where in mesh.named("status").stdout
    check = mesh.named("check")
    assert TOLD in check.stdout and "0 failed" in check.stdout
    m.write(mesh.directory / "late.yml", m.deployment("late", ["sleep", "infinity"]))
    until(lambda: mesh.pods("late")[0]["ready"], 20, "what was saved runs")
    assert TOLD not in mesh.named("status").stdout


def test_other_kinds_are_named(mesh):
    m.write(mesh.directory / "service.json", m.service("web", {"http": 80}))
    up = start(mesh)
    assert up.returncode == 0 and f"{TOLD}no workload is in the *.yaml, *.yml and *.json files of this directory (1, with Service)" in up.stderr


def test_workloads_that_cannot_run_are_told_before_it_is_up(mesh):
    """None of them runs, so all that are to run do at once; in the background nobody would hear of the errors."""
    unknown = m.document("Pod", "unknown", {"containers": [{"name": "a", "image": "registry.example/unknown:1"}]})
    m.write(mesh.directory / "pod.yaml", unknown)
    up = start(mesh)
    assert up.returncode == 4 and "the mesh is up, but its files have the errors above" in up.stderr, up.stderr
    assert "nothing says which program plays the image registry.example/unknown:1" in up.stderr and TOLD not in up.stderr
