"""What may happen to the parts of a mesh under load, without one failed request: the client counts and never tries again.

A process that is killed may take what it holds with it; nothing else may fail, and all is well afterwards.
"""
import concurrent.futures
import contextlib
import json
import random
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

import manifests as m
from load import ASKED, ASKED_NEW, IN_FLIGHT, KEPT, LOAD, carries_the_load, load_from_outside, lost_nothing, was_asked
from mesh import Mesh, command_lines, copy_sample, until
from timed import asking, failed_only_between

URL = "http://reviews:9080/reviews/0"  # and two times of three from there to ratings
DETAILS = "http://details:9080/details/0"  # a third of the work
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


@pytest.fixture(autouse=True)
def fixture_calm(mesh):
    carries_the_load(mesh, URL)


def a_second(mesh, url=URL):
    """The load beside it goes on for so long; its own must not fail either."""
    report = mesh.load("productpage-v1", url, "--rate", "50", "--connections", "5", "--duration", "1")
    assert report["failed"] == 0, report


@contextlib.contextmanager
def under_load(mesh, url):
    """The load has run for a second, on all of its connections, before anything happens."""
    with mesh.load_while("productpage-v1", url, *LOAD) as report:
        a_second(mesh, url)
        yield report


def snapshots(url):
    """How often plaitd has made a new picture of the mesh: after an edit that it has read, or a change of the pods."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        return int(re.search(r"^pilot_pushcontext_init_seconds_count (\d+)$", answer.read().decode(), re.MULTILINE)[1])


class RandomEdits:
    """Each changes an object, so that it can be awaited that plaitd has read it; their effect is not."""

    def __init__(self, mesh):
        self.mesh, self.chance = mesh, random.Random(7)
        self.bookinfo = mesh.directory / "bookinfo.yaml"
        self.before = self.bookinfo.read_text()

    def any(self, n):
        kinds = {self.split: 4, self.policy: 4, self.service: 4, self.timeout: 4, self.replicas: 2}
        self.chance.choices(list(kinds), kinds.values())[0](n)

    def split(self, n):
        weights = [self.chance.randrange(0, 50) for _ in range(2)]
        routes = [{"destination": {"host": "reviews", "subset": f"v{i + 1}"}, "weight": weight}
                  for i, weight in enumerate([*weights, 100 - sum(weights)])]
        m.write(self.mesh.directory / "reviews-split.yaml", m.virtual_service("reviews", {"hosts": ["reviews"], "http": [
            {"headers": {"response": {"set": {"x-edit": str(n)}}}, "route": routes}]}))

    def policy(self, n):
        m.write(self.mesh.directory / "random-policy.yaml", m.authorization("random", {
            "selector": {"matchLabels": {"app": "reviews"}}, "action": "DENY",
            "rules": [{"to": [{"operation": {"methods": ["DELETE"], "paths": [f"/never/{n}"]}}]}]}))

    def service(self, _):
        """Comes, with the endpoints of reviews, or goes."""
        name = f"random-{self.chance.randrange(5)}"
        file = self.mesh.directory / f"{name}.yaml"
        if file.exists():
            file.unlink()
        else:
            m.write(file, m.service(name, {"http": 9080}, {"app": "reviews"}))

    def timeout(self, n):
        m.write(self.mesh.directory / "random-details.yaml", m.virtual_service("details", {"hosts": ["details"], "http": [
            {"timeout": f"{n + 5}s", "route": [{"destination": {"host": "details"}}]}]}))

    def replicas(self, _):
        """Endpoints of a version of reviews come or go, whether those of the last such edit are there yet or not."""
        text = self.bookinfo.read_text()
        at = text.index(f"name: reviews-v{self.chance.randrange(1, 4)}")
        few = text[at:].index("replicas: 1") if "replicas: 1" in text[at:] else len(text)
        many = text[at:].index("replicas: 3") if "replicas: 3" in text[at:] else len(text)
        old, new = ("replicas: 1", "replicas: 3") if few < many else ("replicas: 3", "replicas: 1")
        (self.bookinfo.with_name(".bookinfo.new")).write_text(text[:at] + text[at:].replace(old, new, 1))
        (self.bookinfo.with_name(".bookinfo.new")).rename(self.bookinfo)


def test_two_hundred_random_edits(mesh):
    """Split, headers, policies, services and replicas, each as soon as plaitd has read the one before."""
    edits, url = RandomEdits(mesh), mesh.status()["debug_url"]
    endpoints = set()
    with under_load(mesh, URL) as report:
        for n in range(200):
            seen = snapshots(url)
            edits.any(n)
            until(lambda: snapshots(url) > seen, 10, f"edit {n} is read")
            if n % 10 == 9:
                endpoints.add(frozenset(pod["name"] for pod in mesh.pods("reviews") if pod["ready"]))
        edits.split(1000)
        edits.bookinfo.write_text(edits.before)
        until(lambda: set(mesh.load("productpage-v1", URL, "--count", "5", "--count-by", "x-edit")["by"]) == {"1000"}, 20,
              "the last edit is in effect")
        until(lambda: sorted(pod["name"] for pod in mesh.pods("reviews") if pod["ready"]) == [f"reviews-v{i}-0" for i in (1, 2, 3)], 60,
              "the endpoints are those of the beginning")
        a_second(mesh)
    lost_nothing(report)
    assert len(endpoints) > 3, endpoints


def serials(mesh):
    """{pod: serial number of its certificate} of every proxy of the mesh, the gateway's too."""
    found = {}
    for workload in mesh.status()["workloads"]:
        pod = f"{workload['name']}.{workload['namespace']}"
        [found[pod]] = {entry["cert_chain"][0]["serial_number"] for entry in json.loads(mesh.admin(pod, "/certs"))["certificates"]
                        if entry.get("cert_chain")}
    return found


