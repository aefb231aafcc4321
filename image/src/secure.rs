//! A web server over TLS in a namespace: every page is empty and has status 200.
//!
//! Each connection has a thread of its own, and ends when nothing was heard for a while: one that a cut cable left
//! behind holds up no other, as it would with `openssl s_server`, which serves one after the other. Needs `openssl` and
//! `python3`.

use std::net::TcpStream;

use crate::netns::Namespace;
use crate::process::{Process, output_of};
use crate::scratch::Scratch;
use crate::wait::{self, secs};

/// What Python runs: port, certificate, key. No name of a host is looked up, as `http.server` would: nobody answers.
const SCRIPT: &str = "\
import http.server, socketserver, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    def get_request(self):
        connection, address = super().get_request()
        connection.settimeout(20)
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address
    def handle_error(self, request, address):
        pass
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
Server(('', int(sys.argv[1])), Answer).serve_forever()
";

/// Starts it at `port` of all addresses of `namespace`, and waits until it listens. Its key is a new one of the curve
/// P-256; `scratch` is for that, the certificate and what the server says.
///
/// # Panics
/// If it does not listen after half a minute.
pub fn serve(namespace: &Namespace, port: u16, scratch: &Scratch) -> Process {
    let (key, certificate) = (scratch.join("key.pem"), scratch.join("certificate.pem"));
    let mut command = namespace.command("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    command.args(["-subj", "/CN=lab", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    output_of(command);
    let mut command = namespace.command("python3");
    command.args(["-c", SCRIPT, &port.to_string()]).arg(&certificate).arg(&key);
    let server = Process::spawn(command, "the server over TLS", &scratch.join("secure.log"));
    wait::until("the server over TLS", secs(30), || {
        assert!(!server.has_ended(), "it listens no longer");
        namespace.enter(|| TcpStream::connect(("127.0.0.1", port)).ok()).map(drop)
    });
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs root, as every namespace.
    #[test]
    fn a_connection_that_says_nothing_holds_up_no_other() {
        let (namespace, scratch) = (Namespace::new("secure"), Scratch::new("secure"));
        let _server = serve(&namespace, 8_443, &scratch);
        let _silent = namespace.enter(|| TcpStream::connect(("127.0.0.1", 8_443)).unwrap());
        let ask = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect 127.0.0.1:8443";
        let mut command = namespace.command("sh");
        command.args(["-c", ask]);
        let client = Process::spawn(command, "a client", &scratch.join("client.log"));
        // Well before the silent one is given up.
        client.wait_line("HTTP/1.0 200 ", secs(12));
    }
}
