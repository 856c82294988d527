"""StatefulSets and Jobs: names, order, addresses of single pods, work that ends and its proxy with it."""
import pytest

import manifests as m
from mesh import Mesh, until

APP = m.APP


def stateful_set(name, command, replicas, probe):
    container = {"name": "app", "image": "none", "ports": [{"containerPort": 8080}], "readinessProbe": probe}
    return m.document("StatefulSet", name, {
        "serviceName": name, "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}, "annotations": {"plait.dev/exec.app": command}},
                     "spec": {"containers": [container]}}}, "apps/v1")


def job(name, script, **spec):
    return m.document("Job", name, {"template": {
        "metadata": {"annotations": {"plait.dev/exec.work": f'["sh", "-c", "{script}"]'}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "work", "image": "none"}]}}, **spec}, "batch/v1")


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "kinds"
    directory.mkdir()
    m.write(directory / "mesh.yaml", m.peer_authentication("STRICT"), m.deployment("caller", [APP, "client"]))
    mesh = Mesh(folder, directory, name="kinds")
    mesh.start()
    yield mesh
    mesh.stop()


@pytest.fixture(name="web", scope="module")
def fixture_web(mesh):
    """Three pods that are ready when they are told to be; what was seen on the way."""
    probe = {"exec": {"command": ["test", "-e", "/tmp/ready"]}, "periodSeconds": 1}
    m.write(mesh.directory / "web.yaml", m.service("web", {"http": 8080}, headless=True),
            stateful_set("web", f'["{APP}", "echo", "--port", "8080"]', 3, probe))
    seen = []
    for n in range(3):
        name = f"web-{n}"
        until(lambda: [p for p in mesh.pods("web") if p["name"] == name and p["phase"] == "Running"], 20, f"{name} runs")
        seen.append([(p["name"], p["ready"]) for p in mesh.pods("web")])
        until(lambda: mesh.exec(name, "touch", "/tmp/ready", check=False).returncode == 0, 10, f"{name} takes commands")
    until(lambda: all(p["ready"] for p in mesh.pods("web")), 20, "three pods are ready")
    return seen


def test_pods_of_a_stateful_set_start_one_after_the_other(web):
    assert web == [[("web-0", False)], [("web-0", True), ("web-1", False)], [("web-0", True), ("web-1", True), ("web-2", False)]]


@pytest.mark.parametrize("by", ["name", "address", "long name"])
def test_each_pod_is_reached_by_itself_with_mutual_tls(mesh, web, by):
    pod = next(p for p in mesh.pods("web") if p["name"] == "web-1")
    host = {"name": "web-1.web", "address": pod["ip"], "long name": "web-1.web.default.svc.cluster.local"}[by]
    report = mesh.load("caller", f"http://{host}:8080/", "--count", "1000", "--connections", "10", "--count-by", "x-app-pod")
    assert report["failed"] == 0 and report["by"] == {"web-1": 1000}


def test_a_headless_service_is_all_its_pods(mesh, web):
    answer = mesh.exec("caller", "getent", "ahostsv4", "web.default.svc.cluster.local").stdout
    assert {line.split()[0] for line in answer.splitlines()} == {p["ip"] for p in mesh.pods("web")}


def test_a_pod_of_a_stateful_set_keeps_its_name(mesh, web):
    assert mesh.exec("web-2", "hostname").stdout.strip() == "web-2"


def test_a_job_ends_by_itself_and_its_proxy_too(mesh, web):
    m.write(mesh.directory / "job.yaml", job("once", "curl -sf http://web-0.web:8080/ && echo worked"))
    pod = until(lambda: [p for p in mesh.pods("once") if p["phase"] == "Succeeded"], 30, "the job has ended")[0]
    until(lambda: mesh.proxy_pid(pod["name"]) == 0, 10, "its proxy has ended")
    assert "worked" in mesh.named("logs", pod["name"]).stdout
    line = next(line for line in mesh.named("status").stdout.splitlines() if pod["name"] in line)
    assert "Completed" in line
    assert mesh.status()["state"] == "ready", "work that is done is not missing"


def test_an_init_container_is_in_the_mesh_from_its_first_connection(mesh, web):
    """With Istio its traffic is without mutual TLS, or held back for ever: there is no proxy yet."""
    work = job("prepared", "cat /proc/uptime")
    template = work["spec"]["template"]
    template["metadata"]["annotations"]["plait.dev/exec.prepare"] = '["sh", "-c", "curl -sf http://web-0.web:8080/ && echo prepared"]'
    template["spec"]["initContainers"] = [{"name": "prepare", "image": "none"}]
    m.write(mesh.directory / "prepared.yaml", work)
    pod = until(lambda: [p for p in mesh.pods("prepared") if p["phase"] == "Succeeded"], 30, "the job has ended")[0]
    assert "prepared" in mesh.named("logs", pod["name"], "-c", "prepare").stdout, "under STRICT, so with mutual TLS"
    assert pod["restarts"] == 0


def test_a_job_that_fails_says_so(mesh):
    m.write(mesh.directory / "fails.yaml", job("fails", "echo no >&2; exit 3", backoffLimit=0))
    pod = until(lambda: [p for p in mesh.pods("fails") if p["phase"] == "Failed"], 30, "the job has failed")[0]
    assert "exit code 3" in pod["reason"]
    until(lambda: mesh.proxy_pid(pod["name"]) == 0, 10, "its proxy has ended")
    line = next(line for line in mesh.named("status").stdout.splitlines() if pod["name"] in line)
    assert "Error" in line


def test_a_job_with_completions_makes_that_many_pods(mesh):
    m.write(mesh.directory / "three.yaml", job("three", "true", completions=3, parallelism=1))
    until(lambda: [p["phase"] for p in mesh.pods("three")] == ["Succeeded"] * 3, 40, "three pods have succeeded")
