"""What goes over the wire between plaitd and the proxies: only what changed, only to those who use it, and never more for
a sidecar when the mesh grows."""
import contextlib
import json
import pathlib
import re
import subprocess
import sys

import pytest

import manifests as m
from authority import Authority
from mesh import Mesh, stopped_on_failure, until

APP = m.APP


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "xds"
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            *[m.account(name) for name in ("used", "unused", "client")],
            m.service("used", {"http": 8000}),
            m.deployment("unused", [APP, "echo", "--port", "8001"], account="unused", ports=[8001], probe=m.http_probe(8001)),
            m.service("unused", {"http": 8001}),
            *[m.service(f"few-{n}", {"http": 8000}, {"app": "nobody"}) for n in range(8)],
            m.deployment("client", [APP, "client"], account="client"),
            m.deployment("plain", [APP, "client"], inject=False))  # the mesh's DNS for such pods is there from the start
    write_used(directory)
    m.write(directory / "route.yaml", route("start"))
    mesh = Mesh(folder, directory, name="xds").start()
    with stopped_on_failure(mesh.stop):
        assert mesh.load("client", "http://used:8000/", "--count", "20")["failed"] == 0
    yield mesh
    mesh.stop()


def write_used(directory, labels=None, **options):
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/unready"]}, "periodSeconds": 1, "failureThreshold": 1}
    m.write(directory / "used.yaml", m.deployment(
        "used", [APP, "echo", "--port", "8000"], labels=labels or {"app": "used"}, account="used", ports=[8000], probe=probe, **options))


def route(value):
    return m.virtual_service("used", {"hosts": ["used"], "http": [
        {"headers": {"response": {"set": {"x-rule": value}}}, "route": [{"destination": {"host": "used"}}]}]})


def section(mesh, workload, resource):
    text = mesh.admin(workload, f"/config_dump?resource={resource}&include_eds")
    return json.loads(text)["configs"]


def listeners(mesh):
    """With their versions, which are made of the bytes that plaitd sent."""
    return json.dumps([entry["active_state"] for entry in section(mesh, "client", "dynamic_listeners")], sort_keys=True)


def debug(mesh, path):
    import urllib.request
    with urllib.request.urlopen(mesh.status()["debug_url"] + path, timeout=10) as answer:
        return answer.read().decode()


def sent(mesh):
    """Resources sent so far, by type."""
    return {kind: float(value) for kind, value in
            re.findall(r'^pilot_xds_resources_sent\{type="(\w+)"\} (\S+)$', debug(mesh, "/metrics"), re.MULTILINE)}


def settled(mesh):
    """The counts once nothing is on its way."""
    last = None
    def same():
        nonlocal last
        now, last = sent(mesh), last
        quiet, last = now == last, now
        return quiet and now
    return until(same, 10, "nothing more is sent")


def test_only_destinations_that_are_used_have_clusters_and_endpoints(mesh):
    clusters = {entry["cluster"]["name"] for entry in section(mesh, "client", "dynamic_active_clusters")}
    assert {name for name in clusters if name.startswith("outbound|")} == {"outbound|8000||used.default.svc.cluster.local"}
    endpoints = {entry["endpoint_config"]["cluster_name"] for entry in section(mesh, "client", "dynamic_endpoint_configs")}
    assert endpoints == {"outbound|8000||used.default.svc.cluster.local"}


def difference(before, after):
    return {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)}


def test_editing_one_virtual_service_sends_one_route_configuration(mesh):
    before = settled(mesh)
    m.write(mesh.directory / "route.yaml", route("edited"))
    until(lambda: set(mesh.load("client", "http://used:8000/", "--count", "2", "--count-by", "x-rule")["by"]) == {"edited"}, 5, "the edit is live")
    assert difference(before, settled(mesh)) == {"rds": 1}


