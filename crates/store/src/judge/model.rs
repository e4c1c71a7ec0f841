//! The model check: every interleaving, up to a depth, of what can happen to a family.
//!
//! Two tabs of an honest browser, a thief, answers that get lost in a crash, retries, a clock that also steps back.

use std::collections::HashSet;

use super::{Moved, Verdict, judge};
use crate::family::Family;
use crate::id::Id;

const START: i64 = 1_000;
const IDLE: i64 = 40;
const ABSOLUTE: i64 = 70;
const DEPTH: usize = 9;

/// Everything that can happen.
#[derive(Clone, Copy, Debug)]
enum Action {
    /// A tab sends what is in the browser's jar; the server commits; the answer is on its way.
    Send(usize),
    /// The answer arrives.
    Deliver(usize),
    /// Crash between commit and answer: the answer never arrives.
    Lose(usize),
    /// The thief copies the jar.
    Steal,
    /// The thief presents what he has.
    Abuse,
    /// Time passes, or the clock steps back.
    Clock(i64),
}

const ACTIONS: [Action; 12] = [
    Action::Send(0),
    Action::Send(1),
    Action::Deliver(0),
    Action::Deliver(1),
    Action::Lose(0),
    Action::Lose(1),
    Action::Steal,
    Action::Abuse,
    Action::Clock(4),
    Action::Clock(10),
    Action::Clock(25),
    Action::Clock(-7),
];

/// The world: the row, what each party holds, and what an onlooker has seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    now: i64,
    generation: i64,
    issued_at: i64,
    idle_expires_at: i64,
    revoked: bool,
    jar: i64,
    answers: [Option<i64>; 2],
    stolen: Option<i64>,
    /// When the onlooker saw the newest token made. Kept apart from the row, as the row is what is checked.
    made_at: i64,
    /// Whether a token was presented that only a thief, or nobody in time, would present.
    theft_seen: bool,
}

impl World {
    fn new() -> Self {
        Self {
            now: START,
            generation: 0,
            issued_at: START,
            idle_expires_at: START + IDLE,
            revoked: false,
            jar: 0,
            answers: [None; 2],
            stolen: None,
            made_at: START,
            theft_seen: false,
        }
    }

    fn family(&self) -> Family {
        Family {
            generation: self.generation,
            issued_at: self.issued_at,
            idle_expires_at: self.idle_expires_at,
            revoked_at: self.revoked.then_some(START),
            ..fresh_family()
        }
    }

    /// The world after the action; `None` when it cannot happen now.
    fn after(&self, action: Action, grace: i64) -> Option<Self> {
        let mut next = self.clone();
        match action {
            Action::Send(tab) => {
                if self.answers[tab].is_some() {
                    return None;
                }
                next.answers[tab] = next.present(self.jar, grace);
            }
            Action::Deliver(tab) => next.jar = next.answers[tab].take()?,
            Action::Lose(tab) => {
                next.answers[tab].take()?;
            }
            Action::Steal => next.stolen = Some(self.jar),
            Action::Abuse => {
                let n = self.stolen?;
                next.stolen = Some(next.present(n, grace).unwrap_or(n));
            }
            Action::Clock(step) => next.now += step,
        }
        Some(next)
    }

    /// The server: judge, act, commit. Each answer is held against what the onlooker knows.
    fn present(&mut self, n: i64, grace: i64) -> Option<i64> {
        let before = self.family();
        let verdict = judge(&before, n, self.now, grace);
        assert_eq!(verdict, self.expected(n, grace), "token {n} in {self:?}");
        match verdict {
            Verdict::Rotate => {
                let after = Moved::rotated(&before, self.now, None).in_family(before.clone());
                assert!(
                    after.issued_at >= before.issued_at,
                    "issued-at went back: {self:?}"
                );
                assert!(
                    after.idle_expires_at >= before.idle_expires_at,
                    "idle expiry went back: {self:?}"
                );
                assert!(
                    after.idle_expires_at <= after.absolute_expires_at,
                    "idle beyond absolute: {self:?}"
                );
                assert_eq!(
                    after.absolute_expires_at,
                    START + ABSOLUTE,
                    "absolute expiry moved: {self:?}"
                );
                self.generation = after.generation;
                self.issued_at = after.issued_at;
                self.idle_expires_at = after.idle_expires_at;
                self.made_at = self.made_at.max(self.now);
                Some(self.generation)
            }
            Verdict::Retry => Some(self.generation),
            Verdict::Reuse => {
                self.revoked = true;
                self.theft_seen = true;
                None
            }
            Verdict::Expired | Verdict::Revoked | Verdict::Unknown => None,
        }
    }

