"""A port of a gateway's own address that somebody else has: the gateway serves the host, and `status` and `check` say what it does not."""
import subprocess

import manifests as m
from mesh import Mesh, until

TAKEN = "the mesh does not reach the gateway at its own address: cannot bind "
# Says when it listens, and goes on until its input ends.
LISTEN = "import socket, sys; s = socket.socket(); s.bind(('0.0.0.0', 7070)); s.listen(); print('listening', flush=True); sys.stdin.read()"


def gateway(*ports):
    return m.gateway("way-in", *[m.server(port, "HTTP", "*") for port in ports])


def test_a_port_that_stays_taken_is_a_failure_with_its_fix(folder):
    directory = folder / "taken"
    directory.mkdir()
    m.write(directory / "web.yaml", m.deployment("web", [m.APP, "echo", "--port", "8080"], ports=[8080]), m.service("web", {"http": 8080}))
    m.write(directory / "gateway.yaml", gateway(80))
    mesh = Mesh(folder, directory, name="taken").start()
    try:
        mesh.well()
        name = "istio-ingressgateway-0.istio-system"
        proxy = mesh.proxy_pid("istio-ingressgateway-0")
        with subprocess.Popen(mesh.in_network_of(proxy, "python3", "-c", LISTEN), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"listening\n"
            m.write(directory / "gateway.yaml", gateway(80, 7070))
            row = lambda: next(line for line in mesh.named("status").stdout.splitlines() if line.startswith("istio-ingressgateway-0 "))
            until(lambda: TAKEN in row() and ":7070: Address already in use" in row(), 20, "status tells")
            check = mesh.named("check", check=False)
            assert check.returncode == 1 and f"{name}: {TAKEN}" in check.stdout
            assert f"end what has this one (plait exec --name taken {name} -- ss -ltn), then: plait proxy restart --name taken {name}" in check.stdout
            other.stdin.close()
            other.wait(10)
        mesh.named("proxy", "restart", name)
        assert TAKEN not in row()
        mesh.well()
    finally:
        mesh.stop()
