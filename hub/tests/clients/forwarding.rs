//! What a key with `restrict` may not do is refused, and the session goes on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use crate::FREE;
use crate::programs::failure_of;
use crate::support::{Hub, PATIENCE, Process, Site};

fn hub() -> (Site, Hub) {
    let site = Site::new();
    site.add_client("anna");
    site.configure(FREE);
    let hub = site.start();
    (site, hub)
}

/// All that comes from where a forwarding should lead. A listener that answered would be the hub's
/// own, whose first line begins with `SSH-`.
fn comes_from(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

fn still_works(mut session: Process) {
    session.send("PING\n");
    assert_eq!(session.stdout.text(), "PONG");
    session.close_input();
    assert_eq!(session.wait().code(), Some(0), "{:?}", session.stderr);
}

fn greeted(session: &mut Process) {
    assert!(session.stdout.text().starts_with("WELCOME anna "));
}

#[test]
fn local_forwardings_lead_nowhere() {
    let (site, hub) = hub();
    let socket = site.path("forwarded");
    let forwarding = format!("{}:{}", socket.display(), hub.address);
    let mut anna = Process::start(hub.ssh("anna").args(["-v", "-L", &forwarding]));
    greeted(&mut anna);
    let stream = UnixStream::connect(&socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(comes_from(stream), b"");
    anna.stderr
        .text_with("open failed: administratively prohibited");
    still_works(anna);
}

#[test]
fn dynamic_forwardings_lead_nowhere() {
    let (_site, hub) = hub();
    // ssh does not choose a port by itself here; this one was free a moment ago.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let mut anna = Process::start(hub.ssh("anna").args(["-v", "-D", &free.to_string()]));
    greeted(&mut anna);
    let mut stream = TcpStream::connect(free).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // SOCKS 5 (RFC 1928): no authentication; connect to the IPv4 address and port of the hub.
    let SocketAddr::V4(target) = hub.address else {
        panic!("{}", hub.address)
    };
    let mut request = b"\x05\x01\x00\x05\x01\x00\x01".to_vec();
    request.extend_from_slice(&target.ip().octets());
    request.extend_from_slice(&target.port().to_be_bytes());
    stream.write_all(&request).unwrap();
    // ssh itself answers "connected" before it asks the hub, if there is still time to.
    let connected = b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00";
    let came = comes_from(stream);
    assert!(connected.starts_with(&came), "{came:x?}");
    anna.stderr
        .text_with("open failed: administratively prohibited");
    still_works(anna);
}

#[test]
fn remote_forwardings_are_refused() {
    let (site, hub) = hub();
    let socket = site.path("remote");
    for listener in ["0".to_owned(), socket.display().to_string()] {
        let forwarding = format!("{listener}:{}", hub.address);
        let options = ["-o", "ExitOnForwardFailure=yes", "-R", &forwarding];
        let (status, said) = failure_of(hub.ssh("anna").args(options));
        assert_eq!(status, 255);
        assert!(
            said.contains("remote port forwarding failed for listen"),
            "{said}"
        );
        // Without the option ssh goes on.
        let mut anna = Process::start(hub.ssh("anna").args(["-R", &forwarding]));
        greeted(&mut anna);
        still_works(anna);
    }
}

#[test]
fn standard_input_is_not_forwarded() {
    let (_site, hub) = hub();
    let target = hub.address.to_string();
    let (status, said) = failure_of(hub.ssh("anna").args(["-v", "-W", &target]));
    assert_eq!(status, 255);
    assert!(
        said.contains("open failed: administratively prohibited"),
        "{said}"
    );
    assert!(said.contains("stdio forwarding failed"), "{said}");
}

#[test]
fn x11_and_the_agent_are_refused() {
    let (site, hub) = hub();
    let socket = site.path("agent");
    let mut agent = std::process::Command::new("ssh-agent");
    let mut agent = Process::start(agent.args(["-D", "-a"]).arg(&socket));
    agent.stdout.text_with("SSH_AUTH_SOCK=");

    let mut ssh = hub.ssh("anna");
    let mut with_agent = std::process::Command::new(ssh.get_program());
    for argument in ssh.args(["-v", "-A", "-X"]).get_args() {
        match argument.to_str() {
            Some("IdentityAgent=none") => {
                with_agent.arg(format!("IdentityAgent={}", socket.display()))
            }
            _ => with_agent.arg(argument),
        };
    }
    let mut anna = Process::start(with_agent.env("DISPLAY", ":9"));
    greeted(&mut anna);
    // ssh wants no answer to it; that the hub never uses the agent is for cmp-ssh's own tests.
    anna.stderr
        .text_with("Requesting authentication agent forwarding");
    anna.stderr
        .text_with("X11 forwarding request failed on channel 0");
    still_works(anna);
}
