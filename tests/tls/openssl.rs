//! OpenSSL's `s_server`: versions nobody should speak any more, certificates that are wrong, sessions without tickets.
//!
//! It answers a GET with a page about the connection, ended by closing it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use loadr_tests::certificates::{Certificates, Pair};
use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;
use loadr_tests::server::{Server, free_address};

use super::{expect_failure, handshakes, load, run};

/// `s_server` with this certificate and these flags.
fn start(pair: &Pair, flags: &str) -> Server {
    start_writing_to(pair, flags, Stdio::null())
}

fn start_writing_to(pair: &Pair, flags: &str, output: Stdio) -> Server {
    let address = free_address();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", &address.to_string()]);
    command.arg("-cert").arg(&pair.certificate).arg("-key").arg(&pair.key);
    command.args(flags.split_whitespace());
    command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::null());
    Server::start_listening(command, address)
}

fn url(server: &Server) -> String {
    format!("https://{}/", server.address)
}

/// Loads a server that shows this certificate with five requests.
#[track_caller]
fn load_with(
    pair: &Pair,
    server: &str,
    invocation: impl FnOnce(&str) -> Invocation,
) -> (Finished, Saved) {
    let server = start(pair, server);
    run(invocation(&url(&server)), "-n 5 -u 1")
}

#[test]
fn what_is_right_works() {
    let certificates = Certificates::new();
    for version in ["", "-tls1_2", "-tls1_3"] {
        let (finished, saved) =
            load_with(&certificates.good(), &format!("-www {version}"), |url| {
                load(url, &certificates.authority())
            });
        finished.expect_code(0);
        assert_eq!((saved.requests(), saved.failures()), (5, 0), "{finished}");
    }
}

#[test]
fn old_versions_are_told() {
    let certificates = Certificates::new();
    let message = "TLS handshake failed: the target and this program have no TLS version in common: \
                   1.2 and 1.3 were offered";
    for version in ["-tls1", "-tls1_1"] {
        let flags = format!("-www {version} -cipher DEFAULT@SECLEVEL=0");
        let (finished, saved) =
            load_with(&certificates.good(), &flags, |url| load(url, &certificates.authority()));
        expect_failure(&finished, &saved, "tls", message);
    }
}

#[test]
fn certificates_that_are_wrong_are_told_and_may_be_believed_all_the_same() {
    let certificates = Certificates::new();
    let unknown =
        "the target's certificate is signed by itself or by an authority that is not known here";
    for (pair, words) in [
        (certificates.expired(), "the target's certificate expired 10 days ago"),
        (
            certificates.not_yet_valid(),
            "the target's certificate is not valid yet, for another 10 days",
        ),
        (certificates.self_signed(), unknown),
        (certificates.of_unknown_authority(), unknown),
        (
            certificates.for_another_name(),
            "the target's certificate is for other.test, not for 127.0.0.1",
        ),
    ] {
        let server = start(&pair, "-www");
        let (finished, saved) = run(load(&url(&server), &certificates.authority()), "-n 5 -u 1");
        let message = format!("TLS handshake failed: {words}");
        expect_failure(&finished, &saved, "tls", &message);
        let insecure = Invocation::new([&url(&server), "--only-summary", "--insecure"]);
        let (finished, saved) = run(insecure, "-n 5 -u 1");
        finished.expect_code(0);
        assert_eq!((saved.requests(), saved.failures()), (5, 0), "{finished}");
        let warning =
            "5 TLS handshakes were made without a look at the target's certificate (--insecure)";
        assert!(finished.stdout.contains(warning), "{finished}");
    }
}

#[test]
fn a_certificate_may_be_believed_itself() {
    let certificates = Certificates::new();
    let pair = certificates.self_signed();
    let (finished, saved) = load_with(&pair, "-www", |url| load(url, &pair.certificate));
    finished.expect_code(0);
    assert_eq!((saved.requests(), saved.failures()), (5, 0), "{finished}");
}

