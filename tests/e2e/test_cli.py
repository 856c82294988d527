"""Each verb of the command line against a running mesh, in each output format, with its exit codes."""
import json

import pytest

from mesh import Mesh, until

FORMATS = ["table", "short", "json", "yaml"]
VERBS = [["status"], ["version"], ["ps"], ["proxy-status"], ["doctor"],
         *[[verb, kind, "productpage-v1"] for verb in ("pc", "proxy-config")
           for kind in ("cluster", "listener", "route", "endpoint", "secret")]]


@pytest.fixture(scope="module")
def used(bookinfo):
    """bookinfo after some visits: proxies have what the visits needed."""
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the page is there")
    for _ in range(30):  # one of five goes to v3, the others to v2
        bookinfo.get("/productpage")
    return bookinfo


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("form", FORMATS)
def test_every_verb_has_every_format(used, verb, form):
    out = used.plait(*verb, "--name", used.name, "-o", form).stdout
    assert out.endswith("\n")
    if form == "json":
        assert json.loads(out)
    elif form != "yaml":
        assert not out.startswith(("{", "["))
        assert len(out.splitlines()) > 1, "a table has a header and rows"


def test_short_is_the_table(used):
    assert used.named("pc", "listener", "details-v1", "-o", "short").stdout == used.named("pc", "listener", "details-v1").stdout


def rows(mesh, *arguments):
    return [line.split() for line in mesh.named(*arguments).stdout.splitlines()[1:]]


def test_status_has_a_row_for_each_workload_and_says_where_the_application_is(used):
    status = used.status()
    assert status["state"] == "ready" and status["mode"] == "rootless"
    assert status["url"].startswith("http://127.0.0.1:") and status["debug_url"].startswith("http://127.0.0.1:")
    for workload in status["workloads"]:
        assert workload["ready"] and workload["ip"].startswith("10.244.") and workload["namespace"]
        assert workload["pid"] > 0 or workload["name"].startswith("istio-ingressgateway")
    text = used.named("status").stdout
    assert status["url"] in text and "details-v1-0" in text


def test_ps_shows_every_proxy_synced(used):
    names = {w["name"] + "." + w["namespace"] for w in used.status()["workloads"]}
    table = rows(used, "ps")
    assert {row[0] for row in table} == names
    assert all("STALE" not in row and "NACK" not in row and "SYNCED" in row for row in table)


def test_pc_shows_what_the_proxy_uses(used):
    assert any(row[0] == "reviews.default.svc.cluster.local" and row[2] == "v2" for row in rows(used, "pc", "cluster", "productpage-v1"))
    reviews = next(w for w in used.status()["workloads"] if w["name"] == "reviews-v2-0")
    endpoints = rows(used, "pc", "endpoint", "productpage-v1")
    assert [reviews["ip"] + ":9080", "HEALTHY"] in [row[:2] for row in endpoints]
    assert any(row[0] == "9080" and row[-1] == "reviews.default" for row in rows(used, "pc", "route", "productpage-v1"))
    secrets = {row[0]: row for row in rows(used, "pc", "secret", "productpage-v1")}
    assert "ACTIVE" in secrets["default"] and "ACTIVE" in secrets["ROOTCA"]
    # No private key leaves a proxy.
    assert "PRIVATE KEY" not in used.named("pc", "secret", "productpage-v1", "-o", "json").stdout
    assert "http.80" in used.named("pc", "route", "istio-ingressgateway.istio-system").stdout


def test_workloads_are_found_by_pod_and_deployment_with_and_without_namespace(used):
    for name in ("details-v1", "details-v1-0", "details-v1.default", "details-v1-0.default"):
        assert used.exec(name, "hostname").stdout.strip() == "details-v1-0"
        assert used.named("logs", "-c", "istio-proxy", name).stdout
    for verb in (["exec", "details-v1.elsewhere", "--", "true"], ["logs", "details-v1.elsewhere"], ["pc", "c", "nobody"]):
        result = used.plait(*verb[:1], "--name", used.name, *verb[1:], check=False)
        assert result.returncode == 1 and "there is no workload" in result.stderr and "try:" in result.stderr


def test_logs_explain_a_denial_that_names_no_policy(used):
    assert used.exec("reviews-v1", "curl", "-s", "http://details:9080/details/0").stdout == "RBAC: access denied"
    log = until(lambda: [line for line in used.named("logs", "-c", "istio-proxy", "details-v1").stdout.splitlines()
                         if "ALLOW policies in scope" in line], 5, "the denial is in the log")
    assert "default/details-viewer rule[0]" in log[-1]
    # The file itself, and other containers, are as they were written.
    assert "ALLOW policies" not in used.named("logs", "details-v1").stdout


def test_logs_of_the_control_plane_and_the_supervisor_are_there(used):
    assert "connected: sidecar~" in used.named("logs", "plaitd").stdout
    assert used.named("logs", "supervisor", check=False).returncode == 0
    assert used.named("logs", "plaitd.plait-system").returncode == 0


def test_exec_passes_options_and_exit_codes_of_the_command_on(used):
    assert used.exec("details-v1", "sh", "-c", "exit 41", check=False).returncode == 41
    assert used.exec("details-v1", "sh", "-c", "kill -TERM $$", check=False).returncode == 128 + 15
    missing = used.exec("details-v1", "no-such-program", check=False)
    assert missing.returncode == 127 and "no-such-program" in missing.stderr
    assert used.exec("details-v1", "printf", "%s", "--name").stdout == "--name"
    # Found in the container's PATH, in which the programs beside plait are.
    assert used.exec("details-v1", "plait-demo-app", "--help").returncode == 0
    assert used.exec("details-v1", "curl", "-s", "http://127.0.0.1:15000/ready").stdout == "LIVE\n"


def test_exit_codes_without_a_mesh(folder):
    nobody = Mesh(folder, folder, name="nobody")
    for verb in (["status"], ["ps"], ["pc", "cluster", "x"], ["logs", "x"], ["down"]):
        result = nobody.plait(*verb[:1], "--name", "nobody", *verb[1:], check=False)
        assert result.returncode == 3 and "plait demo" in result.stderr, verb
    assert nobody.named("version").returncode == 0
    assert nobody.named("down", "--purge").returncode == 0
    for wrong in (["status", "-o", "xml"], ["pc", "weather", "x"], ["fly"], ["up"], ["up", "/nowhere"]):
        result = nobody.plait(*wrong, check=False)
        assert result.returncode == 2 and "plait" in result.stderr, wrong


def test_a_name_that_is_taken_is_the_answer_no(used):
    second = used.plait("up", str(used.directory), "--name", used.name, check=False)
    assert second.returncode == 1 and "is running already" in second.stderr and "plait down" in second.stderr
