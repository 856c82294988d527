"""Istio's standard metrics: exactly its labels, and inside the mesh none that says `unknown`."""
import re
import subprocess
import sys

import pytest

import manifests as m
from mesh import until
from test_grpc import PEER, fixture_library  # noqa: F401  the fixture `library`

HTTP = {
    "reporter", "source_workload", "source_canonical_service", "source_canonical_revision", "source_workload_namespace", "source_principal", "source_app",
    "source_version", "source_cluster", "destination_workload", "destination_workload_namespace", "destination_principal", "destination_app",
    "destination_version", "destination_service", "destination_canonical_service", "destination_canonical_revision", "destination_service_name",
    "destination_service_namespace", "destination_cluster", "request_protocol", "response_code", "grpc_response_status", "response_flags",
    "connection_security_policy"}
TCP = HTTP - {"response_code", "grpc_response_status"}
GATEWAY = "istio-ingressgateway"
INSIDE = [GATEWAY, "productpage-v1", "details-v1", "reviews-v2", "reviews-v3", "ratings-v1"]  # reviews-v1 has no share of the traffic


@pytest.fixture(scope="module")
def busy(bookinfo):
    for _ in range(20):
        assert bookinfo.get("/productpage")[0] == 200
    m.write(bookinfo.directory / "lines.yaml",
            m.account("lines"), m.deployment("lines", [m.APP, "tcp-echo", "--port", "9000"], labels={"app": "lines", "version": "v1"}, account="lines", ports=[9000]),
            m.service("lines", {"tcp": 9000}))
    until(lambda: [pod["ready"] for pod in bookinfo.pods("lines")] == [True], 10, "lines is ready")
    bookinfo.exec("productpage-v1", "bash", "-c", "exec 3<>/dev/tcp/lines/9000 && echo hello >&3 && read -t 5 -r answer <&3")
    return bookinfo


def scraped(mesh, workload):
    """Lines from the port that Prometheus scrapes."""
    command = ["curl", "-sS", "http://127.0.0.1:15090/stats/prometheus"]
    if workload != GATEWAY:
        return mesh.exec(workload, *command).stdout.splitlines()
    inside = mesh.in_network_of(mesh.proxy_pid(f"{GATEWAY}-0"), *command)
    return subprocess.run(inside, check=True, capture_output=True, text=True).stdout.splitlines()


def series(mesh, workload):
    """{name: [labels]} of Istio's metrics of a proxy."""
    found = {}
    for line in scraped(mesh, workload):
        if match := re.fullmatch(r"(istio_(?!build)\w+)\{(.*)\} \S+", line):
            found.setdefault(match[1], []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2])))
    return found


@pytest.fixture(scope="module")
def called(busy, library):
    """All kinds of gRPC calls in the same mesh, from `caller` to `callee`."""
    peer = [f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}", str(library / PEER.name)]
    m.write(busy.directory / "grpc.yaml",
            m.account("callee"), m.account("caller"), m.service("callee", {"grpc": 50051}),
            m.deployment("callee", [*peer, "serve", "50051"], labels={"app": "callee", "version": "v1"}, account="callee", ports=[50051],
                         probe={"tcpSocket": {"port": 50051}, "periodSeconds": 1}),
            m.deployment("caller", [m.APP, "client"], labels={"app": "caller", "version": "v1"}, account="caller"))
    until(lambda: [pod["ready"] for pod in busy.pods("calle")] == [True, True], 20, "caller and callee are ready")
    busy.exec("caller", *peer, "call", "callee:50051", timeout=120)
    return busy


def are_known(name, labels):
    assert set(labels) - {"le"} == (TCP if name.startswith("istio_tcp_") else HTTP), name
    unknown = [label for label, value in labels.items() if value == "unknown" and label.startswith(("source_", "destination_"))]
    assert not unknown, (name, labels)


def has_known_labels(mesh, workload, of="istio_requests_total"):
    """Of all Istio's series of the workload's proxy, `of` among them."""
    found = series(mesh, workload)
    assert found[of]
    for name, all_labels in found.items():
        for labels in all_labels:
            are_known(name, labels)
    return found


@pytest.mark.parametrize("workload", INSIDE)
def test_the_labels_are_istios_and_none_is_unknown(busy, workload):
    until(lambda: has_known_labels(busy, workload), 5, "every label is known")


