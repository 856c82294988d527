"""Records what crosses the mesh's own network namespace, with a packet socket: the first bytes of each side of each TCP
connection, whether a string ever occurs, and how many packets the kernel dropped before us. Run inside that namespace: `python3 wire.py CANARY...`; ends at the end of
its standard input and prints what it saw as JSON."""
import base64
import json
import select
import socket
import struct
import sys

PACKET_HOST = 0  # each packet is routed here: once in, once out; the way in is enough
ETH_P_ALL, TCP = 3, 6
SOL_PACKET, PACKET_STATISTICS = 263, 6  # which Python's socket does not name
FIRST = 5  # bytes kept of each direction: a TLS record header


def parse(kind, packet):
    """(source, destination, flags, payload) of a TCP packet; None for others."""
    if kind == 0x0800 and packet[9] == TCP:
        start, end = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        source, destination = (socket.inet_ntop(socket.AF_INET, packet[i:i + 4]) for i in (12, 16))
    elif kind == 0x86DD and packet[6] == TCP:
        start, end = 40, 40 + struct.unpack("!H", packet[4:6])[0]
        source, destination = (socket.inet_ntop(socket.AF_INET6, packet[i:i + 16]) for i in (8, 24))
    else:
        return None
    # Segmentation offload makes packets that are longer than their length field can say.
    tcp = packet[start:end if end > start + 20 else len(packet)]
    ports = struct.unpack("!HH", tcp[:4])
    return (source, ports[0]), (destination, ports[1]), tcp[13], tcp[(tcp[12] >> 4) * 4:]


def main():
    canaries = [text.encode() for text in sys.argv[1:]]
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    sniffer.setblocking(False)
    connections, seen, packets = {}, set(), 0
    print("ready", flush=True)
    poll = select.poll()
    poll.register(sniffer, select.POLLIN)
    poll.register(0, select.POLLIN | select.POLLHUP)
    running = True
    while running:
        running = not any(fd == 0 for fd, _ in poll.poll())
        while True:
            try:
                packet, address = sniffer.recvfrom(1 << 17)
            except BlockingIOError:
                break
            if address[2] != PACKET_HOST:
                continue
            packets += 1
            parsed = parse(address[1], packet)
            if parsed is None:
                continue
            source, destination, flags, payload = parsed
            if flags & 0x12 == 0x02:
                connections[source, destination] = {"client": b"", "server": b""}
            for key, side in (((source, destination), "client"), ((destination, source), "server")):
                if key in connections:
                    connections[key][side] = (connections[key][side] + payload)[:FIRST]
            seen |= {text for text in canaries if text in payload}
    report = [{"from": list(key[0]), "to": list(key[1]), **{side: base64.b64encode(value).decode() for side, value in sides.items()}}
              for key, sides in connections.items()]
    _, dropped = struct.unpack("II", sniffer.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps({"packets": packets, "dropped": dropped, "connections": report, "canaries": sorted(text.decode() for text in seen)}))


main()
