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


def answer(seen, port):
    """`port` is the listener's: each proxy has its own."""
    seen = dict(seen)
    if "before" in seen:
        seen["before"] = [answer(one, port) for one in seen["before"]]
    if "headers" in seen:
        seen["headers"] = sorted((n, header(n, v, port)) for n, v in seen["headers"])
    try:
        report = json.loads(seen.get("body", ""))
        report["headers"] = sorted([n, header(n, v, port)] for n, v in report["headers"])
        seen["body"] = report
    except (ValueError, TypeError, KeyError):
        pass
    return seen


def log_field(name, value, addresses):
    """Fields named t_... are times, p_... ports that the kernel chose; addresses of backends are their names."""
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
    return {name: log_field(name, value, addresses) for name, value in line.items()}
