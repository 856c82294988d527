"""What a pod's specification says and a process must feel: probes, variables, arguments, grace period, logs."""
import subprocess

from local_mesh import pod, until, web


def probe(kind, **more):
    return {"kind": kind, "period_ms": 200, "timeout_ms": 2000, **more}


def files(name, port=8080, **probes):
    """Serves its /tmp."""
    return pod(name, ["python3", "-m", "http.server", str(port), "--bind", "::", "--directory", "/tmp"], container=probes)


def test_readiness_asks_the_application_and_not_its_proxy(local):
    local.want(files("a-0", readiness=probe("http", port=8080, path="/ready", failure_threshold=1)))
    local.start()
    until(lambda: "HTTP status 404" in local.workload("a-0")["reason"], 10, "the reason is the application's answer")
    assert not local.workload("a-0")["ready"]
    local.sh("a-0", "touch /tmp/ready")
    until(lambda: local.workload("a-0")["ready"], 10, "ready")
    assert local.workload("a-0")["reason"] == ""
    local.sh("a-0", "rm /tmp/ready")
    until(lambda: not local.workload("a-0")["ready"], 10, "not ready any more")


def test_probes_of_every_kind_pass_the_capture(local):
    local.want(files("tcp-0", readiness=probe("tcp", port=8080)), files("exec-0", readiness=probe("exec", argv=["test", "-d", "/tmp"])),
               files("none-0", readiness=probe("tcp", port=8081)), files("false-0", readiness=probe("exec", argv=["false"])))
    local.start()
    until(lambda: local.workload("tcp-0")["ready"] and local.workload("exec-0")["ready"], 10, "ready")
    assert not local.workload("none-0")["ready"], "a proxy would have taken the connection"
    until(lambda: "exit code 1" in local.workload("false-0")["reason"], 10, "the reason")


def test_an_exec_probe_that_hangs_is_ended(local):
    local.want(files("a-0", readiness=probe("exec", argv=["sleep", "4321"], timeout_ms=200)))
    local.start()
    until(lambda: "no answer" in local.workload("a-0")["reason"], 10, "it failed")
    assert sum("sleep 4321" in line for line in local.leftovers()) <= 1


def test_a_failed_liveness_probe_restarts_the_container(local):
    container = {"liveness": probe("exec", argv=["test", "!", "-e", "/tmp/sick"], failure_threshold=2)}
    local.want(pod("a-0", ["sh", "-c", "rm -f /tmp/sick; echo up; exec sleep 1000"], container=container))
    local.up()
    local.sh("a-0", "touch /tmp/sick")
    until(lambda: local.workload("a-0")["restarts"] == 1 and local.workload("a-0")["ready"], 15, "restarted")
    assert "liveness probe failed" in local.logs("a-0") and local.logs("a-0").count("up\n") == 2


def test_a_container_whose_startup_probe_never_succeeds_is_restarted(local):
    container = {"startup": probe("exec", argv=["test", "-e", "/tmp/started"], failure_threshold=3),
                 "liveness": probe("exec", argv=["false"], failure_threshold=1)}
    local.want(pod("a-0", ["sh", "-c", "echo up; exec sleep 1000"], container=container))
    local.start()
    until(lambda: local.workload("a-0")["restarts"] >= 1, 15, "restarted")
    log = local.logs("a-0")
    assert "startup probe failed" in log and "liveness probe" not in log


def test_variables_and_arguments_are_expanded(local):
    env = [{"name": "WHO", "field": "metadata.name"}, {"name": "IP", "field": "status.podIP"},
           {"name": "APP", "field": "metadata.labels['app']"}, {"name": "SA", "field": "spec.serviceAccountName"},
           {"name": "URL", "value": "http://$(IP)/$(WHO)/$(APP)/$(NOBODY)/$$(IP)"}]
    local.want(pod("a-0", ["sh", "-c", "echo URL $(URL) ARG $0 SA $SA; exec sleep 1000", "$(WHO)"], container={"env": env}))
    local.up()
    ip = local.workload("a-0")["ip"]
    until(lambda: f"http://{ip}/a-0/a-0/$(NOBODY)/$(IP)" in local.sh("a-0", "echo $URL").stdout, 5, "the variable")
    assert "ARG a-0 SA default" in local.logs("a-0")


