//! What waits to be told and what was: changes until their window closes, posts until they are
//! acknowledged, one after the other.
//!
//! Every rule takes the time. A clock that was moved back to before a wait began ends that wait:
//! nothing is held up for hours by a test that went back to the present.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::{
    batch::Draft,
    delivery::{Attempt, Delivery, Origin, Outcome, Standing},
    event::Event,
    ladder,
    subscription::Subscription,
};

/// Finished posts that are kept.
const KEEP: usize = 1000;

/// What the sender does next.
pub(super) enum Next {
    /// Make posts of these changes. The number says which subscription's they are.
    Batch(Vec<Event>, Arc<Subscription>, u64),
    /// Try this post.
    Post(Box<Delivery>, Arc<Subscription>),
    /// Nothing for so long, or until something happens.
    Wait(Option<SignedDuration>),
}

/// See the module.
#[derive(Default)]
pub(super) struct Book {
    pub(super) subscription: Option<Arc<Subscription>>,
    pub(super) paused: bool,
    /// Changes whose window is open, oldest first.
    waiting: VecDeque<Event>,
    /// Whether the open window closes now.
    flushing: bool,
    /// Posts that are not acknowledged, oldest first. Only the first one is tried.
    queue: VecDeque<u64>,
    deliveries: BTreeMap<u64, Delivery>,
    last: u64,
    last_time: Timestamp,
    /// Counts the times that everything waiting was thrown away.
    generation: u64,
    /// Whether the sender is at work on what it was given.
    busy: bool,
}

impl Book {
    /// A time for a change at `at` that is later than that of the change before, even within one
    /// millisecond: `time` is what an app sorts by. `within_ms` are nanoseconds below one million.
    pub(super) fn time_of(&mut self, at: Timestamp, within_ms: i64) -> Timestamp {
        let nanos = |nanos| SignedDuration::from_nanos(nanos);
        let since = self.last_time.duration_since(at);
        let time = if since >= SignedDuration::ZERO && since < SignedDuration::from_millis(1) {
            self.last_time.checked_add(nanos(1))
        } else {
            at.checked_add(nanos(within_ms))
        };
        self.last_time = time.unwrap_or(at);
        self.last_time
    }

    pub(super) fn wait_for_window(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    /// Takes on another subscription. Without one, what waits is thrown away.
    pub(super) fn subscribe(&mut self, subscription: Option<Arc<Subscription>>) {
        if subscription.is_none() {
            self.drop_waiting();
        }
        self.subscription = subscription;
    }

    /// Back to the start. Numbers go on, so that a `since` held by a test stays right.
    pub(super) fn reset(&mut self, subscription: Option<Arc<Subscription>>) {
        self.drop_waiting();
        self.deliveries.clear();
        self.paused = false;
        self.last_time = Timestamp::default();
        self.subscription = subscription;
    }

    /// Throws away what waits.
    pub(super) fn drop_waiting(&mut self) {
        self.generation += 1;
        self.waiting.clear();
        self.flushing = false;
        for seq in std::mem::take(&mut self.queue) {
            if let Some(delivery) = self.deliveries.get_mut(&seq) {
                delivery.standing = Standing::Refused;
                delivery.next_attempt = None;
            }
        }
    }

    /// Closes the open window.
    pub(super) fn flush(&mut self) {
        self.flushing = !self.waiting.is_empty();
    }

    /// What to do at `now`. What is given out is marked as under way.
    pub(super) fn next(&mut self, now: Timestamp) -> Next {
        let Some(subscription) = self.subscription.clone() else { return Next::Wait(None) };
        if is_due(self.window_wait(&subscription, now)) {
            self.busy = true;
            let events = self.take_window(&subscription);
            return Next::Batch(events, subscription, self.generation);
        }
        if is_due(self.post_wait(now))
            && let Some(delivery) = self.queue.front().and_then(|seq| self.deliveries.get_mut(seq))
        {
            self.busy = true;
            delivery.standing = Standing::Sending;
            delivery.next_attempt = None;
            delivery.attempts.push(Attempt { at: now, outcome: Outcome::default() });
            return Next::Post(Box::new(delivery.clone()), subscription);
        }
        let window = self.window_wait(&subscription, now);
        Next::Wait(window.into_iter().chain(self.post_wait(now)).min())
    }

    /// The sender has done what it was given.
    pub(super) fn rest(&mut self) {
        self.busy = false;
    }

    /// Whether nothing is under way and nothing due at `now`.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        let Some(subscription) = &self.subscription else { return !self.busy };
        !self.busy && !is_due(self.window_wait(subscription, now)) && !is_due(self.post_wait(now))
    }

    /// How long until the open window closes.
    fn window_wait(&self, subscription: &Subscription, now: Timestamp) -> Option<SignedDuration> {
        let opened = self.waiting.front()?.at;
        if self.flushing || now < opened {
            return Some(SignedDuration::ZERO);
        }
        Some(remaining(now, window_end(opened, subscription)))
    }

