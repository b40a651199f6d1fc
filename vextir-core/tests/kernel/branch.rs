//! A handler begins branches, and is told when they are over.

use crate::driver::{answers, driver, log, quick};
use vextir::prelude::*;
use vextir::{
    AuthorizeRequest, Authorizer, BranchEnded, Capability, Decision, DeliveryFailed, HandlerFailed, Result,
    Verdict, async_trait,
};

/// Takes `run`, begins three branches of `step`, and says `told` of the end of each.
fn runner() -> impl Driver {
    let manifest = Manifest::new("runner").handles("run").can(Capability::new("branch.ended"));
    driver(manifest, |event, cx| {
        Box::pin(async move {
            if event.event_type == "branch.ended" {
                let ended: BranchEnded = event.decode()?;
                return Ok(vec![Event::new("told").with_data(json!(ended))]);
            }
            for index in 0..3 {
                cx.emit_branch(Event::new("step").with_data(json!(index)))?;
            }
            Ok(Vec::new())
        })
    })
}

/// Answers the first step through another event, the second at once, and fails at the third.
fn worker() -> impl Driver {
    answers(Manifest::new("worker").handles("step").handles("detour"), |event| {
        match event.data.value().as_u64() {
            Some(0) if event.event_type == "step" => Ok(vec![Event::new("detour").with_data(json!(0))]),
            Some(2) => Err(vextir::Failure::permanent("no third step").into()),
            _ => Ok(vec![Event::new("answer").with_category(vextir::Category::Output)]),
        }
    })
}

fn told(log: &[Event]) -> Vec<BranchEnded> {
    let told = log.iter().filter(|event| event.event_type == "told");
    told.map(|event| serde_json::from_value(event.data.value()).unwrap()).collect()
}

#[tokio::test]
async fn who_begins_branches_is_told_of_the_end_of_each() {
    let app = quick().driver(runner()).driver(worker()).start().await.unwrap();
    app.emit(Event::new("run")).await.unwrap();
    app.idle().await;
    let log = log(&app).await;
    let told = told(&log);
    assert_eq!(told.len(), 3);
    let steps: Vec<&Event> = log.iter().filter(|event| event.event_type == "step").collect();
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(step.branch_id, Some(step.id.clone()));
        let ended = told.iter().find(|ended| ended.branch == step.id).unwrap();
        let named = |id: &vextir::EventId| log.iter().find(|event| event.id == *id).unwrap();
        let types: Vec<&str> = ended.answers.iter().map(|id| named(id).event_type.as_str()).collect();
        match index {
            0 => assert_eq!(
                (ended.failed, types),
                (0, vec!["detour", "answer"]),
                "the answer to the step, and what goes to the outside"
            ),
            1 => assert_eq!((ended.failed, types), (0, vec!["answer"])),
            _ => {
                assert_eq!((ended.failed, types), (1, vec!["error"]));
                let failed: HandlerFailed = named(&ended.answers[0]).decode().unwrap();
                assert!(failed.error.contains("no third step"), "{failed:?}");
            }
        }
    }
    assert!(log.iter().all(|event| event.event_type != "told" || event.branch_id.is_none()));
}

/// Denies steps.
#[derive(Debug)]
struct NoSteps;

#[async_trait]
impl Authorizer for NoSteps {
    async fn authorize(&self, request: &AuthorizeRequest<'_>) -> Result<Verdict> {
        let decision = Decision::new("no-steps", "steps are not wanted");
        Ok(if request.event.event_type == "step" { Verdict::Deny(decision) } else { Verdict::Allow })
    }
}

#[tokio::test]
async fn a_branch_that_a_policy_refuses_is_over_at_once_and_says_why() {
    let app = quick().authorizer(NoSteps).driver(runner()).driver(worker()).start().await.unwrap();
    app.emit(Event::new("run")).await.unwrap();
    app.idle().await;
    let told = told(&log(&app).await);
    assert_eq!(told.len(), 3);
    assert!(
        told.iter().all(|ended| ended.refused.as_deref().is_some_and(|why| why.contains("not wanted"))),
        "{told:?}"
    );
}

