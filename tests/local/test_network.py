"""What the network of a workload does with its connections and questions: capture, addresses of services, DNS."""
import os
import signal

import pytest

from local_mesh import pod, until, web
from resolver import Resolver  # of tests/e2e, where local_mesh looks too

DNS = {**pod("plait-dns-0", []), "namespace": "plait-system", "proxy": "dns", "containers": []}


@pytest.fixture(name="resolver")
def fixture_resolver(local):
    """Every name but x.mesh is 192.0.2.7."""
    resolver = Resolver(default="192.0.2.7")
    resolver.tell(local)
    yield resolver
    resolver.close()


def resolve(local, workload, name):
    return local.sh(workload, f"getent ahostsv4 {name}").stdout.partition(" ")[0]


def proxies(local, workload):
    """Pids on the host of proxies that have the folder of this workload."""
    return [int(line.split()[0]) for line in local.leftovers() if "plait-proxy" in line and f".{workload}/" in line]


def test_each_proxy_asks_the_hosts_resolvers_over_sockets_of_its_own(local, resolver):
    local.want(web("a-0"), web("b-0"))
    local.up()
    for workload in ("a-0", "b-0"):
        assert resolve(local, workload, "outside.example") == "192.0.2.7"
        assert resolve(local, workload, "x.mesh") == "10.96.9.9"
    ports = {client[1] for client in resolver.clients}
    assert len(ports) == 2
    assert not resolver.connections, "over TCP only where a question needs it"
    os.kill(proxies(local, "a-0")[0], signal.SIGKILL)
    until(lambda: resolve(local, "a-0", "outside.example") == "192.0.2.7", 10, "the next proxy resolves")
    assert len({client[1] for client in resolver.clients} - ports) == 1, "with new sockets"


def test_a_host_without_resolvers_has_a_mesh_all_the_same(local):
    local.env["PLAIT_RESOLV_CONF"] = str(local.folder / "missing")
    local.want(web("a-0"))
    local.up()
    assert resolve(local, "a-0", "x.mesh") == "10.96.9.9"


def test_who_dials_a_capture_port_is_refused(local):
    local.want(web("a-0"), web("b-0"), pod("plain-0", ["sleep", "1000"], proxy=False), DNS)
    local.up()
    b = local.workload("b-0")["ip"]
    for where in ("127.0.0.1:15001", "127.0.0.1:15006", "[::1]:15001", f"{b}:15006"):
        assert local.sh("b-0", f"curl -gsS --max-time 5 http://{where}").returncode == 7, where
    for port in (15001, 15006):
        assert local.sh("plain-0", f"curl -sS --max-time 5 http://{b}:{port}").returncode == 7
    assert local.sh("plain-0", f"curl -sS --max-time 5 http://{b}:80").stdout.startswith("15006 pid")


def test_a_proxy_cannot_leave_the_mesh_by_its_own_sockets(local):
    local.want(web("a-0"), web("b-0"))
    local.up()
    b = local.workload("b-0")["ip"]
    dial = "curl -s --max-time 9 127.0.0.1:15000/dial/"
    assert local.sh("a-0", f"{dial}{b}/80").stdout == "OK"
    for outside in ("192.0.2.1", "10.96.0.1", "10.245.0.1"):
        assert local.sh("a-0", f"{dial}{outside}/80").stdout == "ECONNREFUSED"


def service(at, *endpoints, udp=False):
    return {"at": at, "udp": udp, "endpoints": list(endpoints)}


def names_of(local, url, times=24):
    script = f"for i in $(seq {times}); do curl -gs --max-time 5 {url}/etc/hostname || echo refused; done"
    return set(local.sh("plain-0", script).stdout.split())


def test_without_a_proxy_services_have_addresses_that_follow_their_endpoints(local):
    plain = pod("plain-0", ["sleep", "1000"], proxy=False)
    pods = [plain, DNS, web("b-0", 8080, proxy=False), web("b-1", 8080, proxy=False)]
    local.want(*pods)
    local.up()
    b0, b1 = local.workload("b-0")["ips"], local.workload("b-1")["ips"]
    v4 = [f"{ips[0]}:8080" for ips in (b0, b1)]
    v6 = [f"[{ips[1]}]:8080" for ips in (b0, b1)]
    assert names_of(local, "http://10.96.1.1", 1) == {"refused"}
    local.want(*pods, services=[service("10.96.1.1:80", *v4), service("[fd00:10:96::1]:80", *v6)])
    until(lambda: "refused" not in names_of(local, "http://10.96.1.1", 1), 5, "the service has endpoints")
    assert names_of(local, "http://10.96.1.1") == {"b-0", "b-1"}
    assert names_of(local, "http://[fd00:10:96::1]") == {"b-0", "b-1"}
    assert names_of(local, "http://10.96.1.1:81", 1) == {"refused"}

    local.want(*pods, services=[service("10.96.1.1:80", v4[1])])
    until(lambda: names_of(local, "http://10.96.1.1") == {"b-1"}, 5, "one endpoint has gone")
    assert names_of(local, "http://[fd00:10:96::1]", 1) == {"refused"}
    local.want(*pods, services=[service("10.96.1.1:80")])
    until(lambda: names_of(local, "http://10.96.1.1", 1) == {"refused"}, 5, "no endpoint is left")


def test_a_workload_that_comes_later_has_the_addresses_from_its_start(local):
    first = web("b-0", 8080, proxy=False)
    local.want(first, DNS)
    local.up()
    services = [service("10.96.1.1:80", local.workload("b-0")["ip"] + ":8080")]
    local.want(first, DNS, services=services)
    # Its first act is the call: a service that had no address yet would refuse it.
    script = "curl -s --max-time 5 http://10.96.1.1/etc/hostname; exec sleep 1000"
    local.want(first, DNS, pod("late-0", ["sh", "-c", script], proxy=False), services=services)
    until(lambda: "b-0" in local.logs("late-0"), 10, "it reached the service")


def test_without_a_proxy_names_are_answered_by_the_meshs_own_dns(local, resolver):
    local.want(pod("plain-0", ["sleep", "1000"], proxy=False), DNS)
    local.up()
    assert "nameserver 10.96.0.10" in local.sh("plain-0", "cat /etc/resolv.conf").stdout
    assert resolve(local, "plain-0", "x.mesh") == "10.96.9.9"
    assert resolve(local, "plain-0", "outside.example") == "192.0.2.7"
    assert len({client[1] for client in resolver.clients}) == 1, "of the one proxy"
    assert local.workload("plait-dns-0")["proxy"] == "dns" and local.workload("plain-0")["proxy"] == "none"
    os.kill(proxies(local, "plait-dns-0")[0], signal.SIGKILL)
    assert resolve(local, "plain-0", "x.mesh") == "10.96.9.9", "the question waits in the socket"


def test_without_a_proxy_there_is_no_way_out_of_the_mesh(local):
    local.want(pod("plain-0", ["sleep", "1000"], proxy=False), DNS)
    local.up()
    result = local.sh("plain-0", "curl -sS --max-time 5 http://192.0.2.1/")
    assert result.returncode == 7, result.stderr