    fn take_window(&mut self, subscription: &Subscription) -> Vec<Event> {
        let Some(opened) = self.waiting.front().map(|event| event.at) else { return Vec::new() };
        if std::mem::take(&mut self.flushing) {
            return self.waiting.drain(..).collect();
        }
        let end = window_end(opened, subscription);
        let count = self.waiting.iter().take_while(|event| event.at <= end).count();
        self.waiting.drain(..count).collect()
    }

    /// How long until the first post of the queue is tried. The others wait for it.
    fn post_wait(&self, now: Timestamp) -> Option<SignedDuration> {
        if self.paused {
            return None;
        }
        let first = self.deliveries.get(self.queue.front()?)?;
        let tried = first.attempts.last().map(|attempt| attempt.at);
        if tried.is_some_and(|tried| now < tried) {
            return Some(SignedDuration::ZERO);
        }
        Some(first.next_attempt.map_or(SignedDuration::ZERO, |due| remaining(now, due)))
    }

    /// Puts posts at the end of the queue, unless what they tell was thrown away meanwhile.
    pub(super) fn enqueue(&mut self, generation: u64, posts: Vec<Draft>, now: Timestamp) {
        if generation != self.generation {
            return;
        }
        for draft in posts {
            let seq = self.note(Origin::Change, None, draft, now).seq;
            self.queue.push_back(seq);
        }
    }

    /// Notes a post that is not in the queue; it is about to be sent.
    pub(super) fn begin(
        &mut self,
        origin: Origin,
        repeats: Option<u64>,
        draft: Draft,
        now: Timestamp,
    ) -> Delivery {
        let mut delivery = self.note(origin, repeats, draft, now);
        delivery.standing = Standing::Sending;
        delivery.attempts.push(Attempt { at: now, outcome: Outcome::default() });
        self.deliveries.insert(delivery.seq, delivery.clone());
        delivery
    }

    fn note(
        &mut self,
        origin: Origin,
        repeats: Option<u64>,
        draft: Draft,
        now: Timestamp,
    ) -> Delivery {
        self.last += 1;
        let delivery = Delivery::new(self.last, origin, repeats, draft, now);
        self.deliveries.insert(delivery.seq, delivery.clone());
        self.forget_oldest();
        delivery
    }

    /// Writes down how the last attempt of a post ended. The post, unless it was forgotten.
    pub(super) fn end(&mut self, seq: u64, outcome: Outcome) -> Option<Delivery> {
        let queued = self.queue.front() == Some(&seq);
        let delivery = self.deliveries.get_mut(&seq)?;
        let acknowledged = outcome.acknowledges();
        delivery.status = outcome.status;
        let tries = delivery.attempts.len();
        if let Some(attempt) = delivery.attempts.last_mut() {
            let next = attempt.at.checked_add(ladder::wait_after(tries)).unwrap_or(Timestamp::MAX);
            attempt.outcome = outcome;
            delivery.next_attempt = (queued && !acknowledged).then_some(next);
        }
        delivery.standing = match (acknowledged, queued) {
            (true, _) => Standing::Acknowledged,
            (false, true) => Standing::Waiting,
            (false, false) => Standing::Refused,
        };
        let delivery = delivery.clone();
        if queued && acknowledged {
            self.queue.pop_front();
        }
        Some(delivery)
    }

    pub(super) fn delivery(&self, seq: u64) -> Option<&Delivery> {
        self.deliveries.get(&seq)
    }

    /// All posts that are kept, oldest first.
    pub(super) fn deliveries(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.deliveries.values()
    }

    /// Changes and posts that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.queue.len())
    }

    /// Forgets the finished posts.
    pub(super) fn forget_finished(&mut self) {
        self.deliveries.retain(|_, delivery| !is_finished(delivery));
    }

    fn forget_oldest(&mut self) {
        if self.deliveries.len() > KEEP
            && let Some(seq) =
                self.deliveries.values().find(|delivery| is_finished(delivery)).map(|old| old.seq)
        {
            self.deliveries.remove(&seq);
        }
    }
}

fn is_finished(delivery: &Delivery) -> bool {
    matches!(delivery.standing, Standing::Acknowledged | Standing::Refused)
}

fn window_end(opened: Timestamp, subscription: &Subscription) -> Timestamp {
    let length = SignedDuration::from_millis(subscription.aggregate_ms.into());
    opened.checked_add(length).unwrap_or(Timestamp::MAX)
}

fn is_due(wait: Option<SignedDuration>) -> bool {
    wait.is_some_and(|wait| wait.is_zero())
}

/// From `now` to `due`, zero once it is past.
fn remaining(now: Timestamp, due: Timestamp) -> SignedDuration {
    due.duration_since(now).max(SignedDuration::ZERO)
}
