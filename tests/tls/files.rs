//! Files of certificates and keys that will not do: one line and exit code 2, before anything is loaded.

use std::fs;
use std::path::Path;

use loadr_tests::certificates::Certificates;
use loadr_tests::program::Invocation;
use loadr_tests::scripted::ScriptedServer;

/// The line with which a load of a server that nobody may come to is refused.
#[track_caller]
fn refused(flags: &[&str]) -> String {
    let server = ScriptedServer::start(|mut connection| connection.behave());
    let url = format!("https://{}/", server.address());
    let finished = Invocation::new([url.as_str(), "-n", "1"]).and(flags).run();
    assert_eq!(server.connections(), 0, "{finished}");
    finished.expect_one_line().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path is text")
}

#[test]
fn files_that_will_not_do_are_told_by_name() {
    let certificates = Certificates::new();
    let good = certificates.good();
    let file = |name: &str, content: &str| {
        let path = certificates.folder().join(name);
        fs::write(&path, content).expect("a temporary file");
        path
    };
    let missing = certificates.folder().join("missing.pem");
    let empty = file("empty.pem", "");
    let rubbish = file("rubbish.pem", "\u{0}rubbish");
    let broken =
        file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let (certificate, key) = (text(&good.certificate), text(&good.key));
    let cases: [(&[&str], String); 9] = [
        (&["--cacert", text(&missing)], format!("cannot read {}: No such file", missing.display())),
        (&["--cacert", text(&empty)], format!("{} holds no certificate in PEM", empty.display())),
        (
            &["--cacert", text(&rubbish)],
            format!("{} holds no certificate in PEM", rubbish.display()),
        ),
        (&["--cacert", key], format!("{key} holds no certificate in PEM")),
        (
            &["--cacert", text(&broken)],
            format!(
                "--cacert {}: certificate 1 of the authorities cannot be read",
                broken.display()
            ),
        ),
        (
            &["--cert", text(&missing), "--key", key],
            format!("cannot read {}: No such file", missing.display()),
        ),
        (
            &["--cert", certificate, "--key", text(&empty)],
            format!("{} holds no private key in PEM", empty.display()),
        ),
        (
            &["--cert", certificate, "--key", certificate],
            format!("{certificate} holds no private key in PEM"),
        ),
        (
            &["--cert", text(&broken), "--key", key],
            format!("--cert {}: the client certificate cannot be used", broken.display()),
        ),
    ];
    for (flags, words) in cases {
        let line = refused(flags);
        assert!(line.contains(&words), "{words}\n{line}");
    }
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let certificates = Certificates::new();
    let (one, other) = (certificates.good(), certificates.client());
    let line = refused(&["-k", "--cert", text(&one.certificate), "--key", text(&other.key)]);
    assert!(line.contains("the key is not that of the certificate"), "{line}");
}

#[test]
fn flags_that_do_not_go_together_are_told() {
    for (flags, words) in [
        (&["--cert", "a.pem"][..], "--key"),
        (&["--key", "a.pem"], "--cert"),
        (&["--insecure", "--cacert", "a.pem"], "--insecure"),
        (&["--tls-version", "1.1"], "1.1"),
        (&["--sni", "not a name"], "'not a name' is neither a host name nor an address"),
        (&["--sni", ""], "--sni"),
        (&["--alpn", "a,,b"], "a protocol's name has 1 to 255 bytes"),
    ] {
        let line = refused(flags);
        assert!(line.contains(words), "{words}\n{line}");
    }
}

#[test]
fn a_system_without_authorities_says_so() {
    let server = ScriptedServer::start(|mut connection| connection.behave());
    let url = format!("https://{}/", server.address());
    let nowhere = ["SSL_CERT_FILE=/nonexistent/file", "SSL_CERT_DIR=/nonexistent/folder"];
    let finished = Invocation::new([url.as_str(), "-n", "1"]).under("env", nowhere).run();
    let line = finished.expect_one_line();
    assert!(line.contains("this system has no certificate authorities"), "{line}");
    assert!(line.contains("name a file of them"), "{line}");
}
