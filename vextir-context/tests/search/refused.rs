//! Documents that an embedder does not take, and embedders that take nothing.

use crate::exact;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vextir_context::{Hub, SearchOptions, SearchState};
use vextir_core::context::Embedder;
use vextir_core::{Context, Error, ErrorKind, Result, async_trait};

/// What an embedder is like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    /// Refuses what is sour, panics at what is bitter, and fails at what is hot.
    Picky,
    /// Takes everything.
    Hungry,
    /// Refuses everything.
    Fasting,
    /// Is away.
    Away,
}

/// When it was asked for which texts.
type Calls = Vec<(Instant, Vec<String>)>;

/// Tells by the first letter what a text is about, and remembers what it was asked and when.
#[derive(Debug, Clone)]
struct Taster {
    name: &'static str,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Calls>>,
}

impl Taster {
    fn new(name: &'static str, mood: Mood) -> Self {
        Self { name, mood: Arc::new(Mutex::new(mood)), asked: Arc::default() }
    }

    fn texts(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().flat_map(|(_, texts)| texts.clone()).collect()
    }
}

#[async_trait]
impl Embedder for Taster {
    fn name(&self) -> &str {
        self.name
    }

    fn dimensions(&self) -> usize {
        8
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.asked.lock().unwrap().push((Instant::now(), texts.to_vec()));
        let mood = *self.mood.lock().unwrap();
        let has = |what: &str| mood == Mood::Picky && texts.iter().any(|text| text.contains(what));
        assert!(!has("bitter"), "as the test wants");
        match mood {
            Mood::Fasting => return Err(Error::invalid("no such model")),
            Mood::Away => return Err(Error::new(ErrorKind::Unavailable, "out for lunch")),
            _ if has("sour") => return Err(Error::invalid("too sour")),
            _ if has("hot") => return Err(Error::new(ErrorKind::Unavailable, "no water")),
            _ => {}
        }
        let vector = |text: &String| {
            let mut vector = vec![0.0; 8];
            vector[text.bytes().next().map_or(0, usize::from) % 8] = 1.0;
            vector
        };
        Ok(texts.iter().map(vector).collect())
    }

    fn floor(&self) -> f32 {
        0.5
    }
}

fn open(file: &Path, taster: &Taster) -> Hub {
    Hub::builder(file).search(SearchOptions::default().embedder(taster.clone())).open().unwrap()
}

async fn near(context: &Context, text: &str) -> Vec<String> {
    let hits = context.search(text).meaning_only().fresh_within(Duration::from_secs(20)).await.unwrap();
    hits.into_iter().map(|hit| hit.path).collect()
}

