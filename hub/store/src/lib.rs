//! cmp-store
