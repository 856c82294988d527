"""Where the processor time of plait-proxy goes in a scenario of the data plane: shares by part of the code, and the symbols
that take most. Needs perf (apt-get install linux-perf) and the right to use it."""
import collections
import pathlib
import re
import shutil
import subprocess
import tempfile

import data_plane
from peers import Missing

# The first that matches names the part; the kernel and our own namespaces come without a pattern.
PARTS = [
    ("malloc and free", r"^(_?_?(libc_)?(malloc|free|calloc|realloc)\b|cfree|_int_|_mid_memalign|tcache|unlink_chunk|sysmalloc|systrim|operator (new|delete)|malloc_)"),
    ("copies", r"mem(cpy|move|set|cmp|chr)"),
    ("HTTP/2 (nghttp2)", r"^nghttp2_|^(hd_|frame_|session_|active_outbound)"),
    ("protobuf", r"google::protobuf"),
    ("clock", r"clock_gettime|vdso"),
]
TLS = re.compile(r"bssl::|curve25519|p256|ecp?_|beeu_|aes|gcm|sha\d|bn_|cbs_|cbb_|ssl_|tls|asn1|x509|evp_|crypto_|rand_|hmac|hkdf|ecdsa|openssl_|drbg|"
                 r"^(err|bio|sk|lh)_", re.IGNORECASE)


def part_of(kind, symbol):
    if kind == "k":
        return "kernel"
    for name, pattern in PARTS:
        if re.search(pattern, symbol):
            return name
    if ours := re.search(r"plait::(\w+)::(\w+)", symbol):
        return f"plait {ours[1]}/{ours[2]}" if ours[1] == "proxy" else f"plait {ours[1]}"
    return "TLS (AWS-LC)" if TLS.search(symbol) else "other"


def record(run, seconds, data):
    command = ["perf", "record", "-q", "-F", "1997", "-o", str(data), "-p", ",".join(map(str, run.pids))]
    run.load(1)
    perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        run.load(seconds)
    finally:
        perf.send_signal(2)
        errors = perf.communicate(timeout=60)[1]
    if not data.exists() or data.stat().st_size == 0:
        raise AssertionError("perf recorded nothing: " + " ".join(errors.split())[-300:])


def symbols(data):
    """(share in percent, k or ., symbol) of each line of perf's report."""
    text = subprocess.run(["perf", "report", "-i", str(data), "--stdio", "-q", "--no-children", "-F", "overhead,sym"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=300, check=True).stdout
    for line in text.splitlines():
        if found := re.match(r"\s*([\d.]+)%\s+\[(.)\]\s+(.*\S)", line):
            yield float(found[1]), found[2], found[3]


def lines(seconds, names, proxy="plait meshlike"):
    """Markdown: a table of the parts for each scenario, and its ten heaviest symbols."""
    if not shutil.which("perf"):
        raise Missing("perf is not installed (apt-get install linux-perf)")
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as made:
        certificates = pathlib.Path(made)
        data_plane.make_certificates(certificates)
        for scenario in data_plane.SCENARIOS:
            if names and scenario.name not in names:
                continue
            who = proxy if proxy in scenario.proxies else "plait"
            with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
                folder = pathlib.Path(folder)
                run = data_plane.Run(folder, data_plane.choose_cpus(), scenario, who, certificates)
                try:
                    record(run, seconds, folder / "perf.data")
                    found = list(symbols(folder / "perf.data"))
                finally:
                    run.processes.stop()
            shares = collections.Counter()
            for share, kind, symbol in found:
                shares[part_of(kind, symbol)] += share
            parts = ", ".join(f"{name} {share:.0f} %" for name, share in shares.most_common() if share >= 1)
            yield f"**{scenario.name}** ({scenario.what}; {who}): {parts}"
            for share, _, symbol in sorted(found, reverse=True)[:10]:
                yield f"- {share:.1f} % `{symbol[:120]}`"
            yield ""
