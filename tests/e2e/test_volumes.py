"""Volumes as manifests write them: emptyDir, ConfigMaps and Secrets as files of real workloads."""
import base64
import os

import pytest

import manifests as m
from mesh import Mesh, until

LOGO = base64.b64encode(b"\x89PNG\0").decode()


def config_map(color):
    return {**m.document("ConfigMap", "settings", None), "data": {"app.conf": f"color = {color}\n"}, "binaryData": {"logo": LOGO}}


def workload():
    app = m.deployment("app", [m.APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000))
    spec = app["spec"]["template"]["spec"]
    # As Istio's own bookinfo: a place that no host has, and /tmp.
    mounts = [("scratch", "/opt/ibm/wlp/output"), ("tmp", "/tmp"), ("settings", "/etc/app"), ("keys", "/var/run/keys")]
    spec["containers"][0]["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in mounts]
    spec["containers"].append({"name": "beside", "image": "none", "volumeMounts": [
        {"name": "scratch", "mountPath": "/scratch"}, {"name": "settings", "mountPath": "/etc/app.conf", "subPath": "app.conf"},
        {"name": "disk", "mountPath": "/disk"}]})
    app["spec"]["template"]["metadata"]["annotations"]["plait.dev/exec.beside"] = '["sleep", "100000"]'
    spec["volumes"] = [
        {"name": "scratch", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys", "items": [{"key": "token", "path": "api/token", "mode": 0o400}]}},
        {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]
    return app


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "volumes"
    directory.mkdir()
    m.write(directory / "settings.yaml", config_map("red"))
    m.write(directory / "app.yaml", {**m.document("Secret", "keys", None), "stringData": {"token": "t0ken", "other": "o"}}, workload())
    mesh = Mesh(folder, directory, name="volumes").start()
    yield mesh
    mesh.stop()


def sh(mesh, script, container="app"):
    return mesh.named("exec", "-c", container, "app", "--", "sh", "-c", script).stdout


def test_containers_see_config_maps_secrets_and_each_others_files(mesh):
    assert sh(mesh, "cat /etc/app/app.conf; base64 /etc/app/logo; ls -R /var/run/keys/api; stat -c %a /var/run/keys/api/token") == \
        f"color = red\n{LOGO}\n/var/run/keys/api:\ntoken\n400\n"
    assert sh(mesh, "cat /var/run/keys/api/token") == "t0ken"
    sh(mesh, "echo hello >/opt/ibm/wlp/output/x; echo mine >/tmp/x")
    assert sh(mesh, "cat /scratch/x /etc/app.conf; test -e /tmp/x || echo none", "beside") == "hello\ncolor = red\nnone\n"
    assert not os.path.exists("/opt/ibm/wlp/output"), "the host's folders are as they were"
    told = mesh.output.read_text()
    assert told.count("volumes are not mounted when the pod runs as a process: disk (persistentVolumeClaim)") <= 1


def test_an_edited_config_map_replaces_the_pods_that_mount_it(mesh):
    pid = mesh.pods("app")[0]["pid"]
    m.write(mesh.directory / "settings.yaml", config_map("blue"))
    until(lambda: sh(mesh, "cat /etc/app/app.conf") == "color = blue\n", 30, "the new text")
    until(lambda: [pod["ready"] for pod in mesh.pods("app")] == [True] and mesh.pods("app")[0]["pid"] != pid, 30, "another pod")
