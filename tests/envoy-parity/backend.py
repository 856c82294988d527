"""The upstreams of the parity tests: tell in their answers what they received, byte for byte where that matters.

A request steers the answer by the header `x-backend`, a list of `key=value` separated by `;`:
  status=503      the status
  fail=2,key=k    503 for the first 2 requests with that key, then 200; fails=409 another status than 503
  on=B            the orders count only for the backend of that name
  body=N          N bytes of `b` instead of the report
  chunked         chunked transfer coding     close  no length, closed at the end
  trailers        a trailer after the body (HTTP/1: chunked)
  header=a:b      an additional response header; `|` separates several
  early           the answer at once; the request's body is read afterwards
  late=MS         the answer after that many milliseconds     slow=MS  the same pause in the middle of the body
  hold=NAME       the answer when the test says so
  info=103        an informational response before
  odd=NAME        an answer of odd_answers.py
  note=KEY        remembers what was received; tell=KEY answers with what a request of that key was, once it is there
  reset           close the connection (HTTP/2: reset the stream) without an answer; refuse: REFUSED_STREAM
  drop            (HTTP/2) close the connection without an answer
  cut             close the connection in the middle of the body
An upgrade and a CONNECT are accepted unless `status` is given; the tunnel gives the report and echoes in upper case, once.
"""
import asyncio
import dataclasses
import json
import socket
import ssl
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

import odd_answers

CUT_ANYWHERE = 4096  # bytes of a body: a larger one may come in several reads


class Backends:
    """All upstreams, on a loop in a thread of their own."""

    def __init__(self, certs):
        self.loop = asyncio.new_event_loop()
        self.failures, self.held, self.noted = {}, {}, {}
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.ports = asyncio.run_coroutine_threadsafe(self.start(certs), self.loop).result(10)

    async def start(self, certs):
        """Listens on ports that the kernel chooses; returns {name: port}."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certs / "backend.pem", certs / "backend.key")
        mutual = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        mutual.load_cert_chain(certs / "backend.pem", certs / "backend.key")
        mutual.load_verify_locations(certs / "ca.pem")
        mutual.verify_mode = ssl.CERT_REQUIRED
        alpn = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        alpn.load_cert_chain(certs / "backend.pem", certs / "backend.key")
        alpn.set_alpn_protocols(["h2", "http/1.1"])
        ports = {}
        for name, kind, context in (
            ("HTTP", Http1, None), ("B", Http1, None), ("C", Http1, None), ("D", Http1, None), ("H2", Http2, None), ("TCP", Tcp, None),
            ("TCPB", Tcp, None), ("TLS", Http1, tls), ("MTLS", Http1, mutual), ("ALPN", ByAlpn, alpn),
        ):
            server = await asyncio.start_server(kind(self, name).serve, "127.0.0.1", 0, ssl=context)
            ports[name] = server.sockets[0].getsockname()[1]
        return ports

    def reset(self):
        self.failures.clear()
        self.noted.clear()
        for name in list(self.held):
            self.release(name)

    async def hold(self, name):
        event = asyncio.Event()
        with self.changed:
            self.held[name] = event
            self.changed.notify_all()
        await event.wait()

    def wait_held(self, name):
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.held, 10), f"no request came that says hold={name}"

    def release(self, name):
        with self.changed:
            event = self.held.pop(name, None)
        if event:
            self.loop.call_soon_threadsafe(event.set)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


@dataclasses.dataclass
class Received:
    """A request as it was on the wire.

    line      HTTP/1: the request line
    fields    [name, value] in their order: HTTP/1 in their spelling, with the white space around the value; HTTP/2 with the pseudo-headers
    framing   HTTP/1: the lines of chunk sizes (of a large body only that it is chunked: where it is cut depends on when it was read);
              HTTP/2: what ends the stream: HEADERS, trailers, DATA, or none of the data: a frame without any
    """
    line: str
    fields: list
    body: bytes = b""
    framing: list = dataclasses.field(default_factory=list)
    trailers: list = dataclasses.field(default_factory=list)

    def report(self, backend, without=None):
        return json.dumps({
            "backend": backend, "line": self.line, "fields": [field for field in self.fields if field[0].lower() != without],
            "framing": self.framing, "body": self.body.decode("latin1"), "trailers": self.trailers,
        }, indent=1).encode()


class Backend:
    def __init__(self, all_of_them, name):
        self.all, self.name = all_of_them, name

    def orders(self, fields):
        text = fields.get("x-backend", "")
        orders = dict(part.partition("=")[::2] for part in text.split(";") if part)
        return {} if orders.get("on", self.name) != self.name else orders

    async def answer(self, orders, received):
        if "hold" in orders:
            await self.all.hold(orders["hold"])
        if "late" in orders:
            await asyncio.sleep(int(orders["late"]) / 1000)
        status = int(orders.get("status", 200))
        if "fail" in orders:
            seen = self.all.failures.get(orders.get("key", ""), 0)
            self.all.failures[orders.get("key", "")] = seen + 1
            status = int(orders.get("fails", 503)) if seen < int(orders["fail"]) else 200
        report = received.report(self.name)
        if "body" in orders:
            report = b"b" * int(orders["body"])
        if "note" in orders:
            # A mirror's x-forwarded-for is the proxy's own address, which only Envoy adds.
            report = received.report(self.name, without="x-forwarded-for")
            self.all.noted.setdefault(orders["note"], self.all.loop.create_future()).set_result(report)
        if "tell" in orders:
            told = self.all.noted.setdefault(orders["tell"], self.all.loop.create_future())
            report = (await asyncio.wait({told}, timeout=3))[0] and told.result() or b"nobody asked that"
        extra = [tuple(one.split(":", 1)) for one in orders["header"].split("|")] if "header" in orders else []
        return status, [("X-Backend-Says", "hello"), *extra], report


class Tcp(Backend):
    async def serve(self, reader, writer):
        """Echo in upper case. What begins with "!bye" is answered once and ended from this side, "!go" ended at once,
        "!who" is answered with the backend's name, "!reset" resets the connection."""
        try:
            while data := await reader.read(65536):
                if data.startswith(b"!reset"):
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    break
                if data.startswith(b"!who"):
                    writer.write(self.name.encode())
                elif not data.startswith(b"!go"):
                    writer.write(data.upper())
                    await writer.drain()
                if data.startswith((b"!go", b"!bye", b"!who")):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()


