"""max_connections and max_pending_requests of a cluster, by a plait-proxy on its own: a limit is the process's, so that
one worker and four give every request the same answer, and the upstream never sees a connection too many."""
import contextlib
import http.client
import json
import select
import socket
import subprocess
import threading
import urllib.request

import pytest

from mesh import BIN, until

EXT = "type.googleapis.com/envoy.extensions.filters"
KEPT = 8  # connections of clients: with four workers each has two


class Upstream:
    """Counts its connections as the kernel orders them: what was closed before another one came is closed."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open, self.held, self.most, self.seen = set(), [], 0, 0
        self.holds = False
        self.stop, self.end = socket.socketpair()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            ready, _, _ = select.select([self.listener, self.end, *self.open], [], [])
            if self.end in ready:
                return
            for one in [*self.open] if self.listener in ready else self.open & {*ready}:
                self.look(one)
            if self.listener in ready:
                self.open.add(self.listener.accept()[0])
                self.most = max(self.most, len(self.open))

    def look(self, one):
        with contextlib.suppress(BlockingIOError):
            if not one.recv(65536, socket.MSG_DONTWAIT):
                self.open.remove(one)
                one.close()
                return
            self.seen += 1
            if self.holds:
                self.held.append(one)
            else:
                self.answer(one)

    def answer(self, one):
        one.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    def close(self):
        self.stop.close()
        self.thread.join()
        for one in (self.listener, self.end, *self.open):
            one.close()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def bootstrap(admin, listen, upstream):
    def at(port):
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    def cluster(name, **limits):
        return {"name": name, "circuit_breakers": {"thresholds": [limits]}, "load_assignment": {
            "cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(upstream)}}]}]}}
    routes = [{"match": {"prefix": f"/{name}"}, "route": {"cluster": name}} for name in ("narrow", "strict")]
    manager = {"@type": f"{EXT}.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "web",
               "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": f"{EXT}.http.router.v3.Router"}}],
               "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]}}
    return {"admin": {"address": at(admin)}, "static_resources": {
        "listeners": [{"name": "web", "address": at(listen), "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
        "clusters": [cluster("narrow", max_connections=1), cluster("strict", max_connections=2, max_pending_requests=3)]}}


class Proxy:
    def __init__(self, concurrency, upstream):
        self.admin, self.port = free_port(), free_port()
        command = [str(BIN / "plait-proxy"), "--config-yaml", json.dumps(bootstrap(self.admin, self.port, upstream)),
                   "--concurrency", str(concurrency), "--log-level", "warning"]
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command])
        until(lambda: self.page("/ready") == "LIVE\n", 20, "the proxy is ready")

    def page(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    def value(self, cluster, name):
        """0 where it does not exist yet."""
        return int(self.page(f"/stats?filter=^cluster.{cluster}.{name}$").partition(": ")[2] or 0)

    def clients(self):
        """Connections that stay open, spread over the workers."""
        kept = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=20) for _ in range(KEPT)]
        for one in kept:
            one.connect()
        until(lambda: int(self.page("/stats?filter=^http.web.downstream_cx_active$").partition(": ")[2]) == KEPT, 10, "all are accepted")
        return kept

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


@pytest.fixture(params=[1, 4], ids=["one-worker", "four-workers"])
def proxy(request):
    upstream = Upstream()
    running = Proxy(request.param, upstream.port)
    running.upstream = upstream
    yield running
    running.stop()
    upstream.close()


def ask(client, path):
    client.request("GET", path)
    answer = client.getresponse()
    answer.read()
    return answer


def together(clients, path, times):
    """Every client asks so often, all at once. Returns the statuses."""
    statuses = []

    def run(client):
        for _ in range(times):
            statuses.append(ask(client, path).status)
    threads = [threading.Thread(target=run, args=[client]) for client in clients]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return statuses


def test_workers_in_turn_use_the_only_connection(proxy):
    """A connection that idles is given up for a request of another worker."""
    clients = proxy.clients()
    assert [ask(client, "/narrow").status for client in clients for _ in range(3)] == [200] * 3 * KEPT
    assert proxy.upstream.most == 1
    assert proxy.value("narrow", "upstream_cx_active") == 1


def test_requests_wait_for_the_only_connection_and_each_is_answered(proxy):
    """Nobody is refused, none waits in vain, and no more than one connection is open at any time."""
    assert together(proxy.clients(), "/narrow", 40) == [200] * 40 * KEPT
    assert proxy.upstream.most == 1
    assert proxy.value("narrow", "upstream_rq_200") == 40 * KEPT
    assert proxy.value("narrow", "upstream_rq_pending_active") == 0


def test_so_many_wait_and_the_rest_is_refused(proxy):
    """Two connections, three that wait: of eight requests three are told at once that it is too much."""
    upstream = proxy.upstream
    upstream.holds = True
    clients = proxy.clients()
    for client in clients[:2]:
        client.request("GET", "/strict")
    until(lambda: len(upstream.held) == 2, 10, "both connections are in use")  # a request that connects is one that waits
    for client in clients[2:]:
        client.request("GET", "/strict")
    until(lambda: proxy.value("strict", "upstream_rq_pending_overflow") == 3, 10, "the limit of those that wait is reached")
    assert proxy.value("strict", "upstream_rq_pending_active") == 3
    assert proxy.value("strict", "circuit_breakers.default.cx_open") == 1
    assert proxy.value("strict", "circuit_breakers.default.rq_pending_open") == 1
    for _ in range(5):
        until(lambda: upstream.held, 10, "the next request comes")
        upstream.answer(upstream.held.pop())
    answers = [client.getresponse() for client in clients]
    assert sorted(answer.status for answer in answers) == [200] * 5 + [503] * 3
    assert {answer.getheader("x-envoy-overloaded") for answer in answers if answer.status == 503} == {"true"}
    assert upstream.most == 2 and upstream.seen == 5
    assert proxy.value("strict", "circuit_breakers.default.rq_pending_open") == 0
