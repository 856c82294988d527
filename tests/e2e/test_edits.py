"""Edits of YAML under load lose no request: the client counts, and never tries again."""
import pytest

import manifests as m
from load import LOAD, carries_the_load, lost_nothing, moves_between_subsets
from mesh import Mesh, copy_sample, until
from test_metrics import has_known_labels


@pytest.fixture(scope="module")
def edited(folder, concurrency):
    mesh = Mesh(folder, copy_sample(folder, into=f"bookinfo-{concurrency}"), concurrency=concurrency, name=f"edits-{concurrency}")
    mesh.start()
    yield mesh
    mesh.stop()


@pytest.fixture(autouse=True)
def fixture_calm(edited):
    carries_the_load(edited, "http://reviews:9080/reviews/0")


def reviewers(mesh, count=20):
    """Which versions of reviews answer productpage."""
    report = mesh.load("productpage-v1", "http://reviews:9080/reviews/0", "--count", str(count), "--connections", "4", "--count-by", "x-app-pod")
    return {pod.split("-")[1] for pod in report["by"]}


def split(mesh, v1, v2, v3):
    routes = [{"destination": {"host": "reviews", "subset": name}, "weight": weight}
              for name, weight in (("v1", v1), ("v2", v2), ("v3", v3)) if weight]
    m.write(mesh.directory / "reviews-split.yaml", m.virtual_service("reviews", {"hosts": ["reviews"], "http": [{"route": routes}]}))


def edit_split(mesh, n):
    name = f"v{n % 3 + 1}"
    split(mesh, *[100 if f"v{i}" == name else 0 for i in (1, 2, 3)])
    until(lambda: reviewers(mesh) == {name}, 5, f"only {name} answers")


def edit_subset(mesh, n):
    """A subset that nobody knew, and the route to it, in one edit: the route must wait for the cluster."""
    labels = {"app": "reviews", "version": f"v{n % 3 + 1}"}
    # The one before stays until no route names it: two files are two edits.
    subsets = [{"name": f"v{i}", "labels": {"version": f"v{i}"}} for i in (1, 2, 3)] + [
        {"name": f"edit-{i}", "labels": labels} for i in (n - 1, n)]
    m.write(mesh.directory / "destination-rules.yaml", m.destination_rule("reviews", {"host": "reviews", "subsets": subsets}))
    m.write(mesh.directory / "reviews-split.yaml", m.virtual_service(
        "reviews", {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews", "subset": f"edit-{n}"}}]}]}))
    until(lambda: reviewers(mesh) == {labels["version"]}, 5, f"only {labels['version']} answers")


def edit_policy(mesh, n):
    """Who may not call reviews changes; productpage always may."""
    m.write(mesh.directory / "edit-policy.yaml", m.authorization("reviews-edit", {
        "selector": {"matchLabels": {"app": "reviews"}}, "action": "DENY",
        "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/default/sa/bookinfo-" + ("details" if n % 2 else "ratings")]}}]}]}))
    caller, other = ("details-v1", "ratings-v1") if n % 2 else ("ratings-v1", "details-v1")
    url = "http://reviews:9080/reviews/0"
    until(lambda: mesh.load(caller, url, "--count", "1")["status"] == {"403": 1}, 5, f"{caller} is denied")
    until(lambda: mesh.load(other, url, "--count", "1")["status"] == {"200": 1}, 5, f"{other} is not")


