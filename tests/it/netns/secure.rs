//! SSL_GET against OpenSSL's server and odd ones, as an operator sees it: `show checks`, `why`, the log and the exit of
//! `lvsbox digest`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use lab::process::Process;
use lab::wait::{self, secs};
use rustix::process::Signal;

use super::checks::Site;
use crate::rig::{Make, Service, binary, configuration, ctl};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");
const NAME: &str = "www.example.org";

impl Site {
    /// A site with a page.
    fn with_page(label: &str) -> Self {
        let site = Self::new(label);
        std::fs::write(site.scratch.join("index.html"), "hello world").unwrap();
        site
    }

    /// OpenSSL's server of this certificate, with the pages of the scratch folder.
    fn openssl(&self, port: u16, certificate: &str, options: &[&str]) -> Process {
        let mut command = self.server.command("openssl");
        command.args(["s_server", "-accept", &format!("10.9.0.2:{port}"), "-cert"]);
        command.arg(data(certificate)).arg("-key").arg(data("server.key")).args(options);
        command.current_dir(self.scratch.path());
        let server = Process::spawn(command, "s_server", &self.scratch.join(&format!("openssl.{port}")));
        wait::until(&format!("port {port}"), secs(10), || {
            self.server.enter(|| TcpStream::connect(("10.9.0.2", port)).ok()).map(drop)
        });
        server
    }

