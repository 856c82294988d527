"""HTTP/2 conformance of plait-proxy: h2spec's suites generic, http2 and hpack, without a failure."""
import asyncio
import contextlib
import os
import pathlib
import select
import socket
import string
import subprocess
import threading
import time

import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
BIN = pathlib.Path(os.environ.get("PLAIT_BIN", ROOT / "build/release/bin"))


async def answer(reader, writer):
    """An HTTP/1.1 server: reads each request to its end, then answers with a body that needs a window."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"transfer-encoding: chunked" in head:
                while size := int(await reader.readline(), 16):
                    await reader.readexactly(size + 2)
                await reader.readuntil(b"\r\n")
            elif b"content-length:" in head:
                await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n" + b"b" * 300)
            await writer.drain()
    writer.close()


@pytest.fixture
def backend():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(answer, "127.0.0.1", 0), loop).result(10)
    yield server.sockets[0].getsockname()[1]

    async def end():
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def proxy(backend, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "h2spec.yaml"
    config.write_text(string.Template((HERE / "h2spec.yaml").read_text()).substitute(LISTEN=port, BACKEND=backend))
    process = subprocess.Popen([BIN / "plait-proxy", "-c", config, "--concurrency", "1", "--log-level", "warning"])
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        select.select([], [], [], 0.02)
    yield port
    process.terminate()
    assert process.wait(60) == 0


def test_h2spec_finds_nothing(proxy):
    program = subprocess.run([ROOT / "third_party/tools/build", "h2spec"], check=True, capture_output=True, text=True).stdout.strip()
    result = subprocess.run([program, "generic", "http2", "hpack", "-h", "127.0.0.1", "-p", str(proxy), "-o", "5"],
                            capture_output=True, text=True, check=False)
    assert " 0 skipped, 0 failed" in result.stdout and result.returncode == 0, result.stdout.partition("Failures:")[2] or result.stdout[-2000:]
