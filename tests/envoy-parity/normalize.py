"""Takes out of an answer what must differ between two runs of the same proxy: times and made-up identifiers."""
import email.utils
import json
import re

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def header(name, value, port):
    if name == "x-forwarded-port" and value == str(port):
        return "the listener's"
    if name == "date":
        return "a date" if email.utils.parsedate_to_datetime(value) else value
    if name == "set-cookie":  # what it names is made of the ports of the connection
        return re.sub(r'="[0-9a-f]+"', '="MADE"', value)
    if name == "x-envoy-upstream-service-time":
        return "N" if value.isdecimal() else value
    if name == "x-request-id" and value != "mine":
        return "ID" if re.fullmatch(UUID, value) else value
    if name == "x-envoy-expected-rq-timeout-ms":  # what is left of the route's time-out when a retry starts
        return str(-(-int(value) // 500) * 500)
    return value


def parts(seen, port, sent=b""):
    """The answer as {part: what it is}, flat, so that `differences.yaml` can name what differs and nothing else. `port` is the
    listener's: each proxy has its own; `sent` is what the client wrote.

    status, version, trailers, closed ...    of the response      headers.NAME   the values of a field of it
    headers order                            the names as they came
    request.line, .backend, .body, .framing  as the backend received it; request.trailers; request.NAME; request order
    log.FIELD                                one value for each line; log lines: how many
    before N.PART                            of an earlier response on the connection
    """
    out = {}
    for name, value in seen.items():
        if name == "before":
            for i, one in enumerate(value):
                out |= {f"before {i}.{part}": what for part, what in parts(one, port, sent).items()}
        elif name == "headers":
            out |= fields("headers", value, port)
        elif name in ("body", "tunnel"):
            out |= request(name, value, port, sent)
        elif name == "log":
            out["log lines"] = len(value)
            out |= {f"log.{field}": [line.get(field) for line in value] for line in value for field in line}
        else:
            out[name] = value
    if "log.wire_sent" in out and sent_by_chance(out, sent):
        out["log.wire_sent"] = ["by chance"]
    return out


def sent_by_chance(out, sent):
    """Whether the number of bytes that went to the upstream depends on when something happened: where a large body was cut into
    chunks, how much of a message had gone on when the rest of it turned out to be broken, or whether there was a connection
    within less than a millisecond."""
    return out.get("request.framing") == ["chunked"] or any("DPE" in flags for flags in out["log.flags"]) or b"grpc-timeout: 900u" in sent


def fields(kind, pairs, port):
    out = {f"{kind} order": [name for name, _ in pairs]}
    for name, value in pairs:
        inner = value.strip()
        out.setdefault(f"{kind}.{name}", []).append(value.replace(inner, header(name.lower(), inner, port), 1) if inner else value)
    return out


def request(name, text, port, sent):
    """What the backend reports, and what came after that."""
    try:
        report, end = json.JSONDecoder().raw_decode(text)
        pairs = report.pop("fields")
    except (ValueError, TypeError, KeyError, AttributeError):
        return {name: text}
    # A name that the client wrote goes on in its spelling, or lowered (Envoy); what a proxy adds is compared as it is.
    written = {line.split(b":")[0].decode("latin1") for line in sent.split(b"\r\n")}
    pairs, report["trailers"] = [[(key.lower() if key in written else key, value) for key, value in some] for some in (pairs, report["trailers"])]
    return {name: text[end:]} | {f"request.{part}": value for part, value in report.items()} | fields("request", pairs, port)


def log_field(name, value, addresses):
    """Fields named t_... are times, p_... ports that the kernel chose; addresses of backends are their names."""
    if isinstance(value, dict):
        return {inner: log_field(inner, one, addresses) for inner, one in value.items()}
    if isinstance(value, list):
        return [log_field(name, one, addresses) for one in value]
    if name.startswith("t_"):
        return "N" if str(value).isdecimal() else value
    if name.startswith("p_"):
        return "P" if str(value).isdecimal() else re.sub(r":\d+$", ":P", str(value))
    if name.startswith("id_"):
        return "ID" if re.fullmatch(UUID, str(value)) else value
    if not isinstance(value, str):
        return value
    if name == "failure" and value.startswith("TLS_error"):  # the words are those of a library
        return "TLS_error"
    if name == "details":
        value = re.sub(r"\|TLS_error.*\}$", "|TLS_error}", value)
    return addresses.get(value, value)


def log_line(line, addresses):
    if line.get("over") == "HTTP/2":
        line = line | {"wire_sent": of_frames(line["wire_sent"], line["received"]), "wire_received": of_frames(line["wire_received"], line["sent"])}
    return {name: log_field(name, value, addresses) for name, value in line.items() if name != "over"}


def of_frames(wire, body):
    """How HPACK writes a field depends on the encoder and on which requests of the connection went before, which is chance; and
    DATA frames are cut where the body was read. Whether it was counted does not."""
    return "none" if wire == "0" else "more than the body" if int(wire) > int(body) else "less than the body"