#[tokio::test]
async fn nobody_can_claim_that_a_branch_is_over() {
    let app = quick().driver(runner()).driver(worker()).start().await.unwrap();
    let claim = json!({"branch": "evt_1", "failed": 0, "answers": []});
    let refused = app.as_user("ann").emit(Event::new("branch.ended").with_data(claim)).await.unwrap_err();
    assert_eq!(refused.kind(), vextir::ErrorKind::Invalid, "{refused}");
}

/// Fails at every `job`, and at being told of it with `twice`; says `noticed` of what it is told.
fn keeper() -> impl Driver {
    let manifest =
        Manifest::new("keeper").can(Capability::new("job")).can(Capability::new("delivery.failed"));
    answers(manifest.with_retries(0), |event| {
        if event.event_type == "job" {
            return Err(vextir::Failure::permanent("it cannot").into());
        }
        let failed: DeliveryFailed = event.decode()?;
        if event.ordering_key.as_deref() == Some("twice") {
            return Err(vextir::Failure::permanent("not this either").into());
        }
        Ok(vec![Event::new("noticed").with_data(json!({"of": failed, "key": event.ordering_key}))])
    })
}

#[tokio::test]
async fn a_driver_that_wants_to_know_is_told_of_its_own_failures() {
    let listens =
        answers(Manifest::new("other").handles("delivery.failed"), |_| Ok(vec![Event::new("overheard")]));
    let app = quick().driver(keeper()).driver(listens).start().await.unwrap();
    let job = app.emit(Event::new("job").with_ordering_key("once")).await.unwrap();
    app.emit(Event::new("job").with_ordering_key("twice")).await.unwrap();
    app.idle().await;
    let log = log(&app).await;
    let count = |kind: &str| log.iter().filter(|event| event.event_type == kind).count();
    assert_eq!((count("error"), count("delivery.failed")), (2, 2), "{log:?}");
    assert_eq!((count("noticed"), count("overheard")), (1, 0), "only its own, and not of a failure in that");
    let noticed = log.iter().find(|event| event.event_type == "noticed").unwrap().data.value();
    let of = json!({"error": "it cannot", "event_id": job});
    assert_eq!(noticed, json!({"of": of, "key": "once"}));
    let claim = app.emit(Event::new("delivery.failed").with_data(of)).await.unwrap_err();
    assert_eq!(claim.kind(), vextir::ErrorKind::Invalid, "{claim}");
}

/// Takes `run`, begins a branch of `endless`, and ends it at `stop`; says `told` of its end.
fn impatient() -> impl Driver {
    let manifest = Manifest::new("impatient").handles("run").handles("stop");
    driver(manifest.can(Capability::new("branch.ended")), |event, cx| {
        Box::pin(async move {
            match event.event_type.as_str() {
                "run" => cx.emit_branch(Event::new("endless").with_id("step".parse()?))?,
                "stop" => cx.cancel_branch("step".parse()?),
                _ => return Ok(vec![Event::new("told").with_data(event.data.clone())]),
            }
            Ok(Vec::new())
        })
    })
}

#[tokio::test]
async fn a_driver_ends_a_branch_that_it_wants_no_more() {
    let endless = driver(Manifest::new("endless").handles("endless"), |_, cx| {
        Box::pin(async move {
            cx.cancelled().await;
            Ok(vec![Event::new("too.late")])
        })
    });
    let next = answers(Manifest::new("next").handles("next"), |_| Ok(vec![Event::new("went.on")]));
    let app = quick().driver(impatient()).driver(endless).driver(next).start().await.unwrap();
    app.emit(Event::new("run")).await.unwrap();
    while app.bus().find(&vextir::LOCAL_USER.into(), &"step".parse().unwrap()).await.unwrap().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    app.emit(Event::new("stop")).await.unwrap();
    app.idle().await;
    app.emit(Event::new("next")).await.unwrap();
    app.idle().await;
    let log = log(&app).await;
    let told = told(&log);
    assert!(told.len() == 1 && told[0].cancelled && told[0].answers.is_empty(), "{told:?}");
    assert!(log.iter().all(|event| event.event_type != "too.late"), "{log:?}");
    assert!(log.iter().any(|event| event.event_type == "went.on"), "{log:?}");
    assert!(app.dead_letters(0, 10).await.unwrap().is_empty());
}
