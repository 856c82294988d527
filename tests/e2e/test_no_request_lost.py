"""What may happen to the parts of a mesh under load, without one failed request: the client counts and never tries again.

A process that is killed may take what it holds with it; nothing else may fail, and all is well afterwards.
"""
import json
import random
import subprocess
import time

import pytest

import manifests as m
from mesh import BIN, Mesh, copy_sample, unprivileged, until

LOAD = ["--rate", "300", "--connections", "20", "--new-per-second", "5"]
URL = "http://reviews:9080/reviews/0"
# What can be in flight at the moment of a kill: a request on each of 20 kept connections, and those that are just being opened.
IN_FLIGHT = 40
KILL_APPLICATION = """for p in /proc/[0-9]*; do
  read -r -d '' program < $p/cmdline; [[ $program == *plait-demo-app ]] && kill -9 ${p#/proc/}
done; true"""


@pytest.fixture(scope="module")
def mesh(folder):
    mesh = Mesh(folder, copy_sample(folder, into="lossless"), concurrency=2, name="lossless")
    mesh.start()
    yield mesh
    mesh.stop()


def works(mesh, url=URL):
    until(lambda: mesh.load("productpage-v1", url, "--count", "10")["failed"] == 0, 10, f"{url} answers")


def a_second(mesh, url=URL):
    """The load beside it goes on for so long; its own must not fail either."""
    assert mesh.load("productpage-v1", url, "--rate", "300", "--connections", "5", "--duration", "1")["failed"] == 0


def lost_nothing(report):
    assert report.get("failed") == 0 and set(report["status"]) == {"200"}, report
    assert report["sent"] > 100, report


def certificate(mesh, workload):
    secrets = mesh.named("pc", "secret", workload, "-o", "json").stdout
    assert "default" in secrets
    return secrets


def test_two_hundred_random_edits(mesh):
    """Split, headers, policies and services, as fast as the files can be written."""
    chance = random.Random(7)
    works(mesh)

    def split(n):
        weights = [chance.randrange(0, 50) for _ in range(2)]
        routes = [{"destination": {"host": "reviews", "subset": f"v{i + 1}"}, "weight": weight}
                  for i, weight in enumerate([*weights, 100 - sum(weights)])]
        m.write(mesh.directory / "reviews-split.yaml", m.virtual_service("reviews", {"hosts": ["reviews"], "http": [
            {"headers": {"response": {"set": {"x-edit": str(n)}}}, "route": routes}]}))

    def policy(n):
        m.write(mesh.directory / "random-policy.yaml", m.authorization("random", {
            "selector": {"matchLabels": {"app": "reviews"}}, "action": "DENY",
            "rules": [{"to": [{"operation": {"methods": ["DELETE"], "paths": [f"/never/{n}"]}}]}]}))

    def service(n):
        file = mesh.directory / f"random-{n % 5}.yaml"
        if file.exists():
            file.unlink()
        else:
            m.write(file, m.service(f"random-{n % 5}", {"http": 9080}, {"app": "reviews"}))

    def timeout(n):
        m.write(mesh.directory / "random-details.yaml", m.virtual_service("details", {"hosts": ["details"], "http": [
            {"timeout": f"{chance.randrange(5, 30)}s", "route": [{"destination": {"host": "details"}}]}]}))

    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        for n in range(200):
            chance.choice([split, policy, service, timeout])(n)
        split(1000)
        until(lambda: set(mesh.load("productpage-v1", URL, "--count", "5", "--count-by", "x-edit")["by"]) == {"1000"}, 20,
              "the last edit is in effect")
        a_second(mesh)
    lost_nothing(report)


def test_workloads_get_new_certificates(mesh):
    works(mesh)
    before = {workload: certificate(mesh, workload) for workload in ("productpage-v1", "reviews-v1")}
    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        for workload in before:
            mesh.admin(workload, "/plait/renew", "POST")
        for workload, old in before.items():
            until(lambda: certificate(mesh, workload) != old, 20, f"{workload} has a new certificate")
        a_second(mesh)
    lost_nothing(report)


def roots(mesh, workload):
    """Serial numbers of the roots that the workload's proxy trusts."""
    entries = json.loads(mesh.admin(workload, "/certs"))["certificates"]
    return [root["serial_number"] for entry in entries for root in entry.get("ca_cert", []) if root["path"] == "ROOTCA"]


def test_the_root_of_the_mesh_is_replaced(mesh):
    """Both are trusted, the new one signs, the old one goes; who starts afterwards knows the new one alone."""
    works(mesh)
    old = roots(mesh, "productpage-v1")
    before = {workload: certificate(mesh, workload) for workload in ("productpage-v1", "reviews-v1", "reviews-v2", "reviews-v3")}
    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        new = json.loads(mesh.plait("cert", "rotate", "--mesh", mesh.name, "--anchor", "-o", "json").stdout)["root_serial"]
        assert [new] != old
        for workload, last in before.items():
            assert roots(mesh, workload) == [new]
            assert certificate(mesh, workload) != last
        a_second(mesh)
    lost_nothing(report)
    # A new process of a proxy, and of plaitd: from the files alone.
    pod = mesh.pods("details-v1")[0]["name"]
    for pid_of in (lambda: mesh.proxy_pid(pod), mesh.plaitd_pid):
        pid = pid_of()
        mesh.signal(pid, "KILL")
        until(lambda: pid_of() not in (0, pid), 20, "it runs again")
    until(lambda: roots(mesh, "details-v1") == [new], 20, "the new proxy trusts the new root")
    works(mesh, "http://details:9080/details/0")


