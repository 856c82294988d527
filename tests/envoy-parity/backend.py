"""The upstream of the parity tests: tells in its answer what it received, byte for byte where that matters.

A request steers the answer by the header `x-backend`, a list of `key=value` separated by `;`:
  status=503      the status
  fail=2,key=k    503 for the first 2 requests with that key, then 200
  body=N          N bytes of `b` instead of the report
  chunked         chunked transfer coding     close  no length, closed at the end     nolength=1.0 ...
  header=a:b      an additional response header
  reset           close the connection without an answer
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
        """Echo in upper case; speaks first when asked to by closing nothing: a plain stream."""
        try:
            while data := await reader.read(65536):
                writer.write(data.upper())
                await writer.drain()
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
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
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
        if fields.get("transfer-encoding", "").lower() == "chunked":
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
        elif "close" in orders:
            out.append("Connection: close")
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode() + report)
            await writer.drain()
            return False
        else:
            out.append(f"Content-Length: {len(report)}")
            writer.write(("\r\n".join(out) + "\r\n\r\n").encode() + report)
        await writer.drain()
        return fields.get("connection", "").lower() != "close" and version == "HTTP/1.1"

    async def http2(self, reader, writer):
        self.connections += 1
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        writer.write(conn.data_to_send())
        streams = {}
        try:
            while data := await reader.read(65536):
                for event in conn.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        streams[event.stream_id] = [event.headers, b""]
                    elif isinstance(event, h2.events.DataReceived):
                        streams[event.stream_id][1] += event.data
                        conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        self.http2_answer(conn, event.stream_id, *streams.pop(event.stream_id))
                writer.write(conn.data_to_send())
                await writer.drain()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            writer.close()

    def http2_answer(self, conn, stream, headers, body):
        fields = dict(headers)
        plain = [(n, v) for n, v in headers if not n.startswith(":")] + [("host", fields.get(":authority", ""))]
        orders, status, extra, report = self.answer(fields[":method"], fields[":path"], plain, body)
        if "reset" in orders:
            conn.reset_stream(stream, 2)
            return
        head = [(":status", str(status)), ("content-type", "text/plain"), ("x-backend-says", "hello")]
        head += [(n.lower(), v) for n, v in extra]
        if "trailers" in orders:
            conn.send_headers(stream, head)
            conn.send_data(stream, report[:16000])
            conn.send_headers(stream, [("x-trailer", "end")], end_stream=True)
            return
        empty = fields[":method"] == "HEAD" or status in (204, 304)
        conn.send_headers(stream, head + ([] if empty else [("content-length", str(len(report)))]), end_stream=empty)
        if not empty:
            conn.send_data(stream, report, end_stream=True)
