//! cmp-core