class Http1(Backend):
    async def serve(self, reader, writer):
        try:
            while await self.request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # a proxy that gives up in the middle of a body
        finally:
            writer.close()

    async def request(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head.decode("latin1").split("\r\n")[:-2]
        method, _, version = lines[0].split(" ")
        received = Received(lines[0], [line.split(":", 1) for line in lines[1:]])
        fields = {name.lower(): value.strip() for name, value in received.fields}
        orders = self.orders(fields)
        if (method == "CONNECT" or "upgrade" in fields) and "status" not in orders:
            return await self.tunnel(reader, writer, fields, received)
        if fields.get("expect") == "100-continue" and "early" not in orders:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "early" not in orders:
            await read_body(reader, fields, received)
        if "reset" in orders:
            return False
        if "odd" in orders:
            writer.write(odd_answers.ANSWERS[orders["odd"]])
            await writer.drain()
            return False
        if "info" in orders:
            writer.write(f"HTTP/1.1 {orders['info']} Early\r\nLink: </style.css>\r\n\r\n".encode())
        status, extra, report = await self.answer(orders, received)
        keep = await self.respond(writer, orders, method, status, extra, report)
        await writer.drain()
        if keep and "early" in orders:  # to end here would break what a proxy has sent on this connection meanwhile
            await read_body(reader, fields, received)
        return keep and fields.get("connection", "").lower() != "close" and version == "HTTP/1.1"

    async def tunnel(self, reader, writer, fields, received):
        if "upgrade" in fields:
            writer.write(f"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {fields['upgrade']}\r\n\r\n".encode())
        else:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        through = (await reader.read(65536)).upper()
        writer.write(received.report(self.name) + b"\n" + through)
        await writer.drain()
        return False

    async def respond(self, writer, orders, method, status, extra, report):
        """Writes the response; returns whether the connection can go on."""
        out = [f"HTTP/1.1 {status} Reason", "Content-Type: text/plain", *(f"{n}: {v}" for n, v in extra)]

        def head(*more):
            return ("\r\n".join([*out, *more]) + "\r\n\r\n").encode()
        half = len(report) // 2
        if method == "HEAD" or status in (204, 304):
            writer.write(head(*([] if status in (204, 304) else [f"Content-Length: {len(report)}"])))
        elif "chunked" in orders or "trailers" in orders:
            writer.write(head("Transfer-Encoding: chunked"))
            for piece in (report[:half], report[half:]):
                if piece:
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                if "slow" in orders:
                    await writer.drain()
                    await asyncio.sleep(int(orders["slow"]) / 1000)
            writer.write(b"0\r\n" + (b"X-Trailer: end\r\n" if "trailers" in orders else b"") + b"\r\n")
        elif "cut" in orders or "slow" in orders:
            writer.write(head(f"Content-Length: {len(report)}") + report[:half])
            await writer.drain()
            if "cut" in orders:
                return False
            await asyncio.sleep(int(orders["slow"]) / 1000)
            writer.write(report[half:])
        elif "close" in orders:
            writer.write(head("Connection: close") + report)
            await writer.drain()
            return False
        else:
            writer.write(head(f"Content-Length: {len(report)}") + report)
        return True


async def read_body(reader, fields, received):
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while True:
            line = await reader.readline()
            received.framing.append(line.decode("latin1"))
            if not (size := int(line.split(b";")[0], 16)):
                break
            received.body += await reader.readexactly(size)
            await reader.readexactly(2)
        while (line := await reader.readline()) not in (b"\r\n", b""):
            received.trailers.append(line.decode("latin1").removesuffix("\r\n").split(":", 1))
        if len(received.body) > CUT_ANYWHERE:
            received.framing = ["chunked"]
    elif "content-length" in fields:
        received.body = await reader.readexactly(int(fields["content-length"]))


class ByAlpn(Backend):
    async def serve(self, reader, writer):
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        await (Http2 if chosen == "h2" else Http1)(self.all, self.name).serve(reader, writer)


class Http2(Backend):
    async def serve(self, reader, writer):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", normalize_inbound_headers=False))  # cookies as they come
        conn.initiate_connection()
        writer.write(conn.data_to_send())
        requests, bodies, tasks = {}, {}, set()

        def flush():
            send_bodies(conn, bodies)
            writer.write(conn.data_to_send())

        def begin(stream):
            task = asyncio.ensure_future(self.http2_answer(conn, stream, bodies, requests.pop(stream), flush, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        try:
            while data := await reader.read(65536):
                for event in conn.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        requests[event.stream_id] = Received("", [[n, v] for n, v in event.headers], framing=["HEADERS"] if event.stream_ended else [])
                        if "early" in self.orders(dict(event.headers)):
                            begin(event.stream_id)
                    elif isinstance(event, h2.events.DataReceived):
                        if event.stream_id in requests:
                            requests[event.stream_id].body += event.data
                            if event.stream_ended:
                                requests[event.stream_id].framing = ["DATA" if event.data else "none"]
                        conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.TrailersReceived) and event.stream_id in requests:
                        requests[event.stream_id].trailers = [[n, v] for n, v in event.headers]
                        requests[event.stream_id].framing = ["trailers"]
                    elif isinstance(event, h2.events.StreamEnded) and event.stream_id in requests:
                        begin(event.stream_id)
                    elif isinstance(event, h2.events.StreamReset):
                        bodies.pop(event.stream_id, None)
                        requests.pop(event.stream_id, None)
                flush()
                await writer.drain()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            writer.close()

    async def http2_answer(self, conn, stream, bodies, received, flush, writer):
        fields = dict(received.fields)
        orders = self.orders(fields)
        if "drop" in orders:
            return writer.close()
        status, extra, report = await self.answer(orders, received)
        try:
            if "reset" in orders or "refuse" in orders:
                conn.reset_stream(stream, 7 if "refuse" in orders else 2)
                return flush()
            if "info" in orders:
                conn.send_headers(stream, [(":status", orders["info"]), ("link", "</style.css>")])
            head = [(":status", str(status)), ("content-type", "text/plain"), *((n.lower(), v) for n, v in extra)]
            empty = fields[":method"] == "HEAD" or status in (204, 304) or "grpc-only" in orders
            has_trailers = "trailers" in orders
            conn.send_headers(stream, head + ([] if empty or has_trailers else [("content-length", str(len(report)))]), end_stream=empty)
            if not empty:
                bodies[stream] = [report, [("x-trailer", "end")] if has_trailers else None]
            flush()
        except h2.exceptions.ProtocolError:
            pass  # the proxy has reset the stream meanwhile


def send_bodies(conn, bodies):
    """As much of each body as the peer's windows allow."""
    for stream, (body, trailers) in list(bodies.items()):
        while body:
            room = min(conn.local_flow_control_window(stream), conn.max_outbound_frame_size)
            if room <= 0:
                break
            conn.send_data(stream, body[:room])
            body = body[room:]
        bodies[stream][0] = body
        if body:
            continue
        del bodies[stream]
        if trailers:
            conn.send_headers(stream, trailers, end_stream=True)
        else:
            conn.end_stream(stream)
