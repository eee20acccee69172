"""Source and target of IPv4 UDP packets rewritten, as a NAT does."""

import struct


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def addresses(packet):
    """((source, port), (target, port)) of an unfragmented UDP packet, addresses as bytes; None: it is something else."""
    if len(packet) < 28 or packet[0] != 0x45 or packet[9] != 17 or struct.unpack(">H", packet[6:8])[0] & 0x3FFF:
        return None
    source, target = struct.unpack(">HH", packet[20:24])
    return (packet[12:16], source), (packet[16:20], target)


def readdress(packet, source, target):
    """The same packet with other addresses and ports."""
    ip = bytearray(packet[:20])
    ip[12:16], ip[16:20], ip[10:12] = source[0], target[0], b"\0\0"
    ip[10:12] = struct.pack(">H", checksum(bytes(ip)))
    udp = bytearray(packet[20:])
    udp[0:4], udp[6:8] = struct.pack(">HH", source[1], target[1]), b"\0\0"
    pseudo = source[0] + target[0] + struct.pack(">HH", 17, len(udp))
    udp[6:8] = struct.pack(">H", checksum(pseudo + bytes(udp)) or 0xFFFF)
    return bytes(ip + udp)


class Nat:
    """Gives each inner address an outer one, until it forgets them all."""

    def __init__(self, address, first_port=40000):
        self.address, self.next_port = address, first_port
        self.outer, self.inner = {}, {}

    def forget(self, address):
        """A rebinding: new outer address and ports; answers to the old ones reach nobody."""
        self.outer.clear()
        self.inner.clear()
        self.address = address

    def out(self, packet):
        found = addresses(packet)
        if found is None:
            return packet
        inside, target = found
        if inside not in self.outer:
            outside = (self.address, self.next_port)
            self.next_port += 1
            self.outer[inside], self.inner[outside] = outside, inside
        return readdress(packet, self.outer[inside], target)

    def back(self, packet):
        """None: nobody is meant."""
        found = addresses(packet)
        if found is None:
            return packet
        source, outside = found
        inside = self.inner.get(outside)
        return readdress(packet, source, inside) if inside else None
