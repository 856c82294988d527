"""Workloads without a proxy: services by address and by name, and nothing under STRICT."""
import pytest

from mesh import Mesh, until

SERVER = """
apiVersion: v1
kind: Service
metadata: {name: NAME}
spec: {selector: {app: NAME}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: NAME-pods}
spec: {clusterIP: None, selector: {app: NAME}, ports: [{name: http, port: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: NAME}}
  template:
    metadata:
      labels: {app: NAME}
      annotations: {sidecar.istio.io/inject: "INJECT", plait.dev/exec.c: '["python3", "-m", "http.server", "8080", "--bind", "::"]'}
    spec:
      subdomain: NAME-pods
      containers: [{name: c, image: x, ports: [{containerPort: 8080}], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}]
"""


def server(directory, name, inject, replicas):
    text = SERVER.replace("NAME", name).replace("INJECT", inject).replace("REPLICAS", str(replicas))
    (directory / f"{name}.new").write_text(text)
    (directory / f"{name}.new").rename(directory / f"{name}.yaml")


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "plain"
    directory.mkdir()
    server(directory, "meshed", "true", 1)
    server(directory, "plain", "false", 2)
    mesh = Mesh(folder, directory)
    mesh.start()
    yield mesh
    mesh.stop()


def calls(mesh, workload, url, times):
    script = f"for i in $(seq {times}); do curl -sS --max-time 5 {url}/etc/hostname || echo failed; done"
    return mesh.exec(workload, "sh", "-c", script).stdout.split()


def test_a_service_is_reached_by_its_name_and_spreads(mesh):
    assert set(calls(mesh, "plain-0", "http://plain", 40)) == {"plain-0", "plain-1"}
    assert set(calls(mesh, "plain-0", "http://plain-1.plain-pods:8080", 1)) == {"plain-1"}


def test_names_of_pods_and_names_that_are_none(mesh):
    found = mesh.exec("plain-0", "getent", "ahosts", "plain-pods").stdout
    assert {ip for w in mesh.status()["workloads"] if w["name"].startswith("plain-") for ip in w["ips"]} <= set(found.split())
    assert mesh.exec("plain-0", "getent", "ahosts", "nobody.default.svc.cluster.local", check=False).returncode == 2


def test_a_meshed_workload_reaches_one_without_proxy_and_not_the_reverse_under_strict(mesh):
    assert set(calls(mesh, "meshed-0", "http://plain", 4)) <= {"plain-0", "plain-1"}
    assert calls(mesh, "plain-0", "http://meshed", 1) == ["failed"]


def test_a_pod_that_goes_fails_no_call(mesh):
    server(mesh.directory, "plain", "false", 1)
    answers = calls(mesh, "plain-0", "http://plain", 200)
    assert "failed" not in answers, answers.count("failed")
    until(lambda: set(calls(mesh, "plain-0", "http://plain", 10)) == {"plain-0"}, 10, "one endpoint is left")
