//! The checkers there are, one row each: the parameters and the run of each kind, as two enums that know no more of
//! them than [`Check`] and [`Talk`].

use super::form::{Check, Form, Talk};
#[cfg(feature = "tls")]
use super::ssl_get;
use super::{dns_check, http_get, ping_check, send_expect, smtp_check, tcp_check, udp_check};

macro_rules! registry {
    ($($(#[doc = $doc:literal])* $(#[cfg($gate:meta)])? $name:ident: $file:ident::$check:ident, $talk:path;)*) => {
        /// What is checked, with the checker's own parameters.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Checker {
            $($(#[doc = $doc])* $(#[cfg($gate)])? $name($file::$check),)*
        }

        /// One run of a checker.
        #[derive(Debug, Clone)]
        pub enum Dialogue {
            $($(#[doc = $doc])* $(#[cfg($gate)])? $name($talk),)*
        }

        /// The facts of all checkers.
        pub const FORMS: &[&Form] = &[$($(#[cfg($gate)])? &$file::FORM),*];

        impl Checker {
            pub(super) fn get(&self) -> &dyn Check {
                match self {
                    $($(#[cfg($gate)])? Self::$name(check) => check,)*
                }
            }

            /// Starts dialogue `step` (a row of the urls, modulo their number). `nonce` tells this run from others.
            pub fn begin(&self, step: usize, nonce: u32) -> Dialogue {
                self.get().begin(step, nonce)
            }
        }

        impl Dialogue {
            /// What every run can do.
            pub fn talk(&mut self) -> &mut dyn Talk {
                match self {
                    $($(#[cfg($gate)])? Self::$name(talk) => talk,)*
                }
            }
        }
    };
}

registry! {
    /// `TCP_CHECK`: the connection is accepted.
    Tcp: tcp_check::TcpCheck, tcp_check::Connection;
    /// `HTTP_GET`: every url answers as expected.
    Http: http_get::HttpGet, http_get::Asking;
    /// `SMTP_CHECK`: the mail server greets.
    Smtp: smtp_check::SmtpCheck, smtp_check::Greeting;
    /// `DNS_CHECK`: the name server answers a query without an error.
    Dns: dns_check::DnsCheck, dns_check::Query;
    /// `UDP_CHECK`: no error comes back, or the expected reply does.
    Udp: udp_check::UdpCheck, udp_check::Exchange;
    /// `PING_CHECK`: the host answers an echo request.
    Ping: ping_check::PingCheck, ping_check::Echoing;
    /// `SEND_EXPECT`: the reply has the expected text in it.
    SendExpect: send_expect::SendExpect, send_expect::Waiting;
    /// `SSL_GET`: every url answers as expected, over TLS.
    #[cfg(feature = "tls")]
    Ssl: ssl_get::SslGet, http_get::Asking;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialogue_is_small_enough_to_live_in_its_slot() {
        assert!(size_of::<Dialogue>() <= 200, "{}", size_of::<Dialogue>());
        assert!(size_of::<Checker>() <= 32, "{}", size_of::<Checker>());
    }

    #[test]
    fn every_checker_begins_with_the_form_of_its_keyword() {
        for form in FORMS {
            let checker = (form.new)();
            assert!(core::ptr::eq(checker.form(), *form), "{}", form.keyword);
            assert_eq!(form.table.name, form.keyword);
        }
    }
}
