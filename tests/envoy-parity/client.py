"""A client that tells all that can be seen of an answer: HTTP/1 and HTTP/2, in plaintext and with TLS."""
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

PATIENCE = 10  # seconds: nothing is awaited that long but what never comes


def own_address(index):
    """A loopback address for each request: it names the request's line in the access log."""
    return f"127.1.{index // 250}.{index % 250 + 1}"


def exchange(port, index, request, folder, backend):
    """Sends one request. Returns the client's "address:port" and what came back."""
    end = time.monotonic() + PATIENCE
    while True:
        own, answer = attempt(port, index, request, folder, backend)
        if answer.get("status") == request.options.get("until", answer.get("status")) or time.monotonic() > end:
            return own, answer


def attempt(port, index, request, folder, backend):
    options = request.options
    with socket.create_connection(("127.0.0.1", port), PATIENCE, (options.get("from", own_address(index)), 0)) as raw:
        raw.settimeout(PATIENCE)
        own = "%s:%d" % raw.getsockname()
        try:
            with secure(raw, options, folder) as s:
                answer = http2_converse(s, options) if "http2" in options else converse(s, request, backend)
                if "tls" in options and "raw" not in options and s.version():
                    answer["tls"] = (s.version(), s.selected_alpn_protocol(), s.getpeercert(binary_form=True).hex())
                return own, answer
        except TimeoutError:
            return own, {"silent": True}
        except (OSError, EOFError, ValueError, h2.exceptions.ProtocolError):
            return own, {"broken": True}


def secure(raw, options, folder):
    if "tls" not in options:
        return raw
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if options.get("tls_version") == 2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if options.get("tls_version") == 3:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if ciphers := options.get("ciphers"):
        context.set_ciphers(ciphers)
    if alpn := options.get("alpn"):
        context.set_alpn_protocols(alpn)
    if client := options.get("client"):
        context.load_cert_chain(folder / f"{client}.pem", folder / f"{client}.key")
    return context.wrap_socket(raw, server_hostname=options.get("sni"))


def converse(s, request, backend):
    options = request.options
    s.sendall(request.data)
    if options.get("half_close"):
        s.shutdown(socket.SHUT_WR)
    if options.get("raw"):
        return {"body": read_all(s).decode("latin1")}
    if name := options.get("holds"):
        backend.wait_held(name)
        return {"held": name, "keep": s.detach() if "tls" not in options else None}
    if name := options.get("release"):
        backend.release(name)
    stream = s.makefile("rb")
    method = request.data.split(b" ", 1)[0]
    answers = [read_response(stream, s, method, options.get("then")) for _ in range(options.get("answers", 1))]
    return {**answers[-1], "before": answers[:-1]}


def read_all(s):
    out = b""
    while piece := s.recv(65536):
        out += piece
    return out


def read_fields(stream):
    fields = []
    while line := stream.readline().rstrip(b"\r\n"):
        name, _, value = line.decode("latin1").partition(":")
        fields.append((name.lower(), value.strip()))
    return fields


def read_response(stream, s, method, then):
    status_line = stream.readline()
    if not status_line:
        raise EOFError
    version, status = status_line.decode("latin1").split()[:2]
    headers = read_fields(stream)
    if status[0] == "1" and status != "101":
        if status == "100" and then:
            s.sendall(then)
        rest = read_response(stream, s, method, None if status == "100" else then)
        return {**rest, "informational": [(status, sorted(headers)), *rest.get("informational", [])]}
    answer = {"status": int(status), "version": version, "headers": headers}
    if status == "101" or (method == b"CONNECT" and status[0] == "2"):
        s.sendall(then or b"")
        return {**answer, "tunnel": stream.read().decode("latin1")}
    fields = dict(headers)
    closes = fields.get("connection") == "close"
    body = b""
    if method == b"HEAD" or status in ("204", "304"):
        pass
    elif fields.get("transfer-encoding") == "chunked":
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        answer["trailers"] = sorted(read_fields(stream))
    elif "content-length" in fields:
        body = stream.read(int(fields["content-length"]))
    else:
        body, closes = stream.read(), True
    answer["body"] = body.decode("latin1")
    if closes:
        answer["after the end"] = stream.read().decode("latin1")
    return answer


def http2_converse(s, options):
    conn = h2.connection.H2Connection(h2.config.H2Configuration(
        client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
    conn.initiate_connection()
    waiting, answers = {}, {}
    for headers, body, trailers in options["http2"]:
        stream = conn.get_next_available_stream_id()
        conn.send_headers(stream, headers, end_stream=not body and trailers is None)
        answers[stream] = {"headers": [], "body": b""}
        if body or trailers is not None:
            waiting[stream] = (body, trailers)
    s.sendall(conn.data_to_send())
    open_streams = set(answers)
    while open_streams:
        send_bodies(conn, waiting)
        s.sendall(conn.data_to_send())
        data = s.recv(65536)
        if not data:
            answers["closed"] = sorted(open_streams)
            break
        for event in conn.receive_data(data):
            note_http2(conn, event, answers, open_streams)
        s.sendall(conn.data_to_send())
    out = [{**one, "body": one["body"].decode("latin1")} for one in answers.values() if isinstance(one, dict)]
    return {**out[-1], "before": out[:-1], **{k: v for k, v in answers.items() if isinstance(k, str)}}


def send_bodies(conn, waiting):
    for stream, (body, trailers) in list(waiting.items()):
        try:
            while body and (room := min(conn.local_flow_control_window(stream), conn.max_outbound_frame_size)) > 0:
                conn.send_data(stream, body[:room], end_stream=len(body) <= room and trailers is None)
                body = body[room:]
            if not body and trailers is not None:
                conn.send_headers(stream, trailers, end_stream=True)
        except h2.exceptions.ProtocolError:  # the other side has reset the stream
            body = b""
        if body:
            waiting[stream] = (body, trailers)
        else:
            del waiting[stream]


def note_http2(conn, event, answers, open_streams):
    if isinstance(event, h2.events.InformationalResponseReceived):
        answers[event.stream_id].setdefault("informational", []).append(sorted(event.headers))
    elif isinstance(event, h2.events.ResponseReceived):
        fields = dict(event.headers)
        answers[event.stream_id]["status"] = int(fields.pop(":status"))
        answers[event.stream_id]["headers"] = [(n, v) for n, v in event.headers if n != ":status"]
    elif isinstance(event, h2.events.DataReceived):
        answers[event.stream_id]["body"] += event.data
        conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, h2.events.TrailersReceived):
        answers[event.stream_id]["trailers"] = sorted(event.headers)
    elif isinstance(event, h2.events.StreamEnded):
        open_streams.discard(event.stream_id)
    elif isinstance(event, h2.events.StreamReset):
        answers[event.stream_id]["reset"] = int(event.error_code)
        open_streams.discard(event.stream_id)
    elif isinstance(event, h2.events.ConnectionTerminated):
        answers["goaway"] = int(event.error_code)
