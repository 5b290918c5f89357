//! Real programs for tests.

pub(crate) mod postgres;
