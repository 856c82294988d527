"""/stats of Envoy and of plait-proxy after the same requests: the same names, and the same values where they are not a
matter of time.

What plait-proxy does not have stands in MISSING, each with its reason (docs/admin.md says the same to users); a pattern
that no longer matches fails the test, and so does a name that is in neither proxy's list.
"""
import contextlib
import http.client
import http.server
import itertools
import json
import pathlib
import re
import select
import socket
import ssl
import threading
import time
import urllib.request

import pytest

import certs
import proxies

CASE = pathlib.Path(__file__).parent / "admin" / "stats.yaml"
NO_HTTP3 = "Plait has no HTTP/3"
OWN_ADMIN = "Plait counts its own pages in no listener"
NO_OVERLOAD = "Plait has no overload manager"
INSIDE = "looks into how Envoy is built"
NOT_COUNTED = "not counted yet"
MISSING = {
    r"http\.\w+\.downstream_(cx|rq)_http3_\w+": NO_HTTP3,
    r"cluster\.\w+\.upstream_(cx_http3_total|http3_broken)": NO_HTTP3,
    r"(http|listener)\.admin\..*": OWN_ADMIN,
    r".*overload.*": NO_OVERLOAD,
    r"(envoy|http1|main_thread|runtime|workers|thread_local_cluster_manager|http\.async-client)\..*": INSIDE,
    r"filesystem\.flushed_by_timer": INSIDE,
    r"server\.(main_thread|worker_0)\..*": INSIDE,
    r"server\.(compilation_settings\.fips_mode|debug_assertion_failures|dropped_stat_flushes|envoy_bug_failures|envoy_notifications"
    r"|initialization_time_ms|parent_connections|stats_recent_lookups|wip_protos|seconds_until_first_ocsp_response_expiring)": INSIDE,
    r"server\.(static|dynamic)_unknown_fields": "an unknown field is refused",
    r"listener_manager\.(workers_pinned|total_filter_chains_draining|total_listeners_draining|listener_in_place_updated)": INSIDE,
    r"cluster_manager\.(cluster_updated\w*|update_\w+)": "an update of endpoints is applied at once, never merged",
    r"http\.\w+\.tracing\..*": "Plait passes a trace context on and sends no spans",
    r"http\.\w+\.passthrough_internal_redirect_\w+": "Plait follows no redirects",
    r"cluster\.\w+\.upstream_internal_redirect_\w+": "Plait follows no redirects",
    r"http\.\w+\.downstream_(flow_control_\w+|cx_[rt]x_bytes_buffered)": NOT_COUNTED,
    r"http\.\w+\.downstream_cx_(upgrades_\w+|delayed_close_timeout|http1_soft_drain)": NOT_COUNTED,
    r"http\.\w+\.(downstream_rq_(rejected_via_ip_detection|response_before_rq_complete|too_large|too_many_premature_resets)|rs_too_large"
    r"|rq_reset_after_downstream_response_started|rq_redirect)": NOT_COUNTED,
    r"listener\.\w+\.downstream_(cx_overflow|global_cx_overflow)": "a listener has no limit of its own",
    r"listener\.\w+\.(network_)?extension_config_missing": "Plait has no ECDS",
    r"listener\.\w+\.(downstream_listener_filter_error|connections_accepted_per_socket_event)": INSIDE,
    r"listener\.\w+\.worker_0\..*": "Plait's workers share their connections",
    r"listener\.\w+\.(ssl|server_ssl_socket_factory|client_ssl_socket_factory)\..*": NOT_COUNTED,
    r"tcp\.\w+\.(downstream_(cx_drain_close|cx_[rt]x_bytes_buffered|flow_control_\w+)|early_data_received_count_total|route_delayed_total|upstream_flush_\w+)":
        NOT_COUNTED,
    r"cluster\.\w+\.(external|internal)\..*": "answers are not told apart by where their requests came from",
    r"cluster\.\w+\.circuit_breakers\.\w+\.remaining_cx_pools": "there is no limit of pools",
    r"cluster\.\w+\.(default|http1|http2)\..*": NOT_COUNTED,
    r"cluster\.\w+\.(assignment_\w+|lb_(?!healthy_panic)\w+|max_host_weight|original_dst_host_invalid|retry_or_shadow_abandoned"
    r"|update_empty|version|warming_state)": NOT_COUNTED,
    r"cluster\.\w+\.upstream_cx_(connect_attempts_exceeded|connect_with_0_rtt|length_ms|pool_overflow"
    r"|preconnect_skipped|[rt]x_bytes_buffered)": NOT_COUNTED,
    r"cluster\.\w+\.upstream_(flow_control_\w+|queue_overloaded|rq_0rtt|rq_maintenance_mode|rq_per_cx|rq_per_try_idle_timeout"
    r"|rq_retry_backoff_ratelimited|rq_rx_reset_no_error)": NOT_COUNTED,
}
# What only plait-proxy has.
OWN = {
    r"dns\..*": "its own name service",
    r"(istio|plait|access_log)\S*": "its own metrics",
    r"server\.access_logs_not_open": "Envoy does without a listener instead",
    r"cluster\.\w+\.(outlier_detection|ssl)\..*": "Envoy has them only where they are configured",
    r"cluster\.\w+\.upstream_rq_(\dxx|completed|time)": "Envoy has them from the first answer on",
    r"listener\.\w+\.ssl\..*": "Envoy has them only where TLS is terminated",
}
# Values that two runs, or two programs, cannot share. The first: whether a request still runs when its client closes is a
# race on either side.
VARYING = re.compile(
    r".*\.upstream_cx_destroy_local_with_active_rq|.*(_ms|_time|bytes_total|uptime|memory_\w+)|filesystem\.write_\w+|server\.(version|total_connections|days_until_first_cert_expiring)")


