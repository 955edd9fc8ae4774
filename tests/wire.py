"""Captures made for a test: what is said, into frames, into a pcap file. Addresses are documentation addresses or private."""
import socket
import struct

FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


def ipv4(source, destination, protocol, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head + payload


def udp(source, source_port, destination, port, payload):
    return ipv4(source, destination, 17, struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload)


class Talk:
    """One TCP conversation: open(), say(True, ...) by the client, say(False, ...) by the server, close(). Packets in .packets."""

    def __init__(self, client, server, port, client_port=40000):
        self.ends = ((client, client_port), (server, port))
        self.seq = {True: 1000, False: 9000}
        self.packets = []

    def add(self, by_client, flags, payload=b""):
        (source, source_port), (destination, port) = self.ends if by_client else self.ends[::-1]
        head = struct.pack("!HHIIBBHHH", source_port, port, self.seq[by_client], self.seq[not by_client], 0x50, flags, 65535, 0, 0)
        self.packets.append(ipv4(source, destination, 6, head + payload))
        self.seq[by_client] += len(payload) + (1 if flags & (SYN | FIN) else 0)

    def open(self):
        self.add(True, SYN), self.add(False, SYN | ACK), self.add(True, ACK)
        return self

    def say(self, by_client, payload, segment=1400):
        for at in range(0, len(payload), segment):
            self.add(by_client, PUSH | ACK, payload[at:at + segment])
        return self

    def close(self):
        self.add(True, FIN | ACK), self.add(False, FIN | ACK)
        return self


def pcap(packets, step=0.01, start=1_700_000_000.0):
    """Packets (bytes, or (seconds, bytes)) as Ethernet frames in a pcap file."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    now = start
    for packet in packets:
        at, packet = packet if isinstance(packet, tuple) else (None, packet)
        now = start + at if at is not None else now + step
        frame = bytes.fromhex("020000000001020000000002") + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet
        out.append(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)
    return b"".join(out)


# ---- what the lab's monitor says ----

def mllp(*segments):
    return b"\x0b" + b"\r".join(segments) + b"\r\x1c\r"


def cms_frame(kind, payload):
    """The framing of the bedside monitor: u16le length of what follows, 0x05, type, payload."""
    return struct.pack("<HBB", 2 + len(payload), 5, kind) + payload


def cms_patient(name=b"TESTPATIENT ALICE", number=b"MRN-0042"):
    record = bytearray(0xB0)
    record[0x23:0x23 + len(name)] = name
    record[0x43:0x43 + len(number)] = number
    record[0x7C:0x86] = b"1970-01-01"
    return cms_frame(0x3E, bytes(record))


def rpc_call(xid, program, version, procedure, body=b""):
    return struct.pack("!IIIIII", xid, 0, 2, program, version, procedure) + bytes(16) + body


def rpc_reply(xid, body=b""):
    return struct.pack("!IIIIII", xid, 1, 0, 0, 0, 0) + body


def opaque(data):
    return struct.pack("!I", len(data)) + data + bytes(-len(data) % 4)


def nfs_mount(client, server, export, answered=True):
    """GETPORT and MNT over UDP (RFC 1833, RFC 1813), with their answers or without."""
    call = [udp(client, 700, server, 111, rpc_call(1, 100000, 2, 3, struct.pack("!IIII", 100005, 3, 17, 0)))]
    if not answered:
        return call * 3
    call.append(udp(server, 111, client, 700, rpc_reply(1, struct.pack("!I", 20048))))
    call.append(udp(client, 701, server, 20048, rpc_call(2, 100005, 3, 1, opaque(export))))
    call.append(udp(server, 20048, client, 701, rpc_reply(2, struct.pack("!I", 0) + opaque(bytes(range(32))) + struct.pack("!II", 1, 1))))
    return call
