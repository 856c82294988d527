"""Why something was denied: `plait logs --denied` and `plait explain`, also where the log cannot hold the reason."""
import json
import re
import shlex

import pytest

import manifests as m
from mesh import until

DETAILS = {"selector": {"matchLabels": {"app": "details"}}}
PASS_RULE = {"to": [{"operation": {"methods": ["POST"]}}], "when": [{"key": "request.headers[x-pass]", "values": ["yes"]}]}


@pytest.fixture(scope="module")
def used(bookinfo):
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    return bookinfo


@pytest.fixture
def policy(used):
    """Writes the spec of policy `edited`, in force when it returns, as `plait explain` tells by `text`; removes it afterwards."""
    file = used.directory / "edited.yaml"

    def write(spec, text):
        m.write(file, m.authorization("edited", spec))
        until(lambda: text in used.named("explain", "reviews-v1", "details:9080", check=False).stdout, 10, "the edit is live")
    yield write
    file.unlink()
    until(lambda: "default/edited" not in used.named("explain", "reviews-v1", "details:9080", check=False).stdout, 10, "it is gone")


def denied(mesh, path, *arguments):
    """What the log says of a request of reviews to details that is denied."""
    answer = mesh.exec("reviews-v1", "curl", "-s", *arguments, f"http://details:9080{path}").stdout
    assert answer == "RBAC: access denied"
    return until(lambda: told(mesh.named("logs", "--denied", "details-v1").stdout, path), 5, "the denial is in the log")


def told(log, path):
    """The explanation that follows the last line about `path`."""
    _, there, after = log.rpartition(f" {path} HTTP")
    return there and re.split(r"^(?!    plait: )", after.partition("\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_what_was_answered_is_shown_by_logs_that_begin_afterwards(used):
    """One request; and a burst of more than a proxy writes down one by one."""
    shown = lambda path: used.named("logs", "--denied", "details-v1").stdout.count(f" {path} HTTP")
    for i in range(5):
        assert used.exec("reviews-v1", "curl", "-s", f"http://details:9080/details/one-{i}").stdout == "RBAC: access denied"
        assert shown(f"/details/one-{i}") == 1
    used.exec("reviews-v1", "curl", "-s", "-o", "/dev/null", "http://details:9080/details/many?[1-60]")
    assert used.named("logs", "--denied", "details-v1").stdout.count("/details/many?") == 60


def test_a_header_that_the_log_does_not_hold_is_neither_match_nor_miss(used, policy):
    policy({**DETAILS, "rules": [PASS_RULE]}, "default/edited")
    with_header = denied(used, "/details/with", "-H", "x-pass: yes")
    [line] = [line for line in with_header.splitlines() if "default/edited" in line]
    assert line.endswith("rule[0]: method must be POST, but is GET") and "edited.yaml:" in line, with_header
    assert "x-pass" not in with_header, "it was there, and the log cannot know"

    without = denied(used, "/details/without", "-X", "POST")
    [line] = [line for line in without.splitlines() if "default/edited" in line]
    assert line.endswith("rule[0]: depends on header x-pass, which must be yes"), without
    # The command that it gives tells, once the value is filled in.
    [words] = re.findall(r"the log does not hold header x-pass; with that, this tells: plait (explain .*)", without)
    for value, code, answer in (("no", 1, "header x-pass must be yes, but is no"), ("yes", 0, "result: forwarded")):
        result = used.plait(*shlex.split(words.replace("VALUE", value)), check=False)
        assert result.returncode == code and answer in result.stdout, result.stdout + result.stderr


def test_what_is_followed_is_explained_by_the_policies_that_an_edit_leaves(used, policy, folder):
    policy({**DETAILS, "rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]}, "method must be POST")
    with used.following(folder / "edit.out", "-A", "--denied") as said:
        denied(used, "/details/edit")
        until(lambda: "method must be POST, but is GET" in told(said(), "/details/edit"), 5, "the first denial is explained")
        policy({**DETAILS, "rules": [{"to": [{"operation": {"methods": ["PUT"]}}]}]}, "method must be PUT")
        denied(used, "/details/edit")
        until(lambda: said().count(" /details/edit HTTP") == 2 and told(said(), "/details/edit"), 5, "the second one is explained")
        until(lambda: "method must be PUT, but is GET" in told(said(), "/details/edit"), 1, "by what is in force")
        assert "method must be POST" not in told(said(), "/details/edit"), said()


def test_a_policy_without_rules_is_named(used, policy):
    nobody = r"AuthorizationPolicy default/edited \(\S*edited\.yaml:\d+\) has no rule: allows nobody"
    policy(DETAILS, "rbac_access_denied_matched_policy[none]")
    answer = until(lambda: named_in(used, nobody), 5, "explain names it")
    assert answer["verdict"]["details"] == "rbac_access_denied_matched_policy[none]"
    assert re.search(nobody, denied(used, "/details/nobody"))


def named_in(mesh, pattern):
    answer = json.loads(mesh.named("explain", "reviews-v1", "details:9080", "-o", "json", check=False).stdout)
    [authorization] = [step for step in answer["steps"] if step["step"] == "authorization"]
    return any(re.fullmatch(pattern, miss) for miss in authorization["misses"]) and answer


def test_a_rule_about_requests_is_named_where_a_connection_is_closed(used, policy):
    policy({**DETAILS, "rules": [PASS_RULE]}, "default/edited")
    text = used.named("explain", "reviews-v1", "details:9080", "--tcp", check=False).stdout
    assert re.search(r"default/edited \(\S+\) rule\[0\]: is about HTTP requests, so it matches no TCP connection", text), text


def test_followed_logs_have_the_pods_that_come_later(used, folder):
    manifest = used.directory / "bookinfo.yaml"
    text = manifest.read_text()
    deployment = text.index("name: details-v1")
    with used.following(folder / "scale.out", "-A", "--denied") as said:
        denied(used, "/details/before")
        until(lambda: "[details-v1-0.default] " in said(), 5, "a pod that was there")
        manifest.write_text(text[:deployment] + text[deployment:].replace("replicas: 1", "replicas: 2", 1))
        try:
            until(lambda: sum(w["ready"] for w in used.pods("details-v1")) == 2, 20, "it is scaled up")

            def seen():
                used.exec("reviews-v1", "curl", "-s", "http://details:9080/details/after")
                return re.search(r"^\[details-v1-(?!0\.)\S+\.default\] .* /details/after HTTP.*\n    plait: denied", said(), re.MULTILINE)
            until(seen, 10, "a denial of the new pod")
        finally:
            manifest.write_text(text)
            until(lambda: len(used.pods("details-v1")) == 1, 20, "it is scaled down")