def test_every_workload_gets_a_new_certificate(mesh):
    """By its own admin port, one after the other; the load passes five of them."""
    before = serials(mesh)
    assert len(before) == 7 and len(set(before.values())) == 7, before
    with under_load(mesh, URL) as report:
        for workload in before:
            assert mesh.admin(workload, "/plait/renew", "POST") == "OK\n", workload
        until(lambda: not set(serials(mesh).values()) & set(before.values()), 20, "every workload has a new certificate")
        a_second(mesh)
    lost_nothing(report)
    assert mesh.get("/productpage")[0] == 200, "the gateway works with its own"


def test_all_certificates_are_rotated_by_one_command(mesh):
    before = serials(mesh)
    with under_load(mesh, URL) as report:
        mesh.plait("cert", "rotate", "--mesh", mesh.name)
        after = serials(mesh)
        a_second(mesh)
    lost_nothing(report)
    assert set(before) == set(after) and not set(before.values()) & set(after.values()), (before, after)


def test_the_root_of_the_mesh_is_replaced(mesh):
    """Both are trusted, the new one signs, the old one goes; who starts afterwards knows the new one alone."""
    old = mesh.roots("productpage-v1")
    before = {workload: mesh.certificate(workload) for workload in ("productpage-v1", "reviews-v1", "reviews-v2", "reviews-v3")}
    with under_load(mesh, URL) as report:
        new = json.loads(mesh.plait("cert", "rotate", "--mesh", mesh.name, "--anchor", "-o", "json").stdout)["root_serial"]
        assert [new] != old
        for workload, last in before.items():
            assert mesh.roots(workload) == [new]
            assert mesh.certificate(workload) != last
        a_second(mesh)
    lost_nothing(report)
    # A new process of a proxy, and of plaitd: from the files alone.
    pod = mesh.pods("details-v1")[0]["name"]
    for pid_of in (lambda: mesh.proxy_pid(pod), mesh.plaitd_pid):
        pid = pid_of()
        mesh.signal(pid, "KILL")
        until(lambda: pid_of() not in (0, pid), 20, "it runs again")
    until(lambda: mesh.roots("details-v1") == [new], 20, "the new proxy trusts the new root")
    works(mesh, DETAILS)


def test_a_further_root_is_trusted_as_long_as_its_file_is_there(mesh):
    """The files of the authority are edited; nobody is told, nobody loses anything."""
    folder = mesh.state / "ca"
    [present] = mesh.roots("productpage-v1")
    with under_load(mesh, DETAILS) as report:
        other = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                                "/O=other", "-keyout", "/dev/null"], capture_output=True, text=True, check=True).stdout
        (folder / "other.new").write_text(other)
        (folder / "other.new").rename(folder / "trusted-roots.pem")
        until(lambda: len(mesh.roots("productpage-v1")) == 2, 20, "a second root is trusted")
        (folder / "trusted-roots.pem").unlink()
        until(lambda: mesh.roots("productpage-v1") == [present], 20, "it is trusted no more")
        a_second(mesh, DETAILS)
    lost_nothing(report)


