"""A DNS server of the host, for meshes that are told of it by PLAIT_RESOLV_CONF."""
import contextlib
import socket
import struct
import threading

A, NO_SUCH_NAME, TRUNCATED = 1, 3, 0x200


class Resolver:
    """Knows `names`: {name: [IPv4 address]}; every other name is `default`, or none. Notes who asked for what.

    Over UDP an answer of many addresses is cut short. Over TCP, all of it, unless `refuses_tcp`.
    """

    def __init__(self, names=(), default=None, ttl=5):
        self.names, self.default, self.ttl = dict(names), default, ttl
        self.udp, self.tcp = self.listen()
        self.port = self.udp.getsockname()[1]
        self.clients, self.connections, self.asked = [], [], []
        self.refuses_tcp = False
        for serve in (self.answer, self.accept):
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def listen():
        """UDP and TCP on one port. What is free of the one may be taken of the other."""
        for last in (*[False] * 20, True):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind(("127.0.0.1", 0))
            try:
                return udp, socket.create_server(udp.getsockname())
            except OSError:
                udp.close()
                if last:
                    raise

    def addresses(self, name):
        return self.names.get(name, [self.default] if self.default else None)

    def answer(self):
        while True:
            query, client = self.udp.recvfrom(4096)
            if not query:
                return
            self.clients.append(client)
            self.udp.sendto(self.reply(query, most=20), client)

    def reply(self, query, most):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        end = at + 5
        name = ".".join(labels).lower()
        self.asked.append(name)
        known = self.addresses(name)
        found = known if known and struct.unpack("!H", query[at + 1:at + 3])[0] == A else []
        flags = 0x8180 | (0 if known is not None else NO_SUCH_NAME)
        if len(found) > most:
            found, flags = [], flags | TRUNCATED
        reply = query[:2] + struct.pack("!5H", flags, 1, len(found), 0, 0) + query[12:end]
        for address in found:
            reply += b"\xc0\x0c" + struct.pack("!HHIH", A, 1, self.ttl, 4) + socket.inet_aton(address)
        return reply

    def accept(self):
        while True:
            try:
                connection = self.tcp.accept()[0]
            except OSError:
                return
            if self.refuses_tcp:
                connection.close()
                continue
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection.makefile("rb") as messages:
            while len(length := messages.read(2)) == 2:
                reply = self.reply(messages.read(*struct.unpack("!H", length)), most=1000)
                connection.sendall(struct.pack("!H", len(reply)) + reply)

    def hang_up(self):
        """Ends the connections that there are, as a resolver does with those that are idle (RFC 7766)."""
        while self.connections:
            connection = self.connections.pop()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def tell(self, mesh):
        """`mesh`, not yet started, asks this resolver."""
        file = mesh.folder / "resolv.conf"
        file.write_text(f"nameserver [127.0.0.1]:{self.port}\n")
        file.chmod(0o644)
        mesh.env["PLAIT_RESOLV_CONF"] = str(file)

    def close(self):
        self.udp.sendto(b"", ("127.0.0.1", self.port))
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        self.hang_up()
