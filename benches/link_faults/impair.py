"""One direction of a bad link: what happens to each packet, and when. No sockets, no clock: time is an argument, and one seed gives one fate."""

import dataclasses
import heapq
import random


@dataclasses.dataclass
class Conditions:
    """What a direction does; may be changed while packets are on their way."""

    loss: float = 0.0        # share of packets that vanish
    delay: float = 0.0       # seconds
    jitter: float = 0.0      # seconds more at most, uniform; the order stays
    reorder: float = 0.0     # share of packets that overtake all delay
    rate: float = 0.0        # bit/s; 0: any
    buffer: float = 1.0      # seconds of `rate` that wait before it, and LEAST_BUFFER bytes at least; what does not fit is dropped
    up: bool = True          # False: an outage


# Eight full packets fit before any rate.
LEAST_BUFFER = 12_000


class Direction:
    """Packets in, packets out."""

    def __init__(self, seed, conditions=None):
        self.conditions = conditions or Conditions()
        self.random = random.Random(seed)
        self.waiting = []
        self.serial = 0
        self.free_at = 0.0      # when the slow part has sent all that it has
        self.last_due = 0.0
        self.packets = self.bytes = self.dropped = 0

    def offer(self, now, packet):
        """Takes a packet, or drops it."""
        c = self.conditions
        self.packets += 1
        self.bytes += len(packet)
        if not c.up or self.random.random() < c.loss:
            self.dropped += 1
            return
        due = now
        if c.rate:
            backlog = max(0.0, self.free_at - now) * c.rate / 8
            if backlog + len(packet) > max(c.buffer * c.rate / 8, LEAST_BUFFER):
                self.dropped += 1
                return
            self.free_at = due = max(now, self.free_at) + len(packet) * 8 / c.rate
        if self.random.random() >= c.reorder:
            due += c.delay + self.random.random() * c.jitter
            due = self.last_due = max(due, self.last_due)
        self.serial += 1
        heapq.heappush(self.waiting, (due, self.serial, packet))

    def change(self, now, **changes):
        """Other conditions from now on. What waits before a rate that changed goes out at the new one."""
        old = self.conditions
        self.conditions = dataclasses.replace(old, **changes)
        if old.rate and self.conditions.rate:
            self.free_at = now + max(0.0, self.free_at - now) * old.rate / self.conditions.rate
        elif not self.conditions.rate:
            self.free_at = now
        if not self.conditions.up:
            self.waiting.clear()
        self.last_due = 0.0

    def due(self, now):
        """The packets that come out by now, in order."""
        out = []
        while self.waiting and self.waiting[0][0] <= now:
            out.append(heapq.heappop(self.waiting)[2])
        return out

    def next_due(self):
        """When the next packet comes out; None: none waits."""
        return self.waiting[0][0] if self.waiting else None
