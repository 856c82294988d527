"""`plait up --net loopback`: no namespaces, no capture; a proxy beside each workload on addresses of the host's loopback."""
import json
import os
import subprocess

import pytest

import manifests as m
from mesh import Mesh, copy_sample, leftovers, nothing_runs, until

APP = m.APP


@pytest.fixture(scope="module")
def mesh(folder):
    directory = copy_sample(folder, into="loopback")
    m.write(directory / "caller.yaml", m.account("stranger"), m.deployment("stranger", [APP, "client"], account="stranger"))
    m.write(directory / "web.yaml",
            m.deployment("web", [APP, "echo", "--port", "8080", "--address", "${plait.bind}"], ports=[8080], probe=m.http_probe(8080)),
            m.service("web", {"http": 8080}))
    m.write(directory / "curious.yaml", m.deployment("curious", ["sh", "-c", "sleep 10000 & wait"], annotations={
        "plait.dev/exec.app": '["sh", "-c", "echo $(WEB_SERVICE_HOST) ${plait.addr.web:8080}; sleep 10000 & wait"]'}))
    mesh = Mesh(folder, directory, name="loopback")
    mesh.start("--net", "loopback")
    yield mesh
    mesh.stop()
    nothing_runs()


def address(mesh, workload, service):
    return mesh.exec(workload, "sh", "-c", f"echo http://${service}_SERVICE_HOST:${service}_SERVICE_PORT").stdout.strip()


def test_it_says_what_it_is_and_what_it_cannot_do(mesh):
    status = mesh.status()
    assert status["mode"] == "loopback" and any("captured" in limit for limit in status["limits"])
    out = mesh.output.read_text()
    assert "mode: loopback" in out and "nothing is captured" in out
    assert {w["ip"].rsplit(".", 2)[0] for w in status["workloads"]} == {"127.0"}


def test_bookinfo_runs_with_mutual_tls_routing_and_policy(mesh):
    status, page = mesh.get("/productpage")
    assert status == 200
    assert "William Shakespeare" in page and "answered by reviews-v" in page
    pages = [mesh.get("/productpage")[1] for _ in range(20)]
    assert {"stars black" in page for page in pages} >= {True}, "reviews-v2 has most of the split"
    # productpage is no caller that the policy of ratings lets in.
    assert mesh.get("/api/v1/products/0/ratings")[1] == "RBAC: access denied"
    labels = [labels for labels, value in mesh_metrics(mesh, "reviews-v2", "istio_requests_total") if value]
    secure = [one for one in labels if one.get("reporter") == "destination"]
    assert secure and {one["connection_security_policy"] for one in secure} == {"mutual_tls"}
    assert {one["source_workload"] for one in secure} == {"productpage-v1"}, "a caller is known by its address"


def mesh_metrics(mesh, workload, name):
    import re
    ip = next(w["ip"] for w in mesh.pods(workload))
    text = mesh.exec(workload, "curl", "-sS", f"http://{ip}:15090/stats/prometheus").stdout
    return [(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[1])), float(match[2]))
            for match in re.finditer(rf"^{name}\{{(.*)\}} ([0-9.e+]+)$", text, re.M)]


def test_plaintext_to_a_workload_is_refused_and_its_proxy_lets_the_mesh_in(mesh):
    ip = mesh.pods("details-v1")[0]["ip"]
    refused = mesh.exec("stranger", "curl", "-sS", "-m", "5", f"http://{ip}:9080/details/0", check=False)
    assert refused.returncode != 0
    url = address(mesh, "productpage-v1", "DETAILS")
    assert '"author"' in mesh.exec("productpage-v1", "curl", "-sS", f"{url}/details/0").stdout
    # Another identity, the same service: the policy of details decides, not the address.
    url = address(mesh, "stranger", "RATINGS")
    assert mesh.exec("stranger", "curl", "-sS", f"{url}/ratings/0").stdout == "RBAC: access denied"


def test_plait_test_says_that_it_needs_capture(mesh):
    result = mesh.plait("test", "--mesh", mesh.name, check=False)
    assert result.returncode == 1 and "mode loopback captures nothing" in result.stderr and "--net rootless" in result.stderr, result


def test_check_finds_a_healthy_mesh_well(mesh):
    said = mesh.well()
    assert "every sidecar listens for its workload: nothing is captured" in said and "0 failed" in said


