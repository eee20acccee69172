//! Benchmarks and development tools of cis.