def edit_header(mesh, n):
    value = f"edit-{n}"
    m.write(mesh.directory / "reviews-split.yaml", m.virtual_service("reviews", {"hosts": ["reviews"], "http": [{
        "headers": {"response": {"set": {"x-edit": value}}}, "route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]}))
    url = "http://reviews:9080/reviews/0"
    until(lambda: set(mesh.load("productpage-v1", url, "--count", "5", "--count-by", "x-edit")["by"]) == {value}, 5, f"x-edit is {value}")


# Beside the load that goes to reviews.
SHORT_LOAD = ["--rate", "50", "--connections", "5", "--new-per-second", "10"]


def lost_none_of(report):
    assert report.get("failed") == 0 and report["failures"] == {} and set(report["status"]) == {"200"}, report
    assert report["kept"] >= 10 and report["new"] >= 1 and report["reopened"] == 0, report


def edit_service(mesh, n):
    """A service comes, has a load until it goes, and another one of the same pods has one meanwhile, and after it."""
    name, url = f"extra-{n}", "http://{}:9080/reviews/0".format
    file = mesh.directory / f"{name}.yaml"
    m.write(file, m.service(name, {"http": 9080}, {"app": "reviews"}))
    m.write(mesh.directory / "stays.yaml", m.service("stays", {"http": 9080}, {"app": "reviews"}))
    for one in (name, "stays"):
        until(lambda one=one: mesh.load("productpage-v1", url(one), "--count", "1").get("ok") == 1, 5, f"{one} answers")
    with mesh.load_while("productpage-v1", url("stays"), *SHORT_LOAD) as stays:
        until(lambda: mesh.generators(url("stays")), 5, "the load of stays has begun")
        extra = mesh.load("productpage-v1", url(name), *SHORT_LOAD, "--duration", "0.5")
        file.unlink()
        until(lambda: mesh.exec("productpage-v1", "getent", "hosts", name, check=False).returncode != 0, 5, f"{name} has no address")
    lost_none_of(extra)
    lost_none_of(stays)


def edit_replicas(mesh, n):
    count = 2 if n % 2 else 1
    file = mesh.directory / "bookinfo.yaml"
    text = file.read_text()
    at = text.index("name: reviews-v1")
    before, after = ("replicas: 1", "replicas: 2") if count == 2 else ("replicas: 2", "replicas: 1")
    file.write_text(text[:at] + text[at:].replace(before, after, 1))
    until(lambda: [p["ready"] for p in mesh.pods("reviews-v1")] == [True] * count, 20, f"{count} pods of reviews-v1")


KINDS = [edit_split, edit_subset, edit_policy, edit_header, edit_service, edit_replicas]


def test_fifty_edits_of_six_kinds_lose_no_request(edited):
    with edited.load_while("productpage-v1", "http://reviews:9080/reviews/0", *LOAD) as report:
        for n in range(9):
            for edit in KINDS:
                edit(edited, n + 1)
    lost_nothing(report, seconds=5)
    until(lambda: [has_known_labels(edited, f"{name}-v1") for name in ("productpage", "details", "ratings", "reviews")], 8, "every label is known")


def test_a_route_moves_to_a_new_subset_and_the_old_one_goes_in_one_edit(edited):
    """Each subset comes anew, and is gone as soon as no route leads there."""
    file = edited.directory / "moved.yaml"
    moves_between_subsets(edited, file, "productpage-v1", "http://moved:9080/reviews/0", "reviews-{}-0",
                          m.service("moved", {"http": 9080}, {"app": "reviews"}))
    cluster = "outbound|9080|to-{}|moved.default.svc.cluster.local"
    until(lambda: (seen := edited.admin("productpage-v1", "/clusters")) and cluster.format("v1") in seen and cluster.format("v2") not in seen, 10,
          "the cluster of the last edit is there, the one before is gone")
    file.unlink()


def test_a_file_of_workloads_that_is_written_in_steps_stops_nothing(edited):
    """Half of it is a mesh without productpage and reviews; the other edits beside it are in force at once."""
    file = edited.directory / "bookinfo.yaml"
    text = file.read_text()
    runs = {pod["name"]: (pod["pid"], pod["restarts"]) for pod in edited.pods()}
    with edited.load_while("productpage-v1", "http://reviews:9080/reviews/0", *LOAD) as report:
        with open(file, "w", encoding="utf-8") as out:
            edit_header(edited, 101)
            half_a_second(edited)
            out.write(text[:2000])
            out.flush()
            edit_header(edited, 102)
            half_a_second(edited)
            out.write(text[2000:])
        edit_header(edited, 103)
        half_a_second(edited)
    lost_nothing(report)
    assert {pod["name"]: (pod["pid"], pod["restarts"]) for pod in edited.pods()} == runs


def half_a_second(mesh):
    """The load beside it goes on for so long."""
    report = mesh.load("productpage-v1", "http://reviews:9080/reviews/0", "--rate", "50", "--duration", "0.5")
    assert report["failed"] == 0, report


def test_without_plaitd_traffic_and_new_connections_go_on(edited):
    """To a destination that is known. Stopped, not killed: killed, it would be started again at once."""
    assert reviewers(edited)
    with edited.load_while("productpage-v1", "http://reviews:9080/reviews/0", *LOAD) as report:
        half_a_second(edited)
        with edited.stopped(edited.plaitd_pid()) as plaitd:
            once = edited.load("productpage-v1", "http://reviews:9080/reviews/0", "--new-per-second", "20", "--rate", "20", "--duration", "2")
            assert once["failed"] == 0 and once["sent"] > 70, once
        assert edited.plaitd_pid() == plaitd
    lost_nothing(report)


def test_a_killed_plaitd_is_started_again_and_takes_nothing_away(edited):
    pid = edited.plaitd_pid()
    with edited.load_while("productpage-v1", "http://reviews:9080/reviews/0", *LOAD) as report:
        half_a_second(edited)
        edited.signal(pid, "KILL")
        until(lambda: edited.plaitd_pid() not in (0, pid), 10, "plaitd runs again")
        edit_split(edited, 2)
        half_a_second(edited)
        half_a_second(edited)
    lost_nothing(report)
