//! Generic netlink (`linux/genetlink.h`): a command header behind netlink's, and the look-up of a family's number,
//! which differs from kernel to kernel and from load to load of a module.

use super::netlink::{Attributes, Full, Malformed, NLM_F_ACK, NLM_F_REQUEST, Writer};

/// Bytes of `struct genlmsghdr`.
pub const HEADER_LEN: usize = 4;

/// The family that knows all families.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_VERSION: u8 = 1;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

/// Which family, and which of its commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    /// The number of the family in this kernel.
    pub family: u16,
    /// The command.
    pub command: u8,
    /// The family's version.
    pub version: u8,
}

impl Command {
    /// Begins a message; attributes follow.
    pub fn begin(&self, writer: &mut Writer<'_>, flags: u16, seq: u32) {
        writer.begin(self.family, flags, seq);
        writer.raw(&[self.command, self.version, 0, 0]);
    }
}

/// Command and attributes of a message's payload.
pub fn parse(payload: &[u8]) -> Result<(u8, Attributes<'_>), Malformed> {
    let ([command, ..], rest) = payload.split_first_chunk::<HEADER_LEN>().ok_or(Malformed::Truncated)?;
    Ok((*command, Attributes::new(rest)))
}

/// Asks for the number of a family; ENOENT is the answer if no module brings it. The kernel loads the module
/// (`net-pf-16-proto-16-family-NAME`) before it says so.
pub fn emit_find_family(name: &str, writer: &mut Writer<'_>, seq: u32) -> Result<(), Full> {
    let command = Command { family: GENL_ID_CTRL, command: CTRL_CMD_GETFAMILY, version: CTRL_VERSION };
    command.begin(writer, NLM_F_REQUEST | NLM_F_ACK, seq);
    writer.str(CTRL_ATTR_FAMILY_NAME, name);
    writer.finish()
}

/// The number of the family in the answer.
pub fn parse_family(payload: &[u8]) -> Result<u16, Malformed> {
    let (_, attributes) = parse(payload)?;
    attributes.u16(CTRL_ATTR_FAMILY_ID).ok_or(Malformed::Missing)
}
