//! What the SSH library calls: only translation into the hub's own terms happens here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use russh::client::GexParams;
use russh::kex::dh::groups::DhGroup;
use russh::keys::{Certificate, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler as SshHandler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Disconnect, Error, Pty, Sig};
use tokio::sync::watch;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::algorithms::UnfitKey;
use crate::auth::{Denied, Login, decide};
use crate::authorized_keys::Entry;
use crate::channel_input::{InputReceiver, InputSender, channel_input};
use crate::connection::{Connection, MAX_CHANNELS_EVER, Phase};
use crate::limits::Admission;
use crate::limits::counter::{CounterGuard, KeyedGuard};
use crate::limits::refusal::RefusalKind;
use crate::session::{self, ChannelOutput, Parts, Request, Shape};
use crate::tty::TtyModes;

/// The library's view of one connection.
pub(crate) struct Handler {
    connection: Arc<Connection>,
    admission: Admission,
    /// Whose key has just proved itself.
    proved: Option<Login>,
    /// Its places in the counts, once it has logged in.
    places: Option<(KeyedGuard<String>, Option<CounterGuard>)>,
    channels: HashMap<ChannelId, Slot>,
    channels_ever: usize,
}

/// A channel of type `session`.
struct Slot {
    input: InputSender,
    kill: watch::Sender<Option<Sig>>,
    stage: Stage,
    _open: TaskTrackerToken,
}

enum Stage {
    /// Nothing has been started on it.
    Larval {
        input: InputReceiver,
        output: ChannelOutput,
        killed: watch::Receiver<Option<Sig>>,
        terminal: Option<TtyModes>,
    },
    /// Its session was started, and may have ended.
    Started {
        /// Whether signals of the client reach it.
        signals: bool,
    },
}

impl Slot {
    fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Started { .. }) && self.kill.is_closed()
    }
}

impl Handler {
    pub(crate) fn new(connection: Arc<Connection>, admission: Admission) -> Self {
        Self {
            connection,
            admission,
            proved: None,
            places: None,
            channels: HashMap::new(),
            channels_ever: 0,
        }
    }

    fn decide<T>(
        &self,
        key: &PublicKey,
        algorithm: &russh::keys::Algorithm,
        then: impl FnOnce(&Entry) -> T,
    ) -> Option<T> {
        let server = &self.connection.server;
        let keys = server.keys.borrow().clone();
        let (profile, peer) = (server.settings.profile, self.connection.peer.ip());
        match decide(profile, &keys, key, algorithm, peer, SystemTime::now()) {
            Ok(entry) => Some(then(entry)),
            Err(denied) => {
                tracing::debug!(peer = %self.connection.peer, %denied, "key refused");
                self.connection.attempts().denied(&denied);
                None
            }
        }
    }

    fn method_refused(&self, name: &str) -> Auth {
        self.connection.attempts().method(name);
        Auth::reject()
    }

    fn log_in(&mut self, login: Login, session: &mut Session) -> Result<(), Error> {
        let Connection { server, peer, .. } = &*self.connection;
        self.admission.authenticated();
        self.connection.grace.authenticated();
        let most = server.settings.connections_per_client;
        let per_client = server.limits.per_client();
        let Some(place) = per_client.try_acquire(login.client.as_str(), most) else {
            let reason = format!(
                "{} has {most} connections, which is the limit",
                login.client
            );
            let now = tokio::time::Instant::now().into_std();
            let kind = RefusalKind::ClientConnections;
            server
                .limits
                .refusals()
                .report(kind, Some(*peer), &reason, now);
            self.connection.turn_away(&reason);
            return session.disconnect(Disconnect::TooManyConnections, &reason, "");
        };
        self.places = Some((place, server.counters.logged_in()));
        tracing::info!(
            client = %login.client,
            %peer,
            key = login.fingerprint,
            algorithm = %login.algorithm,
            line = login.line,
            "login"
        );
        self.connection
            .phase
            .send_replace(Phase::Open(Arc::new(login)));
        Ok(())
    }

