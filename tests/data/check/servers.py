"""Small servers for the tests of checks: `servers.py KIND ADDRESS PORT`, until it is killed.

KIND is smtp, banner, dns, echo or mute (UDP). SIGUSR1 makes it misbehave, SIGUSR2 behave again.
"""

import signal
import socket
import sys

good = True


def behave(number, _frame):
    global good
    good = number == signal.SIGUSR2


def smtp(stream):
    stream.sendall(b"220-mail.example.org\r\n220 ready\r\n" if good else b"421 too busy\r\n")
    for line in stream.makefile("rb"):
        if line.startswith(b"HELO lb1"):
            stream.sendall(b"250 hello\r\n")
        elif line.startswith(b"QUIT"):
            return stream.sendall(b"221 bye\r\n")
        else:
            stream.sendall(b"500 what?\r\n")


def banner(stream):
    stream.sendall(b"+OK POP3 ready\r\n" if good else b"-ERR maintenance\r\n")


def dns(query):
    return query[:2] + (b"\x81\x80" if good else b"\x81\x82") + query[4:]


def echo(datagram):
    return datagram if good else datagram[::-1]


def main():
    kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    signal.signal(signal.SIGUSR1, behave)
    signal.signal(signal.SIGUSR2, behave)
    if kind in ("smtp", "banner"):
        listener = socket.create_server((address, port))
        while True:
            stream, _ = listener.accept()
            with stream:
                try:
                    stream.settimeout(3)
                    (smtp if kind == "smtp" else banner)(stream)
                except OSError:
                    pass
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    while True:
        datagram, client = server.recvfrom(2048)
        if kind != "mute":
            server.sendto((dns if kind == "dns" else echo)(datagram), client)


main()