def told(mesh, workload="client"):
    """Resources and removals that the workload's proxy was sent so far on its stream, by type."""
    proxy = next(one for one in json.loads(debug(mesh, "/debug/syncz")) if one["proxy"].startswith(workload))
    assert all(kind["synced"] for kind in proxy["types"].values())
    return {key: kind[count] for name, kind in proxy["types"].items()
            for key, count in ((name.rsplit(".", 1)[1], "resources_sent"), ("removed " + name.rsplit(".", 1)[1], "removals_sent"))}


def changes(mesh, edit, done):
    """What the client's proxy is told of an edit, once everything that follows from it has happened."""
    in_sync = lambda: until(lambda: told(mesh), 10, "the client's proxy has acknowledged everything")
    before = in_sync()
    edit()
    until(done, 20, "the edit has its effect")
    settled(mesh)
    return difference(before, in_sync())


def pods(mesh):
    return sorted((pod["name"], pod["ready"]) for pod in mesh.pods("used"))


def addresses_of(mesh):
    """Pods of `used` that the client's proxy knows by their address: also those that are still being stopped."""
    return [entry["name"] for entry in section(mesh, "client", "dynamic_addresses") if "/Pod/default/used-" in entry["name"]]


def test_one_pod_more_or_less_sends_one_endpoint_resource_and_one_address(mesh):
    scale = lambda count: lambda: write_used(mesh.directory, replicas=count)
    two = lambda: pods(mesh) == [("used-0", True), ("used-1", True)] and len(endpoints_of(mesh)) == 2
    assert changes(mesh, scale(2), two) == {"ClusterLoadAssignment": 1, "Address": 1}
    one = lambda: pods(mesh) == [("used-0", True)] and len(endpoints_of(mesh)) == len(addresses_of(mesh)) == 1
    assert changes(mesh, scale(1), one) == {"ClusterLoadAssignment": 1, "removed Address": 1}


def test_a_pod_that_is_not_ready_sends_one_endpoint_resource(mesh):
    """Its address stays what it was: it is still the same workload, that may call others."""
    marker = lambda command: lambda: mesh.exec("used-0", *command, "/tmp/unready")
    gone = lambda: pods(mesh) == [("used-0", False)] and not endpoints_of(mesh)
    assert changes(mesh, marker(["touch"]), gone) == {"ClusterLoadAssignment": 1}
    back = lambda: pods(mesh) == [("used-0", True)] and len(endpoints_of(mesh)) == 1
    assert changes(mesh, marker(["rm"]), back) == {"ClusterLoadAssignment": 1}


@contextlib.contextmanager
def raw_stream(mesh, folder):
    """A second stream of the client's identity, subscribed as its proxy is; yields what came since it was last asked:
    {(type, "resources" or "removed"): names}."""
    certificate = Authority.of(mesh).issue(folder / "raw.pem", "spiffe://cluster.local/ns/default/sa/client")
    pod = mesh.pods("client")[0]
    names = {"lds": [], "rds": [entry["route_config"]["name"] for entry in section(mesh, "client", "dynamic_route_configs")],
             "cds": [USED], "eds": [USED], "wads": ["*"]}
    assert "8000" in names["rds"]
    node = {"account": "client", "namespace": "default", "pod": pod["name"], "ip": pod["ip"]}
    command = mesh.in_network_of(mesh.plaitd_pid(), sys.executable, str(pathlib.Path(__file__).with_name("sidecar_stream.py")),
                                 mesh.plaitd_address(), str(mesh.state / "ca/root-cert.pem"), str(certificate), json.dumps(node), json.dumps(names))
    with open(folder / "stream.out", "w+b") as out, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out) as process:
        seen = 0

        def news():
            nonlocal seen
            assert process.poll() is None, "the stream is open"
            lines = [json.loads(line) for line in (folder / "stream.out").read_text().splitlines()]
            found = {}
            for line in lines[seen:]:
                for what in ("resources", "removed"):
                    if line[what]:
                        found.setdefault((line["type"], what), []).extend(line[what])
            seen = len(lines)
            return found
        yield news
        process.stdin.close()


USED = "outbound|8000||used.default.svc.cluster.local"


