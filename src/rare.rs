//! What few values of a kind have: kept behind a pointer, and not at all where there is none of it.
//!
//! A machine may have 100,000 sockets; what one in a thousand has need not take room in each.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that is nearly always empty, one pointer wide. It is read as the value itself.
#[derive(Debug, Clone)]
pub struct Rare<T>(Option<Box<T>>);

/// What has an empty value for all to share.
pub trait Empty: PartialEq + Default + 'static {
    /// Returns the empty value.
    fn empty() -> &'static Self;
}

impl<T: PartialEq + 'static> Empty for Vec<T> {
    fn empty() -> &'static Self {
        const { &Self::new() }
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Empty> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self((value != *T::empty()).then(|| Box::new(value)))
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(value) => value,
            None => T::empty(),
        }
    }
}

impl<T: Empty> Rare<T> {
    /// Returns what is there to be changed, if there is any.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Returns the value to be written to, with room made for it.
    pub fn make_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(Box::default)
    }
}

impl<T: Empty> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Empty + Eq> Eq for Rare<T> {}

impl<T: Empty + Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Empty + Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_takes_no_room_and_equals_what_was_emptied() {
        let mut rare: Rare<Vec<u8>> = Vec::new().into();
        assert!(rare.0.is_none() && rare.is_empty());
        assert!(rare.get_mut().is_none());
        rare.make_mut().push(7);
        assert_eq!((*rare).as_slice(), [7]);
        rare.make_mut().clear();
        assert_eq!(rare, Rare::default());
        assert_eq!(size_of_val(&rare), size_of::<usize>());
    }
}
