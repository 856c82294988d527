"""What was in force stays, also when plaitd starts anew: a newcomer that names an object again takes it from nobody, and
an edit with a mistake, or with a name of nothing, leaves the last good version of its file in force."""
import json

import pytest

import manifests as m
from mesh import Mesh, copy_sample, until

REVIEWS_SPLIT = "reviews-split.yaml"


def reviews(version, *more):
    """A VirtualService `reviews` that sends all to one version, as text; the object's name stands in 4:9."""
    return ("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: reviews\nspec:\n  hosts: [reviews]\n"
            f"  http:\n    - route:\n        - destination: {{host: reviews, subset: {version}}}\n") + "".join(more)


@pytest.fixture
def mesh(folder, request):
    name = f"last-good-{request.node.callspec.id}"
    mesh = Mesh(folder, copy_sample(folder, into=name), name=name)
    (mesh.directory / REVIEWS_SPLIT).write_text(reviews("v1"))
    mesh.start()
    yield mesh
    mesh.stop()


def reviewers(mesh):
    """Which versions of reviews answer productpage."""
    report = mesh.load("productpage-v1", "http://reviews:9080/reviews/0", "--count", "10", "--count-by", "x-app-pod")
    return {pod.split("-")[1] for pod in report["by"]}


def messages(mesh):
    return "\n".join(mesh.status()["messages"])


def restart_plaitd(mesh):
    """Killed, it is started again; the new one has told of its findings before the status has them."""
    pid = mesh.plaitd_pid()
    mesh.signal(pid, "KILL")
    until(lambda: mesh.plaitd_pid() not in (0, pid), 10, "plaitd runs again")
    mesh.wait_ready()


def proves_that_plaitd_follows(mesh, name):
    """An edit of something else is live: the messages and the routes are those of the present files."""
    m.write(mesh.directory / f"{name}.yaml", m.service(name, {"http": 9080}, {"app": "reviews"}))
    until(lambda: mesh.load("productpage-v1", f"http://{name}:9080/reviews/0", "--count", "1").get("ok") == 1, 10, f"{name} answers")


@pytest.mark.parametrize("mesh", ["two-files"], indirect=True)
def test_a_second_object_of_the_same_name_in_another_file_takes_nothing(mesh):
    assert reviewers(mesh) == {"v1"}
    # Sorted before the file that has the object; its other object is unaffected.
    (mesh.directory / "aaa.yaml").write_text(reviews("v3", "---\napiVersion: v1\nkind: Service\nmetadata: {name: another}\n"
                                                           "spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}\n"))
    until(lambda: mesh.load("productpage-v1", "http://another:9080/reviews/0", "--count", "1").get("ok") == 1, 5, "the other object is live")
    told = (f"{mesh.directory}/aaa.yaml:4:9: VirtualService default/reviews: the object stands twice; the one at "
            f"{mesh.directory}/{REVIEWS_SPLIT}:4:9 is in force, this one is not (remove or rename this one; to put it in force, "
            "remove the other)")
    until(lambda: told in messages(mesh), 5, "the newcomer is told, with both places")
    assert f"{REVIEWS_SPLIT}:4:9: VirtualService" not in messages(mesh), "the one that was there is not the bad one"
    assert reviewers(mesh) == {"v1"}

    restart_plaitd(mesh)
    proves_that_plaitd_follows(mesh, "after-restart")
    assert told in messages(mesh)
    assert reviewers(mesh) == {"v1"}

    # What to do, done: the other one is removed.
    (mesh.directory / REVIEWS_SPLIT).unlink()
    until(lambda: reviewers(mesh) == {"v3"}, 5, "the newcomer is in force")
    until(lambda: "twice" not in messages(mesh), 5, "nothing is wrong")
    # And now it is the one that was there.
    (mesh.directory / REVIEWS_SPLIT).write_text(reviews("v1"))
    until(lambda: f"{REVIEWS_SPLIT}:4:9: VirtualService default/reviews: the object stands twice" in messages(mesh), 5, "told the other way round")
    restart_plaitd(mesh)
    proves_that_plaitd_follows(mesh, "second-restart")
    assert reviewers(mesh) == {"v3"}


BROKEN = reviews("v3").replace("{host: reviews, subset: v3}", "{host: reviews, subset: v3")
UNKNOWN = reviews("v3").replace("    - route:", "    - rout:")
TWICE = reviews("v3") + "---\n" + reviews("v1")
NOWHERE = reviews("v3").replace("host: reviews,", "host: reviewz,")
NO_SUBSET = reviews("late")
NO_GATEWAY = reviews("v3").replace("  http:", "  gateways: [mesh, none]\n  http:")
NO_NUMBER = reviews("v3", "          weight: eighty\n")
ZEBRA = reviews("v3").replace("    - route:", "    - zebra: 1\n      route:")
STAYS = "the last good version of this file stays in force"


