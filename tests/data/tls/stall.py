"""A server over TLS that is of no use: `stall.py ADDRESS PORT CHAIN KEY`, until it is killed.

It asks for a certificate. Of two clients that say hello, one gets a reply but for the last byte of a long record, and of
the other nothing is read any more. Each line of the output is a client that waits from now on.
"""

import os
import select
import socket
import ssl
import sys
import threading

count = 0
lock = threading.Lock()


def is_answered():
    global count
    with lock:
        count += 1
        return count % 2 == 1


def hold(stream):
    # A line in one piece.
    os.write(1, b"held\n")
    gone = select.poll()
    gone.register(stream, select.POLLRDHUP)
    gone.poll()
    stream.close()


def serve(stream, context):
    inbound, outbound = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(inbound, outbound, server_side=True)
    answered = None

    def finish(step):
        nonlocal answered
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                stream.sendall(outbound.read())
            if answered is False:
                return None
            piece = stream.recv(65536)
            if not piece:
                raise OSError("closed")
            answered = is_answered() if answered is None else answered
            inbound.write(piece)

    try:
        finish(tls.do_handshake)
        if answered:
            finish(lambda: tls.read(4096))
            tls.write(b"HTTP/1.0 200 OK\r\nContent-Length: 99999\r\n\r\n")
            tls.write(bytes(16384))
            stream.sendall(outbound.read()[:-1])
        hold(stream)
    except OSError:
        stream.close()


def main():
    address, port, chain, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.load_verify_locations(chain)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What is not read is to stay with the client.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind((address, int(port)))
    listener.listen(1024)
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=serve, args=(stream, context), daemon=True).start()


main()