#[test]
fn the_systems_authorities_know_nothing_of_ours() {
    let certificates = Certificates::new();
    let (finished, saved) = load_with(&certificates.good(), "-www", |url| {
        // Any authority will do that is not the one asked for.
        let file = certificates.self_signed().certificate;
        let variable = format!("SSL_CERT_FILE={}", file.display());
        Invocation::new([url, "--only-summary"]).under("env", [variable])
    });
    let message = "TLS handshake failed: the target's certificate is signed by itself or by an \
                   authority that is not known here";
    expect_failure(&finished, &saved, "tls", message);
}

#[test]
fn sessions_are_resumed_as_far_as_the_server_goes_along() {
    let certificates = Certificates::new();
    for (flags, expected) in [
        ("-tls1_2", (1, 4)),
        // Without tickets there are session identifiers (RFC 5246, 7.3), and without a cache nothing.
        ("-tls1_2 -no_ticket", (1, 4)),
        ("-tls1_2 -no_ticket -no_cache", (5, 0)),
        ("-tls1_3", (1, 4)),
        ("-tls1_3 -no_ticket", (1, 4)),
        ("-tls1_3 -num_tickets 0", (5, 0)),
    ] {
        let (finished, saved) = load_with(&certificates.good(), &format!("-www {flags}"), |url| {
            load(url, &certificates.authority())
        });
        finished.expect_code(0);
        assert_eq!(handshakes(&saved), expected, "{flags}\n{finished}");
    }
}

#[test]
fn a_client_certificate_that_is_missing_or_not_accepted_is_told() {
    let certificates = Certificates::new();
    let authority = certificates.authority();
    let wanted = format!("-www -Verify 1 -verify_return_error -CAfile {}", authority.display());
    let with = |pair: Option<Pair>, version: &str| {
        let flags = format!("{wanted} {version}");
        load_with(&certificates.good(), &flags, |url| {
            let load = load(url, &authority);
            let Some(pair) = pair else { return load };
            load.and(["--cert".as_ref(), pair.certificate.as_os_str()])
                .and(["--key".as_ref(), pair.key.as_os_str()])
        })
    };
    for (version, missing, stranger) in [
        (
            "-tls1_2",
            "TLS handshake failed: the target ended it: it accepts none of the parameters offered, \
             or wants a client certificate (alert handshake_failure)",
            "TLS handshake failed: the target ended it: it does not accept the client certificate \
             (alert unknown_ca)",
        ),
        (
            "-tls1_3",
            "TLS failed: the target ended it: it wants a client certificate (alert certificate_required)",
            "TLS failed: the target ended it: it does not accept the client certificate (alert unknown_ca)",
        ),
    ] {
        let (finished, saved) = with(Some(certificates.client()), version);
        finished.expect_code(0);
        assert_eq!(saved.failures(), 0, "{finished}");
        let (finished, saved) = with(None, version);
        expect_failure(&finished, &saved, "tls", missing);
        let (finished, saved) = with(Some(certificates.of_unknown_authority()), version);
        expect_failure(&finished, &saved, "tls", stranger);
    }
}

/// RFC 5246, 7.4.1.1: a client may ignore the wish. That it is refused goes with the next request.
#[test]
fn a_renegotiation_in_an_exchange_is_ignored() {
    let certificates = Certificates::new();
    let mut server = start_writing_to(&certificates.good(), "-tls1_2 -crlf -msg", Stdio::piped());
    let mut typed = server.child.stdin.take().expect("its input is piped");
    let shown = BufReader::new(server.child.stdout.take().expect("its output is piped"));
    let mut shown = shown.lines().map_while(Result::ok);
    let mut await_line = |part| {
        assert!(shown.any(|line| line.contains(part)), "there is no line with {part}");
    };
    let mut enter = |text| typed.write_all(text).expect("the server reads what is typed");
    let load = load(&url(&server), &certificates.authority());
    let running = load.and(["-n", "1", "-u", "1"]).start();
    await_line("GET / ");
    enter(b"R\n".as_slice());
    await_line("HelloRequest");
    enter(b"HTTP/1.1 200 OK\nContent-Length: 4\n\nok\n");
    let finished = running.finish();
    finished.expect_code(0);
    assert!(finished.stdout.contains("1 in all, 0 failed"), "{finished}");
}
