//! Rows in little room: the joined tables, of which each row is made when it is asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::Facts;
use crate::process::{HiddenReason, Ownership};
use crate::snapshot::{Entries, Entry, Snapshot, parts};
use crate::socket::Socket;
use crate::sockets::{Ends, Place, Sockets};

/// The rows of very many sockets.
#[derive(Debug)]
pub struct Packed {
    sockets: Sockets,
    facts: Facts,
    /// The rows of sockets that others have a say in.
    changed: BTreeMap<Place, Entry>,
    /// Which sockets there is a row of, and in which order; absent when of all, in theirs.
    rows: Option<Vec<Place>>,
}

impl Packed {
    pub(super) fn new(sockets: Sockets, facts: Facts) -> Self {
        Self { sockets, facts, changed: BTreeMap::new(), rows: None }
    }

    /// Keeps only the rows for which this holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        let mut keep = |place| self.entry(place).is_some_and(|entry| keep(&entry));
        self.rows = Some(self.places(0..self.count()).filter(|&place| keep(place)).collect());
    }

    /// Returns the places of the sockets of some rows.
    fn places(&self, rows: Range<usize>) -> impl Iterator<Item = Place> {
        let listed = self.rows.as_ref().and_then(|places| places.get(rows.clone()));
        let all = if self.rows.is_none() { rows } else { 0..0 };
        let all = all.filter_map(|row| Place::try_from(row).ok());
        listed.unwrap_or_default().iter().copied().chain(all)
    }

    /// Puts the rows, which are told by the places of their sockets, in another order.
    pub(crate) fn reorder(
        &mut self,
        order: impl FnOnce(&Self, &mut dyn Iterator<Item = Place>) -> Vec<Place>,
    ) {
        let rows = order(self, &mut self.places(0..self.count()));
        self.rows = Some(rows);
    }

    /// Returns what rows are sorted by first, of the socket at this place.
    pub(crate) fn ends(&self, place: Place) -> Option<Ends> {
        match self.changed.get(&place) {
            Some(entry) => Some(Ends::from(&entry.socket)),
            None => self.sockets.ends(place),
        }
    }

    /// Returns the row of the socket at this place.
    pub(crate) fn entry(&self, place: Place) -> Option<Entry> {
        match self.changed.get(&place) {
            Some(entry) => Some(entry.clone()),
            None => self.sockets.get(place).map(|socket| self.facts.entry(socket)),
        }
    }

    pub(super) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the sockets for which this holds, with their places; see [`Sockets::places`].
    pub(super) fn sockets_where(
        &self,
        is_it: impl Fn(&Socket) -> bool,
    ) -> impl Iterator<Item = (Place, Socket)> {
        let places = self.sockets.places(is_it).into_iter();
        places.filter_map(|place| Some((place, self.sockets.get(place)?)))
    }

    /// Changes the row of the socket at this place.
    pub(super) fn change(&mut self, place: Place, change: impl FnOnce(&mut Entry)) {
        if let Some(mut entry) = self.entry(place) {
            change(&mut entry);
            self.changed.insert(place, entry);
        }
    }
}

impl Entries for Packed {
    fn count(&self) -> usize {
        self.rows.as_ref().map_or(self.sockets.len(), Vec::len)
    }

    fn some(&self, places: Range<usize>) -> Cow<'_, [Entry]> {
        Cow::Owned(self.places(places).filter_map(|place| self.entry(place)).collect())
    }

    fn hidden(&self) -> usize {
        let hidden = Ownership::Hidden(HiddenReason::Permission);
        // Where all may be seen, none is.
        if !self.facts.permission {
            return 0;
        }
        let entries = self.places(0..self.count()).filter_map(|place| self.entry(place));
        entries.filter(|entry| entry.ownership == hidden).count()
    }
}

impl Snapshot<Packed> {
    /// Returns the same with every row made.
    pub fn unpacked(&self) -> Snapshot {
        let entries = parts(&self.entries).flat_map(Cow::into_owned).collect();
        self.with_entries(entries)
    }
}
