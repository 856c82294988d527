"""initContainers: their order, sidecars among them (restartPolicy Always), and what their failure means."""
from local_mesh import GATEWAY, pod, until, web


def init(name, script, **more):
    return {"name": name, "argv": ["sh", "-c", script], "env": [], "ports": [], **more}


def with_init(name, script, *containers, **more):
    return pod(name, ["sh", "-c", script], init_containers=list(containers), **more)


def states(workload):
    return {c["name"]: c["state"] for c in workload["init_containers"] + workload["containers"]}


WAITS = "until test -e /tmp/go; do sleep 0.05; done; echo went"
SERVES = "trap 'date +%s%N; exit 0' TERM; echo up; while :; do sleep 0.05; done"


def test_they_run_one_after_the_other_before_the_application(local):
    local.want(with_init("a-0", "echo app; exec sleep 1000", init("first", WAITS), init("second", "echo 2; exec sleep 0")))
    local.start()
    until(lambda: local.workload("a-0")["reason"] == "init container first runs", 10, "the reason")
    assert states(local.workload("a-0")) == {"first": "running", "second": "waiting", "main": "waiting"}
    assert local.workload("a-0")["phase"] == "Pending" and local.status()["state"] == "starting"
    local.plait("exec", "a-0", "-c", "first", "--", "touch", "/tmp/go")
    until(lambda: local.workload("a-0")["ready"], 10, "ready")
    assert states(local.workload("a-0")) == {"first": "ended", "second": "ended", "main": "running"}
    assert local.plait("logs", "a-0", "-c", "first").stdout == "went\n" and local.logs("a-0") == "app\n"
    assert "2/2" in next(line for line in local.plait("status").stdout.splitlines() if "a-0" in line)


def test_one_that_fails_is_tried_again_or_fails_the_pod_as_its_policy_says(local):
    local.want(web("web-0"), with_init("never-0", "echo app", init("bad", "exit 3"), restart_policy="Never"),
               with_init("retried-0", "echo app; exec sleep 1000", init("bad", "exit 3")))
    local.start()
    until(lambda: local.workload("never-0")["phase"] == "Failed", 10, "it has failed")
    assert local.workload("never-0")["reason"] == "bad: ended with exit code 3"
    assert states(local.workload("never-0"))["main"] == "waiting", "the application is never started"
    until(lambda: local.workload("never-0")["proxy_pid"] == 0, 10, "its proxy has ended")
    until(lambda: local.workload("retried-0")["restarts"] >= 2, 10, "it is tried again")
    assert states(local.workload("retried-0"))["main"] == "waiting"
    assert "bad: ended with exit code 3" in local.workload("retried-0")["reason"]
    local.want(web("web-0"))
    until(lambda: [w["name"] for w in local.status()["workloads"]] == ["web-0"], 10, "both are removed")


def test_a_sidecar_has_started_before_the_application_and_ends_after_it(local):
    started = {"kind": "exec", "argv": ["test", "-e", "/tmp/go"], "period_ms": 100, "failure_threshold": 100}
    beside = init("beside", SERVES, sidecar=True, startup=started)
    local.want(with_init("a-0", "trap 'sleep 0.3; date +%s%N; exit 0' TERM; echo up; while :; do sleep 0.05; done", beside))
    local.start()
    until(lambda: states(local.workload("a-0")) == {"beside": "running", "main": "waiting"}, 10, "the sidecar starts")
    local.plait("exec", "a-0", "-c", "beside", "--", "touch", "/tmp/go")
    until(lambda: local.workload("a-0")["ready"], 10, "ready")
    assert "3/3" in next(line for line in local.plait("status").stdout.splitlines() if "a-0" in line)
    until(lambda: local.logs("a-0") == "up\n", 5, "the application runs")
    logs = local.folder / "run/plait/default/logs/default/a-0"
    local.want()
    until(lambda: not local.status()["workloads"], 10, "it has gone")
    ends = [int((logs / f"{name}.log").read_text().split()[1]) for name in ("main", "beside")]
    assert ends[0] < ends[1]


def test_a_sidecar_is_restarted_and_does_not_keep_work_from_being_done(local):
    local.want(web("web-0"), with_init("work-0", WAITS, init("beside", SERVES, sidecar=True), restart_policy="Never"))
    local.start()
    until(lambda: states(local.workload("work-0")) == {"beside": "running", "main": "running"}, 10, "both run")
    local.plait("exec", "work-0", "-c", "beside", "--", "sh", "-c", "kill -KILL -1", check=False)
    until(lambda: local.workload("work-0")["restarts"] == 1, 10, "the sidecar is restarted")
    until(lambda: states(local.workload("work-0"))["beside"] == "running", 10, "it runs again")
    local.sh("work-0", "touch /tmp/go")
    until(lambda: local.workload("work-0")["phase"] == "Succeeded", 10, "the work is done")
    assert states(local.workload("work-0")) == {"beside": "ended", "main": "ended"}
    until(lambda: local.workload("work-0")["proxy_pid"] == 0, 10, "its proxy has ended")


def test_a_sidecar_of_a_gateway_stays_beside_its_proxy_until_the_gateway_goes(local):
    gateway = {**GATEWAY, "init_containers": [init("beside", SERVES, sidecar=True)]}
    local.want(web("web-0"), gateway, gateway_ports=[80])
    local.up()
    name = gateway["name"]
    assert states(local.workload(name)) == {"beside": "running"} and local.workload(name)["restarts"] == 0
    assert local.plait("exec", name, "-c", "beside", "--", "echo", "inside").stdout == "inside\n"
    local.want(web("web-0"))
    until(lambda: [w["name"] for w in local.status()["workloads"]] == ["web-0"], 10, "it has gone")
