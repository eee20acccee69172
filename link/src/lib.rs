//! QUIC transport of cis: sender with reconnect, listener, control messages.
