//! The loop of the control server: events of the hub in, replies out.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use cmp_protocol::{ClientName, Command, Event, RequestId, Since, Submission, Tag};
use tokio::sync::watch;

use crate::address::Address;
use crate::country::Countries;
use crate::history::{History, Wanted};
use crate::link::{Link, LinkClosed};
use crate::reply;
use crate::reverse::ReverseNames;
use crate::service::Service;
use crate::settings::CheckedSettings;
use crate::special::special;

/// The country code of an address that is not one of the public internet.
const NO_COUNTRY: &str = "--";

/// The country code of an address whose country is not known.
const UNKNOWN_COUNTRY: &str = "??";

/// Marks what belongs to reading the history.
const HISTORY_TAG: &str = "history";

/// How many messages are asked for at the start, for each broadcast that is kept.
const HISTORY_ASKED: usize = 10;

/// Why the control server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// `shutdown` came.
    Shutdown,
    /// The link is closed. To go on, run again with a new one.
    LinkClosed,
}

/// Runs the control server on one link until that is closed or `shutdown` is ready.
///
/// It reads the newest messages for `LAST`, offers its commands, and answers requests. Each
/// value that comes through `settings` replaces the one before and reads the MMDB file anew; when
/// the sender is gone, the last settings stay. On `shutdown` those who wait for a reverse name
/// are answered without one first.
///
/// Every request gets its `END`. What can't be answered gets a reply that begins with `ERROR`.
pub async fn run<L: Link>(
    link: L,
    settings: watch::Receiver<Arc<CheckedSettings>>,
    shutdown: impl Future<Output = ()> + Send,
) -> Ended {
    match Server::new(link, settings).serve(shutdown).await {
        Ok(()) => Ended::Shutdown,
        Err(LinkClosed) => Ended::LinkClosed,
    }
}

/// Who asked, and for which request of theirs.
#[derive(Debug, Clone)]
struct Asker {
    client: ClientName,
    id: RequestId,
}

/// A `RESOLVE` that waits for a reverse name.
type Waiter = (Asker, IpAddr);

struct Server<L> {
    link: L,
    updates: watch::Receiver<Arc<CheckedSettings>>,
    settings: Arc<CheckedSettings>,
    countries: Countries,
    reverse: Option<ReverseNames<Waiter>>,
    history: History,
}

impl<L: Link> Server<L> {
    fn new(link: L, mut updates: watch::Receiver<Arc<CheckedSettings>>) -> Self {
        let settings = updates.borrow_and_update().clone();
        Self {
            link,
            updates,
            countries: Countries::new(settings.mmdb.clone(), settings.mmdb_check),
            reverse: settings.reverse.map(ReverseNames::new),
            history: History::new(settings.history),
            settings,
        }
    }

