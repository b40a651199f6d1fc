//! Run with `cargo run --example simulate`.
//!
//! Two drivers that pay orders, under crash injection. The simulation runs them with a manual clock and seeded
//! interleavings, kills the process before and after every commit, and compares what each run ends with. The
//! careless driver pays twice when the process dies at the wrong moment; the careful one never does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use vextir::prelude::*;
use vextir::testkit::Simulation;

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "order.placed", category = "input")]
struct OrderPlaced {
    number: u32,
    cents: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "order.paid", category = "output")]
struct OrderPaid {
    number: u32,
}

/// The world outside: a bank, which outlives our process. It pays once for each key, and without a key each time.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<BTreeMap<String, u64>>>);

impl Bank {
    fn pay(&self, key: Option<String>, cents: u64) {
        let mut payments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key.unwrap_or_else(|| format!("payment {}", payments.len()));
        payments.insert(key, cents);
    }

    fn paid(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

struct Careless(Bank);

#[driver("payments")]
impl Careless {
    /// Pays, and hopes that nothing happens before the delivery is settled.
    #[on]
    async fn pay(&self, order: OrderPlaced) -> OrderPaid {
        self.0.pay(None, order.cents);
        OrderPaid { number: order.number }
    }
}

struct Careful(Bank);

#[driver("payments", retries = 5)]
impl Careful {
    /// Uses the key of the delivery: the same in each attempt, also after a crash. The line to the bank is bad,
    /// so the first two attempts fail; the pauses between them take no real time.
    #[on]
    async fn pay(&self, order: OrderPlaced, cx: &Ctx) -> Result<OrderPaid, Failure> {
        cx.clock().sleep(Duration::from_millis(200)).await;
        self.0.pay(Some(cx.idempotency_key()), order.cents);
        if cx.attempt() < 3 {
            return Err(Failure::transient("the bank's answer was lost"));
        }
        Ok(OrderPaid { number: order.number })
    }
}

fn orders() -> vextir::Result<Vec<Event>> {
    (1..=3).map(|number| Event::of(&OrderPlaced { number, cents: 1_000 })).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let careless = Simulation::in_world(Bank::default, |app, bank| app.driver(Careless(bank.clone())))
        .events(orders()?)
        .invariant("three orders cost 30.00", |bank, _run| bank.paid() == 3_000)
        .check();
    match careless {
        Err(finding) => println!("the careless driver: {finding}"),
        Ok(_) => return Err("the simulation did not find the mistake".into()),
    }

    let checked = Simulation::in_world(Bank::default, |app, bank| app.driver(Careful(bank.clone())))
        .events(orders()?)
        .seeds(0..8)
        .whatever_the_order()
        .invariant("three orders cost 30.00", |bank, _run| bank.paid() == 3_000)
        .invariant("each order is paid", |_bank, run| run.count("order.paid") == 3)
        .check()?;
    println!(
        "the careful driver: right in {} runs, {} of them with a crash",
        checked.runs + checked.crashes,
        checked.crashes
    );
    Ok(())
}
