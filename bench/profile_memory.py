"""Where the memory of plait-proxy and plaitd is: a table of the owners of heap blocks (bytes a cluster, bytes an idle
connection, KiB of an idle process) and one of all resident pages by kind. Blocks come from the bench-heap-* binaries, which
keep the call stack of each (bench/tools/heap_profile.cc); pages from the binaries that ship. Run by root: a confined process
shows its memory to nobody else."""
import collections
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import data_plane
import loads
import local_mesh
import mesh as meshes
from peers import find

MOST_OWNERS = 16
HEAP_BINARIES = {"plait-proxy": "bench-heap-plait-proxy", "plaitd": "bench-heap-plaitd"}
# Who only passes the request for memory on.
ALLOCATORS = re.compile(r"^(new$|std::|__gnu_cxx::|__wrap_|Took|CRYPTO_|OPENSSL_(malloc|zalloc|calloc|realloc|memdup|strdup)|"
                        r"BUF_MEM_|bssl::(Array|MakeUnique|New|Vector|InplaceVector)|CBB_|cbb_|nghttp2_(mem_)?(malloc|calloc|realloc))|^_\w+$|^$")
LIBRARIES = [("protobuf", r"^(google::protobuf|proto2|descriptor_table)|_2eproto|_GLOBAL__sub_I_.*\.pb\.cc"), ("Abseil", r"^absl::"),
             ("RE2", r"^re2::"), ("nghttp2", r"^nghttp2_"), ("AWS-LC", r"^bssl::")]


# -- blocks of the heap ------------------------------------------------------
def heap_file(pid):
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(entry).startswith("/memfd:heap"):
                return entry
    raise AssertionError(f"process {pid} keeps no record of its heap: is it a bench-heap binary?")


def dump(pid):
    """{addresses: (bytes, blocks)} of the process now."""
    file = heap_file(pid)
    before = file.read_text().count("end ")
    os.kill(pid, signal.SIGRTMAX)
    text = meshes.until(lambda: (now := file.read_text()).count("end ") > before and now.endswith("\n") and now, 60, f"process {pid} writes its heap")
    last = re.split(r"^end \d+\n", text, flags=re.MULTILINE)[-2]
    return {tuple(stack): (int(size), int(blocks)) for size, blocks, *stack in map(str.split, last.splitlines())}


def plain_name(function):
    """Without namespaces that all have, arguments, return type and template arguments."""
    text = function.replace("(anonymous namespace)::", "")
    while (shorter := re.sub(r"<[^<>]*>", "", text)) != text:
        text = shorter
    return re.sub(r"\(.*", "", text).split(" ")[-1].replace("plait::", "")


