"""Rate against accuracy: bytes on the wire and average precision of cis, and of what it is compared with."""
