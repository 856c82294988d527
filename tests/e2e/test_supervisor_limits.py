"""A supervisor that may open no more files keeps its mesh, says what it lacks, and goes on once it may."""
import contextlib
import os
import subprocess

import pytest

import manifests as m
from mesh import Mesh, process_status, until


@pytest.fixture
def mesh(folder):
    directory = folder / "limits"
    directory.mkdir(exist_ok=True)
    write(directory, 1)
    mesh = Mesh(folder, directory, name="limits")
    mesh.start()
    yield mesh
    mesh.stop()


def write(directory, replicas):
    m.write(directory / "mesh.yaml", m.deployment("web", [m.APP, "echo", "--port", "8000"], replicas=replicas, ports=[8000]))


@contextlib.contextmanager
def limited(mesh, pid, more):
    """It gets `more` descriptors than it has, and no other."""
    def limit(files):  # as the mesh's user, who alone may
        subprocess.run(mesh.run_as(["prlimit", f"--pid={pid}", f"--nofile={files}:"]), check=True)

    limit(max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1 + more)
    try:
        yield
    finally:
        limit(1024)


@pytest.mark.parametrize("more", [0, 6, 16, 17])
def test_a_supervisor_without_descriptors_keeps_the_mesh_and_answers(mesh, more):
    pid = int(process_status(mesh.plaitd_pid())["PPid"])
    with limited(mesh, pid, more):
        write(mesh.directory, 6)
        until(lambda: "open files" in str(mesh.status()) or "file descriptor" in str(mesh.status()), 30, "it says what it lacks")
    until(lambda: len(mesh.pods("web-")) == 6 and mesh.status()["state"] == "ready", 60, "it goes on")
