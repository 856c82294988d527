"""What may happen to the parts of a mesh under load, without one failed request: the client counts and never tries again.

A process that is killed may take what it holds with it; nothing else may fail, and all is well afterwards.
"""
import random

import pytest

import manifests as m
from mesh import Mesh, copy_sample, until

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
