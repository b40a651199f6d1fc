use super::{Entry, Full, Gate, MOST_WAITING, NEAR, PAGE, Page, Rule, Step};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use vextir::Name;

fn entry(plan: usize, rank: i8) -> Entry {
    Entry { plan: name(plan), rank, then: Vec::new(), again: None, labels: BTreeSet::new() }
}

fn name(plan: usize) -> Name {
    format!("plan-{plan}").into()
}

fn admitted(steps: &[Step]) -> Vec<Name> {
    let admitted = steps.iter().filter_map(|step| match step {
        Step::Admit(entry) => Some(entry.plan.clone()),
        _ => None,
    });
    admitted.collect()
}

#[test]
fn so_many_run_and_the_others_wait_in_their_order() {
    let (mut gate, rule) = (Gate::default(), Rule::Most(2));
    assert_eq!(admitted(&gate.enter(entry(1, 0), rule).unwrap()), [name(1)]);
    assert_eq!(admitted(&gate.enter(entry(2, 0), rule).unwrap()), [name(2)]);
    for plan in [3, 4, 5] {
        assert_eq!(gate.enter(entry(plan, 0), rule).unwrap(), [Step::Wait(name(plan))]);
    }
    assert_eq!(gate.enter(entry(4, 0), rule).unwrap(), [], "it waits already");
    assert_eq!(gate.enter(entry(1, 0), rule).unwrap(), [], "it is at work already");
    assert_eq!(gate.enter(entry(6, 1), rule).unwrap(), [Step::Wait(name(6))]);
    assert_eq!(gate.enter(entry(7, -1), rule).unwrap(), [Step::Wait(name(7))]);
    assert_eq!(gate.enter(entry(8, 0), rule).unwrap(), [Step::Wait(name(8))]);
    assert_eq!(admitted(&gate.leave(&name(1), rule)), [name(6)], "the urgent one first");
    assert_eq!(gate.leave(&name(4), rule), [], "one that waited was cancelled");
    assert_eq!(gate.leave(&name(99), rule), []);
    let rest: Vec<Name> =
        [2, 6, 3, 5, 8, 7].iter().flat_map(|plan| admitted(&gate.leave(&name(*plan), rule))).collect();
    assert_eq!(rest, [name(3), name(5), name(8), name(7)]);
    assert!(gate.is_empty());
}

#[test]
fn a_rule_that_changed_lets_others_in() {
    let mut gate = Gate::default();
    for plan in 0..5 {
        gate.enter(entry(plan, 0), Rule::Most(1)).unwrap();
    }
    assert_eq!(admitted(&gate.enter(entry(5, 0), Rule::Most(3)).unwrap()), [name(1), name(2)]);
    assert_eq!(admitted(&gate.leave(&name(0), Rule::Most(2))), [] as [Name; 0]);
    assert_eq!(admitted(&gate.leave(&name(1), Rule::Most(u32::MAX))), [name(3), name(4), name(5)]);
}

#[test]
fn a_second_one_is_left_out_or_replaces_the_first() {
    let mut gate = Gate::default();
    gate.enter(entry(1, 0), Rule::Skip).unwrap();
    assert_eq!(gate.enter(entry(2, 0), Rule::Skip).unwrap(), [Step::LeaveOut(entry(2, 0))]);
    assert_eq!(gate.leave(&name(1), Rule::Skip), []);
    assert_eq!(admitted(&gate.enter(entry(3, 0), Rule::Replace).unwrap()), [name(3)]);
    let steps = gate.enter(entry(4, 0), Rule::Replace).unwrap();
    assert_eq!(steps, [Step::Cancel(name(3)), Step::Wait(name(4))]);
    let steps = gate.enter(entry(5, 0), Rule::Replace).unwrap();
    assert_eq!(steps, [Step::Cancel(name(4)), Step::Cancel(name(3)), Step::Wait(name(5))]);
    assert_eq!(gate.leave(&name(4), Rule::Replace), [], "it waits no more");
    assert_eq!(admitted(&gate.leave(&name(3), Rule::Replace)), [name(5)]);
}

/// A gate with its pages.
#[derive(Debug, Clone, Default)]
struct Kept {
    gate: Gate,
    pages: BTreeMap<Page, Vec<Entry>>,
}

impl Kept {
    fn refill(&mut self) {
        if let Some(page) = self.gate.wanted() {
            let entries = self.pages.remove(&page).unwrap();
            assert!(entries.len() <= PAGE);
            self.gate.take_in(page, entries);
        }
    }

    fn enter(&mut self, entry: Entry, rule: Rule) -> Result<Vec<Step>, Full> {
        self.refill();
        let steps = self.gate.enter(entry, rule)?;
        for step in &steps {
            if let Step::Aside(page, entry) = step {
                self.pages.entry(*page).or_default().push(entry.clone());
            }
        }
        Ok(steps)
    }

