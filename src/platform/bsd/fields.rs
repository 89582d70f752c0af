//! Reads numbers out of what a kernel filled. Where the bytes end before a field does, the field is
//! absent: kernels grow their structures, and old ones are shorter.

/// The bytes of one structure.
#[derive(Debug, Clone, Copy)]
pub(in crate::platform) struct Fields<'a>(pub(in crate::platform) &'a [u8]);

impl<'a> Fields<'a> {
    pub(in crate::platform) fn bytes<const N: usize>(self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..)?.first_chunk().copied()
    }

    /// Returns the structure that begins there.
    pub(in crate::platform) fn from(self, offset: usize) -> Self {
        Self(self.0.get(offset..).unwrap_or_default())
    }

    /// Returns so many bytes, or as many as there are.
    pub(in crate::platform) fn up_to(self, offset: usize, length: usize) -> &'a [u8] {
        let rest = self.from(offset).0;
        rest.get(..length).unwrap_or(rest)
    }

    pub(in crate::platform) fn u8(self, offset: usize) -> Option<u8> {
        self.0.get(offset).copied()
    }

    pub(in crate::platform) fn u16(self, offset: usize) -> Option<u16> {
        self.bytes(offset).map(u16::from_ne_bytes)
    }

    pub(in crate::platform) fn u32(self, offset: usize) -> Option<u32> {
        self.bytes(offset).map(u32::from_ne_bytes)
    }

    pub(in crate::platform) fn u64(self, offset: usize) -> Option<u64> {
        self.bytes(offset).map(u64::from_ne_bytes)
    }

    /// Returns a port, which is in network order.
    pub(in crate::platform) fn port(self, offset: usize) -> Option<u16> {
        self.bytes(offset).map(u16::from_be_bytes)
    }

    /// Returns the bytes before the first NUL of an array of this length.
    pub(in crate::platform) fn string(self, offset: usize, length: usize) -> &'a [u8] {
        let whole = self.up_to(offset, length);
        whole.split(|&byte| byte == 0).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_beyond_the_end_is_absent() {
        let fields = Fields(&[1, 0, 0, 0, 80]);
        assert_eq!(fields.u32(0), Some(u32::from_ne_bytes([1, 0, 0, 0])));
        assert_eq!((fields.u32(2), fields.u8(5), fields.u64(0)), (None, None, None));
        assert_eq!(fields.port(3), Some(80));
        assert_eq!(fields.string(3, 9), b"");
        assert_eq!(fields.up_to(4, 9), [80]);
    }

    proptest! {
        #[test]
        fn no_offset_makes_it_panic(bytes: Vec<u8>, offset: usize, length: usize) {
            let fields = Fields(&bytes);
            let _: (Option<u64>, &[u8]) = (fields.u64(offset), fields.string(offset, length));
        }
    }
}
