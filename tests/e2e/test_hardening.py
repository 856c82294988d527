"""What a running proxy has taken from itself, seen from outside; everything else in this folder runs with it."""
import pathlib

from manifests import deployment, write
from mesh import SANITIZED, Mesh, process_status


def mesh_of_one(folder, name, *flags):
    directory = folder / name
    directory.mkdir()
    write(directory / "client.yaml", deployment("client", ["sleep", "infinity"]))
    mesh = Mesh(folder, directory, name=name)
    return mesh.start(*flags)


def test_every_thread_of_every_proxy_restricts_its_system_calls(folder):
    mesh = mesh_of_one(folder, "hardened")
    try:
        proxies = mesh.processes("plait-proxy")
        assert proxies
        if SANITIZED:
            # A sanitizer needs system calls that a proxy does not; the proxy says that it goes without.
            assert "has a sanitizer" in mesh.named("logs", "client", "-c", "istio-proxy").stdout
            return
        for pid in proxies:
            assert process_status(pid)["Seccomp"] == "2" and process_status(pid)["NoNewPrivs"] == "1"
        threads = [process_status(f"{proxies[0]}/task/{thread.name}")["Seccomp"] for thread in pathlib.Path(f"/proc/{proxies[0]}/task").iterdir()]
        assert len(threads) > 1 and set(threads) == {"2"}
    finally:
        mesh.stop()


def test_a_mesh_for_debugging_leaves_that_out(folder):
    mesh = mesh_of_one(folder, "debugged", "--no-seccomp")
    try:
        for pid in mesh.processes("plait-proxy"):
            assert process_status(pid)["Seccomp"] == "0"
    finally:
        mesh.stop()