@pytest.mark.parametrize("text, place, advice", [
    (BROKEN, ":10:1: did not find expected ',' or '}' (while parsing a flow mapping)", "close the { opened at 9:24"),
    (UNKNOWN, ":8:7: VirtualService default/reviews: unknown field", 'did you mean "route"?'),
    (TWICE, ":14:9: VirtualService default/reviews: the object stands twice in this file; first at", "remove or rename one of them"),
    (NOWHERE, ':9:24: VirtualService default/reviews: Referenced host not found: "reviewz"', 'did you mean "reviews"?'),
    (NO_SUBSET, ':9:24: VirtualService default/reviews: Referenced host+subset in destinationrule not found: "reviews+late"',
     "define the subset in a DestinationRule for reviews.default.svc.cluster.local"),
    (NO_GATEWAY, ':7:20: VirtualService default/reviews: Referenced gateway not found: "default/none"', "create it, or name one that exists"),
    (NO_NUMBER, ':10:19: VirtualService default/reviews: route[0].weight: a whole number is expected, not the string "eighty"', "write digits only"),
    (ZEBRA, ':8:7: VirtualService default/reviews: unknown field "zebra"', "plait docs configuration VirtualService lists what is honoured"),
], ids=["broken", "unknown-field", "duplicate", "reference", "subset", "gateway", "number", "zebra"])
def test_each_mistake_has_its_place_and_what_to_do_and_leaves_the_last_good_in_force(mesh, text, place, advice):
    (mesh.directory / REVIEWS_SPLIT).write_text(text)
    def told():
        return [line for line in mesh.status()["messages"] if f"{REVIEWS_SPLIT}{place}" in line and advice in line]
    until(told, 5, f"a message with {place} and {advice}")
    for restarted in (False, True):
        if restarted:
            restart_plaitd(mesh)
        proves_that_plaitd_follows(mesh, f"live-{restarted}".lower())
        assert told() and STAYS in messages(mesh)
        assert reviewers(mesh) == {"v1"}


@pytest.mark.parametrize("mesh", ["by-itself"], indirect=True)
def test_an_edit_that_names_what_is_not_there_takes_effect_by_itself_once_it_is(mesh):
    """The subset comes in another file, after plaitd has started again in between; then the edit is the last good version."""
    split = mesh.directory / REVIEWS_SPLIT
    split.write_text(NO_SUBSET)
    until(lambda: '"reviews+late"' in messages(mesh), 5, "the edit waits")
    restart_plaitd(mesh)
    # An edit of another file does not wait for that one, whichever way both are written.
    m.write(mesh.directory / "details.yaml", m.virtual_service("details", {"hosts": ["details"], "http": [
        {"headers": {"response": {"set": {"x-edit": "live"}}}, "route": [{"destination": {"host": "details"}}]}]}))
    until(lambda: set(mesh.load("productpage-v1", "http://details:9080/details/0", "--count", "1", "--count-by", "x-edit")["by"]) == {"live"},
          10, "the other edit is live")
    assert reviewers(mesh) == {"v1"}
    m.write(mesh.directory / "late.yaml", m.destination_rule("reviews-late", {"host": "reviews", "subsets": [{"name": "late", "labels": {"version": "v3"}}]}))
    until(lambda: reviewers(mesh) == {"v3"}, 5, "the edit is live")
    until(lambda: REVIEWS_SPLIT not in messages(mesh), 5, "nothing is wrong")
    split.write_text(BROKEN)
    until(lambda: STAYS in messages(mesh), 5, "told")
    proves_that_plaitd_follows(mesh, "after-all")
    assert reviewers(mesh) == {"v3"}


@pytest.mark.parametrize("mesh", ["deleted"], indirect=True)
def test_a_service_that_is_deleted_leaves_the_rules_that_name_it_in_force(mesh):
    """Whoever deletes a Service means it. The rule's file did not change: it is told, and its requests get 503 until there is one."""
    extra = mesh.directory / "extra.yaml"
    m.write(extra, m.service("extra", {"http": 9080}, {"app": "reviews", "version": "v2"}))
    (mesh.directory / REVIEWS_SPLIT).write_text(reviews("v1").replace("{host: reviews, subset: v1}", "{host: extra}"))
    until(lambda: reviewers(mesh) == {"v2"}, 5, "the rule leads to the Service")
    extra.unlink()
    until(lambda: '9:24: VirtualService default/reviews: Referenced host not found: "extra"' in messages(mesh), 5, "told")
    assert STAYS not in messages(mesh)
    def status():
        return mesh.load("productpage-v1", "http://reviews:9080/reviews/0", "--count", "3")["status"]
    until(lambda: status() == {"503": 3}, 5, "the rule leads to nothing")
    restart_plaitd(mesh)
    proves_that_plaitd_follows(mesh, "after-restart")
    assert status() == {"503": 3}
    m.write(extra, m.service("extra", {"http": 9080}, {"app": "reviews", "version": "v2"}))
    until(lambda: reviewers(mesh) == {"v2"}, 10, "the Service is back")