    /// Starts a session on a channel; false if that cannot be.
    fn start(&mut self, id: ChannelId, request: Request<'_>) -> bool {
        let Phase::Open(login) = self.connection.phase.borrow().clone() else {
            return false;
        };
        let forced = |entry: &Entry| entry.forced_command().is_some();
        let Some(forced) = self.connection.with_entry(&login, forced) else {
            return false;
        };
        let policy = self.connection.server.hub.policy();
        let Some(shape) = Shape::choose(request, forced, &login.client, &policy) else {
            return false;
        };
        let Some(slot) = self.channels.get_mut(&id) else {
            return false;
        };
        // As in sshd, neither a forced command nor a subsystem can be sent signals.
        let signals = !forced && !matches!(request, Request::Subsystem(_));
        match std::mem::replace(&mut slot.stage, Stage::Started { signals }) {
            Stage::Larval {
                input,
                output,
                killed,
                terminal,
            } => {
                let parts = Parts {
                    connection: self.connection.clone(),
                    login,
                    input,
                    output,
                    killed,
                    terminal,
                };
                self.connection.sessions.spawn(session::run(shape, parts));
                true
            }
            started @ Stage::Started { .. } => {
                slot.stage = started;
                false
            }
        }
    }

    fn start_and_reply(
        &mut self,
        id: ChannelId,
        request: Request<'_>,
        session: &mut Session,
    ) -> Result<(), Error> {
        let started = self.start(id, request);
        reply(session, id, started)
    }

    /// Gives a channel a terminal; false if it may not have one.
    fn give_terminal(&mut self, id: ChannelId, modes: TtyModes) -> bool {
        let allowed = match &*self.connection.phase.borrow() {
            Phase::Open(login) => self.connection.with_entry(login, Entry::pty_allowed),
            _ => None,
        };
        match self.channels.get_mut(&id).map(|slot| &mut slot.stage) {
            Some(Stage::Larval { terminal, .. }) if terminal.is_none() => {
                *terminal = allowed.unwrap_or(false).then_some(modes);
                terminal.is_some()
            }
            _ => false,
        }
    }

    fn deliver_signal(&self, id: ChannelId, signal: Sig) -> bool {
        let ends = matches!(signal, Sig::INT | Sig::TERM | Sig::HUP | Sig::KILL);
        match self.channels.get(&id) {
            Some(Slot {
                stage: Stage::Started { signals: true },
                kill,
                ..
            }) if ends => {
                kill.send_replace(Some(signal));
                true
            }
            _ => false,
        }
    }
}

fn reply(session: &mut Session, id: ChannelId, success: bool) -> Result<(), Error> {
    if success {
        session.channel_success(id)
    } else {
        session.channel_failure(id)
    }
}

fn terminal_modes(modes: &[(Pty, u32)]) -> TtyModes {
    // The library shows an opcode that it does not know as the end of the list.
    let known = modes.iter().filter(|(code, _)| *code != Pty::TTY_OP_END);
    TtyModes::from_ssh(known.map(|(code, argument)| (*code as u8, *argument)))
}

// What is not here is refused by the library itself: every channel but `session`, forwardings,
// the agent.
impl SshHandler for Handler {
    type Error = Error;

    /// The first sign of a client after its key exchange.
    async fn authentication_banner(&mut self) -> Result<Option<String>, Error> {
        self.connection.grace.key_exchange_done();
        Ok(None)
    }

