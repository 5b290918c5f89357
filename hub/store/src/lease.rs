//! The one connection that writes.

use std::future::Future;

use cmp_core::StoreError;
use tokio::sync::{Mutex, MutexGuard};

/// Keeps the one connection that writes; who needs it waits in line.
///
/// A connection comes back only after all went well. After an error, or when the caller gave up
/// waiting, it is closed, which rolls back whatever it had begun, and the next call makes a new
/// one: so a failure never leaves a transaction half open, and nothing has to be reset.
#[derive(Debug)]
pub(crate) struct Writer<C>(Mutex<Home<C>>);

#[derive(Debug)]
enum Home<C> {
    Here(C),
    Gone,
    Closed,
}

impl<C> Writer<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self(Mutex::new(Home::Here(connection)))
    }

    /// Waits for the others that write, then lends the connection, or a new one from `connect`.
    pub(crate) async fn lease(
        &self,
        connect: impl Future<Output = Result<C, StoreError>>,
    ) -> Result<Lease<'_, C>, StoreError> {
        let mut home = self.0.lock().await;
        if matches!(*home, Home::Closed) {
            return Err(StoreError::Unavailable("it is closed".to_owned()));
        }
        let (connection, is_new) = match std::mem::replace(&mut *home, Home::Gone) {
            Home::Here(connection) => (connection, false),
            Home::Gone | Home::Closed => (connect.await?, true),
        };
        Ok(Lease {
            home,
            connection,
            is_new,
        })
    }

    /// Waits for the others that write, and answers with the connection that is to be closed. From
    /// now on there is none to lend.
    pub(crate) async fn close(&self) -> Option<C> {
        match std::mem::replace(&mut *self.0.lock().await, Home::Closed) {
            Home::Here(connection) => Some(connection),
            Home::Gone | Home::Closed => None,
        }
    }
}

/// The connection, for one piece of work.
#[derive(Debug)]
pub(crate) struct Lease<'a, C> {
    home: MutexGuard<'a, Home<C>>,
    pub(crate) connection: C,
    /// Whether it was made for this piece of work.
    pub(crate) is_new: bool,
}

impl<C> Lease<'_, C> {
    /// Gives the connection back after all went well.
    pub(crate) fn give_back(self) {
        let Self {
            mut home,
            connection,
            ..
        } = self;
        *home = Home::Here(connection);
    }
}