    fn leave(&mut self, plan: &Name, rule: Rule) -> Vec<Step> {
        self.refill();
        self.gate.leave(plan, rule)
    }

    fn is_empty(&self) -> bool {
        self.gate.is_empty() && self.pages.is_empty()
    }
}

#[test]
fn only_so_many_wait_and_few_of_them_in_the_document() {
    let (mut kept, rule) = (Kept::default(), Rule::Most(1));
    for plan in 0..=MOST_WAITING {
        kept.enter(entry(plan, 0), rule).unwrap();
        assert!(kept.gate.waiting.len() <= NEAR);
    }
    let before = kept.gate.clone();
    assert_eq!(kept.enter(entry(MOST_WAITING + 1, 0), rule), Err(Full));
    assert_eq!(kept.gate, before);
    assert_eq!(kept.enter(entry(MOST_WAITING + 1, 0), Rule::Skip).unwrap().len(), 1);
    for plan in 0..MOST_WAITING {
        assert_eq!(admitted(&kept.leave(&name(plan), rule)), [name(plan + 1)], "in their order");
        assert!(kept.gate.waiting.len() <= NEAR / 2 + PAGE);
    }
    kept.leave(&name(MOST_WAITING), rule);
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn the_urgent_ones_pass_those_on_pages() {
    let (mut kept, rule) = (Kept::default(), Rule::Most(1));
    for plan in 0..500 {
        let rank = if plan < 300 { 0 } else { 1 };
        kept.enter(entry(plan, rank), rule).unwrap();
        assert!(kept.gate.waiting.len() <= 2 * NEAR);
    }
    let (mut order, mut next) = (Vec::new(), Some(name(0)));
    while let Some(plan) = next {
        next = admitted(&kept.leave(&plan, rule)).first().cloned();
        order.push(plan.trim_start_matches("plan-").parse::<usize>().unwrap());
    }
    assert_eq!(order.len(), 500);
    let urgent: Vec<usize> = order.iter().copied().filter(|plan| *plan >= 300).collect();
    assert!(urgent.is_sorted());
    let last = order.iter().position(|plan| *plan == 499).unwrap();
    assert!(last <= 200 + 2 * NEAR, "{last}: those that stood near already go before it, and no others");
    assert!(kept.is_empty());
}

/// What may happen to runs: one asks (with a rank), one ends, one is cancelled; and each of them may be told again.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Ask(i8),
    End(usize),
    Cancel(usize),
    /// The process dies before the settlement: the same is handled again, from what was kept.
    Again,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(-1)].prop_map(Deed::Ask),
        3 => (0usize..8).prop_map(Deed::End),
        1 => (0usize..40).prop_map(Deed::Cancel),
        1 => Just(Deed::Again),
    ];
    prop::collection::vec(deed, 1..250)
}

/// Several gates, each with its queue of events, as the runner has them: a run enters one after the other.
struct Stage {
    gates: Vec<(Kept, Rule)>,
    /// What is on its way to the gates and to the runs, in order.
    news: VecDeque<News>,
    state: BTreeMap<Name, Of>,
    begun: Vec<Name>,
    asked: usize,
    crashes: usize,
}

#[derive(Debug, Clone)]
enum News {
    Enter(usize, Entry),
    Leave(usize, Name),
    Go(Name),
    Cancel(Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Asked,
    Running,
    Over,
    LeftOut,
}

impl Stage {
    fn new(rules: &[Rule]) -> Self {
        Self {
            gates: rules.iter().map(|rule| (Kept::default(), *rule)).collect(),
            news: VecDeque::new(),
            state: BTreeMap::new(),
            begun: Vec::new(),
            asked: 0,
            crashes: 0,
        }
    }

    fn over(&mut self, plan: &Name) {
        self.state.insert(plan.clone(), Of::Over);
        self.news.extend((0..self.gates.len()).map(|gate| News::Leave(gate, plan.clone())));
    }

    fn running(&self) -> Vec<Name> {
        let running = self.state.iter().filter(|(_, of)| **of == Of::Running);
        running.map(|(plan, _)| plan.clone()).collect()
    }

