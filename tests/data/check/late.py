"""A host that answers every SYN late: `late.py INTERFACE ADDRESS`, until it is killed. SIGUSR1: answers at once from now on.

The interface must not have the address: what the host's own kernel would say is said by nobody.
"""

import signal
import socket
import struct
import sys
import threading

delay = 1.5


def at_once(_number, _frame):
    global delay
    delay = 0
    print("prompt", flush=True)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def answer(frame):
    source, target = frame[26:30], frame[30:34]
    tcp = frame[34:54]
    sequence = struct.unpack("!I", tcp[4:8])[0]
    reply = tcp[2:4] + tcp[0:2] + struct.pack("!IIHHHH", 7, sequence + 1 & 0xFFFFFFFF, 0x5012, 1000, 0, 0)
    pseudo = target + source + struct.pack("!HH", 6, len(reply))
    reply = reply[:16] + struct.pack("!H", checksum(pseudo + reply)) + reply[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(reply), 0, 0, 64, 6, 0) + target + source
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return frame[6:12] + frame[0:6] + b"\x08\x00" + head + reply


def answer_late(frame):
    wire.send(answer(frame))
    print("answered late", flush=True)


signal.signal(signal.SIGUSR1, at_once)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
mac, own = wire.getsockname()[4], socket.inet_aton(sys.argv[2])
print("listens", flush=True)
while True:
    frame = wire.recv(2048)
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01" and frame[38:42] == own:
        reply = frame[6:12] + mac + frame[12:20] + b"\x00\x02" + mac + own + frame[22:32]
        wire.send(reply)
    elif frame[12:14] == b"\x08\x00" and frame[30:34] == own and frame[23] == 6 and frame[47] & 0x17 == 2:
        if delay:
            threading.Timer(delay, answer_late, [frame]).start()
        else:
            wire.send(answer(frame))