def test_the_grace_period_is_kept_and_then_over(local):
    polite = pod("polite-0", ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"])
    deaf = pod("deaf-0", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"], grace_seconds=1)
    local.want(polite, deaf)
    local.up()
    until(lambda: "up" in local.logs("polite-0") and "up" in local.logs("deaf-0"), 5, "both run")
    follow = subprocess.Popen(local.command("logs", "-f", "polite-0", "-c", "main"), env=local.env, stdout=subprocess.PIPE, text=True)
    local.want()
    until(lambda: not local.status()["workloads"], 10, "both have gone")
    follow.terminate()
    assert "bye" in follow.communicate(timeout=10)[0]
    assert not [line for line in local.leftovers() if "trap" in line]


def test_port_80_binds_and_etc_is_the_pods_own(local):
    local.want(web("a-0", 80, hostname="web", subdomain="sub"))
    local.up()
    etc = local.sh("a-0", "cat /etc/hostname /etc/hosts /etc/resolv.conf /etc/nsswitch.conf; id -u; cat /proc/sys/net/ipv4/ip_unprivileged_port_start").stdout
    a = local.workload("a-0")
    assert f"{a['ip']}\tweb.sub.default.svc.cluster.local\tweb\n" in etc and "hosts: files dns" in etc
    assert "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5" in etc
    assert etc.endswith("1000\n0\n")


def test_a_log_is_rotated_at_line_ends(local):
    script = "yes a-line-of-thirty-two-characters | head -c 11000000; echo; echo last; exec sleep 1000"
    local.want(pod("a-0", ["sh", "-c", script]))
    local.up()
    until(lambda: local.logs("a-0").endswith("last\n"), 20, "all is written")
    log = local.folder / "run/plait/default/logs/default/a-0/main.log"
    old = log.with_suffix(".log.1")
    assert 10_000_000 < old.stat().st_size < 10_700_000 and log.stat().st_size < 2_000_000
    assert old.read_text().endswith("a-line-of-thirty-two-characters\n") and log.read_text().startswith("a-line")


def test_one_that_writes_without_end_holds_up_nobody(local):
    local.want(web("web-0"), pod("a-0", ["sh", "-c", "exec yes a-line-of-thirty-two-characters"]))
    local.up()
    log = local.folder / "run/plait/default/logs/default/a-0/main.log"
    until(log.with_suffix(".log.1").exists, 20, "the log is rotated")
    assert local.sh("web-0", "echo fine").stdout == "fine\n"
    local.plait("down")
    local.process.wait(20)


def test_work_that_ends_takes_its_proxy_with_it_and_counts_as_done(local):
    local.want(web("a-0"), pod("done-0", ["sh", "-c", "echo worked"], restart_policy="Never"))
    local.up()  # a mesh with work that is done is ready
    until(lambda: local.workload("done-0")["phase"] == "Succeeded" and local.workload("done-0")["proxy_pid"] == 0, 10, "all of it has ended")
    done = local.workload("done-0")
    assert (done["ready"], done["restarts"], done["containers"][0]["state"]) == (False, 0, "ended")
    assert "worked" in local.logs("done-0")
    assert "Completed" in next(line for line in local.plait("status").stdout.splitlines() if "done-0" in line)
    local.want(web("a-0"))
    until(lambda: [w["name"] for w in local.status()["workloads"]] == ["a-0"], 10, "it is removed as any other")


def test_work_that_ends_takes_its_envoy_and_the_proxy_beside_it_with_it(local):
    local.want(web("a-0"), pod("done-0", ["sh", "-c", "echo worked"], restart_policy="Never", annotations={"plait.dev/proxy": "envoy"}))
    local.up()
    until(lambda: local.workload("done-0")["phase"] == "Succeeded" and local.workload("done-0")["proxy_pid"] == 0, 10, "all of it has ended")
    until(lambda: not any("envoy.yaml" in line or "--identity-only" in line for line in local.leftovers()), 10, "both have ended")
    local.want(web("a-0"))
    until(lambda: [w["name"] for w in local.status()["workloads"]] == ["a-0"], 10, "it is removed as any other")


def test_work_that_fails_is_tried_again_as_its_policy_says(local):
    local.want(pod("never-0", ["sh", "-c", "exit 3"], restart_policy="Never"),
               pod("retried-0", ["sh", "-c", "exit 3"], restart_policy="OnFailure"))
    local.start()
    until(lambda: local.workload("never-0")["phase"] == "Failed", 10, "it has failed")
    assert local.workload("never-0")["restarts"] == 0 and "exit code 3" in local.workload("never-0")["reason"]
    assert "Error" in next(line for line in local.plait("status").stdout.splitlines() if "never-0" in line)
    until(lambda: local.workload("retried-0")["restarts"] >= 2, 10, "it is tried again")
