"""plaitd by itself, without a mesh around it, and a gRPC client that can also do what no library would."""
import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
import urllib.request

import h2.config
import h2.connection
import h2.events

from authority import Authority
from mesh import BIN, TEST_UID, end_process, process_status, showing, stopped_on_failure, unprivileged, until

ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
DELTA_ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class Plaitd:
    """Its files lie below `folder`; `prefix` is a command that runs it (`unshare ...`)."""
    host = "127.0.0.1"

    def __init__(self, folder, *arguments, prefix=()):
        self.folder, self.arguments, self.prefix = folder, arguments, list(prefix)
        self.directory, self.state, self.output = folder / "config", folder / "state", folder / "plaitd.out"
        for part in (folder, self.directory, self.state):
            part.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                os.chown(part, TEST_UID, TEST_UID)
        self.process = None

    def spawn(self):
        command = [str(BIN / "plaitd"), "--directory", str(self.directory), "--state-dir", str(self.state),
                   "--listen-address", "127.0.0.1:0", "--debug-address", "127.0.0.1:0", *self.arguments]
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(unprivileged([*self.prefix, *command]), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT)
        return self

    def start(self):
        self.spawn()
        def ports():
            assert self.process.poll() is None, "it has ended"
            return re.search(r"serving \d+ objects on \S+:(\d+), debug pages on \S+:(\d+)", self.log())
        with stopped_on_failure(self.stop), showing(self.log):
            found = until(ports, 20, "plaitd serves")
        self.port, self.debug_port = int(found[1]), int(found[2])
        return self

    def log(self):
        return self.output.read_text(errors="replace")

    def refused(self):
        """The output of a start that ends with an error."""
        self.spawn()
        assert self.process.wait(20) == 1, self.log()
        return self.log()

    def stop(self):
        end_process(self.process, 20, self.log)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.debug_port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The sum of a family's series."""
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", self.get("/metrics"), re.MULTILINE))

    def resident(self):
        return int(process_status(self.process.pid)["VmRSS"].split()[0]) * 1024

    @property
    def root(self):
        return self.state / "ca" / "root-cert.pem"

    def certificate(self, account="web", namespace="default"):
        """A file with the certificate and key of a workload, as this authority signs it."""
        return Authority.at(self.state / "ca").issue(
            self.folder / f"{account}.{namespace}.pem", f"spiffe://cluster.local/ns/{namespace}/sa/{account}")


class Server:
    """A plaitd that somebody else runs, as much as `Call` needs of it: `address` is HOST:PORT, `root` a file."""

    def __init__(self, address, root):
        self.host, _, port = address.rpartition(":")
        self.port, self.root = int(port), root


class Ended(Exception):
    def __init__(self, status, message):
        super().__init__(f"status {status}: {message}")
        self.status, self.message = status, message


class Call:
    """One gRPC call over TLS, of a Plaitd or a Server. Nothing is read but in `receive` and when the server's windows are full."""

    def __init__(self, plaitd, method, certificate=None):
        context = ssl.create_default_context(cafile=str(plaitd.root))
        context.set_alpn_protocols(["h2"])
        if certificate:
            context.load_cert_chain(str(certificate))
        self.socket = context.wrap_socket(socket.create_connection((plaitd.host, plaitd.port), 10), server_hostname="localhost")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(self.stream, [(":method", "POST"), (":scheme", "https"), (":path", method), (":authority", "localhost"),
                                           ("content-type", "application/grpc"), ("te", "trailers")])
        self.received, self.ended = b"", None
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def send(self, message):
        data = struct.pack(">BI", 0, len(message)) + message
        while data:
            window = min(self.h2.local_flow_control_window(self.stream), self.h2.max_outbound_frame_size)
            if window == 0:
                self.read(10)
                if self.ended:
                    return
                continue
            self.h2.send_data(self.stream, data[:window])
            data = data[window:]
            self.flush()

    def read(self, seconds):
        self.socket.settimeout(seconds)
        data = self.socket.recv(65536)
        if not data:
            self.ended = self.ended or Ended(None, "the connection was closed")
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.received += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.TrailersReceived, h2.events.ResponseReceived)):
                fields = dict(event.headers)
                if "grpc-status" in fields:
                    self.ended = Ended(int(fields["grpc-status"]), fields.get("grpc-message", ""))
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                self.ended = self.ended or Ended(None, "the stream was reset")
        with contextlib.suppress(OSError):
            self.flush()

    def receive(self, seconds=10):
        """The next message; `Ended` when the call has ended instead."""
        while True:
            if len(self.received) >= 5 and len(self.received) >= 5 + (size := struct.unpack(">I", self.received[1:5])[0]):
                message, self.received = self.received[5:5 + size], self.received[5 + size:]
                return message
            if self.ended:
                raise self.ended
            self.read(seconds)

    def end(self, seconds=20):
        """How the call ends, after whatever comes before."""
        while True:
            try:
                self.receive(seconds)
            except Ended as ended:
                return ended


# -- protobuf's wire format, as much as requests need --------------------------

def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def text_entry(key, value):
    return field(1, field(1, key) + field(2, field(3, value)))


def node(account="web", namespace="default", pod="web-0", ip="10.244.0.5"):
    metadata = text_entry("NAMESPACE", namespace) + text_entry("SERVICE_ACCOUNT", account)
    return (field(1, f"sidecar~{ip}~{pod}.{namespace}~{namespace}.svc.cluster.local") + field(3, metadata) +
            field(6, "plait-proxy"))


TYPES = {"lds": "envoy.config.listener.v3.Listener", "rds": "envoy.config.route.v3.RouteConfiguration",
         "cds": "envoy.config.cluster.v3.Cluster", "eds": "envoy.config.endpoint.v3.ClusterLoadAssignment", "wads": "istio.workload.Address"}
WEB = node()


def type_url(name):
    return "type.googleapis.com/" + TYPES[name]


def delta_request(kind, subscribe=(), nonce="", sender=WEB):
    """`sender`: a node, which the first request of a stream must have; None: a later one."""
    return ((field(1, sender) if sender else b"") + field(2, type_url(kind)) + b"".join(field(3, name) for name in subscribe) +
            (field(6, nonce) if nonce else b""))


def sotw_request(kind, names=(), nonce="", sender=WEB):
    return ((field(2, sender) if sender else b"") + b"".join(field(3, name) for name in names) + field(4, type_url(kind)) +
            (field(5, nonce) if nonce else b""))
