//! Dead letters that block their ordering key, and who frees it.

use super::slow::Slow;
use super::*;

/// Handles `job`, one at a time for each key if all is well; what is in `dies` dies once.
#[derive(Clone, Default)]
struct Work {
    done: Arc<Mutex<Vec<String>>>,
    dies: Arc<Mutex<Vec<String>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Work {
    fn killing(jobs: &[u32]) -> Self {
        let work = Self::default();
        work.dies.lock().unwrap().extend(jobs.iter().map(u32::to_string));
        work
    }

    fn driver(&self, block: bool) -> impl Driver + use<> {
        let work = self.clone();
        driver(Manifest::new("worker").handles("job").with_block_on_dead(block), move |event, _| {
            let work = work.clone();
            Box::pin(async move {
                work.most.fetch_max(work.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                work.running.fetch_sub(1, Ordering::SeqCst);
                let job = event.data.as_json().to_owned();
                let mut dies = work.dies.lock().unwrap();
                if let Some(index) = dies.iter().position(|one| *one == job) {
                    dies.remove(index);
                    return Err(Failure::permanent("dies").into());
                }
                work.done.lock().unwrap().push(job);
                Ok(vec![])
            })
        })
    }

    fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }
}

fn job(n: u32) -> Event {
    Event::new("job").with_ordering_key("k").with_data(json!(n))
}

async fn letters(app: &Processor) -> Vec<Position> {
    app.dead_letters(0, 10_000).await.unwrap().iter().map(|letter| letter.position).collect()
}

/// A bus with the letters of jobs 1, 2 and 3 of one key, which did not block it.
async fn three_letters() -> (MemoryBus, Work) {
    let bus = MemoryBus::new();
    let work = Work::killing(&[1, 2, 3]);
    let app = on(bus.clone()).driver(work.driver(false)).start().await.unwrap();
    for n in 1..=3 {
        app.emit(job(n)).await.unwrap();
    }
    app.idle().await;
    assert_eq!(letters(&app).await.len(), 3);
    app.shutdown().await.unwrap();
    (bus, work)
}

#[tokio::test]
async fn a_key_is_free_when_its_last_letter_goes() {
    let (bus, work) = three_letters().await;
    let app = on(bus).driver(work.driver(true)).start().await.unwrap();
    for n in 4..=6 {
        app.emit(job(n)).await.unwrap();
    }
    let positions = letters(&app).await;
    assert_eq!(app.redrive(&Letters::one(positions[1])).await.unwrap(), 1);
    assert_eq!(app.discard(&Letters::one(positions[0])).await.unwrap(), 1);
    settle_down().await;
    assert_eq!(work.done(), [""; 0], "a letter is left");
    assert_eq!(app.redrive(&Letters::all()).await.unwrap(), 1);
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(work.done(), ["4", "5", "6", "2", "3"]);
    assert_eq!(work.most.load(Ordering::SeqCst), 1, "one at a time");
}

#[tokio::test]
async fn letters_of_one_key_that_go_together_free_it_once() {
    for redrive in [true, false] {
        let (bus, work) = three_letters().await;
        let app = on(bus).driver(work.driver(true)).start().await.unwrap();
        for n in 4..=6 {
            app.emit(job(n)).await.unwrap();
        }
        let all = Letters::all();
        let touched = if redrive { app.redrive(&all).await } else { app.discard(&all).await };
        assert_eq!(touched.unwrap(), 3);
        timeout(SOON, app.idle()).await.unwrap();
        let left: &[&str] = if redrive { &["4", "5", "6", "1", "2", "3"] } else { &["4", "5", "6"] };
        assert_eq!(work.done(), left);
        assert_eq!(work.most.load(Ordering::SeqCst), 1, "one at a time");
    }
}

/// Two operators see the same letter, and both want it redriven.
#[tokio::test]
async fn a_letter_that_is_redriven_twice_frees_its_key_once() {
    let bus = Slow::new(MemoryBus::new(), |_| false).listing(Duration::from_millis(20));
    let work = Work::killing(&[1]);
    let app = bus.builder().driver(work.driver(true)).start().await.unwrap();
    for n in 1..=5 {
        app.emit(job(n)).await.unwrap();
    }
    settle_down().await;
    assert_eq!(work.done(), [""; 0]);
    let (other, all) = (app.clone(), Letters::all());
    let (one, two, three) = tokio::join!(app.redrive(&all), other.redrive(&all), app.discard(&all));
    assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 1);
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(work.done()[..4], ["2", "3", "4", "5"]);
    assert_eq!(work.most.load(Ordering::SeqCst), 1, "one at a time");
}