    /// A server that is none: `serve` has each connection for as long as it likes.
    fn odd(&self, port: u16, serve: fn(TcpStream)) {
        let address: SocketAddr = ([10, 9, 0, 2], port).into();
        let listener = self.server.enter(|| TcpListener::bind(address)).unwrap();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                std::thread::spawn(move || serve(stream));
            }
        });
    }

    fn row(&self, port: u16) -> String {
        let output = self.director.command(binary()).args(["ctl", "show", "checks"]).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let server = format!("[10.9.0.2]:tcp:{port} ");
        shown.lines().find(|line| line.contains(&server)).unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn wait_port(&self, port: u16, words: &[&str]) {
        let mut last = String::new();
        let seen = wait::maybe(secs(15), || {
            last = self.row(port);
            words.iter().all(|word| last.contains(word)).then_some(())
        });
        assert!(seen.is_some(), "{port}: {words:?} is not in {last:?}");
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(DATA).join(name)
}

fn check(port: u16, path: &str, lines: &str) -> String {
    let block = format!("SSL_GET {{\n connect_timeout 1\n retry 0\n {lines}\n url {{\n path {path}\n }}\n}}");
    let (key, server) = (format!("10.9.1.1 {port}"), format!("10.9.0.2 {port}"));
    Service::new(&key, "rr", "NAT", &[&server]).line("delay_loop 0.5").check(&block).to_string()
}

fn ssl(ca: &Path) -> String {
    format!("SSL {{\n ca {}\n}}\n", ca.display())
}

#[test]
fn a_page_over_either_version_keeps_a_server_up_and_its_digest_is_that_of_the_command() {
    let site = Site::with_page("tls-up");
    let page = "/index.html";
    let twelve = site.openssl(12, "expired.pem", &["-WWW", "-tls1_2"]);
    let _thirteen = site.openssl(13, "expired.pem", &["-WWW", "-tls1_3"]);
    let digest = |port: u16| {
        let mut command = site.director.command(binary());
        command.args(["digest", &format!("https://10.9.0.2:{port}{page}")]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    // `printf 'hello world' | md5sum`
    assert_eq!([digest(12), digest(13)], ["5eb63bbbe01eeed093cb22bb8f5acdc3\n"; 2]);
    let text = check(12, page, "enable_sni\n virtualhost www.example.org") + &check(13, page, "");
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    site.wait_port(12, &[" up ", "status 200"]);
    site.wait_port(13, &[" up ", "status 200"]);
    assert!(ctl(&site.director, "show checks").contains("SSL_GET: certificate not verified"));
    assert!(ctl(&site.director, "why 10.9.0.2").contains("SSL_GET: certificate not verified"));
    assert!(ctl(&site.director, "show loop").contains("tls"));
    drop(twelve);
    site.wait_port(12, &["DOWN", "connection refused"]);
    director.wait_line("HTTP_CHECK on service [10.9.0.2]:tcp:12 failed", secs(2));
}

#[test]
fn a_ca_makes_issuer_name_and_dates_count_and_a_reload_reads_it_again() {
    let site = Site::with_page("tls-ca");
    let page = "/index.html";
    let _good = site.openssl(443, "server.pem", &["-WWW"]);
    let _over = site.openssl(444, "expired.pem", &["-WWW"]);
    let _other = site.openssl(445, "server.pem", &["-WWW"]);
    let _address = site.openssl(446, "server.pem", &["-WWW"]);
    let ca = site.scratch.join("ca.pem");
    std::fs::copy(data("ca.pem"), &ca).unwrap();
    let text = ssl(&ca)
        + &check(443, page, &format!("virtualhost {NAME}"))
        + &check(444, page, &format!("sni_name {NAME}"))
        + &check(445, page, "enable_sni\n virtualhost other.example.org")
        + &check(446, page, "");
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    site.wait_port(443, &[" up ", "status 200"]);
    site.wait_port(444, &["DOWN", "certificate expired"]);
    site.wait_port(445, &["DOWN", "certificate of another name"]);
    site.wait_port(446, &[" up ", "status 200"]);
    assert!(ctl(&site.director, "show checks").contains("SSL_GET: certificate verified by "));
    // Another issuer in the same file.
    std::fs::copy(data("server.pem"), &ca).unwrap();
    director.signal(Signal::HUP);
    site.wait_port(443, &["DOWN", "certificate of an unknown issuer"]);
    // A broken file changes nothing.
    std::fs::write(&ca, "nothing").unwrap();
    director.signal(Signal::HUP);
    director.wait_line("no certificate in PEM is in it", secs(5));
    std::fs::copy(data("ca.pem"), &ca).unwrap();
    site.wait_port(443, &["DOWN", "certificate of an unknown issuer"]);
    director.signal(Signal::HUP);
    site.wait_port(443, &[" up ", "status 200"]);
    assert!(configuration(&site.director, &site.scratch).exists());
}

/// Reads the client's greeting, all of it: what is left unread turns a close into a reset.
fn greeted(mut stream: &TcpStream) {
    let mut bytes = [0; 4_096];
    let _ = stream.read(&mut bytes);
}

#[test]
fn every_odd_server_is_down_for_a_reason_in_words_and_the_good_one_beside_them_up() {
    let site = Site::with_page("tls-odd");
    let _good = site.openssl(443, "server.pem", &["-WWW"]);
    let _again = site.openssl(444, "server.pem", &["-www", "-tls1_2"]);
    let old = ["-WWW", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    let _old = site.openssl(445, "server.pem", &old);
    let _asks = site.openssl(446, "server.pem", &["-WWW", "-tls1_2", "-Verify", "1", "-verify_return_error"]);
    site.odd(450, |mut stream| {
        greeted(&stream);
        let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
    });
    site.odd(451, |mut stream| {
        greeted(&stream);
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 40]);
    });
    site.odd(452, |mut stream| {
        greeted(&stream);
        let _ = stream.write_all(&[0x16, 3, 3, 0]);
        // Until the client has had enough.
        while matches!(stream.read(&mut [0; 512]), Ok(1..)) {}
    });
    site.odd(453, |stream| greeted(&stream));
    site.odd(454, |mut stream| {
        greeted(&stream);
        let _ = stream.write_all(&[&[0x16, 3, 3, 0, 8][..], &[9; 8]].concat());
        greeted(&stream);
    });
    // Records of a handshake that never ends: a certificate of 16 MB, piece by piece.
    site.odd(455, |mut stream| {
        greeted(&stream);
        let piece = [&[0x16, 3, 3, 0x10, 0][..], &[11, 0xff, 0xff, 0xff], &[0; 0x0ffc]].concat();
        while stream.write_all(&piece).is_ok() {}
    });
    let ports = [443, 444, 445, 446, 450, 451, 452, 453, 454, 455];
    let path = |port| if port == 444 { "/reneg" } else { "/index.html" };
    let text: String = ports.map(|port| check(port, path(port), "")).concat();
    let director = Make::Lvsbox.start(&site.director, &text, &site.scratch);
    for (port, reason) in [
        (445, "TLS alert: protocol version"),
        (446, "TLS alert: handshake failure"),
        (450, "no TLS is spoken"),
        (451, "TLS alert: handshake failure"),
        (452, "no complete TLS handshake within the deadline"),
        (453, "connection closed during the TLS handshake"),
        (454, "TLS not understood"),
        (455, "TLS "),
    ] {
        site.wait_port(port, &["DOWN", reason]);
    }
    site.wait_port(443, &[" up ", "status 200"]);
    // Renegotiation is refused by a warning, and the server goes on.
    site.wait_port(444, &[" up ", "status 200"]);
    assert!(!director.has_ended());
}
