"""`plait test` and `plait demo --test`: the mesh proves with numbers what it claims, as an unprivileged user."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from mesh import BIN, Mesh, leftovers_of, nothing_runs, unprivileged, until

CHECKS = ["mTLS", "traffic split", "authz", "retries", "metrics", "rotation"]


def checks_of(result):
    report = json.loads(result.stdout)
    return report, {check["description"]: check for check in report["categories"][0]["checks"]}


def start(mesh, *arguments):
    """`plait test` that runs beside the test."""
    return subprocess.Popen(unprivileged([str(BIN / "plait"), "test", "--name", mesh.name, *arguments]), env=mesh.env,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def overlay(mesh):
    return os.listdir(os.path.join(mesh.status()["run_dir"], "overlay"))


def in_test_namespace(mesh):
    return [w["name"] for w in mesh.status()["workloads"] if w["namespace"] == "plait-test"]


@pytest.mark.short
def test_every_check_passes_with_its_numbers_and_nothing_stays(bookinfo):
    result = bookinfo.named("test", "-o", "json", check=False, timeout=90)
    assert result.returncode == 0, result.stdout + result.stderr
    report, checks = checks_of(result)
    assert report["success"] and list(checks) == CHECKS
    assert all(check["result"] == "success" for check in checks.values())

    mtls = checks["mTLS"]["numbers"]
    assert mtls["mutual_tls"] == mtls["in_mesh"] >= 300
    assert mtls["plaintext_tried"] >= 6 and mtls["plaintext_answered"] == 0  # both families
    split = checks["traffic split"]["numbers"]
    assert split["requests"] == 2000 and split["failed"] == 0 and 76 <= split["v1_percent"] <= 84
    authz = checks["authz"]
    assert authz["numbers"] == {"denied_status": 403, "allowed_status": 200}
    assert "AuthorizationPolicy no-strangers rule[0]" in authz["detail"]
    retries = checks["retries"]["numbers"]
    assert retries["success_percent"] == 100 and retries["success_percent_without"] == 90
    metrics = checks["metrics"]["numbers"]
    assert metrics["client"] == metrics["source_reporter"] == metrics["destination_reporter"] == 500
    rotation = checks["rotation"]["numbers"]
    assert rotation["replaced"] == rotation["proxies"] == 3 and rotation["failed"] == 0 and rotation["requests"] > 500

    assert not in_test_namespace(bookinfo) and not overlay(bookinfo)


def test_the_table_has_a_line_for_each_check(bookinfo):
    result = bookinfo.named("test", check=False, timeout=90)
    assert result.returncode == 0, result.stdout + result.stderr
    names = [re.match(r"  (?:✓|ok) (.*?)  ", line)[1] for line in result.stdout.splitlines()]
    assert names == CHECKS
    assert "6 of 6 checks passed" in result.stderr


def test_an_interrupted_test_leaves_nothing_in_the_mesh(bookinfo):
    process = start(bookinfo)
    until(lambda: in_test_namespace(bookinfo), 10, "the workloads of the test start")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert not in_test_namespace(bookinfo) and not overlay(bookinfo)
    assert process.returncode == 130, err
    assert err.endswith("plait test: interrupted; its workloads are being removed (Ctrl-C again: do not wait)\n"
                        "plait test: its workloads are removed\n"), err
    assert bookinfo.get("/productpage")[0] == 200


def test_a_second_interrupt_does_not_wait_and_says_what_still_runs(bookinfo):
    process = start(bookinfo)
    until(lambda: in_test_namespace(bookinfo), 10, "the workloads of the test start")
    with bookinfo.stopped(bookinfo.plaitd_pid()):  # nothing is removed as long as it hangs
        process.send_signal(signal.SIGINT)
        assert "starting" in process.stderr.readline() and "being removed" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert process.returncode == 130 and in_test_namespace(bookinfo), err
    assert err == ("plait test: its workloads are still being removed\n"
                   "  try: plait status\n"), err
    until(lambda: not in_test_namespace(bookinfo), 15, "the workloads of the test are gone")


def test_an_interrupted_test_that_keeps_its_workloads_says_so(bookinfo):
    process = start(bookinfo, "--keep")
    until(lambda: in_test_namespace(bookinfo), 10, "the workloads of the test start")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    try:
        assert process.returncode == 130 and overlay(bookinfo)
        assert err.endswith("plait test: interrupted; its workloads stay in namespace plait-test\n"), err
    finally:
        for name in overlay(bookinfo):
            os.unlink(os.path.join(bookinfo.status()["run_dir"], "overlay", name))
    until(lambda: not in_test_namespace(bookinfo), 15, "the workloads of the test are gone")


def test_a_second_test_of_the_same_mesh_says_so(bookinfo):
    first = start(bookinfo)
    try:
        until(lambda: overlay(bookinfo), 10, "the first test has begun")
        second = bookinfo.named("test", check=False)
        assert second.returncode == 1 and "another `plait test`" in second.stderr
    finally:
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=30)


def test_a_failed_check_gives_exit_code_1_and_a_next_step(bookinfo):
    """A policy of the mesh that denies everything in it: the test cannot pass, and says where to look."""
    policy = bookinfo.directory / "deny-all.yaml"
    policy.write_text("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
                      "metadata: {name: deny-all, namespace: istio-system}\nspec: {action: DENY, rules: [{}]}\n")
    try:
        until(lambda: bookinfo.get("/productpage")[0] == 403, 10, "the policy is in force")
        result = bookinfo.named("test", check=False, timeout=90)
        assert result.returncode == 1
        assert "try:" in result.stderr
        assert not overlay(bookinfo)
    finally:
        policy.unlink()
    until(lambda: bookinfo.get("/productpage")[0] == 200, 10, "the policy is gone")
    until(lambda: not in_test_namespace(bookinfo), 15, "the workloads of the test are gone")


def test_without_a_mesh_it_exits_with_3(folder):
    result = Mesh(folder, folder, name="nobody").named("test", check=False)
    assert result.returncode == 3
    assert "no mesh" in result.stderr and "plait demo" in result.stderr


def test_wrong_usage_exits_with_2(folder):
    mesh = Mesh(folder, folder, name="nobody")
    assert mesh.named("test", "--nonsense", check=False).returncode == 2
    assert mesh.named("test", "-o", "xml", check=False).returncode == 2
    assert mesh.plait("demo", "--test", "--detach", "--name", "nobody", check=False).returncode == 2


@pytest.mark.short
def test_demo_proves_itself_within_45_seconds_and_leaves_nothing_behind(folder):
    mesh = Mesh(folder, folder, name="proof")
    begun = time.monotonic()
    result = mesh.named("demo", "--test", "--port", "0", "-o", "json", check=False, timeout=100)
    took = time.monotonic() - begun
    assert result.returncode == 0, result.stdout + result.stderr + mesh.tail()
    report, checks = checks_of(result)
    assert report["success"] and list(checks) == CHECKS + ["page"]
    assert checks["page"]["numbers"]["pages"] == 4
    assert took < 45
    nothing_runs(found=lambda: leftovers_of(mesh))
    assert not mesh.state.exists()


def test_an_interrupted_demo_ends_the_mesh_with_130(folder):
    mesh = Mesh(folder, folder, name="broken-off")
    command = [str(BIN / "plait"), "demo", "--test", "--port", "0", "--name", mesh.name]
    process = subprocess.Popen(unprivileged(command), env=mesh.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    until(lambda: in_test_namespace(mesh), 30, "the demo tests itself")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=45)
    assert process.returncode == 130, err
    nothing_runs(found=lambda: leftovers_of(mesh))
    assert mesh.named("status", check=False).returncode == 3 and not mesh.state.exists()
