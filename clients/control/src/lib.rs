//! cmp-control