def frames_of(binary, dumps):
    """Address: [(function, file:line)], innermost first, with what was inlined."""
    addresses = sorted({address for one in dumps for stack in one for address in stack})
    told = subprocess.run(["addr2line", "-e", binary, "-f", "-C", "-i", "-a"], input="\n".join(addresses), stdout=subprocess.PIPE,
                          text=True, check=True)
    frames, at, lines = {}, None, iter(told.stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            at = frames.setdefault(line[2:].lstrip("0"), [])
        else:
            at.append((line, next(lines)))
    return frames


def owner(stack, frames):
    """The innermost function of our own, and what of a library it called."""
    library = ""
    for address in stack:
        for function, place in frames.get(address, []):
            name = plain_name(function)
            ours = re.match(r"(?:src|bin)/(\S+?):\d+", os.path.normpath(place))
            if ours and "::operator=" not in name:
                inside = next((short for short, pattern in LIBRARIES if re.search(pattern, library)), library)
                return f"`{ours[1]}` {name.split('::')[-1]}" + (f" ({inside})" if inside else "")
            if not library and not ALLOCATORS.search(name) and not ours and "plait::" not in function:
                library = name
    return next((short for short, pattern in LIBRARIES if re.search(pattern, library)), library or "libc and libstdc++")


def by_owner(binary, before, after):
    frames = frames_of(binary, [before, after])
    found = collections.defaultdict(lambda: [0, 0])
    for sign, one in ((-1, before), (1, after)):
        for stack, (size, blocks) in one.items():
            use = found[owner(stack, frames)]
            use[0] += sign * size
            use[1] += sign * blocks
    return found


def owner_lines(what, unit, owners, count, digits):
    """A table of bytes divided by `count`; the smaller ones together."""
    def row(name, size, blocks):
        return f"| {name} | {size / count:.{digits}f} | {f'{blocks / count:.1f}' if digits == 0 else blocks} |"
    ordered = sorted(owners.items(), key=lambda one: -one[1][0])
    shown = [one for one in ordered[:MOST_OWNERS] if one[1][0] >= count]
    rest = ordered[len(shown):]
    lines = [f"**{what}**", "", f"| who has it | {unit} | blocks |", "|---|---|---|"]
    lines += [row(name, *use) for name, use in shown]
    lines.append(row(f"{len(rest)} others", sum(use[0] for _, use in rest), sum(use[1] for _, use in rest)))
    lines.append(row("**all blocks**", *(sum(use[i] for use in owners.values()) for i in (0, 1))))
    return [*lines, ""]


# -- resident pages ----------------------------------------------------------
def regions(pid):
    found = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if head := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+) *(.*)", line):
            found.append({"start": int(head[1], 16), "end": int(head[2], 16), "may": head[3], "file": head[4] != "0", "name": head[5]})
        elif field := re.match(r"(Rss|Private_Dirty): +(\d+) kB", line):
            found[-1][field[1]] = int(field[2])
    return found


ARENA = 64 << 20  # glibc's HEAP_MAX_SIZE, to which it aligns the heap of a thread


def kind(region, before, after):
    """What the pages of a region are; `before` and `after` are its neighbours, or None."""
    if region["file"]:
        if "x" in region["may"]:
            return "code"
        if "w" in region["may"]:
            return "variables"
        return "read-only data, relocated at the start" if region["Private_Dirty"] else "read-only data"
    if region["name"].startswith("[heap"):
        return "heap of the main thread"
    if region["name"].startswith("[stack"):
        return "stacks"
    if region["name"]:
        return "the kernel's"
    if before and before["file"] and before["end"] == region["start"]:
        return "variables"
    if before and before["end"] == region["start"] and before["may"].startswith("---") and region["start"] % ARENA:
        return "stacks"
    if region["start"] % ARENA == 0 and (region["end"] - region["start"] == ARENA or after and after["start"] == region["end"]):
        return "heaps of other threads"
    return "large blocks"


def pages(pid):
    """{kind: [KiB resident, KiB of these that no other process shares and that were written]}"""
    all_of_them, found = regions(pid), collections.defaultdict(lambda: [0, 0])
    for i, region in enumerate(all_of_them):
        before = all_of_them[i - 1] if i else None
        after = all_of_them[i + 1] if i + 1 < len(all_of_them) else None
        use = found[kind(region, before, after)]
        use[0] += region["Rss"]
        use[1] += region["Private_Dirty"]
    return found


def page_lines(what, found):
    lines = [f"**{what}**", "", "| pages | KiB resident | KiB written, its own |", "|---|---|---|"]
    for name, (resident, own) in sorted(found.items(), key=lambda one: -one[1][0]):
        if resident:
            lines.append(f"| {name} | {resident} | {own} |")
    lines.append(f"| **all** | {sum(use[0] for use in found.values())} | {sum(use[1] for use in found.values())} |")
    return [*lines, ""]


OF_THE_FILE = ("code", "read-only data")


def growth_line(before, after, count, unit):
    """How the resident pages grew, by kind; those of the executable come and go."""
    grown = {name: (after[name][0] - before[name][0]) * 1024 / count for name in {**before, **after} if name not in OF_THE_FILE}
    parts = ", ".join(f"{name} {grew:.0f}" for name, grew in sorted(grown.items(), key=lambda one: -one[1]) if abs(grew) >= 1)
    return [f"Resident bytes a {unit} of the binary that ships: {sum(grown.values()):.0f} ({parts}).", ""]


