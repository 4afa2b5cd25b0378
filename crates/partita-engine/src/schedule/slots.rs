//! Who gets the next slot: the steps that are ready, and what is left of each pool.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use partita_core::settings::Amounts;

use super::plan::{Plan, Pool};

/// The pools of a run, with what is taken of each.
///
/// Steps that need the same of the same pool, under the same limits, form a queue. Of the queues whose need is covered now,
/// the one with the first step in topological order is served, so that a step that needs much does
/// not hold up those that need little; a run is finite, so its turn comes.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    pools: Vec<Taken>,
    queues: Vec<Queue>,
    /// The queue of each step; items use the one of their step.
    queue_of: Vec<u32>,
    /// What is ready and not to be offered a slot until its launcher has asked for it.
    put_off: BTreeSet<Place>,
}

#[derive(Debug, Clone)]
struct Taken {
    pool: Pool,
    running: usize,
    left: Amounts,
    queues: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Queue {
    pool: usize,
    needs: Amounts,
    limits: u32,
    /// Whether one of its limits is reached, as far as is known.
    is_blocked: bool,
    /// What is ready: steps by their number, and items by that of their step and their own.
    ready: BinaryHeap<Reverse<Place>>,
}

/// A number in the order in which slots are given: the step's, then its own.
type Place = (u32, u32);

impl Slots {
    /// Returns the slots of a run in which nothing is ready; steps with an unknown pool use the
    /// first one.
    pub(super) fn of(plan: &Plan) -> Self {
        let given = if plan.pools.is_empty() { &[Pool::default()][..] } else { &plan.pools[..] };
        let mut pools: Vec<Taken> = given
            .iter()
            .map(|&pool| Taken { pool, running: 0, left: pool.supply, queues: Vec::new() })
            .collect();
        let mut queues = Vec::new();
        let mut known = HashMap::new();
        let queue_of = plan.steps.iter().map(|step| {
            let pool = if step.pool < pools.len() { step.pool } else { 0 };
            let needs = step.needs.at_most(&pools[pool].pool.supply);
            let limits = step.limits;
            *known.entry((pool, needs, limits)).or_insert_with(|| {
                pools[pool].queues.push(queues.len());
                let (ready, is_blocked) = (BinaryHeap::new(), false);
                queues.push(Queue { pool, needs, limits, is_blocked, ready });
                // No more queues than steps, which the graph has numbered with 32 bits.
                (queues.len() - 1) as u32
            })
        });
        let queue_of = queue_of.collect();
        Self { pools, queues, queue_of, put_off: BTreeSet::new() }
    }

    /// Notes that `number`, which is `step` itself or one of its items, waits for a slot.
    pub(super) fn queue(&mut self, step: usize, number: usize) {
        let queue = self.queue_of[step] as usize;
        self.queues[queue].ready.push(Reverse((step as u32, number as u32)));
    }

    /// Gives a slot to the next step or item that can have one.
    pub(super) fn take(&mut self) -> Option<usize> {
        (0..self.pools.len()).find_map(|pool| self.take_from(pool))
    }

    fn take_from(&mut self, pool: usize) -> Option<usize> {
        let taken = &mut self.pools[pool];
        if taken.running >= taken.pool.max_parallelism.get() {
            return None;
        }
        let (_, queue) = taken
            .queues
            .iter()
            .filter(|&&queue| !self.queues[queue].is_blocked)
            .filter(|&&queue| taken.left.covers(&self.queues[queue].needs))
            .filter_map(|&queue| Some((self.queues[queue].ready.peek()?.0, queue)))
            .min()?;
        let queue = &mut self.queues[queue];
        let Reverse((_, number)) = queue.ready.pop()?;
        taken.running += 1;
        taken.left = taken.left.without(&queue.needs);
        Some(number as usize)
    }

    /// Takes the slot of a step, or of one of its items, back.
    pub(super) fn give_back(&mut self, step: usize) {
        let queue = &self.queues[self.queue_of[step] as usize];
        let taken = &mut self.pools[queue.pool];
        taken.running -= 1;
        taken.left = taken.left.with(&queue.needs);
    }

    /// Notes that `number`, which is `step` itself or one of its items, waits to be asked for.
    pub(super) fn put_off(&mut self, step: usize, number: usize) {
        self.put_off.insert((step as u32, number as u32));
    }

    /// Has the first that was put off of a step, or all of all steps, wait for a slot again.
    pub(super) fn ask(&mut self, step: Option<usize>) {
        let asked = match step.map(|step| step as u32) {
            None => std::mem::take(&mut self.put_off),
            Some(step) => {
                let first = self.put_off.range((step, 0)..=(step, u32::MAX)).next().copied();
                first.into_iter().inspect(|place| _ = self.put_off.remove(place)).collect()
            }
        };
        for (step, number) in asked {
            self.queue(step as usize, number as usize);
        }
    }

    /// Gives no slot to steps under the limits of this one, until [`Self::unblock`].
    pub(super) fn block(&mut self, step: usize) {
        let limits = self.queues[self.queue_of[step] as usize].limits;
        let same = self.queues.iter_mut().filter(|queue| queue.limits == limits);
        same.for_each(|queue| queue.is_blocked = true);
    }

    /// Gives slots to steps under any limits again.
    pub(super) fn unblock(&mut self) {
        self.queues.iter_mut().for_each(|queue| queue.is_blocked = false);
    }

    /// Forgets every step that waits.
    pub(super) fn clear(&mut self) {
        self.queues.iter_mut().for_each(|queue| queue.ready.clear());
        self.put_off.clear();
    }
}
