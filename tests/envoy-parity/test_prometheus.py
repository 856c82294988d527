"""/stats/prometheus of Envoy, with the tags that Istio gives it, and of plait-proxy after the same requests: the families
that both have are of the same type, and their series have the same labels."""
import http.client
import json
import pathlib
import re
import select
import time
import urllib.request

import pytest

import certs
import proxies
from test_stats import backend, ready, say

CASE = pathlib.Path(__file__).parent / "admin" / "prometheus.yaml"
BOOTSTRAP = proxies.ROOT / "src/local/bootstrap.cc"
SERIES = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# What users' dashboards read, so both must have it.
READ = {
    "envoy_cluster_upstream_cx_active", "envoy_cluster_upstream_cx_total", "envoy_cluster_upstream_rq", "envoy_cluster_upstream_rq_total",
    "envoy_cluster_membership_healthy", "envoy_http_downstream_rq", "envoy_http_downstream_cx_active", "envoy_listener_downstream_cx_active",
    "envoy_listener_downstream_cx_total", "envoy_listener_http_downstream_rq", "envoy_tcp_downstream_cx_total", "envoy_server_uptime",
    "envoy_server_memory_allocated", "envoy_server_memory_heap_size", "envoy_cluster_retry_upstream_rq"}


def stats_config():
    """As src/local/bootstrap.cc has it: there its regular expressions are raw strings."""
    table = re.search(r"kStatsTags\[\]\[2\] = \{(.*?)\n\};", BOOTSTRAP.read_text(), re.DOTALL)[1]
    tags = re.findall(r'\{"(\w+)",\s*R"\((.*?)\)"\}', table)
    assert len(tags) == table.count("R\"(") > 5
    return json.dumps({"use_all_default_tags": False, "stats_tags": [{"tag_name": name, "regex": regex} for name, regex in tags]})


def traffic(ports):
    for path in ("/ok", "/failing", "/again", "/direct", "/missing"):
        once = http.client.HTTPConnection("127.0.0.1", ports["LISTEN"], timeout=10)
        once.request("GET", path)
        once.getresponse().read()
        once.close()
    assert say(ports["LINE"], b"GET /ok HTTP/1.1\r\nhost: a\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    certs.make(folder)
    started = {}
    with backend() as (port, _):
        try:
            for kind in ("envoy", "plait"):
                more = {"LINE": proxies.free_port()}
                started[kind] = proxy = proxies.Proxy(kind, CASE, {"HTTP": port, **more, "STATS_CONFIG": stats_config()}, folder, folder)
                proxy.ports = {"LISTEN": proxy.port, **more}
                ready(proxy)
                traffic(proxy.ports)
            yield started
        finally:
            for proxy in started.values():
                proxy.stop()


def scrape(proxy):
    """({family: type}, {family: {labels of a series}}); `le` is no label here, and ports have names. Without histograms that
    have no value and classes of responses that never came: Envoy makes these series with the first."""
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.admin}/stats/prometheus", timeout=10) as page:
        text = page.read().decode()
    for name, port in proxy.ports.items():
        text = text.replace(f"127.0.0.1_{port}", name)
    types, series = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            types[family] = kind
        elif line and not line.startswith("#"):
            name, labels, value = SERIES.fullmatch(line).groups()
            family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
            assert family in types, line
            pairs = dict(LABEL.findall(labels or ""))
            pairs.pop("le", None)
            late = types[family] == "histogram" or "response_code_class" in pairs
            if float(value) != 0 or not late:
                series.setdefault(family, set()).add(frozenset(pairs.items()))
    return types, series


def test_the_families_of_both_have_the_same_types_and_labels(both):
    def different():
        (envoy_types, envoy), (plait_types, plait) = (scrape(both[kind]) for kind in ("envoy", "plait"))
        common = envoy.keys() & plait.keys()
        assert READ <= common, f"missing in a scrape: {sorted(READ - common)}"
        assert {name for name in common if envoy_types[name] != plait_types[name]} == set()
        return {name: (sorted(map(sorted, envoy[name] - plait[name])), sorted(map(sorted, plait[name] - envoy[name])))
                for name in sorted(common) if envoy[name] != plait[name]}
    end = time.monotonic() + 10  # an answer is counted a little after the client has it
    while (left := different()) and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert not left, "family: (only Envoy has, only Plait has)\n" + "\n".join(f"{name}: {sides}" for name, sides in left.items())


def test_each_label_of_istio_is_on_a_page(both):
    for proxy in both.values():
        found = {label for series in scrape(proxy)[1].values() for labels in series for label, _ in labels}
        assert {"cluster_name", "http_conn_manager_prefix", "http_conn_manager_listener_prefix", "listener_address", "tcp_prefix",
                "response_code", "response_code_class"} <= found, proxy.kind
