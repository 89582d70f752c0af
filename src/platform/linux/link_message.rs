//! Network links as rtnetlink tells of them (`rtnetlink(7)`): what its readers have in common.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::netlink::Attributes;

/// The message that asks for links (linux/include/uapi/linux/rtnetlink.h).
pub(super) const RTM_GETLINK: u16 = 18;

// linux/include/uapi/linux/if_link.h
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_INFO_KIND: u16 = 1;

/// `struct ifinfomsg`.
#[derive(Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct LinkMessage {
    pub(super) family: u8,
    pub(super) padding: u8,
    pub(super) kind: u16,
    pub(super) index: u32,
    pub(super) flags: u32,
    pub(super) change: u32,
}

/// Returns a link's name.
pub(super) fn name<'a>(attributes: &Attributes<'a>) -> Option<&'a [u8]> {
    attributes.value(IFLA_IFNAME).map(until_nul)
}

/// Returns the kind of a link, such as `vxlan`; `None` for one of hardware.
pub(super) fn kind<'a>(attributes: &Attributes<'a>) -> Option<&'a [u8]> {
    let info = attributes.value(IFLA_LINKINFO)?;
    Attributes(info).value(IFLA_INFO_KIND).map(until_nul)
}

/// Returns the bytes of a string of the kernel's, which ends with a NUL.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
