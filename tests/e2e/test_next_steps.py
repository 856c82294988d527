"""What commands say when they cannot tell all that they were asked for: plaitd is there and says nothing, or does not start, or a word is
wrong. Each says what it does not know, soon, and a next step that can be typed as it is."""
import json
import os
import re
import subprocess
import time

import pytest

import manifests as m
from mesh import Mesh, command_lines, until

POLICIES = (m.authorization("no-secrets", {"selector": {"matchLabels": {"app": "web"}}, "action": "DENY",
                                           "rules": [{"to": [{"operation": {"paths": ["/secret*"]}}]}]}),
            m.authorization("readers", {"selector": {"matchLabels": {"app": "web"}}, "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]}))


@pytest.fixture(scope="module")
def shop(folder):
    """A mesh of another name than the usual one, so that a command without its name finds none."""
    directory = folder / "shop"
    directory.mkdir()
    m.write(directory / "mesh.yaml", m.deployment("client", ["sleep", "infinity"]),
            m.deployment("web", [m.APP, "echo", "--port", "8080"], ports=[8080], probe=m.http_probe(8080)),
            m.service("web", {"http": 8080}), *POLICIES)
    mesh = Mesh(folder, directory, name="shop")
    mesh.start()
    yield mesh
    mesh.stop()


def denied(mesh, host, path, *method):
    """A request that a policy denies."""
    answer = mesh.exec("client", "curl", "-sS", "--max-time", "10", *method, f"http://{host}:8080{path}").stdout
    assert answer == "RBAC: access denied", answer
    return True


def denials(mesh):
    """Five of them, in the log when it returns: three by a policy that denies, two that no policy allows."""
    logged = lambda: mesh.named("logs", "--denied", "web").stdout.count(" HTTP/1.1")
    before = logged()
    for path, *method in (("/secret/1",), ("/secret/2",), ("/secret/3",), ("/a", "-X", "POST"), ("/b", "-X", "PUT")):
        denied(mesh, "web", path, *method)
    until(lambda: logged() >= before + 5, 10, "the denials are in the log")


def timed(mesh, seconds, *words):
    """What a command says in less than that: less than the fault takes that it guards against, more than it needs on a busy machine."""
    began = time.monotonic()
    result = mesh.named(*words, check=False)
    assert time.monotonic() - began < seconds, f"{words} took {time.monotonic() - began:.1f} s"
    return result


def test_nothing_is_well_that_a_plaitd_which_hangs_was_not_asked(shop):
    shop.well()
    with shop.stopped(shop.plaitd_pid()):
        check = timed(shop, 30, "check", "-o", "json")  # one limit of 5 s, where it was three of 15 s
        text = timed(shop, 30, "check").stdout
    assert check.returncode == 1
    checks = {one["description"]: one for category in json.loads(check.stdout)["categories"] for one in category["checks"]}
    unasked = [name for name, one in checks.items() if "could not be asked: " in one.get("error", "")]
    assert unasked == ["the configuration has no problem", "every proxy is connected to the control plane",
                       "no proxy refuses its configuration", "every proxy has acknowledged what it was sent",
                       "proxies and control plane are of one version"]
    for name in ("the control plane answers", *unasked):
        assert checks[name]["result"] == "error" and checks[name]["hint"] == "plait logs --name shop plaitd", name
        assert "does not answer within 5s" in checks[name]["error"]
    assert checks["every proxy answers"]["result"] == "success"
    assert "plait-sync\n" in text and text.count("could not be asked: ") == 5
    shop.well()


def test_version_says_that_a_plaitd_which_hangs_is_unreachable_and_asks_the_proxies(shop):
    with shop.stopped(shop.plaitd_pid()):
        version = timed(shop, 20, "version")  # one limit of 5 s, where it was two of 15 s
    assert version.returncode == 0
    rows = [re.split(r"\s{2,}", line) for line in version.stdout.splitlines()]
    own = rows[1][1]
    assert rows == [["COMPONENT", "VERSION", "COUNT"], ["client", own, "1"], ["control plane", "unreachable", "1"], ["data plane", own, "2"]]
    assert "does not answer within 5s" in version.stderr and "plait logs --name shop plaitd" in version.stderr


def test_ps_of_a_plaitd_that_hangs_has_a_next_step(shop):
    with shop.stopped(shop.plaitd_pid()):
        ps = timed(shop, 14, "ps")  # one limit of 5 s, where it was one of 15 s
    assert ps.returncode == 3 and "does not answer within 5s" in ps.stderr, ps.stderr
    assert "  try: plait logs --name shop plaitd; plait check --name shop" in ps.stderr


def test_denials_are_explained_at_once_while_plaitd_hangs(shop):
    for _ in range(2):
        denials(shop)
    with shop.stopped(shop.plaitd_pid()):
        logs = timed(shop, 14, "logs", "--denied", "web")  # one limit of 2 s for all ten; 2 s each would be 20
    assert logs.stdout.count("plait: denied by AuthorizationPolicy default/no-secrets rule[0]\n") >= 6, logs.stdout
    assert logs.stdout.count("AuthorizationPolicy default/readers rule[0]: method must be GET, but is ") >= 4, logs.stdout


def test_explain_says_that_the_places_of_policies_are_not_known_while_plaitd_hangs(shop):
    words, policy, unknown = ("explain", "client", "web:8080", "POST", "/"), "AuthorizationPolicy default/readers ", "the places of policies"
    well = shop.named(*words, check=False)
    assert well.returncode == 1 and re.search(rf"{policy}\(\S+/mesh\.yaml:\d+\) rule", well.stdout) and unknown not in well.stderr, well
    with shop.stopped(shop.plaitd_pid()):
        hangs = timed(shop, 14, *words)  # one limit of 2 s, where it was one of 15 s
    assert hangs.returncode == 1 and f"{policy}rule[0]" in hangs.stdout, hangs
    assert f"{unknown} are not known: the control plane does not answer (plait logs --name shop plaitd)\n" in hangs.stderr, hangs


def test_ps_names_the_proxies_that_are_not_connected(shop):
    with shop.stopped(shop.proxy_pid("web-0")):
        shop.signal(shop.plaitd_pid(), "KILL")

        def rows():
            ps = shop.named("ps")
            return {line.split()[0]: line for line in ps.stdout.splitlines()}, ps.stderr
        until(lambda: "SYNCED" in rows()[0]["client-0.default"], 20, "plaitd has come back, and the other proxy to it")
        lines, told = rows()
        assert "NOT CONNECTED" in lines["web-0.default"] and "NOT CONNECTED" not in lines["client-0.default"]
        assert "plait logs --name shop -c istio-proxy web-0.default" in told
        data = json.loads(shop.named("ps", "-o", "json").stdout)
        assert {"proxy": "web-0.default", "connected": False} in data
        assert "proxy/web-0.default" in shop.named("ps", "-o", "name").stdout.splitlines()
    until(lambda: "NOT CONNECTED" not in shop.named("ps").stdout, 30, "it is connected again")


def test_check_gives_what_mends_a_proxy_that_fails_health_checks(shop):
    shop.admin("web", "/healthcheck/fail", "POST")
    check = shop.named("check", check=False).stdout
    fix = "plait exec --name shop web-0.default -- curl -X POST 127.0.0.1:15000/healthcheck/ok"
    assert f"web-0.default is DRAINING\n      fix: {fix}\n" in check and "the pod is not ready" not in check, check
    shop.plait(*fix.split()[1:])
    shop.well()


def test_check_gives_what_mends_a_proxy_without_listeners(shop):
    shop.admin("web", "/drain_listeners", "POST")
    fix = "plait proxy restart --name shop web-0.default"
    until(lambda: f"fix: {fix}\n" in shop.named("check", check=False).stdout, 5, "the listeners are closed")
    shop.plait(*fix.split()[1:])
    shop.well()


def test_a_filter_of_logs_holds_in_every_format(shop):
    denials(shop)
    names = lambda *words: shop.named("logs", "-A", *words, "-o", "name").stdout.splitlines()
    assert set(names()) == {"log/web-0.default/istio-proxy", "log/client-0.default/istio-proxy"}
    assert names("--denied") == ["log/web-0.default/istio-proxy"]
    assert names("--flag", "DT") == []
    entries = json.loads(shop.named("logs", "-A", "--denied", "-o", "json").stdout)
    assert {entry["workload"] for entry in entries} == {"web-0.default"} and all("explanation" in entry for entry in entries)


@pytest.fixture
def scale(shop):
    """Gives a function that makes a deployment whose pods deny /secret, or scales it, and tells {pod: address} once all are ready."""
    file, names = shop.directory / "scaled.yaml", set()

    def scale(name, replicas):
        names.add(name)
        m.write(file, m.deployment(name, [m.APP, "echo", "--port", "8080"], ports=[8080], probe=m.http_probe(8080), replicas=replicas),
                m.service(name, {"http": 8080}),
                m.authorization(name, {"selector": {"matchLabels": {"app": name}}, "action": "DENY",
                                       "rules": [{"to": [{"operation": {"paths": ["/secret*"]}}]}]}))

        def ready():
            pods = {pod["name"]: pod["ip"] for pod in shop.pods(name) if pod["ready"]}
            return len(pods) == replicas and [pods]  # in a list, so that none is an answer, too
        return until(ready, 30, "the pods are ready")[0]
    try:
        yield scale
    finally:
        file.unlink(missing_ok=True)
        until(lambda: not any(shop.pods(name) for name in names), 30, "the pods are gone")


def denied_by(mesh, pod, ip, path):
    """A request to that pod that is denied, and is in its log when this returns."""
    until(lambda: denied(mesh, ip, path), 30, "the policy is in force")
    mesh.logged(pod, path)
    return path


def test_logs_of_a_deployment_are_those_of_all_its_pods(shop, scale):
    paths = {pod: [denied_by(shop, pod, ip, f"/secret/{pod}/{n}") for n in range(count)]
             for count, (pod, ip) in enumerate(sorted(scale("trio", 3).items()), 1)}
    logs = lambda *words: shop.named("logs", "--denied", *words).stdout
    told = logs("trio")
    lines = [line for line in told.splitlines() if not line.startswith("    plait: denied by AuthorizationPolicy default/trio rule[0]")]
    shown = [re.fullmatch(r'\[(trio-\S+)\.default\] \[2\S+ "GET (\S+) HTTP.*', line) for line in lines]
    assert all(shown), told
    assert sorted(match.groups() for match in shown) == sorted((pod, path) for pod in paths for path in paths[pod])
    entries = json.loads(logs("trio", "-o", "json"))
    assert sorted(e["workload"] for e in entries) == sorted(f"{pod}.default" for pod in paths for _ in paths[pod]), entries
    assert all("AuthorizationPolicy default/trio" in entry["explanation"] for entry in entries), entries
    assert set(logs("trio", "-o", "name").split()) == {f"log/{pod}.default/istio-proxy" for pod in paths}
    for pod in paths:
        alone = logs(pod)
        assert re.findall(r'^\[2\S+ "GET (\S+) HTTP', alone, re.MULTILINE) == paths[pod] and "\n[trio" not in f"\n{alone}", alone
        assert {entry["workload"] for entry in json.loads(logs(pod, "-o", "json"))} == {pod}


def test_followed_logs_of_a_deployment_have_the_pods_that_come_later(shop, scale, folder):
    [(first, ip)] = scale("growing", 1).items()
    with shop.following(folder / "growing.out", "--denied", "growing") as said:
        shows = lambda start, path: re.search(rf'^{start}\[2\S+ "GET {path} HTTP.*\n    plait: denied by', said(), re.MULTILINE)
        alone = denied_by(shop, first, ip, "/secret/alone")
        until(lambda: shows("", alone), 20, "the only pod, without its name")
        pods = scale("growing", 3)
        for pod in (*sorted(pods.keys() - {first}), first):
            path = denied_by(shop, pod, pods[pod], f"/secret/{pod}/more")
            until(lambda start=rf"\[{pod}\.default\] ", path=path: shows(start, path), 20, "one of several, with its name")


# What comes first is what the log holds already: of what is denied then, the path, or the workload, is new.
@pytest.mark.parametrize(("form", "line"), [
    ("json", r'^\{"workload":"web-0\.default","container":"istio-proxy","line":".* PATH HTTP/1\.1.*"explanation":".*"\}\n'),
    ("yaml", r"^---\nworkload: web-0\.default\ncontainer: istio-proxy\nline: .* PATH HTTP/1\.1.*\nexplanation: .*\n")], ids=["json", "yaml"])
def test_what_is_followed_comes_at_once_as_data(shop, folder, form, line):
    shows = lambda text, path: re.search(line.replace("PATH", path), text, re.MULTILINE)
    before, after = f"/secret/before/{form}", f"/secret/after/{form}"
    denied(shop, "web", before)
    shop.logged("web", before)
    with shop.following(folder / f"followed.{form}", "-A", "--denied", "-o", form) as said:
        until(lambda: shows(said(), before), 20, "it has read what was there")
        assert after not in said()
        denied(shop, "web", after)
        until(lambda: shows(said(), after), 20, "what was denied is there")
    if form == "json":
        assert all(json.loads(one)["explanation"] for one in said().splitlines())


def test_commands_end_when_the_supervisor_hangs(shop):
    pid = next(pid for pid, words in command_lines() if words[1:2] == [b"@supervisor"] and shop.has_started(pid))
    with shop.stopped(pid):
        commands = [subprocess.Popen(shop.command(*words), env=shop.env, stderr=subprocess.PIPE, text=True)
                    for words in (["status"], ["pc", "cluster", "web"], ["check"])]
        for command in commands:
            said = command.communicate(timeout=40)[1]
            assert command.returncode == 3 and "does not answer within 10s" in said and f"kill -9 {pid} " in said, said


def test_a_log_that_is_followed_is_named_at_once_and_once(shop, scale, folder):
    denied(shop, "web", "/secret/before/name")
    shop.logged("web", "/secret/before/name")
    with shop.following(folder / "followed.name", "-A", "--denied", "-o", "name") as said:
        until(lambda: said() == "log/web-0.default/istio-proxy\n", 20, "it has read what was there")
        scale("late", 1)  # a workload that was not there then
        denied(shop, "web", "/secret/after/name")
        shop.logged("web", "/secret/after/name")  # a name again, before the new one
        until(lambda: denied(shop, "late", "/secret"), 30, "the policy is in force")
        until(lambda: "late" in said(), 20, "what was denied is there")
        scale("late", 0)
        until(lambda: not shop.pods("late"), 30, "the workload is gone")
        assert said() == "log/web-0.default/istio-proxy\nlog/late-0.default/istio-proxy\n"


@pytest.mark.parametrize("levels", ["foo:debug", "http2:loud", "http2:", "http2=trace"])
def test_a_wrong_word_for_a_log_level_is_answered_with_those_that_there_are(shop, levels):
    before = shop.named("log", "web").stdout
    wrong = shop.named("log", "web", "--level", levels, check=False)
    assert wrong.returncode == 2 and f"--level {levels}: " in wrong.stderr, wrong.stderr
    assert re.search(r"  try: .* loggers .*\bhttp2\b.*; levels trace, debug, info, warning, error, off", wrong.stderr), wrong.stderr
    assert shop.named("log", "web").stdout == before


def test_levels_are_not_set_and_reset_at_once(shop):
    both = shop.named("log", "web", "--level", "http2:debug", "--reset", check=False)
    assert both.returncode == 2 and "--level and --reset do not go together" in both.stderr
    assert "debug" not in shop.named("log", "web").stdout


def test_a_hint_of_the_mesh_means_this_mesh(shop):
    missing = shop.named("exec", "web", "-c", "nobody", "--", "true", check=False)
    assert missing.returncode == 1 and "plait status --name shop" in missing.stderr, missing.stderr


def test_two_meshes_do_not_use_one_state_directory(shop, folder):
    second = Mesh(folder, shop.directory, name="second")
    second.env["PLAIT_STATE_DIR"] = str(shop.state)
    up = second.plait("up", str(shop.directory), "--name", "second", "--port", "0", check=False)
    assert up.returncode == 1 and f"another mesh uses the state directory {shop.state}\n  try: let PLAIT_STATE_DIR name another directory" in up.stderr
    assert not (folder / "run/plait/second").exists()
    shop.well()


def test_what_keeps_plaitd_from_starting_is_told_once(shop):
    key = shop.state / "ca/root-key.pem"
    whole, told = key.read_bytes(), lambda: shop.output.read_text()[before:]
    before = len(shop.output.read_text())
    starts = lambda: shop.named("logs", "plaitd").stdout.count("plaitd: ")
    already = starts()
    os.truncate(key, 100)
    try:
        shop.signal(shop.plaitd_pid(), "KILL")
        until(lambda: starts() - already >= 4, 40, "it has tried to start several times")
    finally:
        key.write_bytes(whole)
    until(lambda: shop.named("check", check=False).returncode == 0, 20, "it is well again")
    assert told().count("root-key.pem") == 1, told()
    ends = re.findall(r"plaitd ended with .*; it is started again \(plait logs --name shop plaitd\)", told())
    assert len(ends) == 2 == len(set(ends)), told()  # the signal, and the reason
