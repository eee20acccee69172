//! Bitstream, quantiser, entropy coder and rate control of cis: integers only, no IO, no clock.
