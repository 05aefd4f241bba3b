//! All that is known of the processes that top shows.

use std::collections::BTreeMap;

use glasspoll_record::ring::{Header, Item};
use glasspoll_record::{Entry, Sample};

use super::model::Model;
use crate::doctor::{cause, Doctor};
use crate::replay::World;

/// All that is known, by ring.
#[derive(Default)]
pub struct Known {
    pub models: BTreeMap<u32, Model>,
    pub doctor: Doctor,
    places: BTreeMap<u32, usize>,
}

impl Known {
    /// A process begins, or is looked at from now on.
    pub fn begin(&mut self, ring: u32, header: &Header, table: &[Item]) -> &mut Model {
        let place = self.doctor.process(header);
        // Before the events: the table has items that were added long ago.
        self.doctor.items(place, table);
        self.places.insert(ring, place);
        self.models.entry(ring).or_insert_with(|| Model::new(header))
    }

    /// Takes in events.
    pub fn events(&mut self, ring: u32, events: &[Entry]) {
        let (Some(place), Some(model)) = (self.places.get(&ring), self.models.get_mut(&ring)) else { return };
        events.iter().for_each(|entry| model.event(&mut self.doctor, *place, entry));
        model.forget();
    }

    /// Takes in what a thread was seen to do.
    pub fn sample(&mut self, ring: u32, sample: &Sample) {
        let Some(place) = self.places.get(&ring) else { return };
        self.doctor.sample(*place, sample);
        let looks = self.doctor.world(*place).map(|world| &world.looks);
        let case = looks.and_then(|looks| looks.away(sample.tid, sample.since_ns, u64::MAX));
        if let (Some(what), Some(model)) = (case.as_ref().and_then(cause::doing), self.models.get_mut(&ring))
        {
            model.doing.insert(sample.tid, (sample.since_ns, what));
        }
    }

    /// Blocks are missing before the next events.
    pub fn lost(&mut self, ring: u32, blocks: u64) {
        if let Some(place) = self.places.get(&ring).filter(|_| blocks != 0) {
            self.doctor.gap(*place);
        }
        if let Some(model) = self.models.get_mut(&ring) {
            model.lost(blocks);
        }
    }

    /// What a process is like.
    pub fn world(&mut self, ring: u32) -> Option<&mut World> {
        self.places.get(&ring).and_then(|place| self.doctor.world(*place))
    }

    /// Takes in the items as they are now.
    pub fn items(&mut self, ring: u32, table: Vec<Item>, now: u64) {
        if let Some(world) = self.world(ring) {
            world.take_table(&table);
        }
        if let Some(model) = self.models.get_mut(&ring) {
            model.items(table, now);
        }
    }

    /// Names the file behind an fd.
    pub fn name(&mut self, ring: u32, fd: i32, what: &str) {
        let world = self.places.get(&ring).and_then(|place| self.doctor.world(*place));
        if let (Some(world), Some(model)) = (world, self.models.get_mut(&ring)) {
            model.sums.name(world, fd, what);
        }
    }

    /// A process has ended.
    pub fn ended(&mut self, ring: u32, how: String, ns: u64) {
        if let Some(place) = self.places.get(&ring) {
            self.doctor.ended(*place, ns);
        }
        if let Some(model) = self.models.get_mut(&ring) {
            model.ended.get_or_insert((ns, how));
        }
    }
}