    async fn auth_password(&mut self, _user: &str, _password: &str) -> Result<Auth, Error> {
        Ok(self.method_refused("password"))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        _response: Option<russh::server::Response<'a>>,
    ) -> Result<Auth, Error> {
        Ok(self.method_refused("keyboard-interactive"))
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Error> {
        let granted = self.decide(offer.public_key, offer.algorithm, |_| ());
        Ok(granted.map_or_else(Auth::reject, |()| Auth::Accept))
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Error> {
        // Decided again: time has passed since the offer.
        let login = |entry: &Entry| Login::new(entry, key.algorithm);
        self.proved = self.decide(key.public_key, key.algorithm, login);
        Ok(if self.proved.is_some() {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_openssh_certificate(
        &mut self,
        _user: &str,
        _certificate: &Certificate,
    ) -> Result<Auth, Error> {
        let denied = Denied::Unfit(UnfitKey::Certificate);
        self.connection.attempts().denied(&denied);
        Ok(Auth::reject())
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Error> {
        let login = self.proved.take().ok_or(Error::Inconsistent)?;
        self.log_in(login, session)
    }

    async fn lookup_dh_gex_group(&mut self, wish: &GexParams) -> Result<Option<DhGroup>, Error> {
        let profile = self.connection.server.settings.profile;
        Ok(profile.gex_group(wish).cloned())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        open: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Error> {
        let Connection { server, peer, .. } = &*self.connection;
        self.channels.retain(|_, slot| !slot.has_ended());
        if !matches!(*self.connection.phase.borrow(), Phase::Open(_)) {
            open.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        if self.channels_ever >= MAX_CHANNELS_EVER {
            self.connection.wear_out();
            open.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        let most = server.settings.max_sessions;
        if self.channels.len() >= most {
            let reason = format!("{most} channels are open on the connection, which is the limit");
            let now = tokio::time::Instant::now().into_std();
            server
                .limits
                .refusals()
                .report(RefusalKind::Channels, Some(*peer), &reason, now);
            open.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels_ever += 1;
        let id = channel.id();
        // The reading half is dropped: data comes by `data` below. Kept and not read, it would
        // block the whole connection.
        let (_, writer) = channel.split();
        let window = server.settings.window_size;
        let (sender, input) = channel_input(self.connection.gate.clone(), window);
        let (kill, killed) = watch::channel(None);
        let gone = input.gone();
        let slot = Slot {
            input: sender,
            kill,
            _open: self.connection.channels.token(),
            stage: Stage::Larval {
                input,
                output: ChannelOutput::new(writer, session.handle(), &self.connection, gone),
                killed,
                terminal: None,
            },
        };
        self.channels.insert(id, slot);
        open.accept().await;
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _session: &mut Session) -> Result<(), Error> {
        self.channels.remove(&id);
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _session: &mut Session) -> Result<(), Error> {
        if let Some(slot) = self.channels.get(&id) {
            slot.input.eof();
        }
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Error> {
        if let Some(slot) = self.channels.get(&id) {
            slot.input.push(data);
            if matches!(slot.stage, Stage::Larval { .. }) && slot.input.is_full() {
                // The message that would start a session is not read any more.
                self.connection
                    .ends_because("sent too much before it started a session");
                self.connection.cut.cancel();
            }
        }
        Ok(())
    }

    fn adjust_window(&mut self, id: ChannelId, _window: u32) -> u32 {
        match self.channels.get(&id) {
            Some(slot) => slot.input.next_window(),
            None => self.connection.server.settings.window_size,
        }
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Error> {
        self.start_and_reply(id, Request::Shell, session)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        self.start_and_reply(id, Request::Exec(command), session)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.start_and_reply(id, Request::Subsystem(name), session)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        let given = self.give_terminal(id, terminal_modes(modes));
        reply(session, id, given)
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        reply(session, id, true)
    }

    /// As sshd replies for a variable that is not among its `AcceptEnv`; the session goes on.
    async fn env_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        reply(session, id, false)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _single_connection: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        reply(session, id, false)
    }

    async fn signal(
        &mut self,
        id: ChannelId,
        signal: Sig,
        session: &mut Session,
    ) -> Result<(), Error> {
        let delivered = self.deliver_signal(id, signal);
        reply(session, id, delivered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tty::LineDiscipline;

    #[test]
    fn terminal_modes_hold_also_behind_an_opcode_that_the_library_does_not_know() {
        let modes = terminal_modes(&[(Pty::ICRNL, 1), (Pty::TTY_OP_END, 0), (Pty::ECHO, 0)]);
        let mut echo = Vec::new();
        LineDiscipline::new(modes).input(b"x", &mut echo, |_| {});
        assert_eq!(echo, b"");
    }
}
