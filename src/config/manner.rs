//! How real servers come and go: `slow_start` and `drain_time`, which keepalived does not have. In a `virtual_server`
//! for all of its real servers, or in a `real_server`.

use super::rows::timer;
use super::service::{ServerDraft, ServiceDraft};
use crate::check::keywords::{Checked, Draft, Pace, Paced};
use crate::syntax::Keyword;
use crate::time::Duration;

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
