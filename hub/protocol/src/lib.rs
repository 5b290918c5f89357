//! cmp-protocol
