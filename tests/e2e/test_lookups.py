"""A destination that the control plane does not tell about in time is not dialled: not outside, and not without TLS."""
import contextlib
import http.server
import os
import subprocess
import sys

import pytest

import manifests as m
from authority import Authority
from mesh import Mesh, process_status, until
from outside import HOST, Page, serving
from test_grpc import PEER


class Seen(Page):
    def do_GET(self):
        self.server.seen.append(self.path)
        super().do_GET()


@contextlib.contextmanager
def outside():
    """A server on the host that nobody declared: its port, and the paths that it was asked for."""
    seen = []
    with serving(http.server.ThreadingHTTPServer, Seen, seen=seen) as port:
        yield port, seen


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "lookups"
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            m.deployment("client", [m.APP, "client"]),
            # Whose proxies have never asked for what the client asks for.
            m.deployment("stranger", [m.APP, "client"]), m.deployment("newcomer", [m.APP, "client"]),
            m.peer_authentication("PERMISSIVE"),  # so that nothing but the client's own proxy stands between plaintext and them
            *(m.deployment(f"echo-{n}", [m.APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000)) for n in range(3)))
    mesh = Mesh(folder, directory, name="lookups")
    mesh.start()
    yield mesh
    mesh.stop()


@contextlib.contextmanager
def away(mesh):
    """plaitd is not there, and does not come back: its key cannot be read."""
    key = mesh.state / "ca/root-key.pem"
    whole = key.read_bytes()
    os.truncate(key, 100)
    try:
        mesh.signal(mesh.plaitd_pid(), "KILL")
        yield
    finally:
        key.write_bytes(whole)
        until(lambda: mesh.named("ps", check=False).returncode == 0, 20, "plaitd runs again")


