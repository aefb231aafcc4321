//! What an action means in the kernel's words.

use super::IpvsPlan;
use crate::config::Config;
use crate::config::ids::Id;
use crate::config::model::Timeouts;
use crate::director::action::{Action, Change, DestinationRef, ServiceRef};
use crate::director::services::Services;
use crate::wire::genl_ipvs::Request;

impl IpvsPlan {
    /// What an action asks of the kernel.
    pub(crate) fn request(&self, action: Action, config: &Config, services: &Services) -> Option<Request> {
        match action {
            Action::SetTimeouts { .. } => {
                let Timeouts { tcp, tcp_fin, udp } = self.timeouts_wish();
                Some(Request::SetTimeouts { tcp, tcp_fin, udp })
            }
            Action::ReadTimeouts { .. } => Some(Request::GetTimeouts),
            Action::Daemon { role, change, .. } => self.daemon_request(role, change),
            Action::FlushIpvs { .. } => Some(Request::Flush),
            Action::Service { service, change, .. } => self.service_request(service, change, config),
            Action::Destination { destination: DestinationRef::Stranger(row), .. } => {
                let stranger = self.strangers.get(usize::from(row))?;
                let service = config.services.get(stranger.service.index())?;
                Some(Request::DelDestination(service.key, stranger.key))
            }
            Action::Destination { destination: DestinationRef::Draining(row), change, .. } => {
                let (service, key, spec) = self.drain_request(row)?;
                let service = config.services.get(service.index())?.key;
                Some(match change {
                    Change::Add | Change::Set => Request::SetDestination(service, key, spec),
                    Change::Remove => Request::DelDestination(service, key),
                })
            }
            Action::Destination { destination: DestinationRef::Configured(id), change, .. } => {
                let destination = config.destinations.get(id.index())?;
                let service = config.services.get(destination.service.index())?.key;
                // The mirror holds what was asked for; the wish may be another one by now, which is compared again
                // when this is answered.
                let spec =
                    || self.destination(id).or_else(|| self.destination_wish(id.index(), config, services));
                Some(match change {
                    Change::Add => Request::NewDestination(service, destination.key, spec()?),
                    Change::Set => Request::SetDestination(service, destination.key, spec()?),
                    Change::Remove => Request::DelDestination(service, destination.key),
                })
            }
            Action::SendAdvert { .. }
            | Action::Announce { .. }
            | Action::OpenSocket { .. }
            | Action::CloseSocket { .. }
            | Action::AddAddress { .. }
            | Action::RemoveAddress { .. }
            | Action::Routing { .. }
            | Action::FindIpvs { .. }
            | Action::Dump { .. }
            | Action::Probe { .. }
            | Action::AbortProbe { .. }
            | Action::Filter { .. }
            | Action::Firewall { .. } => None,
        }
    }

    fn service_request(&self, service: ServiceRef, change: Change, config: &Config) -> Option<Request> {
        match service {
            ServiceRef::Retired(row) => self.retired.get(row as usize).copied().map(Request::DelService),
            ServiceRef::Configured(id) => {
                let service = config.services.get(id.index())?;
                Some(match change {
                    Change::Add => Request::NewService(service.key, service.spec),
                    Change::Set => Request::SetService(service.key, service.spec),
                    Change::Remove => Request::DelService(service.key),
                })
            }
        }
    }
}
