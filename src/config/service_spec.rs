//! What a service is as a whole: the quorum that can be reached, the scheduler and its flags, persistence.

use super::codes::{FLAG, PERSISTENCE, QUORUM, THRESHOLD};
use super::service::{Header, ServerDraft};
use super::service_build::ServiceBuild;
use crate::syntax::Context;
use crate::wire::genl_ipvs::{Family, Protocol, Scheduler, ServiceSpec};

impl ServiceBuild {
    /// Quorum and hysteresis that can be reached: keepalived cuts the quorum to the sum of the weights and the
    /// hysteresis to below the quorum, and leaves alone what is then still out of reach.
    pub(super) fn quorum(&self, cx: &mut Context<'_>) -> (u32, u32) {
        let total = u32::try_from(self.weights).unwrap_or(u32::MAX);
        let mut quorum = self.draft.quorum.map_or(1, |given| given.value);
        let mut hysteresis = self.draft.hysteresis.map_or(0, |given| given.value);
        let at = self.draft.quorum.or(self.draft.hysteresis).map_or(self.draft.at, |given| given.at);
        if total == 0 {
            cx.warn(
                QUORUM,
                self.draft.at,
                format_args!("all weights are 0: the service is never up"),
                format_args!("give at least one real server a weight above 0"),
            );
            return (quorum, hysteresis.min(quorum - 1));
        }
        if quorum > total {
            cx.warn(
                QUORUM,
                at,
                format_args!("quorum {quorum} is above the sum of all weights and is cut to {total}"),
                format_args!("write a quorum of at most {total}"),
            );
            quorum = total;
        }
        if hysteresis >= quorum {
            cx.warn(
                QUORUM,
                self.draft.hysteresis.map_or(at, |given| given.at),
                format_args!("hysteresis {hysteresis} is not below the quorum and is cut to {}", quorum - 1),
                format_args!("write a hysteresis below {quorum}"),
            );
            hysteresis = quorum - 1;
        }
        if quorum.saturating_add(hysteresis) > total {
            cx.warn(
                QUORUM,
                at,
                format_args!("a service that lost its quorum never gets it back"),
                format_args!(
                    "quorum {quorum} + hysteresis {hysteresis} must be at most {total}, the sum of the weights"
                ),
            );
        }
        (quorum, hysteresis)
    }

    pub(super) fn spec(&self, cx: &mut Context<'_>) -> ServiceSpec {
        let draft = &self.draft;
        let inet6 = self.family == Some(Family::Inet6);
        let most: u8 = if inet6 { 128 } else { 32 };
        let netmask = draft.granularity.filter(|given| {
            let fits = given.value <= most;
            if !fits {
                cx.error(
                    PERSISTENCE,
                    given.at,
                    format_args!("a prefix of {} is too long for IPv4; the line is left out", given.value),
                    format_args!("write a netmask such as 255.255.255.0"),
                );
            }
            fits
        });
        let scheduler = draft.scheduler;
        ServiceSpec {
            scheduler,
            flags: self.flags(scheduler, cx),
            timeout: draft.persistence.unwrap_or(0),
            netmask: netmask.map_or(most, |given| given.value),
            engine: draft.engine,
        }
    }

    /// `IP_VS_SVC_F_*` (linux/ip_vs.h).
    fn flags(&self, scheduler: Scheduler, cx: &mut Context<'_>) -> u32 {
        let mut flags = u32::from(self.draft.persistence.is_some());
        if let Some(at) = self.draft.ops {
            let tcp = matches!(self.draft.header, Header::Address(..))
                && matches!(self.draft.protocol, Some(Protocol::Tcp | Protocol::Sctp));
            if tcp {
                cx.warn(
                    FLAG,
                    at,
                    format_args!("ops is for UDP and is ignored"),
                    format_args!("remove the line: a TCP connection needs one server for all its packets"),
                );
            } else {
                flags |= 0x4;
            }
        }
        for flag in &self.draft.flags {
            if flag.of.is_empty() || flag.of == scheduler.as_str() {
                flags |= flag.bit;
            } else {
                cx.warn(
                    FLAG,
                    flag.at,
                    format_args!("this is a flag of the scheduler {} and is ignored", flag.of),
                    format_args!(
                        "the scheduler is {scheduler}: write `lb_algo {}` or remove the flag",
                        flag.of
                    ),
                );
            }
        }
        flags
    }
}

pub(super) fn thresholds(server: &ServerDraft, cx: &mut Context<'_>) -> (u32, u32) {
    let upper = server.upper.map_or(0, |given| given.value);
    let Some(lower) = server.lower else { return (upper, 0) };
    if lower.value > upper {
        cx.warn(
            THRESHOLD,
            lower.at,
            format_args!("lthreshold {} is above uthreshold {upper} and is ignored", lower.value),
            format_args!("write a uthreshold, and a smaller lthreshold"),
        );
        return (upper, 0);
    }
    (upper, lower.value)
}
