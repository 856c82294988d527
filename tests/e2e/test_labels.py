"""No label of a source or destination is unknown, also of requests that reach nobody and of callers that go away; what truly
cannot be told is exactly what docs/admin.md says."""
import contextlib

import pytest

import manifests as m
from mesh import Mesh, until
from talk import Talk
from test_metrics import are_known, has_known_labels, series

APP = m.APP
HOST = "{}.default.svc.cluster.local"
CLIENTS = ["client", "client-of-many", "client-of-nobody"]


def echo(version, **options):
    return m.deployment(f"echo-{version}", [APP, "echo", "--port", "8000"], labels={"app": "echo", "version": version}, account="echo",
                        ports=[8000], probe=m.http_probe(8000), **options)


def teller(replicas):
    return m.deployment("teller", [APP, "client"], account="teller", replicas=replicas)


def aborted(name, subset):
    """A service whose only route ends in the client's proxy: nobody ever asks for its cluster otherwise."""
    destination = {"host": name, **({"subset": subset} if subset else {})}
    return [m.service(name, {"http": 8000}, {"app": "echo"}),
            m.destination_rule(name, {"host": name, "subsets": [{"name": "v2", "labels": {"version": "v2"}}]}),
            m.virtual_service(name, {"hosts": [name], "http": [
                {"fault": {"abort": {"httpStatus": 503, "percentage": {"value": 100}}}, "route": [{"destination": destination}]}]})]


@pytest.fixture(scope="module")
def mesh(folder):
    directory = folder / "labels"
    directory.mkdir()
    m.write(directory / "mesh.yaml",
            *[m.account(name) for name in ("echo", "talker", "teller", *CLIENTS)],
            *[m.deployment(name, [APP, "client"], account=name) for name in CLIENTS],
            echo("v1"), echo("v2"), m.service("echo", {"http": 8000}),
            # Meshed, but nobody listens there.
            m.deployment("deaf", [APP, "client"], account="echo", ports=[8000]), m.service("deaf", {"http": 8000, "tcp": 9000}),
            m.service("stopped", {"http": 8000}, {"app": "stopped"}),
            m.deployment("stopped", [APP, "echo", "--port", "8000"], account="echo", ports=[8000]),
            m.service("empty", {"http": 8000}, {"app": "nobody"}),
            m.virtual_service("stopped", {"hosts": ["stopped"], "http": [{"timeout": "1s", "route": [{"destination": {"host": "stopped"}}]}]}),
            *aborted("aborted", "v2"), *aborted("mixed", None),
            m.service("answered", {"http": 8000}, {"app": "echo", "version": "v1"}),
            m.virtual_service("answered", {"hosts": ["answered"], "http": [
                {"match": [{"uri": {"prefix": "/"}}], "directResponse": {"status": 503, "body": {"string": "no"}}}]}),
            m.deployment("talker", [APP, "tcp-echo", "--port", "7000", "--greeting", "hello\n"], account="talker", ports=[7000]),
            m.service("talker", {"tcp": 7000}))
    m.write(directory / "teller.yaml", teller(1))
    mesh = Mesh(folder, directory, name="labels").start()
    yield mesh
    mesh.stop()


def fails(mesh, client, service, status):
    report = mesh.load(client, f"http://{service}:8000/", "--count", "3")
    assert report["status"] == {str(status): 3}, report


def counted(mesh, client, service, status):
    """The labels of the client's requests to the service, once they are counted; the same of all."""
    def found():
        of = [labels for labels in series(mesh, client).get("istio_requests_total", ())
              if labels["destination_service"] == HOST.format(service) and labels["response_code"] == str(status)]
        assert len(of) == 1, of
        return of[0]
    return until(found, 8, f"the requests to {service} are counted")


def unknown(labels):
    return sorted(label for label, value in labels.items() if value == "unknown" and label.startswith(("source_", "destination_")))