class Held:
    """Requests for /held, which the backend answers when it is told to."""

    def __init__(self):
        self.come, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def wait(self):
        self.come.release()
        assert self.go.acquire(timeout=30)


@contextlib.contextmanager
def backend():
    """(port, held)"""
    held, seconds = Held(), itertools.count()

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path == "/held":
                held.wait()
            if self.path in ("/slow", "/broken"):
                if self.path == "/slow":
                    self.connection.recv(1)  # until the proxy gives up
                self.close_connection = True
                return
            failing = self.path == "/failing" or (self.path == "/second" and next(seconds) % 2 == 0)
            self.send_response(503 if failing else 200)
            self.send_header("content-length", "2")
            if self.path == "/closing":
                self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, held
    server.shutdown()


def say(port, data, host="127.0.0.1", tls=None):
    """Sends, and reads until the other side ends or has answered."""
    with socket.create_connection((host, port), 10) as plain:
        with tls.wrap_socket(plain, server_hostname="a") if tls else contextlib.nullcontext(plain) as s:
            with contextlib.suppress(OSError):
                s.sendall(data)
                return s.recv(65536)
    return b""


def traffic(ports):
    for path in ("/ok", "/direct", "/redirect", "/missing", "/refused", "/failing", "/slow", "/broken", "/closing",
                 "/again/failing", "/again/second", "/again/slow", "/limited/failing"):
        # The whole answer, so that the upstream connection is free again for the next one.
        once = http.client.HTTPConnection("127.0.0.1", ports["LISTEN"], timeout=10)
        once.request("GET", path)
        once.getresponse().read()
        once.close()
    kept = http.client.HTTPConnection("127.0.0.1", ports["LISTEN"], timeout=10)
    for _ in range(3):
        kept.request("GET", "/ok")
        assert kept.getresponse().read() == b"ok"
    kept.close()
    say(ports["LISTEN"], b"GET /direct HTTP/1.1\r\nhost: a\r\n\r\n", "::1")
    say(ports["LISTEN"], b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n")
    say(ports["LISTEN"], b"GET /ok HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    say(ports["LISTEN"], b"no request at all\r\n\r\n")
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    say(ports["SECURE"], b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", tls=trusting)
    say(ports["SECURE"], b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")  # no handshake
    say(ports["LINE"], b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n")
    say(ports["NOBODY"], b"x")


def get(proxy, path):
    """A connection with a request on it."""
    one = http.client.HTTPConnection("127.0.0.1", proxy.ports["LISTEN"], timeout=10)
    one.request("GET", path)
    return one


def reach_limits(proxy, held):
    """Meets each limit once. Returns what the gauges say meanwhile."""
    said = {}
    for cluster, waiting in (("limited", 1), ("single", 0)):
        path = f"/{cluster}/held"
        running = [get(proxy, path)]
        assert held.come.acquire(timeout=10)
        running += [get(proxy, path) for _ in range(waiting)]
        pending = f"cluster.{cluster}.upstream_rq_pending_active"
        until(lambda: stats(proxy)[pending] == waiting)  # noqa: B023
        refused = get(proxy, path)
        assert refused.getresponse().status == 503
        refused.close()
        said |= {name: value for name, value in stats(proxy).items() if f"{cluster}.circuit_breakers" in name}
        for one in running:
            held.go.release()
            assert one.getresponse().read() == b"ok"
            one.close()
    return said


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        select.select([], [], [], 0.01)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """{kind: running proxy that has served the traffic}; the ports of its listeners are in `ports`, and what the gauges of
    circuit breakers said while limits were reached in `at_limits`."""
    folder = tmp_path_factory.mktemp("stats")
    certs.make(folder)
    started = {}
    with backend() as (port, held):
        try:
            for kind in ("envoy", "plait"):
                more = {name: proxies.free_port() for name in ("SECURE", "LINE", "NOBODY")}
                started[kind] = proxy = proxies.Proxy(kind, CASE, {"HTTP": port, **more}, folder, folder)
                proxy.ports = {"LISTEN": proxy.port, **more}
                ready(proxy)
                traffic(proxy.ports)
                proxy.at_limits = reach_limits(proxy, held)
            yield started
        finally:
            for proxy in started.values():
                proxy.stop()


def ready(proxy, seconds=30):
    """By its own word: a connection to a listener would be counted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and proxy.process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/ready", timeout=5) as answer:
            if answer.status == 200:
                return
        select.select([], [], [], 0.01)  # only the port can tell
    raise AssertionError(f"{proxy.kind} is not ready:\n{proxy.said()}")


def stats(proxy):
    """{name: value}; histograms have None. Ports that differ between two runs have names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/stats?format=json", timeout=10) as page:
        entries = json.load(page)["stats"]
    names = {re.escape(f"127.0.0.1_{port}"): name.lower() for name, port in proxy.ports.items()}

    def steady(name):
        for port, meaning in names.items():
            name = re.sub(port, meaning, name)
        return name
    found = {steady(entry["name"]): entry["value"] for entry in entries if "name" in entry}
    for entry in entries:
        for histogram in entry.get("histograms", {}).get("computed_quantiles", []):
            found[steady(histogram["name"])] = None
    return found


def known(patterns, name):
    return next((pattern for pattern in patterns if re.fullmatch(pattern, name)), None)


def test_the_names_are_envoys(both):
    # Envoy tells of a histogram in JSON once it has a value; its text form always does.
    envoy = set(stats(both["envoy"])) | {line.split(": ")[0] for line in text(both["envoy"]) if "No recorded" in line}
    plait = set(stats(both["plait"]))
    met = {known(MISSING, name) for name in envoy - plait}
    problems = [f"only Envoy has {name}" for name in sorted(envoy - plait) if not known(MISSING, name)]
    problems += [f"only Plait has {name}" for name in sorted(plait - envoy) if not known(OWN, name)]
    problems += [f"nothing is missing any more: {pattern}" for pattern in MISSING if pattern not in met]
    assert not problems, "\n".join(problems)


# A request that waits for a connection is one of Plait's max_requests, and not of Envoy's.
WAITING_COUNTS = {"cluster.limited.circuit_breakers.default.remaining_rq": (1023, 1022)}


def test_the_circuit_breakers_open_as_envoys(both):
    envoy, plait = (both[kind].at_limits for kind in ("envoy", "plait"))
    assert {name for name in envoy if not name.endswith("remaining_cx_pools")} == plait.keys()
    assert {name: (envoy[name], plait[name]) for name in plait if envoy[name] != plait[name]} == WAITING_COUNTS
    assert {name for name, value in plait.items() if name.endswith("_open") and value} == {
        "cluster.limited.circuit_breakers.default.cx_open", "cluster.limited.circuit_breakers.default.rq_pending_open",
        "cluster.single.circuit_breakers.default.rq_open"}


def text(proxy):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/stats", timeout=10) as page:
        body = page.read().decode()
    for name, port in proxy.ports.items():
        body = body.replace(f"127.0.0.1_{port}", name.lower())
    return body.splitlines()


# Where the two count differently, and why.
VALUES = {
    r"cluster\.\w+\.update_success": "Plait counts the endpoints of the file",
    r"cluster\.backend\.upstream_cx_destroy_(local|remote|with_active_rq|remote_with_active_rq)": "of HTTP only",
    r"cluster\.backend\.upstream_rq_(pending_)?total": "a TCP connection is no request",
    r"cluster\.refused\.upstream_(rq_total|cx_http1_total)": "Plait counts a request when it asks for a connection, and a protocol when it is spoken",
    r"cluster\.limited\.upstream_rq_total": "Plait counts a request when it asks for a connection",
    r"cluster\.single\.upstream_(cx_active|cx_http1_total|cx_total|rq_pending_total)": "Plait refuses a request too many before it connects",
    r"http\.(web|secure)\.downstream_cx_destroy_(local|remote)": "who breaks the protocol, or fails the handshake, is closed by Plait",
    r"http\.web\.downstream_rq_rx_reset": "the rest of a request that was answered early is read, not reset",
}


def test_the_values_are_envoys(both):
    def different():
        envoy, plait = (stats(both[kind]) for kind in ("envoy", "plait"))
        return {name: (envoy[name], plait[name]) for name in sorted({*envoy} & {*plait})
                if envoy[name] != plait[name] and not VARYING.fullmatch(name)}
    end = time.monotonic() + 10  # the end of a connection is counted a little after the client has closed it
    while (left := {name: values for name, values in different().items() if not known(VALUES, name)}) and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert not left, "name: (envoy, plait)\n" + "\n".join(f"{name}: {values}" for name, values in left.items())
    assert all(any(re.fullmatch(pattern, name) for name in different()) for pattern in VALUES), "an entry of VALUES no longer differs"


# (cluster, count) where the two count the hosts differently, and why.
HOSTS = {
    ("backend", "rq_total"): "a TCP connection is no request",
    ("refused", "rq_total"): "Plait counts a request when it asks for a connection",
    ("limited", "rq_total"): "Plait counts a request when it asks for a connection",
    ("single", "cx_total"): "Plait refuses a request too many before it connects",
    ("single", "cx_active"): "Plait refuses a request too many before it connects",
    ("single", "rq_error"): "a request that was never sent is no error of the host",
}


def test_the_counts_of_hosts_are_envoys(both):
    def hosts(proxy):
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/clusters?format=json", timeout=10) as page:
            clusters = json.load(page)["cluster_statuses"]
        return {(cluster["name"], stat["name"]): int(stat.get("value", 0))
                for cluster in clusters for host in cluster["host_statuses"] for stat in host["stats"]}

    def different():
        envoy, plait = (hosts(both[kind]) for kind in ("envoy", "plait"))
        assert {stat for _, stat in envoy.keys() - plait.keys()} == {"rq_pending_active"} and plait.keys() < envoy.keys(), "Plait counts it for clusters"
        assert plait["failing", "rq_timeout"] == plait["refused", "cx_connect_fail"] == 1
        return {name: (envoy[name], plait[name]) for name in plait if envoy[name] != plait[name]}
    end = time.monotonic() + 10
    while (left := different()).keys() != HOSTS.keys() and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert left.keys() == HOSTS.keys(), f"name: (envoy, plait) {left}"


HISTOGRAM = "^cluster\\.backend\\.upstream_rq_time$"


def page(proxy, query):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/stats?{query}", timeout=10) as answer:
        return answer.read().decode()


def shape(value):
    """Without the numbers: the two do not divide time in the same way, and each list of what has values has its length."""
    if isinstance(value, dict):
        return {key: "a list" if key == "intervals" else shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value[:1]]
    return value if isinstance(value, str) else "a number"


@pytest.mark.parametrize("buckets", ["summary", "cumulative", "disjoint", "detailed"])
def test_histograms_have_envoys_forms(both, buckets):
    query = f"filter={HISTOGRAM}&histogram_buckets={buckets}"
    # Envoy knows of values once their interval has ended.
    until(lambda: "No recorded values" not in page(both["envoy"], f"filter={HISTOGRAM}"))
    texts = {kind: page(proxy, query) for kind, proxy in both.items()}
    without_numbers = {kind: re.sub(r"\([^)]*\)|(?<=totals=).*|(?<=intervals=).*", "", text) for kind, text in texts.items()}
    assert without_numbers["plait"] == without_numbers["envoy"]
    shapes = {kind: shape(json.loads(page(proxy, query + "&format=json"))) for kind, proxy in both.items()}
    assert shapes["plait"] == shapes["envoy"]
    if buckets in ("cumulative", "disjoint"):
        bounds = {kind: re.findall(r'"upper_bound":([^,]*)', page(proxy, query + "&format=json")) for kind, proxy in both.items()}
        assert [float(bound) for bound in bounds["plait"]] == [float(bound) for bound in bounds["envoy"]]


def test_prometheus_has_envoys_bounds(both):
    bounds = {kind: re.findall(r'le="([^"]*)"', page(proxy, f"format=prometheus&filter={HISTOGRAM}")) for kind, proxy in both.items()}
    assert bounds["plait"] == bounds["envoy"]
    quantiles = {kind: re.findall(r'quantile="([^"]*)"', page(proxy, f"format=prometheus&filter={HISTOGRAM}&histogram_buckets=summary"))
                 for kind, proxy in both.items()}
    assert quantiles["plait"] == quantiles["envoy"]


def test_a_gauge_that_is_back_at_zero_was_used(both):
    wanted = "filter=^(http\\.web|listener\\.web|cluster\\.(backend|direct))\\.(down|up)stream_(cx|rq)_active$"
    until(lambda: all(line.endswith(": 0") for line in page(both["plait"], wanted).splitlines() if "downstream" in line))
    used = {kind: {line.split(":")[0] for line in page(proxy, wanted + "&usedonly").splitlines()} for kind, proxy in both.items()}
    assert used["plait"] == used["envoy"] and "http.web.downstream_rq_active" in used["plait"]
    for proxy in both.values():
        assert page(proxy, "usedonly&filter=^http\\.web\\.downstream_cx_ssl_active$") == ""


def test_a_listener_is_found_by_its_name(both):
    names = [line.split(": ")[0] for line in text(both["plait"]) if line.startswith("listener.web.")]
    assert "listener.web.downstream_cx_total" in names and "listener.web.downstream_cx_active" in names