@pytest.mark.parametrize("workload, reporter", [("caller", "source"), ("callee", "destination")])
def test_grpc_calls_have_the_same_labels_their_status_and_the_number_of_messages(called, workload, reporter):
    def counted(name, status):
        """Of the calls that ended with this status; all of their labels but those of one side are the same."""
        of = [(labels, value) for labels, value in called.metrics(workload, name)
              if labels["reporter"] == reporter and labels["destination_service_name"] == "callee" and labels["grpc_response_status"] == status]
        for labels, _ in of:
            assert (labels["request_protocol"], labels["response_code"], labels["source_workload"], labels["destination_workload"]) == (
                "grpc", "200", "caller", "callee"), labels
            assert labels["destination_service"] == "callee.default.svc.cluster.local"
            assert labels["source_principal"] == "spiffe://cluster.local/ns/default/sa/caller"
            assert labels["destination_principal"] == "spiffe://cluster.local/ns/default/sa/callee"
        return sum(value for _, value in of)

    def told():
        found = has_known_labels(called, workload)
        assert {"istio_request_messages_total", "istio_response_messages_total"} <= set(found)
        # What grpc_peer.py calls: Unary twice, ServerStream (500 answers), ClientStream and Both (three messages each), Seen.
        assert counted("istio_requests_total", "0") == 6
        assert counted("istio_request_messages_total", "0") == 1 + 1 + 1 + 3 + 3 + 1
        assert counted("istio_response_messages_total", "0") == 1 + 1 + 500 + 1 + 3 + 1
        # Fail: FAILED_PRECONDITION.
        assert counted("istio_requests_total", "9") == 1
        assert counted("istio_request_messages_total", "9") == 1 and counted("istio_response_messages_total", "9") == 0
        return True
    until(told, 8, "all calls are counted")


def test_a_tcp_connection_has_its_metrics_on_both_sides(busy):
    for workload in ("productpage-v1", "lines"):
        until(lambda: has_known_labels(busy, workload, of="istio_tcp_connections_closed_total"), 8, "every label is known")
    # As in Istio only the destination says how the connection was secured.
    for workload, reporter, policy in (("productpage-v1", "source", "unknown"), ("lines", "destination", "mutual_tls")):
        def told():
            found = series(busy, workload)
            return all(any(labels["reporter"] == reporter and labels["destination_service_name"] == "lines" and labels["connection_security_policy"] == policy
                           for labels in found[name]) for name in ("istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total",
                                                                   "istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total"))
        until(told, 8, f"the {reporter} has told all four")


APPLICATION = """
import http.server
class Metrics(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("jobs_total{path=\\"" + self.path + "\\"} 3\\n").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 9102), Metrics).serve_forever()
"""


def test_the_applications_metrics_are_merged_with_the_proxys(busy):
    m.write(busy.directory / "jobs.yaml",
            m.account("jobs"), m.deployment("jobs", ["python3", "-c", APPLICATION], labels={"app": "jobs"}, account="jobs", ports=[9102],
                                            annotations={"prometheus.io/scrape": "true", "prometheus.io/port": "9102", "prometheus.io/path": "/jobs"}))
    until(lambda: [pod["ready"] for pod in busy.pods("jobs")] == [True], 10, "jobs is ready")

    def merged():
        text = busy.exec("jobs", "curl", "-sS", "http://127.0.0.1:15020/stats/prometheus").stdout
        assert 'jobs_total{path="/jobs"} 3\n' in text
        return "istio_agent_scrapes_total" in text and "envoy_cluster_membership_total" in text
    until(merged, 10, "both are there")
    # Without the annotations there is nothing but the proxy's own.
    alone = busy.exec("details-v1", "curl", "-sS", "http://127.0.0.1:15020/stats/prometheus").stdout
    assert "envoy_cluster_membership_total" in alone and "istio_agent_scrapes_total" not in alone


def test_the_proxys_own_statistics_have_envoys_names(busy):
    def stats():
        lines = busy.admin("productpage-v1", "/stats").splitlines()
        return {name: value for name, _, value in (line.partition(": ") for line in lines)}
    now = stats()
    assert (now["server.live"], now["server.state"], now["control_plane.connected_state"]) == ("1", "0", "1")
    assert now["listener_manager.total_listeners_active"] == "2" and int(now["cluster_manager.active_clusters"]) > 0
    for of in ("listener_manager.lds", "cluster_manager.cds"):
        assert int(now[f"{of}.update_success"]) > 0 and now[f"{of}.update_rejected"] == "0" and now[f"{of}.version"] != "0"
    # What was asked of productpage came in, and what it asked of others went out.
    for prefix in ("inbound", "outbound"):
        assert int(now[f"http.{prefix}_0.0.0.0.downstream_rq_2xx"]) >= 20 and int(now[f"http.{prefix}_0.0.0.0.downstream_cx_total"]) > 0
    assert int(now["listener.0.0.0.0_15006.ssl.handshake"]) > 0 and int(now["listener.0.0.0.0_15001.downstream_cx_total"]) > 0


def test_no_series_is_told_twice(busy):
    for workload in INSIDE:
        names = [line.rsplit(" ", 1)[0] for line in scraped(busy, workload) if not line.startswith("#")]
        assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})


def test_listeners_are_shown_with_both_families(busy):
    shown = busy.admin("productpage-v1", "/listeners").splitlines()
    assert shown == ["virtualInbound::0.0.0.0:15006", "virtualInbound::[::]:15006", "virtualOutbound::0.0.0.0:15001", "virtualOutbound::[::]:15001"]
