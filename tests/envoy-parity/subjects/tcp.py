"""Connections that are relayed as bytes."""
from suite import case, http, sent


@case("08-tcp", common=None)
def tcp():
    out = [sent(bytes([97 + i % 26]) * (1 if i < 5 else i * 997), raw=True, half_close=True) for i in range(40)]
    # The upstream ends first: after an answer, and without one.
    out += [sent(b"!bye " + b"b" * (i * 100), raw=True) for i in range(5)]
    return out + [sent(b"!go " + b"g" * i, raw=True) for i in range(5)]


@case("70-log-of-tcp", common=None)
def log_of_tcp():
    return tcp() + [sent(b"!reset " + b"r" * i, raw=True) for i in range(5)]


@case("53-tcp-limits", common=None)
def tcp_limits():
    out = [sent(b"data", tls=True, sni=f"{n}.test", raw=True) for n in ("idle", "life", "denied")]
    out += [sent(b"!bye %d" % i, tls=True, sni=f"{n}.test", raw=True) for n in ("idle", "life", "zero") for i in range(3)]
    out += [sent(b"!who%d" % i, tls=True, sni="hashed.test", raw=True) for i in range(12)]
    return out + [sent(http(target=f"/{i}", headers=[("Connection", "close")]), raw=True) for i in range(3)]