async fn until(hub: &Hub, what: impl Fn(&SearchState) -> bool) -> SearchState {
    let start = Instant::now();
    loop {
        let state = hub.search_state().await.unwrap();
        if what(&state) {
            return state;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{state:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_text_that_is_refused_stops_no_other_document_and_is_not_asked_for_again() {
    for bad in ["sour", "bitter"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.db");
        let taster = Taster::new("taster-1", Mood::Picky);
        let hub = open(&file, &taster);
        let ann = hub.context("ann");
        ann.write("/apple", "apple").await.unwrap();
        ann.write("/Fruit/lemon", format!("lemon is {bad}")).await.unwrap();
        ann.write("/melon", "melon").await.unwrap();
        assert_eq!(near(&ann, "a").await, ["/apple"]);
        assert_eq!(near(&ann, "m").await, ["/melon"]);
        assert!(near(&ann, "l").await.is_empty());
        assert_eq!(exact(&ann, "lemon").await, ["/Fruit/lemon"], "words need no embedder");
        let state = hub.search_state().await.unwrap();
        assert_eq!((state.refused, state.waiting), (1, 0));
        assert!(state.failure.is_none(), "{state:?}");
        let refusal = state.refusal.unwrap().to_string();
        assert!(refusal.starts_with("/Fruit/lemon of ann is found by its words alone: "), "{refusal}");
        assert!(refusal.contains(if bad == "sour" { "too sour" } else { "panicked" }), "{refusal}");
        hub.close().await.unwrap();

        let again = Taster::new("taster-1", Mood::Picky);
        let hub = open(&file, &again);
        let ann = hub.context("ann");
        ann.write("/pear", "pear").await.unwrap();
        assert_eq!(near(&ann, "p").await, ["/pear"]);
        assert_eq!(again.texts(), ["pear", "p"], "nothing is asked for twice");
        assert_eq!(hub.search_state().await.unwrap().refused, 1);
        ann.write("/Fruit/lemon", "lemon is fine").await.unwrap();
        assert_eq!(near(&ann, "l").await, ["/Fruit/lemon"]);
        let state = hub.search_state().await.unwrap();
        assert_eq!((state.refused, state.refusal.is_none()), (0, true));

        ann.write("/Fruit/lemon", format!("lemon is {bad} again")).await.unwrap();
        assert!(near(&ann, "l").await.is_empty(), "no vector of an old text is left");
        assert_eq!(hub.search_state().await.unwrap().refused, 1);
        hub.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_refused_is_tried_again_by_another_embedder_and_in_a_new_index() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    let hub = open(&file, &Taster::new("taster-1", Mood::Picky));
    let ann = hub.context("ann");
    ann.write("/lemon", "lemon is sour").await.unwrap();
    ann.write("/vinegar", "vinegar is sour").await.unwrap();
    until(&hub, |state| state.refused == 2).await;
    ann.remove("/vinegar").await.unwrap();
    until(&hub, |state| state.refused == 1).await;
    hub.close().await.unwrap();

    let other = Taster::new("taster-2", Mood::Picky);
    let hub = open(&file, &other);
    let is_asked = || other.texts().contains(&"lemon is sour".to_owned());
    until(&hub, |state| is_asked() && state.refused == 1 && state.waiting == 0).await;
    *other.mood.lock().unwrap() = Mood::Hungry;
    hub.reindex().await.unwrap();
    until(&hub, |state| state.refused == 0 && !state.rebuilding && state.behind == 0).await;
    assert_eq!(near(&hub.context("ann"), "l").await, ["/lemon"]);
}

#[tokio::test]
async fn an_embedder_that_refuses_everything_or_is_away_sets_nothing_aside() {
    for (mood, kind) in [(Mood::Fasting, ErrorKind::Invalid), (Mood::Away, ErrorKind::Unavailable)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.db");
        let taster = Taster::new("taster-1", mood);
        let hub = open(&file, &taster);
        let ann = hub.context("ann");
        for fruit in ["apple", "lemon", "melon"] {
            ann.write(&format!("/{fruit}"), fruit).await.unwrap();
        }
        assert_eq!(exact(&ann, "lemon").await, ["/lemon"]);
        let state = until(&hub, |state| state.failure.is_some() && state.waiting == 3).await;
        assert_eq!((state.refused, state.failure.unwrap().kind()), (0, kind), "{mood:?}");
        // The texts, and another one that shows whose fault it is.
        let asks = 2;
        let start = Instant::now();
        while taster.asked.lock().unwrap().len() < 3 * asks {
            assert!(start.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let times: Vec<Instant> =
            taster.asked.lock().unwrap().iter().step_by(asks).map(|(time, _)| *time).collect();
        let (first, second) = (times[1] - times[0], times[2] - times[1]);
        assert!(first >= Duration::from_millis(450), "{first:?}");
        assert!(second >= Duration::from_millis(950), "{second:?}: it waits longer and longer");
        hub.close().await.unwrap();

        // The same embedder, mended: all is still to be done, and is done.
        let hub = open(&file, &Taster::new("taster-1", Mood::Hungry));
        let ann = hub.context("ann");
        assert_eq!(near(&ann, "l").await, ["/lemon"]);
        assert_eq!(
            (near(&ann, "a").await, near(&ann, "m").await),
            (vec!["/apple".into()], vec!["/melon".into()])
        );
        let state = hub.search_state().await.unwrap();
        assert_eq!((state.refused, state.waiting, state.failure.is_none()), (0, 0, true));
    }
}

#[tokio::test]
async fn an_embedder_that_comes_back_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let taster = Taster::new("taster-1", Mood::Away);
    let hub = open(&folder.path().join("hub.db"), &taster);
    let ann = hub.context("ann");
    ann.write("/apple", "apple").await.unwrap();
    ann.write("/lemon", "lemon is sour").await.unwrap();
    until(&hub, |state| state.failure.is_some()).await;
    *taster.mood.lock().unwrap() = Mood::Picky;
    assert_eq!(near(&ann, "a").await, ["/apple"]);
    let state = until(&hub, |state| state.failure.is_none()).await;
    assert_eq!((state.refused, state.waiting), (1, 0));
}

#[tokio::test]
async fn a_text_at_which_an_embedder_always_fails_stops_no_other_document_and_is_set_aside_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let taster = Taster::new("taster-1", Mood::Picky);
    let hub = open(&folder.path().join("hub.db"), &taster);
    let ann = hub.context("ann");
    ann.write("/chili", "chili is hot").await.unwrap();
    let failed = until(&hub, |state| state.failure.is_some()).await;
    assert_eq!((failed.refused, failed.waiting), (0, 1));
    for number in 0..20 {
        ann.write(&format!("/apple/{number}"), format!("apple {number}")).await.unwrap();
    }
    let state = until(&hub, |state| state.behind == 0 && state.waiting <= 1).await;
    assert_eq!(state.refused, 0, "it is looked at more than once");
    assert!(state.failure.is_some(), "{state:?}");
    assert!(!ann.search("a").meaning_only().await.unwrap().is_empty());
    let state = until(&hub, |state| state.refused == 1 && state.failure.is_none()).await;
    assert_eq!(state.waiting, 0);
    let refusal = state.refusal.unwrap().to_string();
    assert!(refusal.starts_with("/chili of ann") && refusal.contains("no water"), "{refusal}");
    ann.write("/chili", "chili is mild").await.unwrap();
    assert_eq!(near(&ann, "c").await, ["/chili"]);
    assert_eq!(hub.search_state().await.unwrap().refused, 0);
}