def test_on_the_stream_itself_one_edit_is_one_route_configuration_and_one_pod_one_endpoint_resource_and_one_address(mesh, folder):
    """Counted by a client of the protocol that is none of Plait's programs."""
    with raw_stream(mesh, folder) as news:
        first = {}
        until(lambda: first.update(news()) or {"lds", "rds", "cds", "eds", "wads"} <= {kind for kind, _ in first}, 10,
              "all that is subscribed to has come")
        settled(mesh)
        news()
        m.write(mesh.directory / "route.yaml", route("edited on the stream"))
        live = {"edited on the stream"}
        until(lambda: set(mesh.load("client", "http://used:8000/", "--count", "2", "--count-by", "x-rule")["by"]) == live, 5, "the edit is live")
        settled(mesh)
        assert news() == {("rds", "resources"): ["8000"]}
        write_used(mesh.directory, replicas=2)
        until(lambda: pods(mesh) == [("used-0", True), ("used-1", True)] and len(endpoints_of(mesh)) == 2, 20, "two pods")
        settled(mesh)
        more = news()
        assert {key: len(names) for key, names in more.items()} == {("eds", "resources"): 1, ("wads", "resources"): 1}, more
        assert more["eds", "resources"] == [USED]
        write_used(mesh.directory)
        until(lambda: pods(mesh) == [("used-0", True)] and len(endpoints_of(mesh)) == len(addresses_of(mesh)) == 1, 20, "one pod")
        settled(mesh)
        less = news()
        assert {key: len(names) for key, names in less.items()} == {("eds", "resources"): 1, ("wads", "removed"): 1}, less


def test_a_label_of_a_pod_sends_one_endpoint_resource_and_one_address(mesh):
    """A pod with the new label takes over from the old one, which is no endpoint from the same moment on."""
    edit = lambda: write_used(mesh.directory, labels={"app": "used", "version": "v2"})
    replaced = lambda: pods(mesh) == [("used-1", True)] and len(endpoints_of(mesh)) == len(addresses_of(mesh)) == 1
    assert changes(mesh, edit, replaced) == {"ClusterLoadAssignment": 1, "Address": 1, "removed Address": 1}


def test_a_member_of_a_service_is_told_to_every_proxy_once(mesh):
    before, proxies = settled(mesh), len([pod for pod in mesh.pods() if pod["proxy"] != "none"])
    file = mesh.directory / "member.yaml"
    m.write(file, m.deployment("member", [APP, "echo", "--port", "8000"], labels={"app": "used", "member": "yes"}, ports=[8000], inject=False, probe=m.http_probe(8000)))
    until(lambda: [pod["ready"] for pod in mesh.pods("member")] == [True], 10, "the member is ready")
    until(lambda: len(endpoints_of(mesh)) == 2, 5, "the client knows it")
    assert difference(before, settled(mesh)) == {"eds": 1, "wads": proxies}
    file.unlink()
    until(lambda: len(endpoints_of(mesh)) == 1, 5, "the client forgot it")


def endpoints_of(mesh):
    config = section(mesh, "client", "dynamic_endpoint_configs")[0]["endpoint_config"]
    return [one for group in config.get("endpoints", []) for one in group.get("lb_endpoints", []) if one.get("health_status") == "HEALTHY"]


def test_the_listeners_of_a_sidecar_are_the_same_with_ten_and_with_a_thousand_services(mesh):
    before = listeners(mesh)
    file = mesh.directory / "many.yaml"
    m.write(file, *[m.service(f"many-{n}", {"http": 8000 + n % 50}, {"app": "nobody"}) for n in range(990)])
    until(lambda: mesh.exec("client", "getent", "hosts", "many-989", check=False).returncode == 0, 20, "the last of them has an address")
    assert listeners(mesh) == before
    clusters = {entry["cluster"]["name"] for entry in section(mesh, "client", "dynamic_active_clusters")}
    assert not {name for name in clusters if "many-" in name}
    file.unlink()
    until(lambda: mesh.exec("client", "getent", "hosts", "many-989", check=False).returncode != 0, 20, "they are gone")
