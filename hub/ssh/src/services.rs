//! What the SSH side asks of the program around it.

use std::future::Future;
use std::pin::Pin;

use cmp_protocol::ClientName;

/// What an `admin` command says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdminOutput {
    /// For standard output.
    pub stdout: Vec<u8>,
    /// For standard error.
    pub stderr: Vec<u8>,
    /// 0 when it was done.
    pub exit_status: u32,
}

/// The answer to an `admin` command, on its way.
pub type AdminFuture<'a> = Pin<Box<dyn Future<Output = AdminOutput> + Send + 'a>>;

/// What the SSH side asks of the program around it.
pub trait Services: Send + Sync + 'static {
    /// Does what `ssh HOST admin …` asks for. `command` is what follows the word `admin`, without
    /// white space around it; bytes that are not UTF-8 are replaced by U+FFFD. `client` has a role
    /// that may. The future is dropped when the client goes away.
    fn admin<'a>(&'a self, client: &'a ClientName, command: &'a str) -> AdminFuture<'a>;
}