def test_commands_are_told_where_services_are(mesh):
    url = address(mesh, "stranger", "WEB")
    report = mesh.load("stranger", f"{url}/", "--count", "50", "--connections", "5")
    assert report["failed"] == 0 and set(report["status"]) == {"200"}
    told = until(lambda: mesh.named("logs", "curious").stdout.split(), 10, "the log has a line")
    assert told[0] + ":8080" == told[1] and told[0].startswith("127.128.")


def test_an_unknown_service_is_named_in_the_reason(mesh):
    file = mesh.directory / "lost.yaml"
    m.write(file, m.deployment("lost", [APP, "client", "${plait.addr.no-such-service}"]))
    reason = until(lambda: mesh.pods("lost")[0]["reason"], 10, "a reason")
    assert "no-such-service" in reason and "no such service" in reason
    assert mesh.pods("lost")[0]["restarts"] < 10, "it is tried again with back-off"
    file.unlink()
    until(lambda: not mesh.pods("lost"), 20, "it is gone")


def test_exec_gives_exit_codes_and_ends_with_its_client(mesh):
    assert mesh.exec("stranger", "sh", "-c", "exit 7", check=False).returncode == 7
    client = subprocess.Popen(mesh.command("exec", "stranger", "--", "sh", "-c", "sleep 98765 & wait"), env=mesh.env)
    sleeping = lambda: any("sleep 98765" in line and "plait" not in line for line in leftovers())
    until(sleeping, 10, "the command runs")
    client.kill()
    client.wait()
    until(lambda: not sleeping(), 10, "its processes have ended")


def test_exec_in_a_gateway_reaches_its_admin_port_and_ends_with_its_client(mesh):
    gateway = next(w for w in mesh.pods() if w["proxy"] == "gateway")
    name = f"{gateway['name']}.{gateway['namespace']}"
    assert mesh.exec(name, "curl", "-sS", f"http://{gateway['ip']}:15000/ready").stdout == "LIVE\n"
    assert mesh.exec(name, "sh", "-c", "exit 7", check=False).returncode == 7
    client = subprocess.Popen(mesh.command("exec", name, "--", "sh", "-c", "sleep 98766 & wait"), env=mesh.env)
    sleeping = lambda: any("sleep 98766" in line and "plait" not in line for line in leftovers())
    until(sleeping, 10, "the command runs")
    client.kill()
    client.wait()
    until(lambda: not sleeping(), 10, "its processes have ended")


def test_a_killed_plait_takes_everything_with_it(folder):
    work = folder / "killed"
    work.mkdir()
    os.chmod(work, 0o777)
    before = set(leftovers())
    directory = work / "mesh"
    directory.mkdir()
    m.write(directory / "web.yaml", m.deployment("web", ["sh", "-c", "sleep 54321 & sleep 54321 & wait"]))
    mesh = Mesh(work, directory, name="killed").start("--net", "loopback")
    assert len([line for line in leftovers() if "sleep 54321" in line]) >= 2
    mesh.signal(mesh.process.pid, "KILL")
    mesh.process.wait(10)
    nothing_runs(10, lambda: set(leftovers()) - before)


def test_two_meshes_do_not_take_each_others_addresses(mesh, folder):
    work = folder / "second"
    work.mkdir()
    os.chmod(work, 0o777)
    second = Mesh(work, copy_sample(work), name="second").start("--net", "loopback")
    try:
        assert second.get("/productpage")[0] == mesh.get("/productpage")[0] == 200
        assert not {w["ip"] for w in second.pods()} & {w["ip"] for w in mesh.pods()}
    finally:
        second.stop()


def test_explain_tells_addresses_of_workloads_from_the_hosts_own(mesh):
    def explain(to):
        result = mesh.named("explain", "stranger", to, "-o", "json", check=False)
        return result.returncode, json.loads(result.stdout)
    web = next(w["ip"] for w in mesh.pods("web"))
    code, answer = explain(web)  # at the only port that it declares
    assert code == 0 and answer["forwarded"], answer
    assert f"{web}:8080 is workload web-0.default" in json.dumps(answer)
    for own in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080"):
        code, answer = explain(own)
        assert code == 1 and answer["forwarded"] is None and "on this host, past every proxy" in answer["steps"][-1]["text"], answer
