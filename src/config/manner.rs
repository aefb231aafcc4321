//! How real servers come and go: `slow_start` and `drain_time`, which keepalived does not have. In a `virtual_server`
//! for all of its real servers, or in a `real_server`. With it what else makes the [`Policy`] of a server.

use super::model::{OnFailure, Policy};
use super::rows::timer;
use super::service::{ServerDraft, ServiceDraft};
use super::service_build::ServiceBuild;
use super::service_spec::thresholds;
use crate::check::keywords::{Checked, Draft, Pace, Paced};
use crate::syntax::{Context, Keyword};
use crate::time::Duration;
use crate::wire::genl_ipvs::ForwardingMethod;

/// How a server comes and goes: keywords of ours, of a service and of each of its servers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Manner {
    pub(super) slow_start: Option<Duration>,
    pub(super) drain_time: Option<Duration>,
}

/// A draft with these keywords.
pub(super) trait Mannered {
    fn manner(&mut self) -> &mut Manner;
}

macro_rules! timed {
    ($($draft:ty),*) => {$(
        impl Mannered for $draft {
            fn manner(&mut self) -> &mut Manner {
                &mut self.manner
            }
        }

        impl Paced for $draft {
            fn pace(&mut self) -> &mut Pace {
                &mut self.pace
            }
        }
    )*};
}
timed!(ServiceDraft, ServerDraft);

impl Checked for ServerDraft {
    fn checkers(&mut self) -> &mut Vec<Draft> {
        &mut self.checkers
    }
}

/// A rise of more than an hour is a weight; connections that last longer than a day are not waited for.
const fn manners<B: Mannered>(texts: [&'static str; 2]) -> [Keyword<B>; 2] {
    let [slow_start, drain_time] = texts;
    [
        timer(slow_start, Duration::ZERO, Duration::from_secs(3_600), |b, given| {
            b.manner().slow_start = Some(given.value)
        }),
        timer(drain_time, Duration::ZERO, Duration::from_secs(86_400), |b, given| {
            b.manner().drain_time = Some(given.value)
        }),
    ]
}

/// Of a service.
pub(super) const SERVICE_MANNER: [Keyword<ServiceDraft>; 2] = manners([
    "slow_start|0|seconds in which the weight of a returned server rises",
    "drain_time|0|seconds that a server removed by a reload keeps its connections",
]);
/// Of a real server.
pub(super) const SERVER_MANNER: [Keyword<ServerDraft>; 2] = manners([
    "slow_start|the service's|seconds in which its weight rises when it is back",
    "drain_time|the service's|seconds that it keeps its connections when a reload removes it",
]);

impl ServiceBuild {
    /// How a real server is used: what stands in its own block, or else what the service has for all.
    pub(super) fn policy(
        &self,
        server: &ServerDraft,
        method: ForwardingMethod,
        cx: &mut Context<'_>,
    ) -> Policy {
        let (upper, lower) = thresholds(server, cx);
        let (own, all) = (server.manner, self.draft.manner);
        Policy {
            method,
            upper,
            lower,
            on_failure: on_failure(server.inhibit.unwrap_or(self.draft.inhibit)),
            slow_start: own.slow_start.or(all.slow_start).unwrap_or_default(),
            drain_time: own.drain_time.or(all.drain_time).unwrap_or_default(),
        }
    }

    /// The same of a sorry server, which has nothing of the service.
    pub(super) fn sorry_policy(
        &self,
        server: &ServerDraft,
        method: ForwardingMethod,
        cx: &mut Context<'_>,
    ) -> Policy {
        Policy {
            on_failure: on_failure(server.inhibit == Some(true)),
            slow_start: Duration::ZERO,
            drain_time: Duration::ZERO,
            ..self.policy(server, method, cx)
        }
    }
}

fn on_failure(inhibit: bool) -> OnFailure {
    if inhibit { OnFailure::Inhibit } else { OnFailure::Remove }
}
