"""The access log of a listener on Envoy and on plait-proxy: the same line for each connection, whatever becomes of it."""
import pathlib
import socket
import ssl

import pytest

import backend as upstreams
import certs
import proxies

CASE = pathlib.Path(__file__).parent / "admin" / "listener-log.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("listener-log")
    certs.make(path)
    return path


@pytest.fixture(scope="module")
def backends(folder):
    started = upstreams.Backends(folder)
    yield started.ports
    started.stop()


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def client_hello(name):
    written = ssl.MemoryBIO()
    hello = client_context().wrap_bio(ssl.MemoryBIO(), written, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    return written.read()


def until_the_end(s):
    try:
        while s.recv(65536):
            pass
    except ConnectionError:
        pass


def no_chain_for_its_name(s):
    s.sendall(client_hello("other.example.com"))
    until_the_end(s)


def plaintext_that_no_chain_takes(s):
    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
    until_the_end(s)


def two_requests(s):
    with client_context().wrap_socket(s, server_hostname="a.example.com") as secure:
        for _ in range(2):
            secure.sendall(b"GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
            answer = b""
            while not answer.endswith(b"hello"):
                answer += secure.recv(65536)


def goes_in_the_handshake(s):
    s.sendall(client_hello("a.example.com"))
    assert s.recv(1)


def relayed(s):
    hello = client_hello("b.example.com")
    s.sendall(hello)
    answer = b""
    while len(answer) < len(hello):
        answer += s.recv(65536)


def upstream_refuses(s):
    s.sendall(client_hello("c.example.com"))
    until_the_end(s)


def goes_without_a_word(s):
    s.shutdown(socket.SHUT_WR)
    until_the_end(s)


def goes_within_its_hello(s):
    s.sendall(client_hello("a.example.com")[:20])
    s.shutdown(socket.SHUT_WR)
    until_the_end(s)


def says_nothing(s):
    until_the_end(s)


CONNECTIONS = (no_chain_for_its_name, plaintext_that_no_chain_takes, two_requests, goes_in_the_handshake, relayed, upstream_refuses,
               goes_without_a_word, goes_within_its_hello, says_nothing)
# What differs on purpose, with the reason.
DIFFERENCES = {
    "goes_in_the_handshake": {"tls": "Envoy tells the version that was about to be agreed on; Plait one that was"},
}


def run(kind, folder, backends):
    proxy = proxies.Proxy(kind, CASE, backends, folder, folder)
    ports = {}
    try:
        proxy.wait_ready()
        for behave in CONNECTIONS:
            with socket.create_connection(("127.0.0.1", proxy.port), 10) as s:
                ports[behave.__name__] = "127.0.0.1:" + str(s.getsockname()[1])
                behave(s)
    finally:
        code = proxy.stop()
    assert code == 0, pathlib.Path(proxy.output.name).read_text()[-3000:]
    lines = proxy.log_lines()
    return {name: lines.get(port, []) for name, port in ports.items()}


def test_a_listener_logs_each_connection_as_envoy(folder, backends):
    envoy, plait = (run(kind, folder, backends) for kind in ("envoy", "plait"))
    for name, lines in envoy.items():
        assert [len(lines), len(plait[name])] == [1, 1], f"{name}: {lines} {plait[name]}"
        differs = {key: (lines[0][key], plait[name][0][key]) for key in lines[0] if lines[0][key] != plait[name][0][key]}
        assert set(differs) == set(DIFFERENCES.get(name, {})), f"{name}: {differs}"
    assert plait["no_chain_for_its_name"][0]["flags"] == "NR"
    assert plait["no_chain_for_its_name"][0]["details"] == "filter_chain_not_found"
