"""The parts of link_faults that need no process: the link, the NAT, the spool's reader, the arithmetic."""

import struct

from link_faults import measure, packet, source, spool
from link_faults.impair import Conditions, Direction


def carry(direction, packets, step=0.01, until=10.0):
    """Offers (time, packet) and returns (time, packet) as they come out."""
    out, now, queue = [], 0.0, list(packets)
    while now < until:
        while queue and queue[0][0] <= now:
            direction.offer(now, queue.pop(0)[1])
        out += [(now, data) for data in direction.due(now)]
        now += step
    return out


def numbered(count, size=100, every=0.01):
    return [(n * every, n.to_bytes(4, "big") + bytes(size - 4)) for n in range(count)]


def test_delay_keeps_the_order_and_jitter_too():
    out = carry(Direction(1, Conditions(delay=0.2, jitter=0.3)), numbered(100))
    assert [data for _, data in out] == [data for _, data in numbered(100)]
    assert out[0][0] >= 0.2


def test_loss_is_about_what_is_asked_for_and_the_same_for_a_seed():
    one, two, other = (len(carry(Direction(seed, Conditions(loss=0.2)), numbered(500))) for seed in (1, 1, 2))
    assert one == two and one != other
    assert 350 < one < 450


def test_a_rate_is_kept_and_a_full_buffer_drops():
    direction = Direction(1, Conditions(rate=64_000))
    out = carry(direction, numbered(1000, size=500, every=0.005))
    # 8000 bytes a second for 5 s, and the 12000 bytes in the buffer afterwards.
    assert 5 * 16 <= len(out) <= 5 * 16 + 24 + 2
    assert direction.dropped == 1000 - len(out)


def test_a_rate_that_changes_holds_for_what_waits():
    direction = Direction(1, Conditions(rate=8_000_000, buffer=100))
    for _ in range(10):
        direction.offer(0.0, bytes(1000))
    direction.change(0.0, rate=8_000)
    direction.offer(0.0, bytes(1000))
    assert direction.next_due() is not None
    assert direction.free_at > 10.0


def test_overtaking_changes_the_order_and_loses_nothing():
    out = carry(Direction(1, Conditions(delay=0.1, reorder=0.2)), numbered(100))
    assert len(out) == 100 and [data for _, data in out] != [data for _, data in numbered(100)]


def test_an_outage_loses_what_is_on_its_way_and_what_comes():
    direction = Direction(1, Conditions(delay=0.5))
    direction.offer(0.0, b"a")
    direction.change(0.1, up=False)
    direction.offer(0.2, b"b")
    direction.change(0.3, up=True)
    direction.offer(0.4, b"c")
    assert direction.due(2.0) == [b"c"]


def udp(source_address, source_port, target, target_port, payload):
    length = 8 + len(payload)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0, 64, 17, 0, source_address, target)
    return packet.readdress(ip + struct.pack(">HHHH", source_port, target_port, length, 0) + payload,
                            (source_address, source_port), (target, target_port))


def test_a_nat_translates_both_ways_until_it_forgets():
    inside, outside, server = bytes([10, 99, 0, 2]), bytes([10, 98, 0, 1]), bytes([10, 99, 0, 1])
    nat = packet.Nat(outside)
    sent = nat.out(udp(inside, 5000, server, 4443, b"hello"))
    (address, port), target = packet.addresses(sent)
    assert address == outside and target == (server, 4443)
    assert packet.checksum(sent[:20]) == 0
    assert packet.checksum(sent[12:20] + struct.pack(">HH", 17, len(sent) - 20) + sent[20:]) == 0
    answer = udp(server, 4443, outside, port, b"yes")
    assert packet.addresses(nat.back(answer))[1] == (inside, 5000)
    nat.forget(bytes([10, 98, 0, 2]))
    assert nat.back(answer) is None
    assert packet.addresses(nat.out(udp(inside, 5000, server, 4443, b"hello")))[0] != (address, port)


def test_the_number_of_a_frame_survives_noise():
    frame = bytes(range(256)) * (source.FRAME // 256 + 1)
    for number in (0, 1, 777, 4095):
        luma = bytes(min(255, max(0, value + (9 if at % 3 else -9))) for at, value in enumerate(source.mark(frame[:source.FRAME], number)[:source.LUMA]))
        assert source.number(luma) == number


def row(index, arrived, late=False):
    return {"index": index, "arrived": arrived, "late": late}


def test_outcomes():
    times = [n * 1.0 for n in range(20)]
    rows = [row(n, n + 0.1) for n in range(15)] + [row(14, 15.0), row(17, 17.3), row(16, 17.4), row(15, 18.0, late=True)]
    found = measure.outcome("x", rows, times, 19, healed=16.5)
    assert (found.delivered, found.lost, found.duplicates, found.disorder, found.late) == (18, 1, 1, 1, 1)
    assert round(found.live_again) == 800 and round(found.all_there) == 1500
    assert round(found.p50) == 100


def test_percentiles():
    assert measure.percentile([], 50) is None
    assert [measure.percentile(range(1, 101), p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]


def test_reactions():
    targets = [(0.0, None), (1.0, 200e3), (2.5, 50e3), (3.0, 30e3), (4.0, 45e3), (5.0, 31e3)]
    assert measure.reaction(targets, 2.0, 40e3) == 1.0
    assert measure.reaction(targets, 2.0, 1e3) is None


def test_the_reader_of_spools_knows_what_waits(tmp_path):
    import zlib

    def record(kind, serial, number, data=b""):
        head = struct.pack("<B3xQIII", kind, serial, number, len(data), zlib.crc32(data))
        return head + struct.pack("<I", zlib.crc32(head)) + data

    header = b"cisspool" + bytes(100)
    header += struct.pack("<I", zlib.crc32(header))
    key = lambda n: b"\xc5\x41cis\x00\x20\x01x" + bytes([n]) + bytes(20)
    text = header + record(1, 0, 0, key(0)) + record(1, 0, 1, b"inter") + record(1, 1, 0, key(2)) + record(2, 0, 2) + record(1, 1, 1, b"inter")
    (tmp_path / "0.seg").write_bytes(text + record(1, 1, 2, b"cut off")[:-3])
    assert spool.waiting(tmp_path) == [2, 3]
