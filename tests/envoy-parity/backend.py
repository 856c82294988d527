"""The upstream of the parity tests: tells in its answer what it received, byte for byte where that matters.

A request steers the answer by the header `x-backend`, a list of `key=value` separated by `;`:
  status=503      the status
  fail=2,key=k    503 for the first 2 requests with that key, then 200
  body=N          N bytes of `b` instead of the report
  chunked         chunked transfer coding     close  no length, closed at the end
  trailers        (HTTP/2) a trailer after the body
  header=a:b      an additional response header
  early           the answer at once, without waiting for the request's body
  reset           close the connection (HTTP/2: reset the stream) without an answer
  drop            (HTTP/2) close the connection without an answer
  cut             close the connection in the middle of the body
"""
import asyncio
import json
import ssl

import h2.config
import h2.connection
import h2.events


class Backend:
    def __init__(self):
        self.failures = {}
        self.servers = []
        self.connections = 0

    async def start(self, certs):
        """Listens on ports that the kernel chooses; returns {name: port}."""
        ports = {}
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certs / "backend.pem", certs / "backend.key")
        for name, handler, context in (
            ("HTTP", self.http1, None), ("H2", self.http2, None), ("TCP", self.tcp, None), ("TLS", self.http1, tls),
        ):
            server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
            self.servers.append(server)
            ports[name] = server.sockets[0].getsockname()[1]
        return ports

    async def tcp(self, reader, writer):
        """Echo in upper case. What begins with "!bye" is answered once and ended from this side, "!go" ended at once."""
        try:
            while data := await reader.read(65536):
                if not data.startswith(b"!go"):
                    writer.write(data.upper())
                    await writer.drain()
                if data.startswith((b"!go", b"!bye")):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    def answer(self, method, target, headers, body):
        orders = dict(
            (part.partition("=")[0], part.partition("=")[2])
            for name, value in headers if name.lower() == "x-backend"
            for part in value.split(";") if part
        )
        status = int(orders.get("status", 200))
        if "fail" in orders:
            seen = self.failures.get(orders.get("key", ""), 0)
            self.failures[orders.get("key", "")] = seen + 1
            status = 503 if seen < int(orders["fail"]) else 200
        report = json.dumps({
            "method": method, "target": target, "body": body.decode("latin1"),
            "headers": sorted([n.lower(), v] for n, v in headers),
        }, indent=1).encode()
        if "body" in orders:
            report = b"b" * int(orders["body"])
        extra = [tuple(orders["header"].split(":", 1))] if "header" in orders else []
        return orders, status, extra, report

    async def http1(self, reader, writer):
        self.connections += 1
        try:
            while await self.http1_request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # a proxy that gives up in the middle of a body
        finally:
            writer.close()

    async def http1_request(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head.decode("latin1").split("\r\n")[:-2]
        method, target, version = lines[0].split(" ")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        fields = {n.lower(): v for n, v in headers}
        body = b""
        early = "early" in fields.get("x-backend", "")
        if early:
            pass
        elif fields.get("transfer-encoding", "").lower() == "chunked":
            while size := int((await reader.readline()).split(b";")[0], 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            while (await reader.readline()).strip():
                pass
        elif "content-length" in fields:
            body = await reader.readexactly(int(fields["content-length"]))
        orders, status, extra, report = self.answer(method, target, headers, body)
        if "reset" in orders:
            return False
        out = [f"HTTP/1.1 {status} Reason", "Content-Type: text/plain", "X-Backend-Says: hello"]
        out += [f"{n}: {v}" for n, v in extra]
        if method == "HEAD" or status in (204, 304):
            report = b"" if status in (204, 304) else report
            if status not in (204, 304):
                out.append(f"Content-Length: {len(report)}")
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode())
        elif "chunked" in orders:
            out.append("Transfer-Encoding: chunked")
            half = len(report) // 2
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode())
            for piece in (report[:half], report[half:]):
                if piece:
                    writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            writer.write(b"0\r\n\r\n")
        elif "cut" in orders:
            out.append(f"Content-Length: {len(report)}")
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode() + report[:len(report) // 2])
            await writer.drain()
            return False
        elif "close" in orders:
            out.append("Connection: close")
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode() + report)
            await writer.drain()
            return False
        else:
            out.append(f"Content-Length: {len(report)}")
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode() + report)
        await writer.drain()
        return not early and fields.get("connection", "").lower() != "close" and version == "HTTP/1.1"

    async def http2(self, reader, writer):
        self.connections += 1
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        writer.write(conn.data_to_send())
        requests, answers = {}, {}
        try:
            while data := await reader.read(65536):
                for event in conn.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        requests[event.stream_id] = [event.headers, b""]
                    elif isinstance(event, h2.events.DataReceived):
                        requests[event.stream_id][1] += event.data
                        conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        self.http2_answer(conn, event.stream_id, answers, *requests.pop(event.stream_id))
                    elif isinstance(event, h2.events.StreamReset):
                        answers.pop(event.stream_id, None)
                http2_send(conn, answers)
                writer.write(conn.data_to_send())
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def http2_answer(self, conn, stream, answers, headers, body):
        fields = dict(headers)
        plain = [(n, v) for n, v in headers if not n.startswith(":")] + [("host", fields.get(":authority", ""))]
        orders, status, extra, report = self.answer(fields[":method"], fields[":path"], plain, body)
        if "drop" in orders:
            raise ConnectionResetError
        if "reset" in orders:
            conn.reset_stream(stream, 2)
            return
        head = [(":status", str(status)), ("content-type", "text/plain"), ("x-backend-says", "hello")]
        head += [(n.lower(), v) for n, v in extra]
        trailers = "trailers" in orders
        empty = fields[":method"] == "HEAD" or status in (204, 304)
        conn.send_headers(stream, head + ([] if empty or trailers else [("content-length", str(len(report)))]), end_stream=empty)
        if not empty:
            answers[stream] = [report, [("x-trailer", "end")] if trailers else None]


def http2_send(conn, answers):
    """As much of each body as the peer's windows allow."""
    for stream, (body, trailers) in list(answers.items()):
        while body:
            room = min(conn.local_flow_control_window(stream), conn.max_outbound_frame_size)
            if room <= 0:
                break
            conn.send_data(stream, body[:room])
            body = body[room:]
        answers[stream][0] = body
        if body:
            continue
        del answers[stream]
        if trailers:
            conn.send_headers(stream, trailers, end_stream=True)
        else:
            conn.end_stream(stream)
