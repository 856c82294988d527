"""plaitd by itself: what stock tools see of it, clients that behave badly, and a state directory that is not as it should be."""
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

import manifests as m
from mesh import ROOT, SANITIZED, unprivileged, until
from plaitd import ADS, DELTA_ADS, Call, Ended, Plaitd, delta_request, field, sotw_request

OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE, UNAUTHENTICATED = 0, 3, 8, 14, 16


@pytest.fixture(scope="module")
def plaitd(folder):
    alone = Plaitd(folder / "alone", "--send-timeout", "3s")
    m.write(alone.directory / "many.yaml", *[m.service(f"many-{n}", {"http": 8000}, {"app": "nobody"}) for n in range(2000)])
    alone.start()
    yield alone
    alone.stop()


@pytest.fixture(scope="module")
def web(plaitd):
    return plaitd.certificate("web")


def serves(plaitd, certificate):
    """A client that behaves gets its listeners, in either form of the protocol."""
    for method, request in ((DELTA_ADS, delta_request("lds")), (ADS, sotw_request("lds"))):
        with Call(plaitd, method, certificate) as call:
            call.send(request)
            assert b"virtualInbound" in call.receive()
    return plaitd.get("/ready") == ""


# -- stock tools ---------------------------------------------------------------

@pytest.fixture(scope="module")
def grpcurl(plaitd):
    built = subprocess.run([ROOT / "third_party/tools/build", "grpcurl"], check=True, stdout=subprocess.PIPE, text=True)
    def run(*arguments):
        return subprocess.run([built.stdout.strip(), "-cacert", str(plaitd.root), "-authority", "localhost", f"127.0.0.1:{plaitd.port}",
                               *arguments], check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    return run


SERVICES = ["envoy.service.discovery.v3.AggregatedDiscoveryService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection", "istio.v1.auth.IstioCertificateService"]


def test_grpcurl_lists_and_describes_the_services(grpcurl):
    assert grpcurl("list").split() == SERVICES
    for service in SERVICES:
        assert f"{service} is a service" in grpcurl("describe", service)
    described = grpcurl("describe", "envoy.service.discovery.v3.AggregatedDiscoveryService")
    assert "rpc StreamAggregatedResources" in described and "rpc DeltaAggregatedResources" in described
    assert "string csr = 1" in grpcurl("describe", "istio.v1.auth.IstioCertificateRequest")


def test_grpcurl_calls_health(grpcurl):
    assert json.loads(grpcurl("grpc.health.v1.Health/Check")) == {"status": "SERVING"}


def test_old_clients_list_the_services_by_the_alpha_version_of_reflection(plaitd):
    with Call(plaitd, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") as call:
        call.send(field(7, "*"))
        answer = call.receive()
    assert all(service.encode() in answer for service in SERVICES)


# -- clients that behave badly -------------------------------------------------

def test_nobody_gets_configuration_without_an_identity(plaitd):
    for method, request in ((DELTA_ADS, delta_request("lds")), (ADS, sotw_request("lds"))):
        with Call(plaitd, method) as call:
            call.send(request)
            assert call.end().status == UNAUTHENTICATED


@pytest.mark.parametrize("method,request_of", [(DELTA_ADS, delta_request), (ADS, sotw_request)])
def test_a_client_that_asks_for_100_000_names_is_told_the_limit(plaitd, web, method, request_of):
    with Call(plaitd, method, web) as call:
        call.send(request_of("eds", [f"outbound|80||host-{n}.default.svc.cluster.local" for n in range(100_000)]))
        ended = call.end()
    assert ended.status == RESOURCE_EXHAUSTED and "too many names" in ended.message
    assert serves(plaitd, web)


@pytest.mark.parametrize("method,asked", [(DELTA_ADS, delta_request("wads", ["*"])), (ADS, sotw_request("wads", ["*"]))])
def test_a_client_that_never_reads_is_dropped(plaitd, web, method, asked):
    before = plaitd.metric("pilot_xds_write_timeout")
    silent = []
    for _ in range(10):
        call = Call(plaitd, method, web)
        call.send(asked)  # for more than any window holds
        silent.append(call)
    assert serves(plaitd, web), "others are not held up"
    until(lambda: plaitd.metric("pilot_xds_write_timeout") == before + 10, 20, "they are dropped")
    until(lambda: plaitd.metric("pilot_xds") == 0, 20, "nothing of them is left")
    assert plaitd.resident() < (1000e6 if SANITIZED else 300e6)
    for call in silent:
        call.socket.close()


def test_wrong_nonces_acknowledge_nothing(plaitd, web):
    before = plaitd.metric("pilot_xds_expired_nonce")
    for method, request_of in ((DELTA_ADS, delta_request), (ADS, sotw_request)):
        with Call(plaitd, method, web) as call:
            call.send(request_of("lds"))
            call.receive()
            for n in range(100):
                call.send(request_of("lds", nonce=f"wrong-{n}", sender=None))
            ended = call.end()
        assert ended.status == UNAVAILABLE and "no answer for 3s; connect again" in ended.message
    assert plaitd.metric("pilot_xds_expired_nonce") == before + 200


def test_an_acknowledgement_of_what_was_never_sent_is_only_a_subscription(plaitd, web):
    for method, request_of in ((DELTA_ADS, delta_request), (ADS, sotw_request)):
        with Call(plaitd, method, web) as call:
            call.send(request_of("lds", nonce="17"))
            assert b"virtualInbound" in call.receive()


def test_a_stream_of_no_messages_ends_with_the_reason(plaitd, web):
    with Call(plaitd, ADS, web) as call:
        call.send(b"\xff" * 5000)
        ended = call.end()
    assert ended.status == INVALID_ARGUMENT and "not a DiscoveryRequest" in ended.message
    with Call(plaitd, DELTA_ADS, web) as call:
        call.send(delta_request("lds", sender=None))
        assert "must carry the node" in call.end().message


GARBAGE = [os.urandom(4096), b"\x00" * 1000, b"\x16\x03\x01\xff\xff" + os.urandom(600), b"GET / HTTP/9.9\r\n\r\n",
           b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(2000), b"GET / HTTP/1.1\r\nx: " + b"y" * 1_000_000,
           b"POST /debug/syncz HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n", b""]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_on_either_port_hurts_nobody_else(plaitd, web, garbage):
    for port in (plaitd.port, plaitd.debug_port):
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            raw.settimeout(10)
            try:
                raw.sendall(garbage)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
            except TimeoutError:
                raise
            except OSError:
                pass  # closed while we still sent
    with Call(plaitd, DELTA_ADS, web) as call:  # inside of TLS
        if garbage:
            call.socket.sendall(garbage)
            with pytest.raises((Ended, ConnectionError, ssl.SSLError)):
                call.receive()
    assert serves(plaitd, web)


def test_debug_pages_are_not_for_other_names(plaitd):
    request = urllib.request.Request(f"http://127.0.0.1:{plaitd.debug_port}/debug/syncz", headers={"host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 403


# -- state ---------------------------------------------------------------------

def test_a_truncated_key_of_the_authority_is_named_and_left_as_it_is(folder):
    plaitd = Plaitd(folder / "truncated").start()
    plaitd.stop()
    key = plaitd.state / "ca" / "root-key.pem"
    key.write_bytes(damaged := key.read_bytes()[:100])
    output = plaitd.refused()
    assert f"{key}: " in output and "restore it from a backup" in output
    assert key.read_bytes() == damaged


def test_a_second_plaitd_does_not_take_the_state_of_the_first(folder):
    first = Plaitd(folder / "first").start()
    second = Plaitd(folder / "second")
    second.state = first.state
    assert f"another plaitd (pid {first.process.pid}) uses this state directory" in second.refused()
    assert first.get("/ready") == ""
    first.process.kill()
    first.process.wait()
    second.start()
    second.stop()


def with_state_on(folder, options, then):
    """plaitd with a small file system of its own as state directory; `then` is done to it first."""
    state = folder / "state"
    script = f"mount -t tmpfs -o {options} tmpfs {state} && {then} && exec \"$@\""
    return Plaitd(folder, prefix=["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"])


def test_a_read_only_state_directory_is_named(folder):
    path = folder / "readonly"
    output = with_state_on(path, "size=64k,ro", "true").refused()
    assert f"{path}/state: the state directory cannot be written: plaitd.lock: Read-only file system" in output
    assert "--state-dir" in output


def test_a_full_disk_is_named_and_the_next_start_begins_anew(folder):
    path = folder / "full"
    output = with_state_on(path, "size=8k", f"{{ head -c 1000000 /dev/zero > {path}/state/fill 2>&- || true; }}").refused()
    assert "root-key.pem: cannot be written: No space left on device" in output and "is the disk full" in output


def test_a_disk_that_fills_up_later_costs_only_the_last_good_version(folder):
    plaitd = with_state_on(folder / "filling", "size=256k", "true").start()
    try:
        fill = f"head -c 1000000 /dev/zero > /proc/{plaitd.process.pid}/root{plaitd.state}/fill"
        filled = subprocess.run(unprivileged(["sh", "-c", fill]), check=False, stderr=subprocess.PIPE, text=True)
        assert "No space left on device" in filled.stderr
        m.write(plaitd.directory / "late.yaml", m.service("late", {"http": 80}))
        until(lambda: "late.default.svc.cluster.local" in plaitd.get("/debug/registryz"), 10, "the edit is live")
        assert "the last good version cannot be kept" in plaitd.log()
    finally:
        plaitd.stop()