    async fn serve(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), LinkClosed> {
        let mut shutdown = pin!(shutdown);
        self.start().await?;
        let mut updating = true;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return self.give_up().await,
                told = next_names(&mut self.reverse) => {
                    for ((asker, ip), name) in told {
                        let line = self.resolved(ip, name);
                        self.answer(asker, vec![line]).await?;
                    }
                }
                updated = self.updates.changed(), if updating => match updated {
                    Ok(()) => self.update().await?,
                    Err(_) => updating = false,
                },
                event = self.link.receive() => self.handle(event.ok_or(LinkClosed)?).await?,
            }
        }
    }

    /// Asks for the history and offers everything but `LAST`, which follows when the history is
    /// there: an answer before that would miss messages.
    async fn start(&mut self) -> Result<(), LinkClosed> {
        self.countries.loaded().await;
        if self.settings.history > 0 {
            // Chat counts as well, so more is asked for than is kept.
            let newest = self.settings.history.saturating_mul(HISTORY_ASKED);
            let since = Since::Last(u32::try_from(newest).unwrap_or(u32::MAX));
            self.send(Some(HISTORY_TAG.into()), Command::Resume { since })
                .await?;
        } else {
            self.provide(Service::Last).await?;
        }
        for service in [Service::Resolve, Service::Rules, Service::Hosts] {
            self.provide(service).await?;
        }
        Ok(())
    }

    /// Takes over new settings.
    async fn update(&mut self) -> Result<(), LinkClosed> {
        let settings = self.updates.borrow_and_update().clone();
        self.countries
            .reload(settings.mmdb.clone(), settings.mmdb_check);
        self.history.resize(settings.history);
        let before = std::mem::replace(&mut self.settings, settings);
        if before.reverse != self.settings.reverse {
            self.give_up().await?;
            self.reverse = self.settings.reverse.map(ReverseNames::new);
        }
        tracing::info!(
            hosts = self.settings.hosts.entries().len(),
            "settings taken over"
        );
        Ok(())
    }

    /// Answers those who wait for a reverse name without one.
    async fn give_up(&mut self) -> Result<(), LinkClosed> {
        let waiters = self
            .reverse
            .as_mut()
            .map(ReverseNames::give_up)
            .unwrap_or_default();
        for (asker, ip) in waiters {
            let line = self.resolved(ip, None);
            self.answer(asker, vec![line]).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, event: Event) -> Result<(), LinkClosed> {
        match event {
            Event::Message(message) => self.history.keep(message),
            Event::Request {
                client,
                id,
                command,
                params,
            } => {
                let asker = Asker { client, id };
                let service = Service::of(&command);
                if let Some(lines) = self.lines(service, &params, &asker) {
                    self.answer(asker, lines).await?;
                }
            }
            Event::Resumed { count, .. } => {
                tracing::debug!(count, "history read");
                self.provide(Service::Last).await?;
            }
            Event::Refused { refusal, tag } => {
                let (code, reason) = (refusal.code.as_str(), &refusal.reason);
                let Some(tag) = tag else {
                    // An asker who has left: nothing to do about it.
                    tracing::debug!(subject = refusal.subject, code, reason, "refused");
                    return Ok(());
                };
                tracing::warn!(what = &*tag, code, reason, "the hub refused it");
                if &*tag == HISTORY_TAG {
                    // LAST begins with what comes from now on.
                    self.provide(Service::Last).await?;
                }
            }
            Event::Closing { reason } => tracing::info!(reason, "the hub closes the link"),
            _ => {}
        }
        Ok(())
    }

    /// The reply lines to a request; none when the answer comes later.
    fn lines(
        &mut self,
        service: Option<Service>,
        params: &[u8],
        asker: &Asker,
    ) -> Option<Vec<Bytes>> {
        let lines = match service {
            Some(Service::Resolve) => return self.resolve(params, asker).map(|line| vec![line]),
            Some(Service::Last) => match Wanted::parse(params) {
                Ok(wanted) => self.history.last(&wanted),
                Err(usage) => vec![reply::error(usage)],
            },
            Some(Service::Rules) => self
                .settings
                .rules
                .iter()
                .map(|rule| reply::line(rule.as_str()))
                .collect(),
            Some(Service::Hosts) => {
                let hosts = self.settings.hosts.entries().iter();
                hosts
                    .map(|(key, name)| reply::line(format!("{key} {name}")))
                    .collect()
            }
            None => vec![reply::error("this command is not provided here")],
        };
        Some(lines)
    }

    /// The reply to `RESOLVE`; none when it waits for a reverse name.
    fn resolve(&mut self, params: &[u8], asker: &Asker) -> Option<Bytes> {
        let text = str::from_utf8(params).unwrap_or_default();
        let Some(address) = Address::parse(text.trim_ascii()) else {
            return Some(reply::error(
                "the form is RESOLVE <ip[:port]>: 192.0.2.1, 192.0.2.1:27500, \
                 [2001:db8::1]:27500",
            ));
        };
        let ip = address.ip;
        let configured = self.settings.hosts.short_name(address).map(str::to_owned);
        let name = configured.or_else(|| special(ip).map(|special| special.name.to_owned()));
        match (&mut self.reverse, name) {
            (Some(reverse), None) => {
                let (_, name) = reverse.ask(ip, (asker.clone(), ip))?;
                Some(self.resolved(ip, name))
            }
            (_, name) => Some(self.resolved(ip, name)),
        }
    }

    /// `<short name> <country code> <country>`; without a name, the address is the name.
    fn resolved(&self, ip: IpAddr, name: Option<String>) -> Bytes {
        let name = name.unwrap_or_else(|| ip.to_string());
        if let Some(special) = special(ip) {
            return reply::line(format!("{name} {NO_COUNTRY} {}", special.description));
        }
        let Some(country) = self.countries.country(ip) else {
            return reply::line(format!("{name} {UNKNOWN_COUNTRY} unknown"));
        };
        let country_name = country.name.as_deref().unwrap_or("unknown");
        reply::line(format!("{name} {} {country_name}", country.code))
    }

    async fn answer(&mut self, asker: Asker, lines: Vec<Bytes>) -> Result<(), LinkClosed> {
        let Asker { client, id } = asker;
        for text in lines {
            let (client, id) = (client.clone(), id.clone());
            self.send(None, Command::Reply { client, id, text }).await?;
        }
        self.send(None, Command::End { client, id }).await
    }

    async fn provide(&mut self, service: Service) -> Result<(), LinkClosed> {
        match service.command() {
            Ok(command) => {
                let help = Bytes::from_static(service.help().as_bytes());
                let tag = format!("PROVIDE {command}");
                self.send(Some(tag.into()), Command::Provide { command, help })
                    .await
            }
            Err(error) => {
                tracing::error!(%error, "a command can't be provided");
                Ok(())
            }
        }
    }

    async fn send(&mut self, tag: Option<Tag>, command: Command) -> Result<(), LinkClosed> {
        self.link
            .send(Submission {
                tag,
                command: Ok(command),
            })
            .await
    }
}

/// The next reverse names that are known; never ready without reverse names.
async fn next_names(
    reverse: &mut Option<ReverseNames<Waiter>>,
) -> Vec<crate::reverse::Told<Waiter>> {
    match reverse {
        Some(reverse) => reverse.next().await,
        None => std::future::pending().await,
    }
}