@contextlib.contextmanager
def refusing(mesh):
    """In plaitd's place somebody with its name and the mesh's signature, who takes no proxy: it says PERMISSION_DENIED."""
    identity = Authority.of(mesh).issue(mesh.folder / "refusing.pem", dns="plaitd.plait-system.svc")
    supervisor = process_status(mesh.plaitd_pid())["PPid"]  # plaitd itself will have gone
    inside = mesh.in_network_of(supervisor, sys.executable, str(PEER), "refuse", mesh.plaitd_address(), str(identity))
    with away(mesh):
        process = subprocess.Popen(inside, stdin=subprocess.DEVNULL)
        try:
            mesh.logged("newcomer", "PERMISSION_DENIED", 60)
            yield
            assert process.poll() is None
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def asking(mesh, url, workload="client"):
    """curl in a workload while the body runs; yields a list that has its exit code, status and seconds afterwards."""
    command = mesh.command("exec", workload, "--", "curl", "-s", "-o", "/dev/null", "--max-time", "30", "-w", "%{http_code} %{time_total}", url)
    process = subprocess.Popen(command, env=mesh.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    result = []
    try:
        yield result
    finally:
        out, _ = process.communicate(timeout=40)
    status, seconds = out.split()
    result += [process.returncode, status, float(seconds)]


def test_a_lookup_without_an_answer_reaches_nobody(mesh):
    pod, pod_v6 = mesh.pods("echo-0")[0]["ips"]
    with outside() as (port, seen), mesh.stopped(mesh.plaitd_pid()):
        with (asking(mesh, f"http://{HOST}:{port}/never") as there, asking(mesh, f"http://[2001:db8::1]:{port}/never") as nowhere,
              asking(mesh, f"http://{pod}:8000/never") as inside, asking(mesh, f"http://[{pod_v6}]:8000/never") as inside_v6):
            pass
        tcp = mesh.exec("client", "bash", "-c", f"exec 3<>/dev/tcp/{HOST}/{port}; printf '\\x01\\x02\\n' >&3; timeout 20 cat <&3; echo end $?",
                        check=False, timeout=40)
        # An address of the mesh is in the index; what it waits for are the routes of its port (15 s, as in Envoy).
        all_of_them = ((there, 5), (nowhere, 5), (inside, 15), (inside_v6, 15))
        for (code, status, seconds), limit in all_of_them:
            assert (code, status) == (0, "503") and limit - 1 < seconds < limit + 3, all_of_them
        assert tcp.stdout == "end 0\n", "the connection ends, without a byte"
        assert seen == []
    until(lambda: mesh.named("logs", "-c", "istio-proxy", "client").stdout.count("destination_lookup_timeout") >= 3, 10, "it is told in the log")
    assert "/never" not in mesh.named("logs", "-c", "istio-proxy", "echo-0").stdout


def connected(mesh, address):
    """The client's application has a connection that its proxy took, and so its proxy has asked."""
    return address in mesh.exec("client", "ss", "-Htn", "state", "established").stdout


def test_a_slow_answer_is_waited_for(mesh):
    pod, pod_v6 = mesh.pods("echo-1")[0]["ips"]
    with outside() as (port, seen), mesh.stopped(mesh.plaitd_pid()) as plaitd:
        with (asking(mesh, f"http://{HOST}:{port}/slow") as there, asking(mesh, f"http://{pod}:8000/slow") as inside,
              asking(mesh, f"http://[{pod_v6}]:8000/slow") as inside_v6):
            until(lambda: connected(mesh, HOST) and connected(mesh, pod) and connected(mesh, pod_v6), 4, "all are asked for")
            mesh.signal(plaitd, "CONT")
        assert there[:2] == [0, "200"] and seen == ["/slow"]
        assert inside[:2] == inside_v6[:2] == [0, "200"]


def test_a_control_plane_that_is_lost_meanwhile_is_asked_again(mesh):
    pod = mesh.pods("echo-2")[0]["ip"]
    with mesh.stopped(mesh.plaitd_pid()) as plaitd:
        with asking(mesh, f"http://{pod}:8000/lost") as inside:
            until(lambda: connected(mesh, pod), 4, "it is asked for")
            mesh.signal(plaitd, "KILL")
        until(lambda: mesh.plaitd_pid() not in (0, plaitd), 10, "plaitd runs again")
    assert inside[0] == 0 and inside[1] in ("200", "503"), inside
    until(lambda: mesh.exec("client", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{pod}:8000/again").stdout == "200", 10, "it is known now")
    mutual = mesh.metrics("echo-2", "istio_requests_total")
    assert mutual and {labels["connection_security_policy"] for labels, _ in mutual} == {"mutual_tls"}


def test_while_the_control_plane_is_away_its_last_index_stands(mesh):
    """Destinations outside are reached, though not before it is clear that it is not just starting again."""
    def ask(address, path):
        with asking(mesh, f"http://{address}/{path}", "stranger") as result:
            pass
        return result

    pod = mesh.pods("echo-0")[0]["ip"]
    with outside() as (port, seen):
        assert ask(f"{pod}:{port}", "routes")[1] == "503", "nothing listens there, but the routes of this port are known now"
        assert ask(f"{pod}:8000", "known")[1] == "200"
        with away(mesh):
            first, second, inside = ask(f"{HOST}:{port}", "first"), ask(f"{HOST}:{port}", "second"), ask(f"{pod}:8000", "inside")
        assert first[:2] == second[:2] == inside[:2] == [0, "200"], (first, second, inside)
        assert seen == ["/first", "/second"]
        assert first[2] > 3 and second[2] < 1, (first, second)


def test_a_lookup_that_is_refused_reaches_nobody(mesh):
    """plaitd knows more than the last index, and does not tell. That is not as if it were away, however long it lasts."""
    pod = mesh.pods("echo-0")[0]["ip"]
    with outside() as (port, seen):
        # What is asked for later are addresses alone: the routes of both ports are known.
        with asking(mesh, f"http://{pod}:8000/before", "newcomer") as before, asking(mesh, f"http://{pod}:{port}/routes", "newcomer"):
            pass
        assert before[:2] == [0, "200"]
        with refusing(mesh):
            refused = []
            for _ in range(2):  # the second, when plaitd would have been taken for away long since
                with asking(mesh, f"http://{HOST}:{port}/refused", "newcomer") as there:
                    pass
                refused.append(there)
            tcp = mesh.exec("newcomer", "bash", "-c", f"exec 3<>/dev/tcp/{HOST}/{port}; printf '\\x01\\x02\\n' >&3; timeout 20 cat <&3; echo end $?",
                            check=False, timeout=40)
            with asking(mesh, f"http://{pod}:8000/known", "newcomer") as known:
                pass
        for code, status, seconds in refused:
            assert (code, status) == (0, "503") and 4 < seconds < 8, refused
        assert tcp.stdout == "end 0\n", "the connection ends, without a byte"
        assert seen == []
        assert known[:2] == [0, "200"], "what is known goes on"
        # So it was the refusal, and nothing else.
        def reached():
            with asking(mesh, f"http://{HOST}:{port}/afterwards", "newcomer") as there:
                pass
            return there[:2] == [0, "200"] and seen[-1] == "/afterwards"
        until(reached, 30, "the same is reached when plaitd answers")
