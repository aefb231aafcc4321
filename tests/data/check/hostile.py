"""Web servers that misbehave, one a port: `hostile.py ADDRESS`, until it is killed. The table at the end says which."""

import socket
import struct
import sys
import threading
import time

OK = b"HTTP/1.1 200 OK\r\n"
FULL = OK + b"Content-Length: 5\r\n\r\nhello"


def reset(stream):
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_at_once(stream):
    reset(stream)


def reset_after_request(stream):
    stream.recv(4096)
    reset(stream)


def reset_in_body(stream):
    stream.recv(4096)
    stream.sendall(OK + b"Content-Length: 900\r\n\r\npart")
    time.sleep(0.1)
    reset(stream)


def reset_after_reply(stream):
    stream.recv(4096)
    stream.sendall(FULL)
    time.sleep(0.1)
    reset(stream)


def half_close_after(reply):
    def serve(stream):
        stream.sendall(reply)
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(4096):
            pass

    return serve


def drip(reply, pause):
    def serve(stream):
        stream.recv(4096)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in reply:
            stream.sendall(bytes([byte]))
            time.sleep(pause)

    return serve


def endless(start, piece):
    def serve(stream):
        stream.recv(4096)
        stream.sendall(start)
        while True:
            stream.sendall(piece)

    return serve


def say(reply):
    def serve(stream):
        stream.recv(4096)
        stream.sendall(reply)

    return serve


def silent(stream):
    stream.recv(4096)
    time.sleep(30)


KINDS = [
    reset_at_once,
    reset_after_request,
    reset_in_body,
    reset_after_reply,
    half_close_after(OK + b"\r\nhello"),
    half_close_after(b""),
    half_close_after(OK + b"Server: x\r\n"),
    drip(FULL, 0.005),
    drip(FULL * 9, 0.1),
    endless(OK + b"\r\n", b"x" * 65536),
    endless(OK, b"X: y\r\n" * 1000),
    endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    say(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: r\r\n\r\n"),
    say(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    say(OK + b"Content-Length: 500\r\n\r\nhello"),
    say(OK + b"Content-Length: 5\r\n\r\nhello and more than was said"),
    say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + FULL),
    say(b"<html>hello</html>"),
    say(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    say(OK + b"X: y\r\n Content-Length: 900\r\nContent-Length: 5\r\n\r\nhello"),
    say(OK + b"Content-Length: 900\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    say(bytes(range(256))),
    silent,
    say(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
    say(OK + b"\r\n\x1b[2Jdatabase is down"),
]


def work(serve, listener):
    while True:
        stream, _ = listener.accept()

        def run(stream=stream):
            with stream:
                try:
                    serve(stream)
                except OSError:
                    pass

        threading.Thread(target=run, daemon=True).start()


for row, kind in enumerate(KINDS):
    socket_of_it = socket.create_server((sys.argv[1], 8001 + row))
    threading.Thread(target=work, args=(kind, socket_of_it), daemon=True).start()
threading.Event().wait()
