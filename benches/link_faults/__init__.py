"""Faults of a real network between real processes: see benches/README.md."""
