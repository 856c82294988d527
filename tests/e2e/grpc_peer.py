"""A stock gRPC server and client (grpcio) without generated code: messages are bytes.

usage: grpc_peer.py serve PORT      serves /test.Peer/{Unary,ServerStream,ClientStream,Both,Slow,Fail}
       grpc_peer.py health PORT     serves grpc.health.v1: service "ready" is SERVING, all others are NOT_SERVING
       grpc_peer.py refuse ADDRESS PEM   ends every call at ADDRESS (TLS, key and certificate in PEM) with PERMISSION_DENIED
       grpc_peer.py call TARGET     makes each kind of call and prints what it saw as JSON
"""
import json
import sys
import threading
from concurrent import futures

import grpc

SERVICE = "test.Peer"


def lower(message, context):
    context.send_initial_metadata((("x-first", "1"),))
    context.set_trailing_metadata((("x-caller", dict(context.invocation_metadata()).get("x-name", "")), ("x-last-bin", b"\0\xff")))
    return message.lower()


def count(message, context):
    context.set_trailing_metadata((("x-sent", message.decode()),))
    for i in range(int(message)):
        yield b"%d " % i + b"." * 1000


def join(messages, context):
    return b",".join(messages)


def echo(messages, context):
    for message in messages:
        yield message.upper()


def slow(message, context):
    """Until the client gives up; tells what deadline came with the call."""
    gone = threading.Event()
    context.add_callback(gone.set)
    SEEN.append(context.time_remaining())
    gone.wait(30)
    SEEN.append("still there" if context.is_active() else "cancelled")
    ENDED.set()
    return b""


SEEN, ENDED = [], threading.Event()


def seen(message, context):
    ENDED.wait(10)
    ENDED.clear()
    return json.dumps(SEEN).encode()


def fail(message, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100 %, \u00fc")


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {
        "Unary": grpc.unary_unary_rpc_method_handler(lower),
        "ServerStream": grpc.unary_stream_rpc_method_handler(count),
        "ClientStream": grpc.stream_unary_rpc_method_handler(join),
        "Both": grpc.stream_stream_rpc_method_handler(echo),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Seen": grpc.unary_unary_rpc_method_handler(seen),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }),))
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    server.wait_for_termination()


def health(port):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    # HealthCheckRequest{service} and HealthCheckResponse{status}: one field each.
    check = lambda message, context: b"\x08\x01" if message == b"\x0a\x05ready" else b"\x08\x02"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {
        "Check": grpc.unary_unary_rpc_method_handler(check)}),))
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    server.wait_for_termination()


class Refusal(grpc.GenericRpcHandler):
    def service(self, handler_call_details):
        return grpc.stream_stream_rpc_method_handler(lambda _, context: context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you"))


def refuse(address, pem):
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(Refusal(),))
    with open(pem, "rb") as file:
        text = file.read()
    server.add_secure_port(address, grpc.ssl_server_credentials([(text, text)]))
    server.start()
    server.wait_for_termination()


def words(metadata):
    """The services' own metadata. An error without a message is a head alone, to which proxies add fields of theirs."""
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in metadata or ()
            if key.startswith("x-") and not key.startswith("x-envoy-")}


def both(channel):
    """Each message is sent when the answer to the one before was read: nothing on the way may wait for more."""
    answered, replies = threading.Semaphore(1), []

    def messages():
        for word in (b"one", b"two", b"three"):
            answered.acquire()
            yield word
    for reply in channel.stream_stream(f"/{SERVICE}/Both")(messages(), timeout=60):
        replies.append(reply.decode())
        answered.release()
    return replies


def deadline(channel):
    try:
        channel.unary_unary(f"/{SERVICE}/Slow")(b"", timeout=5)
        return "answered"
    except grpc.RpcError as error:
        return error.code().name


def failure(channel):
    try:
        channel.unary_unary(f"/{SERVICE}/Fail")(b"", timeout=60)
        return "answered"
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details(), "trailers": words(error.trailing_metadata())}


def call(target):
    with grpc.insecure_channel(target) as channel:
        reply, unary = channel.unary_unary(f"/{SERVICE}/Unary").with_call(b"HeLLo", metadata=(("x-name", "me"),), timeout=60)
        stream = channel.unary_stream(f"/{SERVICE}/ServerStream")(b"500", timeout=60)
        sizes = [len(message) for message in stream]
        large = channel.unary_unary(f"/{SERVICE}/Unary")(b"B" * 3_000_000, timeout=60)
        print(json.dumps({
            "unary": reply.decode(), "initial": words(unary.initial_metadata()), "trailers": words(unary.trailing_metadata()),
            "server_stream": [len(sizes), sum(sizes)], "server_stream_trailers": words(stream.trailing_metadata()),
            "client_stream": channel.stream_unary(f"/{SERVICE}/ClientStream")(iter([b"a", b"b", b"c"]), timeout=60).decode(),
            "both": both(channel), "large": large == b"b" * 3_000_000,
            "deadline": deadline(channel), "failure": failure(channel),
            "seen": json.loads(channel.unary_unary(f"/{SERVICE}/Seen")(b"", timeout=60)),
        }))


if __name__ == "__main__":
    {"serve": serve, "health": health, "refuse": refuse, "call": call}[sys.argv[1]](*sys.argv[2:])
