"""TLS on either side: chains by SNI, client certificates, versions."""
from suite import case, gets, http, http2, plain, sent


@case("02-sni", common={"tls": True, "sni": "a.example.com"})
def sni():
    out = []
    for name in ("a.example.com", "b.example.com", "x.b.example.com", "y.x.b.example.com", "A.EXAMPLE.COM", "c.example.com", None,
                 "example.com", "a.example.com.evil", "b.example.co"):
        for target in ("/", "/one", "/two?x=1", "/three"):
            out.append(sent(http(target=target, host=name or "none"), tls=True, sni=name))
        out.append(sent(http("POST", "/p", host=name or "none", body=b"payload"), tls=True, sni=name))
    return out


@case("03-mutual-tls", common={"tls": True, "sni": "a.example.com", "client": "client"})
def mutual_tls():
    out = []
    spoofed = ("x-forwarded-client-cert", "By=spoofed;URI=spiffe://evil")
    for client, count in (("client", 22), ("stranger", 7), ("foreign", 7), (None, 7), ("backend", 7)):
        for i in range(count):
            request = http("POST" if i % 4 == 3 else "GET", f"/{i}", headers=[spoofed] if i % 2 else [], body=b"x" if i % 4 == 3 else b"")
            out.append(sent(request, tls=True, sni="a.example.com", client=client, tls_version=2 if i % 3 == 2 else 3))
    return out

_SPOOFED = ("x-forwarded-client-cert", "By=spiffe://proxy;Hash=00;URI=spiffe://first")


def _certificates(**secured):
    out = []
    for client in ("client", "stranger", "backend", None):
        for headers in ([], [_SPOOFED], [_SPOOFED, _SPOOFED], [("x-forwarded-client-cert", "")]):
            out.append(sent(http(headers=headers), client=client, **secured) if secured else sent(http(target=f"/{client}", headers=headers)))
    return out


@case("46-forwarded-certificates", common={"tls": True, "client": "client"})
def forwarded_certificates():
    return _certificates(tls=True)


@case("47-certificates-passed", common={"tls": True, "client": "client"})
def certificates_passed():
    return _certificates(tls=True)


@case("48-certificates-always")
def certificates_always():
    return _certificates()


@case("49-tls-parameters")
def tls_parameters():
    names = ("old", "new", "h2", "h1", "alpn", "uri-exact", "uri-prefix", "uri-regex", "dns", "dns-suffix", "any-san", "optional", "optional-san", "unverified", "source", "direct", "unknown")
    out = [sent(http(target=f"/{v}"), tls=True, sni=f"{n}.test", tls_version=v) for n in names[:5] for v in (2, 3)]
    out += [sent(http(target=f"/{c}"), tls=True, sni=f"{n}.test", client=c) for n in names[5:] for c in ("client", "stranger", "b", "backend", "foreign", None)]
    for n in ("h2", "h1", "alpn"):
        out += [sent(http(target="/" + "+".join(a)), tls=True, sni=f"{n}.test", alpn=a) for a in (["http/1.1"], ["special"], ["other"], ["special", "http/1.1"], ["http/1.0"])]
    out += [sent(b"", tls=True, sni="h2.test", alpn=a, http2=[http2("GET", "/two")]) for a in (["h2"], ["h2", "http/1.1"], ["http/1.1", "h2"])]
    return out + [sent(http(), tls=True, sni=None), sent(http(), tls=True, sni="OLD.TEST", tls_version=2)]


@case("50-upstream-tls")
def upstream_tls():
    names = ("plain-tls", "no-check", "san", "wrong-san", "wrong-root", "to-plaintext", "from-plaintext", "mutual", "not-mutual", "sni-san", "sni-wrong-san", "h2-alpn", "auto-config", "auto-config-h1",
             "new-only", "old-only", "spki")
    out = gets(*(f"/{n}" for n in names)) + plain(*(http("POST", f"/{n}", body=b"body") for n in names))
    for host in ("backend.example.com", "backend.example.com:443", "other.example.com", "127.0.0.1", "[::1]"):
        out += gets("/auto-sni", "/auto-san", host=host)
        out += plain(http(target="/sni-header/" + host, headers=[("x-sni", host)]))
    return out + gets("/sni-header/none", host="backend.example.com")


@case("51-transport-matches")
def transport_matches():
    return gets("/istio", "/istio/2", "/disabled", "/unset")
