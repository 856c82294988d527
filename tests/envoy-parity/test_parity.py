"""Ten static files, fifty requests each, on Envoy and on plait-proxy in one run: the same status, headers, body and
access log line (response code, flags, details, route, cluster, bytes).

What is not compared, and why: `date`, the value of times and of generated identifiers. What differs on purpose stands
in `differences.yaml` with its reason; an entry that no longer differs fails the test.
"""
import asyncio
import json
import pathlib
import re
import socket
import ssl
import threading

import pytest
import yaml

import certs
import proxies
import wire_requests
from backend import Backend

HERE = pathlib.Path(__file__).parent
DIFFERENCES = yaml.safe_load((HERE / "differences.yaml").read_text()) or {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("parity")
    certs.make(path)
    return path


@pytest.fixture
def backend(folder):
    """A fresh backend for each proxy, in a thread of its own."""
    started = []

    def start():
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        server = Backend()
        ports = asyncio.run_coroutine_threadsafe(server.start(folder), loop).result(10)
        started.append((loop, thread))
        return ports

    yield start
    for loop, thread in started:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def connect(port, options, folder):
    raw = socket.create_connection(("127.0.0.1", port), 10)
    raw.settimeout(10)
    if "tls" not in options:
        return raw
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if options.get("tls_version") == 2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if client := options.get("client"):
        context.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    try:
        return context.wrap_socket(raw, server_hostname=options.get("sni"))
    except OSError:
        raw.close()
        raise


def exchange(port, options, request, folder):
    """Sends the bytes; returns what a client can see of the answer."""
    try:
        with connect(port, options, folder) as s:
            peer = ""
            if "tls" in options:
                peer = s.version()
            s.sendall(request)
            if options.get("half_close"):
                s.shutdown(socket.SHUT_WR)
                return {"body": read_all(s).decode("latin1")}
            answer = read_response(s, head=request.startswith(b"HEAD"))
            answer["tls"] = peer
            return answer
    except (OSError, EOFError):
        # Whether an alert or a reset is seen first is a race between the two ends of the connection.
        return {"broken": True}


def read_all(s):
    out = b""
    while piece := s.recv(65536):
        out += piece
    return out


def read_response(s, head):
    stream = s.makefile("rb")
    status_line = stream.readline()
    if not status_line:
        raise EOFError
    status = int(status_line.split()[1])
    headers = []
    while (line := stream.readline().rstrip(b"\r\n")):
        name, _, value = line.decode("latin1").partition(":")
        headers.append((name.lower(), value.strip()))
    if status == 100:
        return read_response_after_continue(stream, head)
    fields = dict(headers)
    body = b""
    if head or status in (204, 304):
        pass
    elif fields.get("transfer-encoding") == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
    elif "content-length" in fields:
        body = stream.read(int(fields["content-length"]))
    else:
        body = stream.read()
    return {"status": status, "version": status_line.split()[0].decode(), "headers": headers, "body": body.decode("latin1")}


def read_response_after_continue(stream, head):
    class Rest:
        def makefile(self, _):
            return stream
    return {**read_response(Rest(), head), "continued": True}


VOLATILE = {"date": None, "x-envoy-upstream-service-time": "N", "x-request-id": "ID"}


def steady(name, value):
    """An upstream header's value without what time and chance put in it."""
    if name == "x-request-id" and value != "mine":
        return "ID"
    if name == "x-envoy-expected-rq-timeout-ms":  # what is left of the route's time-out when a retry starts
        return str(-(-int(value) // 500) * 500)
    return value


def normalize(answer):
    """Leaves out what must differ between two runs of the same proxy."""
    answer = dict(answer)
    if "headers" in answer:
        answer["headers"] = sorted((n, VOLATILE.get(n, v)) for n, v in answer["headers"] if VOLATILE.get(n, v) is not None)
    try:
        report = json.loads(answer.get("body", ""))
        report["headers"] = sorted([n, steady(n, v)] for n, v in report["headers"])
        answer["body"] = report
        # The report's length follows the identifiers in it.
        answer["headers"] = [h for h in answer["headers"] if h[0] != "content-length"]
    except (ValueError, TypeError, KeyError):
        answer["body"] = re.sub(r"0x[0-9a-f]+|:\d{4,5}", "N", answer.get("body", ""))
    return answer


def run(kind, case, backends, folder, requests):
    proxy = proxies.Proxy(kind, case, backends, folder, folder)
    try:
        proxy.wait_ready()
        answers = [normalize(exchange(proxy.port, options, request, folder)) for options, request in requests]
        return answers, proxy
    finally:
        proxy.stop()


def comparable_log(proxy):
    # The connection of wait_ready leaves a line of its own in TCP logs.
    text = proxy.log_file.read_text() if proxy.log_file.exists() else ""
    return [re.sub(r"0x[0-9a-f]+", "N", line) for line in text.splitlines()]


@pytest.mark.parametrize("name", sorted(wire_requests.CASES))
def test_plait_proxy_answers_as_envoy(name, backend, folder):
    case = HERE / "cases" / f"{name}.yaml"
    requests = wire_requests.CASES[name]()
    assert len(requests) == 50
    envoy, envoy_proxy = run("envoy", case, backend(), folder, requests)
    plait, plait_proxy = run("plait", case, backend(), folder, requests)
    allowed = DIFFERENCES.get(name, {})
    problems, used = [], set()
    for i, (options, request) in enumerate(requests):
        if envoy[i] == plait[i]:
            continue
        if i in allowed:
            used.add(i)
            continue
        problems.append(f"request {i}: {options} {request[:120]!r}\n" + describe(envoy[i], plait[i]))
    problems += [f"differences.yaml says that request {i} differs; it does not" for i in sorted(set(allowed.get("requests", allowed)) - used - {"log"})]
    envoy_log, plait_log = comparable_log(envoy_proxy), comparable_log(plait_proxy)
    if "log" not in allowed:
        problems += [f"log line {i}:\n  envoy {a}\n  plait {b}" for i, (a, b) in enumerate(zip(envoy_log, plait_log)) if a != b]
        if len(envoy_log) != len(plait_log):
            problems.append(f"envoy wrote {len(envoy_log)} log lines, plait-proxy {len(plait_log)}")
    assert not problems, f"{len(problems)} differences\n" + "\n".join(problems)


def describe(envoy, plait):
    out = []
    for key in sorted(set(envoy) | set(plait)):
        a, b = envoy.get(key), plait.get(key)
        if a == b:
            continue
        if key == "body" and isinstance(a, dict) and isinstance(b, dict):
            for part in sorted(set(a) | set(b)):
                if a.get(part) != b.get(part):
                    out.append(f"  upstream {part}:\n    envoy {a.get(part)!r:.600}\n    plait {b.get(part)!r:.600}")
        else:
            out.append(f"  {key}:\n    envoy {a!r:.600}\n    plait {b!r:.600}")
    return "\n".join(out)