def test_a_further_root_is_trusted_as_long_as_its_file_is_there(mesh):
    """The files of the authority are edited; nobody is told, nobody loses anything."""
    folder = next((mesh.folder / "state").glob(f"plait/{mesh.name}/ca"))
    works(mesh)
    [present] = roots(mesh, "productpage-v1")
    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        other = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                                "/O=other", "-keyout", "/dev/null"], capture_output=True, text=True, check=True).stdout
        (folder / "other.new").write_text(other)
        (folder / "other.new").rename(folder / "trusted-roots.pem")
        until(lambda: len(roots(mesh, "productpage-v1")) == 2, 20, "a second root is trusted")
        (folder / "trusted-roots.pem").unlink()
        until(lambda: roots(mesh, "productpage-v1") == [present], 20, "it is trusted no more")
        a_second(mesh)
    lost_nothing(report)


@pytest.mark.parametrize("whose", ["productpage-v1", "reviews"])
def test_a_proxy_is_replaced_while_it_works(mesh, whose):
    """The new process has the sockets, the old one answers what it has begun and ends connections with their answers."""
    works(mesh)
    workloads = [pod["name"] for pod in mesh.pods(whose)]
    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        for workload in workloads:
            moved = json.loads(mesh.plait("proxy", "restart", workload, "--mesh", mesh.name, "-o", "json").stdout)
            assert moved["before"] != moved["after"] != 0
        a_second(mesh)
    lost_nothing(report)
    assert all(pod["restarts"] == 0 for pod in mesh.pods("productpage-v1")), "a replacement is no restart"


def test_the_gateway_is_replaced_while_it_works(mesh):
    """Clients outside the mesh keep their connections until an answer ends them."""
    [gateway] = [pod["name"] for pod in mesh.status()["workloads"] if pod["proxy"] == "gateway"]
    url = mesh.url + "/productpage"
    command = unprivileged([str(BIN / "plait-demo-app"), "load", url, "--rate", "100", "--connections", "20", "--new-per-second", "5"])
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert mesh.get("/productpage")[0] == 200
        moved = json.loads(mesh.plait("proxy", "restart", gateway, "--mesh", mesh.name, "-o", "json").stdout)
        assert moved["before"] != moved["after"]
        end = time.monotonic() + 4  # long enough for the load to be one
        while time.monotonic() < end:
            assert mesh.get("/productpage")[0] == 200
    finally:
        load.terminate()
        report = json.loads(load.communicate(timeout=30)[0])
    lost_nothing(report)


def test_plaitd_starts_again_with_nothing_but_its_state(mesh):
    """It knows no proxy, no version and no endpoint any more; the proxies keep what they have until it has said all."""
    works(mesh)
    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        for _ in range(2):
            pid = mesh.plaitd_pid()
            mesh.signal(pid, "KILL")
            until(lambda: mesh.plaitd_pid() not in (0, pid), 20, "plaitd runs again")
            until(lambda: all(w["ready"] for w in mesh.status()["workloads"]), 20, "all is ready")
            works(mesh, "http://details:9080/details/0")
    lost_nothing(report)


def test_a_workload_is_scaled_up_and_down(mesh):
    file = mesh.directory / "bookinfo.yaml"
    before = file.read_text()
    at = before.index("name: reviews-v1")
    works(mesh)
    with mesh.load_while("productpage-v1", URL, *LOAD) as report:
        file.write_text(before[:at] + before[at:].replace("replicas: 1", "replicas: 5", 1))
        until(lambda: [p["ready"] for p in mesh.pods("reviews-v1")] == [True] * 5, 40, "five pods of reviews-v1")
        works(mesh)
        file.write_text(before)
        until(lambda: len(mesh.pods("reviews-v1")) == 1, 60, "one pod of reviews-v1")
    lost_nothing(report)


@pytest.mark.parametrize("whose", ["productpage-v1", "details-v1"])
def test_a_killed_proxy_takes_only_what_it_held(mesh, whose):
    """Its sockets survive in the supervisor: connections wait in the backlog for the next one, none is refused."""
    url = "http://details:9080/details/0"
    works(mesh, url)
    with mesh.load_while("productpage-v1", url, *LOAD) as report:
        pod = mesh.pods(whose)[0]["name"]
        pid = mesh.proxy_pid(pod)
        mesh.signal(pid, "KILL")
        until(lambda: mesh.proxy_pid(pod) not in (0, pid), 20, f"{whose} has another proxy")
        works(mesh, url)
        a_second(mesh, url)
    assert report["failed"] <= IN_FLIGHT, (report["failed"], report["status"], report["failures"])
    assert report["sent"] - report["failed"] > 100, report
    after = mesh.load("productpage-v1", url, "--count", "200", "--connections", "20")
    assert after["failed"] == 0, after


def test_a_killed_application_is_started_again(mesh):
    """While it is away its service has no endpoint: 503, never a hang; afterwards everything answers."""
    url = "http://details:9080/details/0"
    works(mesh, url)
    restarts = mesh.pods("details-v1")[0]["restarts"]
    mesh.exec("details-v1", "bash", "-c", KILL_APPLICATION, check=False)  # the container ends, and bash with it
    until(lambda: mesh.pods("details-v1")[0]["restarts"] > restarts and mesh.pods("details-v1")[0]["ready"], 30, "it runs again")
    works(mesh, url)
    after = mesh.load("productpage-v1", url, "--count", "200", "--connections", "20")
    assert after["failed"] == 0 and set(after["status"]) == {"200"}, after