# -- what is measured --------------------------------------------------------
@contextlib.contextmanager
def running(proxy, certificates, **options):
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        run = data_plane.Run(pathlib.Path(folder), data_plane.choose_cpus(), data_plane.Scenario("f", "", [], "wrk"), proxy, certificates, **options)
        try:
            time.sleep(1)
            yield run
        finally:
            run.processes.stop()


def clusters(count, certificates):
    def look(at, proxy):
        found = []
        for n in (0, count):
            with running(proxy, certificates, clusters=n) as run:
                found.append(at(run.pids[0]))
        return found
    before, after = look(dump, "plait, heap on record")
    owners = by_owner(find(HEAP_BINARIES["plait-proxy"]), before, after)
    return (owner_lines(f"A cluster ({count:,} static ones of one host)", "bytes a cluster", owners, count, 0) +
            growth_line(*look(pages, "plait"), count, "cluster"))


def connections(tls, certificates, count=1000):
    def look(at, proxy):
        with running(proxy, certificates, tls_in=tls) as run:
            context = data_plane.client_context(certificates) if tls else None
            held = loads.hold(run.port, 10, context)
            time.sleep(0.3)
            before = at(run.pids[0])
            held += loads.hold(run.port, count, context)
            time.sleep(0.3)
            after = at(run.pids[0])
            for one in held:
                one.close()
            return before, after
    owners = by_owner(find(HEAP_BINARIES["plait-proxy"]), *look(dump, "plait, heap on record"))
    return (owner_lines(f"An idle connection, {'mutual TLS' if tls else 'plain'}", "bytes a connection", owners, count, 0) +
            growth_line(*look(pages, "plait"), count, "connection"))


def idle_mesh(seconds, look, heap):
    """`look` at the proxy of one workload and at plaitd, after some idle seconds."""
    ships = meshes.BIN
    with local_mesh.Workspace() as folder:
        if heap:  # plait starts what lies beside it
            programs = folder / "bin"
            programs.mkdir()
            for name in ("plait", "plait-init", "plait-demo-app", "plait-proxy", "plaitd"):
                shutil.copy(find(HEAP_BINARIES.get(name, name)), programs / name)
            meshes.BIN = programs
        mesh = meshes.Mesh(folder, meshes.copy_sample(folder)).start(wait=120)
        try:
            time.sleep(seconds)
            pod = mesh.pods("reviews-v1")[0]["name"]
            return look(mesh.proxy_pid(pod)), look(mesh.plaitd_pid())
        finally:
            mesh.stop()
            meshes.BIN = ships


def idle(seconds):
    resident = idle_mesh(seconds, pages, heap=False)
    blocks = idle_mesh(seconds, dump, heap=True)
    lines = []
    for program, shown, found in zip(("plait-proxy", "plaitd"), resident, blocks):
        lines += page_lines(f"{program}, idle in bookinfo", shown)
        lines += owner_lines(f"{program}, idle in bookinfo: blocks of its heaps", "KiB", by_owner(find(HEAP_BINARIES[program]), {}, found), 1024, 1)
    return lines


def lines(names, idle_seconds, cluster_count):
    """Markdown, part by part."""
    if os.geteuid() != 0:
        raise SystemExit("bench: run `bench/run memory` as root: a confined process shows its memory to nobody else")
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as made:
        certificates = pathlib.Path(made)
        data_plane.make_certificates(certificates)
        parts = {"clusters": lambda: clusters(cluster_count, certificates), "f": lambda: connections(False, certificates),
                 "f-tls": lambda: connections(True, certificates), "idle": lambda: idle(idle_seconds)}
        for name, part in parts.items():
            if not names or name in names:
                yield from part()