@pytest.mark.parametrize("mesh", ["new-file"], indirect=True)
def test_a_new_file_of_routing_that_names_what_is_not_there_waits_and_what_ran_goes_on(mesh):
    (mesh.directory / "details.yaml").write_text(reviews("v9").replace("reviews", "details"))
    told = f"{mesh.directory}/details.yaml:"
    until(lambda: told in messages(mesh), 5, "it is told")
    assert "until then nothing of this file is in force" in messages(mesh)
    for restarts in range(2):
        report = mesh.load("productpage-v1", "http://details:9080/details/0", "--count", "10")
        assert report["status"] == {"200": 10}, (restarts, report)
        if restarts == 0:
            restart_plaitd(mesh)
            until(lambda: told in messages(mesh), 5, "the new plaitd tells it, too")
    m.write(mesh.directory / "versions.yaml", m.destination_rule("details", {"host": "details", "subsets": [{"name": "v9", "labels": {"app": "details"}}]}))
    until(lambda: told not in messages(mesh), 5, "it is in force")
    assert mesh.load("productpage-v1", "http://details:9080/details/0", "--count", "10")["status"] == {"200": 10}


@pytest.mark.parametrize("mesh", ["commands"], indirect=True)
def test_a_slip_in_what_is_run_ends_nothing(mesh):
    """In local.yaml the last good version stays; a pod whose command cannot be read goes on, also with the next plaitd."""
    own = mesh.directory / "own.yaml"
    m.write(own, m.deployment("own", ["sleep", "1000"]), m.document("StatefulSet", "set", {
        "serviceName": "reviews", "selector": {"matchLabels": {"app": "set"}}, "template": {
            "metadata": {"labels": {"app": "set"}, "annotations": {"plait.dev/exec.app": '["sleep", "1000"]'}},
            "spec": {"containers": [{"name": "app", "image": "none"}]}}}, "apps/v1"))
    until(lambda: [pod["ready"] for pod in mesh.pods("own") + mesh.pods("set")] == [True, True], 15, "they run")
    def running():
        return {pod["name"]: mesh.proxy_pid(pod["name"]) for pod in mesh.pods()}
    before = running()
    images = mesh.directory / "local.yaml"
    good = images.read_text()
    images.write_text(good + "  x: [\n")
    own.write_text(own.read_text().replace('"[\\"sleep\\", \\"1000\\"]"', '"sleep infinity"'))
    until(lambda: messages(mesh).count("is not a JSON array of words") == 2, 5, "the commands are told")
    until(lambda: f"{images}: {STAYS}" in messages(mesh), 5, "local.yaml is told")
    for restarted in (False, True):
        if restarted:
            restart_plaitd(mesh)
        proves_that_plaitd_follows(mesh, f"live-{restarted}".lower())
        assert running() == before
    images.write_text(good)
    own.write_text(own.read_text().replace('"sleep infinity"', '"[\\"sleep\\", \\"2000\\"]"'))
    until(lambda: {pod["name"] for pod in mesh.pods("own")} == {"own-1"}, 20, "the command is another one")
    until(lambda: STAYS not in messages(mesh) and "JSON array" not in messages(mesh), 5, "nothing is wrong")


@pytest.mark.parametrize("mesh", ["mended"], indirect=True)
def test_a_stateful_set_whose_first_command_was_wrong_is_mended_by_an_edit(mesh):
    file = mesh.directory / "set.yaml"
    def write(command):
        m.write(file, m.document("StatefulSet", "set", {
            "serviceName": "reviews", "replicas": 3, "selector": {"matchLabels": {"app": "set"}}, "template": {
                "metadata": {"labels": {"app": "set"}, "annotations": {"plait.dev/exec.app": command}},
                "spec": {"containers": [{"name": "app", "image": "none", "readinessProbe": m.http_probe(8000)}]}}}, "apps/v1"))
    echo = [m.APP, "echo", "--port"]
    write(json.dumps([*echo, "8001"]))
    until(lambda: [pod["phase"] for pod in mesh.pods("set")] == ["Running"], 20, "the first pod runs and listens elsewhere")
    write(json.dumps([*echo, "8000"]))
    until(lambda: [pod["ready"] for pod in mesh.pods("set")] == [True] * 3, 30, "all three are ready")
