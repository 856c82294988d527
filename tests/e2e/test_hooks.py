"""What a pod says of its containers' life and names: postStart and preStop, hostAliases, dnsPolicy and dnsConfig."""
import json
import re

import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP


def hooked(name, command=None, post_start=None, pre_stop=None, **pod):
    one = m.deployment(name, command or [APP, "echo", "--port", "8000"], account=name, ports=[8000],
                       probe=None if command else m.http_probe(8000))
    spec = one["spec"]["template"]["spec"]
    spec["containers"][0]["lifecycle"] = {key: value for key, value in (("postStart", post_start), ("preStop", pre_stop)) if value}
    spec.update(pod)
    return one


def sh(script):
    return {"exec": {"command": ["sh", "-c", script]}}


def get(mesh, workload, url):
    return json.loads(mesh.exec(workload, APP, "get", url, check=False).stdout or '{"status": 0}')["status"]


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "hooks"
    directory.mkdir()
    m.write(directory / "mesh.yaml", m.peer_authentication("STRICT"),
            *[m.account(name) for name in ("server", "named", "plain", "caller")],
            hooked("server"), m.service("server", {"http": 8000}),
            m.deployment("caller", [APP, "client"], account="caller"),
            hooked("named", [APP, "client"], hostAliases=[{"ip": "192.0.2.7", "hostnames": ["db.example.com", "db"]}],
                   dnsConfig={"searches": ["svc.cluster.local", "a.example"], "options": [{"name": "ndots", "value": "3"}]}),
            hooked("plain", [APP, "client"], dnsPolicy="None",
                   dnsConfig={"nameservers": ["192.0.2.53"], "options": [{"name": "timeout", "value": "1"}]}))
    mesh = Mesh(folder, directory, name="hooks")
    mesh.start()
    yield mesh
    mesh.stop()


def test_names_of_a_pod_are_as_it_says(mesh):
    hosts = mesh.exec("named", "getent", "hosts", "db").stdout.split()
    assert hosts == ["192.0.2.7", "db.example.com", "db"]
    conf = mesh.exec("named", "cat", "/etc/resolv.conf").stdout
    assert conf.splitlines()[1:] == ["search default.svc.cluster.local svc.cluster.local cluster.local a.example", "options ndots:3"]
    assert mesh.exec("plain", "cat", "/etc/resolv.conf").stdout.splitlines()[1:] == ["options timeout:1"]
    assert re.search(r"Deployment default/plain: nameservers are not honoured", mesh.output.read_text())
    assert get(mesh, "plain", "http://server.default.svc.cluster.local:8000/") == 200, "a whole name is known all the same"


def test_a_container_is_not_ready_before_its_post_start_has_ended(mesh):
    file = mesh.directory / "late.yaml"
    m.write(file, m.account("late"), hooked("late", post_start=sh("until [ -e /tmp/go ]; do sleep 0.05; done")))
    until(lambda: "postStart runs" in mesh.pods("late-0")[0]["reason"], 20, "its postStart runs")
    assert not mesh.pods("late-0")[0]["ready"]
    mesh.exec("late", "touch", "/tmp/go")
    until(lambda: mesh.pods("late-0")[0]["ready"], 20, "it is ready")
    file.unlink()
    until(lambda: not mesh.pods("late-0"), 20, "it is gone")


def test_a_container_whose_post_start_fails_is_ended_and_its_log_says_why(mesh):
    file = mesh.directory / "broken.yaml"
    # A status is no failure, as on Kubernetes; no connection is one.
    m.write(file, m.account("broken"), m.account("answered"),
            hooked("broken", [APP, "client"], post_start={"httpGet": {"port": 8001, "path": "/"}}),
            hooked("answered", post_start={"httpGet": {"port": 15021, "path": "/nothing"}}, pre_stop={"sleep": {"seconds": 1}}))
    until(lambda: "postStart failed" in mesh.pods("broken-0")[0]["reason"], 20, "it has failed")
    until(lambda: mesh.pods("answered-0")[0]["ready"], 20, "the other one is ready")
    assert "plait: postStart failed: " in mesh.named("logs", "-c", "app", "broken").stdout
    file.unlink()
    until(lambda: not mesh.pods("broken-0") and not mesh.pods("answered-0"), 20, "they are gone")


@pytest.mark.parametrize("grace", [30, 2])
def test_pre_stop_runs_while_the_pod_still_serves_and_calls_within_the_grace_period(mesh, grace):
    """It calls through the mesh, is called through the mesh, and has an end: the container is not asked to end before."""
    file = mesh.directory / "leaving.yaml"
    told = f"/tmp/told-{grace}"
    wait = f"until [ -e {told} ]; do sleep 0.05; done" if grace == 30 else "sleep 1000"
    script = f"{APP} get http://server:8000/bye-{grace} > /tmp/answer; {wait}"
    m.write(file, m.account("leaving"), m.service("leaving", {"http": 8000}),
            hooked("leaving", pre_stop=sh(script), terminationGracePeriodSeconds=grace))
    until(lambda: mesh.pods("leaving-0") and mesh.pods("leaving-0")[0]["ready"], 20, "it is ready")
    ip = mesh.pods("leaving-0")[0]["ip"]
    file.unlink()
    until(lambda: f"/bye-{grace} " in mesh.named("logs", "-c", "istio-proxy", "server").stdout, 20, "its preStop has called")
    if grace == 30:
        until(lambda: json.loads(mesh.exec("leaving-0", "cat", "/tmp/answer").stdout)["status"] == 200, 10, "it was answered")
        assert get(mesh, "caller", f"http://{ip}:8000/") == 200, "it still serves"
        mesh.exec("leaving-0", "touch", told)
    until(lambda: not mesh.pods("leaving-0"), 20, "it is gone")
