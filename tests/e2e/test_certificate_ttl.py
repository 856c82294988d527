"""Certificates that live for seconds (annotation proxy.istio.io/config, proxyMetadata SECRET_TTL) are renewed by themselves, under
load, and before they end, also when plaitd does not answer at once."""
import datetime
import json
import select
import time

import pytest

import manifests as m
from load import LOAD, carries_the_load, lost_nothing
from mesh import SANITIZED, Mesh, until

TTL = 60 if SANITIZED else 30  # what is done between two moments below has seconds
WORKLOADS = ("caller", "server")
URL = "http://server:8000/"
SHORT = {"proxy.istio.io/config": json.dumps({"proxyMetadata": {"SECRET_TTL": f"{TTL}s"}})}


@pytest.fixture(name="mesh", scope="module")
def fixture_mesh(folder):
    directory = folder / "ttl"
    directory.mkdir()
    m.write(directory / "mesh.yaml", m.deployment("caller", [m.APP, "client"], annotations=SHORT),
            m.deployment("server", [m.APP, "echo", "--port", "8000"], ports=[8000], probe=m.http_probe(8000), annotations=SHORT),
            m.service("server", {"http": 8000}),
            # Handshakes all the time: a certificate that has ended must not hide behind connections that were made before.
            m.destination_rule("server", {"host": "server", "trafficPolicy": {"connectionPool": {"http": {"maxRequestsPerConnection": 20}}}}))
    mesh = Mesh(folder, directory, concurrency=2, name="ttl").start()
    yield mesh
    mesh.stop()


def certificates(mesh, workloads=WORKLOADS):
    """{workload: (serial number, when it ends)}."""
    found = {}
    for workload in workloads:
        [leaf] = [entry["cert_chain"][0] for entry in json.loads(mesh.admin(workload, "/certs"))["certificates"] if entry.get("cert_chain")]
        found[workload] = leaf["serial_number"], datetime.datetime.fromisoformat(leaf["expiration_time"].replace("Z", "+00:00")).timestamp()
    return found


def due(certificate):
    """After four fifths of its life."""
    return certificate[1] - TTL / 5


def wait_until(moment):
    select.select([], [], [], max(0, moment - time.time()))


def all_renewed(mesh, before):
    """Waits for the next certificate of each; those were issued before the last ones ended."""
    wait_until(max(due(one) for one in before.values()))
    after = {}
    until(lambda: after.update(certificates(mesh)) or all(after[one][0] != before[one][0] for one in WORKLOADS), TTL, "the next certificates")
    for one in WORKLOADS:
        assert after[one][1] - TTL < before[one][1], (one, before, after)
    return after


def test_certificates_that_live_for_seconds_are_renewed_under_load(mesh):
    carries_the_load(mesh, URL, "caller")
    with mesh.load_while("caller", URL, *LOAD) as report:
        held = all_renewed(mesh, certificates(mesh))
        wait_until(min(due(one) for one in held.values()) - TTL / 7)
        assert certificates(mesh) == held, "nobody renews early"
        held = all_renewed(mesh, held)
        # The caller's proxy asks while plaitd is silent, and is answered afterwards.
        wait_until(due(held["caller"]) - TTL / 10)
        with mesh.stopped(mesh.plaitd_pid()) as plaitd:
            wait_until(due(held["caller"]) + 1)
            assert certificates(mesh, ["caller"])["caller"] == held["caller"]
        assert mesh.plaitd_pid() == plaitd
        all_renewed(mesh, held)
    lost_nothing(report, seconds=1.5 * TTL)
    handshakes = [int(line.rpartition(" ")[2]) for line in mesh.admin("caller", "/stats?usedonly").splitlines()
                  if line.startswith("cluster.outbound|8000||server.default.svc.cluster.local.upstream_cx_total: ")]
    assert handshakes and handshakes[0] > 100, handshakes
