//! GStreamer elements of cis.
