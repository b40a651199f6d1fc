//! What others see of a tree, against a model that is too simple to be wrong.

use crate::hub;
use std::collections::{BTreeMap, BTreeSet};
use vextir_context::Hub;
use vextir_core::context::ItemKind;
use vextir_core::{Context, Level};

const OTHERS: [&str; 2] = ["bob", "eve"];

/// A node of ann's tree. The first is her root.
struct Node {
    parent: usize,
    name: String,
    is_document: bool,
    restricted: bool,
    removed: bool,
    granted: BTreeMap<&'static str, Level>,
    /// Who was ever granted something here.
    mounted: BTreeSet<&'static str>,
}

struct Model {
    nodes: Vec<Node>,
    random: fastrand::Rng,
    ann: Context,
}

impl Model {
    fn new(hub: &Hub, seed: u64) -> Self {
        let root = Node::new(0, "", false);
        Self { nodes: vec![root], random: fastrand::Rng::with_seed(seed), ann: hub.context("ann") }
    }

    fn chain(&self, mut at: usize) -> Vec<usize> {
        let mut chain = vec![at];
        while at != 0 {
            at = self.nodes[at].parent;
            chain.push(at);
        }
        chain.reverse();
        chain
    }

    fn path(&self, at: usize) -> String {
        let names: Vec<_> = self.chain(at)[1..].iter().map(|at| self.nodes[*at].name.as_str()).collect();
        format!("/{}", names.join("/"))
    }

    fn is_live(&self, at: usize) -> bool {
        self.chain(at).iter().all(|at| !self.nodes[*at].removed)
    }

    fn level(&self, user: &str, at: usize) -> Level {
        self.chain(at).iter().fold(Level::None, |level, at| {
            let node = &self.nodes[*at];
            let inherited = if node.restricted { Level::None } else { level };
            inherited.max(node.granted.get(user).copied().unwrap_or_default())
        })
    }

    /// The documents that a user finds from the root down.
    fn found_by(&self, user: &str) -> BTreeSet<String> {
        let documents = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_document && self.is_live(*at));
        let found = documents.filter(|at| {
            let chain = self.chain(*at);
            let mounted = |from: &usize| self.nodes[chain[*from]].mounted.contains(user);
            let open = |from: &usize| chain[*from..].iter().all(|at| self.level(user, *at) >= Level::Read);
            (0..chain.len()).any(|from| mounted(&from) && open(&from))
        });
        found.map(|at| format!("content {at}")).collect()
    }

    fn pick(&mut self, fits: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.nodes.len()).filter(|at| self.is_live(*at) && fits(self, *at)).collect();
        self.random.choice(fitting)
    }

    async fn step(&mut self) {
        let new = self.nodes.len();
        match self.random.u8(..8) {
            0..3 => {
                let Some(folder) =
                    self.pick(|model, at| !model.nodes[at].is_document && model.chain(at).len() < 6)
                else {
                    return;
                };
                let is_document = self.random.bool();
                self.nodes.push(Node::new(folder, format!("n{new}"), is_document));
                let path = self.path(new);
                match is_document {
                    true => self.ann.write(&path, format!("content {new}")).await.unwrap(),
                    false => self.ann.set_guide(&path, "guide").await.unwrap(),
                };
            }
            3 | 4 => {
                let Some(at) = self.pick(|_, at| at != 0) else { return };
                let user = OTHERS[self.random.usize(..OTHERS.len())];
                let level = [Level::None, Level::Read, Level::Write][self.random.usize(..3)];
                self.ann.grant(&self.path(at), user, level).await.unwrap();
                self.nodes[at].granted.insert(user, level);
                if level > Level::None {
                    self.nodes[at].mounted.insert(user);
                }
            }
            5 => {
                let Some(at) = self.pick(|model, at| at != 0 && !model.nodes[at].is_document) else { return };
                let on = !self.nodes[at].restricted;
                self.ann.restrict(&self.path(at), on).await.unwrap();
                self.nodes[at].restricted = on;
            }
            6 => {
                let Some(at) = self.pick(|_, at| at != 0) else { return };
                let outside =
                    |model: &Self, to: usize| !model.nodes[to].is_document && !model.chain(to).contains(&at);
                let Some(to) = self.pick(outside) else { return };
                let (from, name) = (self.path(at), format!("m{}", self.random.u32(..)));
                self.nodes[at].name = name;
                self.nodes[at].parent = to;
                self.ann.move_to(&from, &self.path(at)).await.unwrap();
            }
            _ => {
                let Some(at) = self.pick(|model, at| at != 0 && model.nodes.len() % 5 == 0) else { return };
                self.ann.remove(&self.path(at)).await.unwrap();
                self.nodes[at].removed = true;
            }
        }
    }
}

impl Node {
    fn new(parent: usize, name: impl Into<String>, is_document: bool) -> Self {
        Self {
            parent,
            name: name.into(),
            is_document,
            restricted: false,
            removed: false,
            granted: BTreeMap::new(),
            mounted: BTreeSet::new(),
        }
    }
}

/// The contents of everything that a user finds from the root down.
async fn crawl(context: &Context) -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec!["/".to_owned()]);
    while let Some(folder) = folders.pop() {
        for item in context.list(&folder).await.unwrap() {
            match item.kind {
                ItemKind::Folder => folders.push(item.path),
                ItemKind::Document => {
                    found.insert(crate::text(context, &item.path).await);
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn others_find_what_the_model_says_and_nothing_else() {
    let mut total = 0;
    for seed in 0..60 {
        let hub = hub();
        let mut model = Model::new(&hub, seed);
        for step in 0..40 {
            model.step().await;
            if step % 5 != 4 {
                continue;
            }
            for user in OTHERS {
                let expected = model.found_by(user);
                total += expected.len();
                assert_eq!(crawl(&hub.context(user)).await, expected, "{user}, seed {seed}, step {step}");
            }
        }
    }
    assert!(total > 800, "too little is shared: {total}");
}