    /// Handles one piece of news. What a first try did is lost, if the process dies.
    fn handle(&mut self) -> bool {
        let Some(news) = self.news.pop_front() else { return false };
        if self.crashes > 0 {
            self.crashes -= 1;
            let mut lost = self.gates.clone();
            match &news {
                News::Enter(gate, entry) => drop(lost[*gate].0.enter(entry.clone(), self.gates[*gate].1)),
                News::Leave(gate, plan) => drop(lost[*gate].0.leave(plan, self.gates[*gate].1)),
                News::Go(_) | News::Cancel(_) => {}
            }
        }
        match news {
            News::Enter(gate, entry) => {
                let (state, rule) = &mut self.gates[gate];
                let steps = state.enter(entry, *rule).unwrap();
                self.steps(gate, steps);
            }
            News::Leave(gate, plan) => {
                let (state, rule) = &mut self.gates[gate];
                let steps = state.leave(&plan, *rule);
                self.steps(gate, steps);
            }
            News::Go(plan) if self.state[&plan] == Of::Asked => {
                self.state.insert(plan.clone(), Of::Running);
                self.begun.push(plan);
            }
            News::Go(plan) => self.over(&plan),
            News::Cancel(plan) if self.state[&plan] != Of::LeftOut => self.over(&plan),
            News::Cancel(_) => {}
        }
        true
    }

    fn steps(&mut self, gate: usize, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Admit(entry) if gate + 1 < self.gates.len() => {
                    self.news.push_back(News::Enter(gate + 1, entry));
                }
                Step::Admit(entry) => self.news.push_back(News::Go(entry.plan)),
                Step::Cancel(plan) => self.news.push_back(News::Cancel(plan)),
                Step::LeaveOut(entry) => drop(self.state.insert(entry.plan, Of::LeftOut)),
                Step::Wait(_) | Step::Aside(..) => {}
            }
        }
    }

    fn check(&self) {
        let running = self.running().len();
        for (gate, rule) in &self.gates {
            assert!(running <= rule.most(), "{running} run at {rule:?}");
            assert!(gate.gate.running.len() <= rule.most());
        }
    }

    fn play(&mut self, deeds: &[Deed], news: &[usize]) {
        let mut pace = news.iter().copied().cycle();
        for deed in deeds {
            match *deed {
                Deed::Ask(rank) => {
                    self.asked += 1;
                    let entry = entry(self.asked, rank);
                    self.state.insert(entry.plan.clone(), Of::Asked);
                    self.news.push_back(News::Enter(0, entry));
                }
                Deed::End(which) => {
                    let running = self.running();
                    if let Some(plan) = running.get(which % running.len().max(1)) {
                        self.over(plan);
                    }
                }
                Deed::Cancel(which) => {
                    let plan = name(which);
                    if matches!(self.state.get(&plan), Some(Of::Asked | Of::Running)) {
                        self.over(&plan);
                    }
                }
                Deed::Again => self.crashes += 1,
            }
            for _ in 0..pace.next().unwrap_or(1) {
                self.handle();
                self.check();
            }
        }
    }

    /// All that runs ends, until nothing happens any more.
    fn finish(&mut self) {
        loop {
            while self.handle() {
                self.check();
            }
            match self.running().first() {
                Some(plan) => self.over(&plan.clone()),
                None => break,
            }
        }
    }
}

proptest! {
    #[test]
    fn no_more_run_than_may_and_none_is_lost(
        deeds in deeds(),
        pace in prop::collection::vec(0usize..4, 1..20),
        most in 1u32..4,
        all in 1u32..6,
    ) {
        let mut stage = Stage::new(&[Rule::Most(most), Rule::Most(all)]);
        stage.play(&deeds, &pace);
        stage.finish();
        prop_assert!(stage.state.values().all(|of| *of == Of::Over), "{:?}", stage.state);
        prop_assert!(stage.gates.iter().all(|(gate, _)| gate.is_empty()));
    }

    #[test]
    fn those_of_one_rank_begin_in_their_order(deeds in deeds(), pace in prop::collection::vec(0usize..4, 1..20), most in 1u32..4) {
        let plain: Vec<Deed> =
            deeds.iter().map(|deed| if matches!(deed, Deed::Ask(_)) { Deed::Ask(0) } else { *deed }).collect();
        let mut stage = Stage::new(&[Rule::Most(most)]);
        stage.play(&plain, &pace);
        stage.finish();
        let number = |plan: &Name| plan.trim_start_matches("plan-").parse::<usize>().unwrap();
        prop_assert!(stage.begun.iter().map(number).is_sorted(), "{:?}", stage.begun);
    }

    #[test]
    fn of_twins_one_runs(
        deeds in deeds(),
        pace in prop::collection::vec(0usize..4, 1..20),
        replace in any::<bool>(),
        all in 1u32..4,
    ) {
        let twin = if replace { Rule::Replace } else { Rule::Skip };
        let mut stage = Stage::new(&[twin, Rule::Most(all)]);
        stage.play(&deeds, &pace);
        stage.finish();
        prop_assert!(stage.state.values().all(|of| matches!(of, Of::Over | Of::LeftOut)), "{:?}", stage.state);
        prop_assert!(stage.gates.iter().all(|(gate, _)| gate.is_empty()));
        prop_assert!(!replace || stage.state.values().all(|of| *of == Of::Over));
    }
}