def test_a_server_whose_application_is_down_and_its_caller_know_each_other(mesh):
    fails(mesh, "client", "deaf", 503)
    assert counted(mesh, "client", "deaf", 503)["destination_workload"] == "deaf"
    mesh.exec("client", "bash", "-c", "exec 3<>/dev/tcp/deaf/9000 && read -t 5 -r answer <&3", check=False)
    for workload in ("client", "deaf"):
        until(lambda: has_known_labels(mesh, workload), 8, f"every label of {workload} is known")
    until(lambda: has_known_labels(mesh, "client", of="istio_tcp_connections_closed_total"), 8, "every label of the connection is known")


def test_a_request_that_ends_before_the_handshake_names_both_sides(mesh):
    """The server's proxy is stopped: its kernel accepts, and nobody answers."""
    with mesh.stopped(mesh.proxy_pid("stopped-0")):
        fails(mesh, "client", "stopped", 504)
    labels = counted(mesh, "client", "stopped", 504)
    are_known("istio_requests_total", labels)
    assert labels["source_principal"] == "spiffe://cluster.local/ns/default/sa/client"
    assert (labels["destination_workload"], labels["destination_principal"]) == ("stopped", "spiffe://cluster.local/ns/default/sa/echo")


def test_an_aborted_request_names_the_workload_of_the_subset_that_it_was_for(mesh):
    fails(mesh, "client", "aborted", 503)
    labels = counted(mesh, "client", "aborted", 503)
    are_known("istio_requests_total", labels)
    assert (labels["destination_workload"], labels["destination_version"], labels["response_flags"]) == ("echo-v2", "v2", "FI")
    assert labels["source_principal"] == "spiffe://cluster.local/ns/default/sa/client"


def test_a_direct_response_names_the_service_in_whose_place_it_was_given(mesh):
    fails(mesh, "client", "answered", 503)
    labels = counted(mesh, "client", "answered", 503)
    are_known("istio_requests_total", labels)
    assert (labels["destination_workload"], labels["destination_service_name"]) == ("echo-v1", "answered")


def test_of_several_workloads_that_it_could_have_gone_to_only_what_is_each_ones_own_is_unknown(mesh):
    fails(mesh, "client-of-many", "mixed", 503)
    labels = counted(mesh, "client-of-many", "mixed", 503)
    assert unknown(labels) == ["destination_version", "destination_workload"]
    assert labels["destination_principal"] == "spiffe://cluster.local/ns/default/sa/echo"


def test_of_a_service_without_pods_there_is_nobody_to_name(mesh):
    fails(mesh, "client-of-nobody", "empty", 503)
    labels = counted(mesh, "client-of-nobody", "empty", 503)
    assert unknown(labels) == ["destination_app", "destination_canonical_service", "destination_cluster", "destination_principal",
                               "destination_version", "destination_workload"]
    assert labels["source_principal"] == "spiffe://cluster.local/ns/default/sa/client-of-nobody"
    assert (labels["destination_workload_namespace"], labels["response_flags"]) == ("default", "UH")


def test_a_caller_that_goes_away_is_known_until_the_end_of_its_connection(mesh):
    """Its pod is stopped while it holds a connection, which its proxy keeps for as long as it drains."""
    with contextlib.closing(Talk(mesh, "teller")) as talk:
        assert talk.says("before") == "before"
        m.write(mesh.directory / "teller.yaml", teller(0))
        until(lambda: not mesh.pods("teller"), 60, "the pod is gone")
        talk.process.wait(20)

    def closed():
        found = has_known_labels(mesh, "talker", of="istio_tcp_connections_closed_total")
        return {labels["source_workload"] for labels in found["istio_tcp_connections_closed_total"]} == {"teller"}
    until(closed, 20, "the server has counted its end")


def test_no_other_series_of_the_mesh_has_an_unknown_label(mesh):
    seen = 0
    for workload in ("client", "talker", "echo-v1", "echo-v2", "deaf"):
        for name, all_labels in series(mesh, workload).items():
            for labels in all_labels:
                are_known(name, labels)
                seen += 1
    assert seen > 20, "the other tests of this file have made some"