/// The letter is taken before the queue was told of it.
#[tokio::test]
async fn a_letter_that_is_redriven_at_once_does_not_block_its_key_for_ever() {
    let is_death = |command: &Command| match command {
        Command::Settle(settlement) => matches!(settlement.outcome, Outcome::Dead { .. }),
        _ => false,
    };
    let bus = Slow::new(MemoryBus::new(), is_death);
    let work = Work::killing(&[1]);
    let app = bus.builder().driver(work.driver(true)).start().await.unwrap();
    for n in 1..=3 {
        app.emit(job(n)).await.unwrap();
    }
    while letters(&app).await.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(app.redrive(&Letters::all()).await.unwrap(), 1);
    timeout(SOON, app.idle()).await.expect("the key is blocked for ever");
    assert_eq!(work.done(), ["2", "3", "1"]);
    assert_eq!(work.most.load(Ordering::SeqCst), 1, "one at a time");
}

/// Nothing of a cancelled tree runs again: its letter stays, and with it what the letter does.
#[tokio::test]
async fn a_letter_that_is_not_taken_frees_nothing() {
    let work = Work::killing(&[1]);
    let app = quick().driver(work.driver(true)).start().await.unwrap();
    let root = app.emit(job(1)).await.unwrap();
    app.idle().await;
    app.emit(job(2)).await.unwrap();
    app.cancel(&root).await.unwrap();
    assert_eq!(app.redrive(&Letters::all()).await.unwrap(), 0);
    settle_down().await;
    assert_eq!(work.done(), [""; 0], "the letter is still there");
    assert_eq!(app.discard(&Letters::all()).await.unwrap(), 1);
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(work.done(), ["2"]);
}

/// More letters than one commit takes; the second commit is refused.
/// 1,025 letters on a bus that refuses to touch the last of them; job 1 behind another one, job 2 behind the last.
async fn all_but_one(refused: fn(&Command) -> Option<ErrorKind>) -> (Processor, Work) {
    let bus = Slow::new(MemoryBus::new(), |_| false).refusing(refused);
    let work = Work::killing(&[0; 1_025]);
    let app = bus.builder().driver(work.driver(true)).start().await.unwrap();
    let job = |key: usize, n: u32| Event::new("job").with_ordering_key(format!("k{key}")).with_data(json!(n));
    for key in 0..1_025 {
        app.emit(job(key, 0)).await.unwrap();
    }
    app.idle().await;
    let last = app.dead_letters(0, 2_000).await.unwrap().pop().unwrap();
    let last: usize = last.event.ordering_key.as_ref().unwrap()[1..].parse().unwrap();
    let other = if last == 7 { 8 } else { 7 };
    app.emit(job(other, 1)).await.unwrap();
    app.emit(job(last, 2)).await.unwrap();
    (app, work)
}

#[tokio::test]
async fn a_redrive_that_is_refused_half_way_frees_what_it_took() {
    let (app, work) = all_but_one(|command| match command {
        Command::Redrive { positions, .. } if positions.len() < 1_024 => Some(ErrorKind::Unavailable),
        _ => None,
    })
    .await;
    assert_eq!(app.redrive(&Letters::all()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    while work.done().len() < 1_025 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    settle_down().await;
    let count = |job: &str| work.done().iter().filter(|one| *one == job).count();
    assert_eq!((count("0"), count("1"), count("2")), (1_024, 1, 0));
    assert_eq!(letters(&app).await.len(), 1);
}

#[tokio::test]
async fn what_a_half_discard_freed_runs_without_another_event() {
    let (app, work) = all_but_one(|command| match command {
        Command::Discard { positions, .. } if positions.len() < 1_024 => Some(ErrorKind::Unavailable),
        _ => None,
    })
    .await;
    assert_eq!(app.discard(&Letters::all()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    settle_down().await;
    assert_eq!(work.done(), ["1"]);
    assert_eq!(letters(&app).await.len(), 1);
}

#[tokio::test]
async fn letters_block_their_key_also_for_a_driver_that_comes_later() {
    let (bus, work) = three_letters().await;
    let app = on(bus).start().await.unwrap();
    app.register(work.driver(true)).await.unwrap();
    app.emit(job(4)).await.unwrap();
    settle_down().await;
    assert_eq!(work.done(), [""; 0], "the letters are still there");
    app.discard(&Letters::all()).await.unwrap();
    timeout(SOON, app.idle()).await.unwrap();
    assert_eq!(work.done(), ["4"]);
}
