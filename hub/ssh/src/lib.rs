//! cmp-ssh
