"""What a mesh trusts changes under open connections: exactly those whose peers are not trusted any more are closed."""
import contextlib
import subprocess

import pytest

import manifests as m
from authority import Authority
from mesh import Mesh, until
from talk import Talk


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "trust"
    directory.mkdir()
    m.write(directory / "mesh.yaml", m.deployment("talker", [m.APP, "tcp-echo", "--port", "7000", "--greeting", "hello\n"], ports=[7000]),
            m.service("talker", {"tcp": 7000}), m.deployment("slow", [m.APP, "echo", "--port", "8000", "--delay-ms", "2000"], ports=[8000]),
            m.service("slow", {"http": 8000}), m.deployment("slower", [m.APP, "echo", "--port", "8000", "--delay-ms", "25000"], ports=[8000]),
            m.service("slower", {"http": 8000}), *(m.deployment(name, [m.APP, "client"]) for name in ("alice", "bob")))
    mesh = Mesh(folder, directory, concurrency=2, name="trust")
    mesh.start()
    yield mesh
    mesh.stop()


def everywhere(mesh, condition, what):
    until(lambda: all(condition(workload) for workload in ("talker", "alice", "bob")), 20, what)


def test_connections_end_with_the_root_of_their_certificates_and_no_others(mesh):
    """A root comes beside the old one, signs, and the old one goes."""
    folder = mesh.state / "ca"
    old, new = Authority.of(mesh), Authority.new("the next")
    before = {workload: mesh.certificate(workload) for workload in ("talker", "alice", "bob")}
    with contextlib.closing(Talk(mesh, "alice")) as alice, contextlib.ExitStack() as later:
        (folder / "next").write_text(old.certificate_pem() + new.certificate_pem())
        (folder / "next").rename(folder / "trusted-roots.pem")
        everywhere(mesh, lambda workload: len(mesh.roots(workload)) == 2, "both roots are trusted")
        for name, text in (("cert", new.certificate_pem()), ("key", new.key_pem())):
            (folder / "next").write_text(text)
            (folder / "next").rename(folder / f"root-{name}.pem")
        everywhere(mesh, lambda workload: mesh.certificate(workload) != before[workload], "certificates are of the new root")
        # The first change may have been one that the old root has signed still.
        for workload in before:
            mesh.admin(workload, "/plait/renew", "POST")
        bob = later.enter_context(contextlib.closing(Talk(mesh, "bob")))
        assert alice.says("one") == "one" and bob.says("one") == "one"
        (folder / "trusted-roots.pem").unlink()
        everywhere(mesh, lambda workload: len(mesh.roots(workload)) == 1, "the new root alone is trusted")
        until(lambda: alice.says("two") == "", 10, "alice's connection is closed")
        assert bob.says("two") == "two"
        # Whoever of the two proxies hears of it first.
        said = lambda: [mesh.named("logs", "-c", "istio-proxy", workload).stdout for workload in ("talker", "alice")]  # noqa: E731
        until(lambda: " LR - peer_no_longer_trusted{" in said()[0] or " LR - upstream_no_longer_trusted{" in said()[1], 10, "the reason is told")
        # New certificates of the same root end nothing.
        mesh.plait("cert", "rotate", "--mesh", mesh.name)
        assert bob.says("three") == "three"


def test_requests_that_take_long_outlive_the_root_of_the_certificates_under_which_they_began(mesh):
    url = "http://slow:8000/"
    until(lambda: mesh.load("alice", url, "--count", "1")["status"] == {"200": 1}, 10, "it answers")
    with mesh.load_while("alice", url, "--connections", "20", "--rate", "10") as report:
        mesh.plait("cert", "rotate", "--mesh", mesh.name, "--anchor")
    assert report["failed"] == 0 and set(report["status"]) == {"200"} and report["sent"] > 20, report
    # Bootstraps keep the old root, which counts for nothing.
    assert "the trust roots are good for 30 days: 1 root\n" in mesh.plait("check", "--mesh", mesh.name).stdout


def running(mesh, workload):
    """Requests that the workload's application has not answered yet."""
    stats = mesh.admin(workload, "/stats?filter=^cluster.inbound.*upstream_rq_active")
    return sum(int(line.rpartition(": ")[2]) for line in stats.splitlines())


def test_requests_that_run_while_the_root_goes_have_the_drain_time(mesh):
    """Of either version of HTTP: the old root has gone everywhere while they run, and for much longer than a rotation takes."""
    asked = [subprocess.Popen(mesh.command("exec", "alice", "--", "curl", "-sS", version, "-o", "/dev/null", "-w", "%{http_code}", "http://slower:8000/"),
                              env=mesh.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
             for version in ("--http1.1", "--http2-prior-knowledge")]
    until(lambda: running(mesh, "slower") == len(asked), 10, "both run")
    mesh.plait("cert", "rotate", "--mesh", mesh.name, "--anchor")
    assert running(mesh, "slower") == len(asked)
    assert [request.communicate(timeout=60)[0] for request in asked] == ["200"] * len(asked)
