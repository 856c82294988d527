"""What a running proxy has taken from itself, seen from outside; everything else in this folder runs with it."""
import pathlib

from manifests import deployment, write
from mesh import SANITIZED, Mesh


def mesh_of_one(folder, name, *flags):
    directory = folder / name
    directory.mkdir()
    write(directory / "client.yaml", deployment("client", ["sleep", "infinity"]))
    mesh = Mesh(folder, directory, name=name)
    return mesh.start(*flags)


def facts(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


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
            assert facts(pid)["Seccomp"].strip() == "2" and facts(pid)["NoNewPrivs"].strip() == "1"
        threads = [facts(f"{proxies[0]}/task/{thread.name}")["Seccomp"].strip() for thread in pathlib.Path(f"/proc/{proxies[0]}/task").iterdir()]
        assert len(threads) > 1 and set(threads) == {"2"}
    finally:
        mesh.stop()


def test_a_mesh_for_debugging_leaves_that_out(folder):
    mesh = mesh_of_one(folder, "debugged", "--no-seccomp")
    try:
        for pid in mesh.processes("plait-proxy"):
            assert facts(pid)["Seccomp"].strip() == "0"
    finally:
        mesh.stop()