    /// What the rules say, told from the onlooker's notes.
    fn expected(&self, n: i64, grace: i64) -> Verdict {
        let since = (self.now - self.made_at).max(0);
        match self.generation - n {
            _ if self.theft_seen => Verdict::Revoked,
            ..0 => Verdict::Unknown,
            _ if self.now >= self.idle_expires_at || self.now >= START + ABSOLUTE => Verdict::Expired,
            0 => Verdict::Rotate,
            1 if since < grace => Verdict::Retry,
            _ => Verdict::Reuse,
        }
    }

    fn check(&self, grace: i64) {
        let family = self.family();
        let live = |n: i64| judge(&family, n, self.now, grace) == Verdict::Rotate;
        let leaves = (-1..=self.generation + 1).filter(|n| live(*n)).count();
        assert!(leaves <= 1, "two live leaves: {self:?}");
        assert!(
            !(self.theft_seen && leaves > 0),
            "a family lived on after a theft: {self:?}"
        );
        for held in [self.jar, self.stolen.unwrap_or(0)] {
            assert!(
                held <= self.generation,
                "somebody holds a token that was never made: {self:?}"
            );
        }
    }
}

fn fresh_family() -> Family {
    Family {
        id: Id([0; 16]),
        fam: String::new(),
        session: Id([0; 16]),
        sid: String::new(),
        user: Id([0; 16]),
        sub: String::new(),
        client_id: String::new(),
        scope: String::new(),
        audience: String::new(),
        generation: 0,
        issued_at: START,
        mac_key: String::new(),
        salt: [0; 16],
        idle_ms: IDLE,
        idle_expires_at: START + IDLE,
        absolute_expires_at: START + ABSOLUTE,
        revoked_at: None,
        revoked_reason: None,
        jkt: None,
    }
}

/// Walk through every world that `allowed` actions lead to; how many there are.
fn explore(grace: i64, allowed: impl Fn(&World, Action) -> bool, check: impl Fn(&World)) -> usize {
    let mut seen = HashSet::from([World::new()]);
    let mut edge: Vec<World> = seen.iter().cloned().collect();
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for world in edge {
            for action in ACTIONS.into_iter().filter(|action| allowed(&world, *action)) {
                let Some(after) = world.after(action, grace) else {
                    continue;
                };
                after.check(grace);
                check(&after);
                if seen.insert(after.clone()) {
                    next.push(after);
                }
            }
        }
        edge = next;
    }
    seen.len()
}

#[test]
fn rt_01_rt_02_every_interleaving_keeps_one_live_leaf_and_kills_what_was_stolen() {
    for grace in [0, 10] {
        let worlds = explore(grace, |_, _| true, |_| {});
        assert!(worlds > 10_000, "only {worlds} worlds");
    }
}

#[test]
fn rt_02_an_honest_browser_inside_the_grace_always_goes_on() {
    const GRACE: i64 = 10;
    // No thief, and a tab that sends what it was not told to be old does so within the grace: then nothing is ever
    // called a theft, whatever is lost, repeated or overtaken, and wherever the clock jumps.
    let in_time = |world: &World, action: Action| match action {
        Action::Steal | Action::Abuse => false,
        Action::Send(_) => {
            let stale = world.generation - world.jar;
            stale == 0 || (stale == 1 && world.now - world.made_at < GRACE)
        }
        _ => true,
    };
    let honest = |world: &World| {
        assert!(
            !world.theft_seen && !world.revoked,
            "an honest browser was called a thief: {world:?}"
        );
    };
    assert!(explore(GRACE, in_time, honest) > 10_000);
}

#[test]
fn rt_01_a_spent_token_outside_the_grace_kills_the_family_in_every_world() {
    for grace in [0, 10] {
        let outside = |world: &World| {
            let mut world = world.clone();
            let alive =
                !world.theft_seen && world.now < world.idle_expires_at && world.now < START + ABSOLUTE;
            let spent = world.generation - 1 - i64::from(world.now - world.made_at < grace);
            if alive && spent >= 0 {
                assert_eq!(world.present(spent, grace), None);
                assert!(world.revoked, "a spent token did no harm: {world:?}");
                assert_eq!(
                    world.present(world.generation, grace),
                    None,
                    "the newest token outlived the family"
                );
            }
        };
        explore(grace, |_, _| true, outside);
    }
}

#[test]
fn rt_09_no_refresh_prolongs_a_family_beyond_its_absolute_end() {
    let mut family = fresh_family();
    let mut now = START;
    while judge(&family, family.generation, now, 10) == Verdict::Rotate {
        family = Moved::rotated(&family, now, None).in_family(family);
        now += IDLE / 2;
    }
    assert_eq!(judge(&family, family.generation, now, 10), Verdict::Expired);
    assert!((START + ABSOLUTE..START + ABSOLUTE + IDLE / 2).contains(&now));
}