@pytest.mark.parametrize("whose", ["productpage-v1", "reviews"])
def test_a_proxy_is_replaced_while_it_works(mesh, whose):
    """The new process has the sockets, the old one answers what it has begun and ends connections with their answers."""
    workloads = [pod["name"] for pod in mesh.pods(whose)]
    with under_load(mesh, URL) as report:
        for workload in workloads:
            moved = json.loads(mesh.plait("proxy", "restart", workload, "--mesh", mesh.name, "-o", "json").stdout)
            assert moved["before"] != moved["after"] != 0
        a_second(mesh)
    # Connections to the proxy of productpage end with their answers; those to the others are of proxies, which have new ones.
    reopened = KEPT if whose == "productpage-v1" else 0
    lost_nothing(report, reopened=reopened)
    assert report["reopened"] == reopened, report
    assert all(pod["restarts"] == 0 for pod in mesh.pods("productpage-v1")), "a replacement is no restart"


def test_the_gateway_is_replaced_while_it_works(mesh):
    """Clients outside the mesh keep their connections until an answer ends them."""
    [gateway] = [pod["name"] for pod in mesh.status()["workloads"] if pod["proxy"] == "gateway"]
    # /productpage itself is four requests and a page; what is tried here is the gateway.
    m.write(mesh.directory / "edge.yaml", m.virtual_service("edge", {"hosts": ["*"], "gateways": ["bookinfo-gateway"], "http": [
        {"match": [{"uri": {"prefix": "/reviews"}}], "route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]}))
    until(lambda: mesh.get("/reviews/0")[0] == 200, 10, "the gateway knows the route")
    with load_from_outside(mesh.url + "/reviews/0") as report:
        end = time.monotonic() + 1  # so that all of its connections are there
        while time.monotonic() < end:
            assert mesh.get("/productpage")[0] == 200
        moved = json.loads(mesh.plait("proxy", "restart", gateway, "--mesh", mesh.name, "-o", "json").stdout)
        assert moved["before"] != moved["after"]
        end = time.monotonic() + 4  # long enough for the load to be one
        while time.monotonic() < end:
            assert mesh.get("/productpage")[0] == 200
    lost_nothing(report, seconds=5, reopened=KEPT)
    assert report["reopened"] == KEPT, report


def proxies_of(mesh, pod):
    """The processes of the pod's plait-proxies, the one before that drains among them."""
    all_of_them = set(mesh.processes("plait-proxy"))
    return {pid for pid, words in command_lines() if pid in all_of_them and any(f".{pod}/".encode() in word for word in words)}


@pytest.mark.parametrize("whose", ["productpage-v1", "details-v1"])
def test_a_proxy_is_replaced_while_plaitd_is_away(mesh, whose):
    """The new process has no configuration before plaitd is back: until then the old one serves. A new one that dies is none."""
    [pod] = [pod["name"] for pod in mesh.pods(whose)]
    restart = ["proxy", "restart", pod, "--mesh", mesh.name, "-o", "json"]
    until(lambda: len(proxies_of(mesh, pod)) == 1, 60, "those of earlier tests have drained")
    [before] = proxies_of(mesh, pod)
    reason = lambda: next(one["reason"] for one in mesh.pods() if one["name"] == pod)

    def told():
        assert "not replaced: the new process ended with signal 9 (Killed)" in reason(), reason()
        return True
    with under_load(mesh, DETAILS) as report, concurrent.futures.ThreadPoolExecutor() as pool:
        with mesh.stopped(mesh.plaitd_pid()):
            first = pool.submit(mesh.plait, *restart, check=False)
            until(lambda: len(proxies_of(mesh, pod)) == 2, 20, "a new process")
            [killed] = proxies_of(mesh, pod) - {before}
            mesh.signal(killed, "KILL")
            until(told, 20, "why it is not replaced")
            second = pool.submit(mesh.plait, *restart)
            until(lambda: len(proxies_of(mesh, pod)) == 2, 20, "another new process")
            assert mesh.load("productpage-v1", DETAILS, "--rate", "50", "--connections", "5", "--duration", "4")["failed"] == 0
            assert not second.done() and before in proxies_of(mesh, pod) and reason() == ""
        moved = json.loads(second.result().stdout)
        assert moved["before"] != moved["after"], moved
        a_second(mesh, DETAILS)
    first.result()
    lost_nothing(report, seconds=5, reopened=KEPT if whose == "productpage-v1" else 0)


def test_a_killed_proxy_is_followed_by_the_one_that_should_have_replaced_it(mesh):
    """plaitd is away meanwhile; its pages answer although it has no configuration yet."""
    [pod] = [pod["name"] for pod in mesh.pods("ratings-v1")]
    until(lambda: len(proxies_of(mesh, pod)) == 1, 60, "those of earlier tests have drained")
    [before] = proxies_of(mesh, pod)
    with concurrent.futures.ThreadPoolExecutor() as pool, mesh.stopped(mesh.plaitd_pid()):
        restart = pool.submit(mesh.plait, "proxy", "restart", pod, "--mesh", mesh.name)
        until(lambda: len(proxies_of(mesh, pod)) == 2, 20, "a new process")
        [after] = proxies_of(mesh, pod) - {before}
        mesh.signal(before, "KILL")
        until(lambda: json.loads(mesh.admin(pod, "/server_info"))["state"] == "INITIALIZING", 20, "the new process answers")
        mesh.signal(mesh.plaitd_pid(), "CONT")
        restart.result()
    assert proxies_of(mesh, pod) == {after}
    works(mesh)


@pytest.mark.parametrize("how", ["restarted", "killed", "killed, with an empty cache"])
def test_plaitd_starts_again_with_nothing_but_its_state(mesh, how):
    """It knows no proxy, no version and no endpoint any more; the proxies keep what they have until it has said all. What
    runs it hears from the supervisor: no pod is replaced."""
    pods = lambda: {(w["name"], w["ip"], w["pid"], w["proxy_pid"]) for w in mesh.status()["workloads"]}
    before = pods()
    with under_load(mesh, DETAILS) as report:
        for _ in range(2):
            pid = mesh.plaitd_pid()
            if how == "killed, with an empty cache":
                mesh.signal(pid, "STOP")  # so that it writes nothing meanwhile
                cached = [entry for entry in mesh.state.iterdir() if entry.name != "ca"]  # its keys are none
                assert "last-good" in {entry.name for entry in cached}, cached
                for entry in cached:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            mesh.signal(pid, "TERM" if how == "restarted" else "KILL")
            until(lambda: mesh.plaitd_pid() not in (0, pid), 20, "plaitd runs again")
            until(lambda: all(w["ready"] for w in mesh.status()["workloads"]), 20, "all is ready")
            works(mesh, DETAILS)
        a_second(mesh, DETAILS)
    lost_nothing(report)
    assert pods() == before


def test_a_workload_is_scaled_up_and_down(mesh):
    file = mesh.directory / "bookinfo.yaml"
    before = file.read_text()
    at = before.index("name: reviews-v1")
    with under_load(mesh, URL) as report:
        file.write_text(before[:at] + before[at:].replace("replicas: 1", "replicas: 5", 1))
        until(lambda: [p["ready"] for p in mesh.pods("reviews-v1")] == [True] * 5, 40, "five pods of reviews-v1")
        works(mesh)
        file.write_text(before)
        until(lambda: len(mesh.pods("reviews-v1")) == 1, 60, "one pod of reviews-v1")
    lost_nothing(report)


def keep_away(mesh, seconds):
    """plaitd ends as often as it starts; proxies dial it with longer and longer pauses."""
    end, last = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if (pid := mesh.plaitd_pid()) not in (0, last):
            mesh.signal(pid, "KILL")
            last = pid
        time.sleep(0.02)


def test_a_workload_is_scaled_down_just_after_plaitd_was_away(mesh):
    """A proxy that has not come back yet calls what ends: it is stopped only when all know. Nobody retries."""
    file, rule = mesh.directory / "bookinfo.yaml", mesh.directory / "random-details.yaml"
    before = file.read_text()
    at = before.index("name: details-v1")
    m.write(rule, m.virtual_service("details", {"hosts": ["details"], "http": [
        {"retries": {"attempts": 0}, "route": [{"destination": {"host": "details"}}]}]}))
    try:
        file.write_text(before[:at] + before[at:].replace("replicas: 1", "replicas: 5", 1))
        until(lambda: [p["ready"] for p in mesh.pods("details-v1")] == [True] * 5, 40, "five pods of details-v1")
        with under_load(mesh, DETAILS) as report:
            keep_away(mesh, 8)
            file.write_text(before)
            until(lambda: len(mesh.pods("details-v1")) == 1, 60, "one pod of details-v1")
            a_second(mesh, DETAILS)
        lost_nothing(report, seconds=9)
    finally:
        file.write_text(before)
        rule.unlink()
        until(lambda: len(mesh.pods("details-v1")) == 1, 60, "one pod of details-v1")


# What a client sees of a process that dies between request and answer. Not among them: a connection that is refused.
BROKEN = {"connection closed without an answer", "answer broke off"}


@pytest.mark.parametrize("whose", ["productpage-v1", "details-v1"])
def test_a_killed_proxy_takes_only_what_it_held(mesh, whose):
    """Its sockets survive in the supervisor: connections wait in the backlog for the next one, none is refused."""
    url = DETAILS
    works(mesh, url)
    with asking(mesh, "productpage-v1", url) as timed, under_load(mesh, url) as report:
        pod = mesh.pods(whose)[0]["name"]
        pid = mesh.proxy_pid(pod)
        killed = time.time()
        mesh.signal(pid, "KILL")
        until(lambda: mesh.proxy_pid(pod) != pid, 20, "it has ended")
        gone = time.time()
        until(lambda: mesh.proxy_pid(pod) not in (0, pid), 20, f"{whose} has another proxy")
        works(mesh, url)
        a_second(mesh, url)
    was_asked(report, seconds=2, reopened=KEPT if whose == "productpage-v1" else 0)
    assert set(report["failures"]) <= BROKEN and set(report["status"]) <= {"200", "503"}, report
    assert report["failed"] <= IN_FLIGHT, report
    assert report["max_ms"] < 5000, report
    failed_only_between(timed, killed, gone)
    after = mesh.load("productpage-v1", url, "--count", "200", "--connections", "20")
    assert after["failed"] == 0, after


def kill_application(mesh, pod):
    """Kills it, and waits until it has been started again and is ready; the times of its end: when it was there for the last
    time, and when no more."""
    status = lambda: next(one for one in mesh.pods() if one["name"] == pod)
    restarts = status()["restarts"]
    killed = time.time()
    mesh.exec(pod, "bash", "-c", KILL_APPLICATION, check=False)  # the container ends, and bash with it
    gone = time.time()
    until(lambda: status()["restarts"] > restarts and status()["ready"], 30, "it runs again")
    return killed, gone


def test_a_killed_application_takes_only_what_it_held(mesh):
    """Its service has a second one: who asks after the death is answered by that one."""
    url, file = DETAILS, mesh.directory / "bookinfo.yaml"
    before = file.read_text()
    at = before.index("name: details-v1")
    file.write_text(before[:at] + before[at:].replace("replicas: 1", "replicas: 2", 1))
    try:
        until(lambda: [p["ready"] for p in mesh.pods("details-v1")] == [True] * 2, 40, "two pods of details-v1")
        works(mesh, url)
        with asking(mesh, "productpage-v1", url) as timed, under_load(mesh, url) as report:
            killed, gone = kill_application(mesh, "details-v1-0")
            a_second(mesh, url)
        was_asked(report, seconds=2)
        assert report["failures"] == {} and set(report["status"]) <= {"200", "503"}, report
        assert report["failed"] <= IN_FLIGHT, report
        assert report["max_ms"] < 2000, report
        failed_only_between(timed, killed, gone)
        after = mesh.load("productpage-v1", url, "--count", "200", "--connections", "20")
        assert after["failed"] == 0 and set(after["status"]) == {"200"}, after
    finally:
        file.write_text(before)
        until(lambda: len(mesh.pods("details-v1")) == 1, 60, "one pod of details-v1")


def test_a_killed_application_is_started_again(mesh):
    """While it is away its service has no endpoint: 503, never a hang; afterwards everything answers."""
    url = DETAILS
    works(mesh, url)
    with asking(mesh, "productpage-v1", url) as timed, under_load(mesh, url) as report:
        killed, _ = kill_application(mesh, mesh.pods("details-v1")[0]["name"])
        works(mesh, url)
        back = time.time()
        a_second(mesh, url)
    away = back - killed
    was_asked(report, seconds=2)
    assert report["failures"] == {} and set(report["status"]) <= {"200", "503"}, report
    assert report["failed"] <= away * (ASKED + ASKED_NEW) + IN_FLIGHT, (away, report)
    failed_only_between(timed, killed, back)
    assert report["max_ms"] < 2000, report
    after = mesh.load("productpage-v1", url, "--count", "200", "--connections", "20")
    assert after["failed"] == 0 and set(after["status"]) == {"200"}, after
