//! Which handler an event goes to.

use super::{GetWeather, call, types};
use vextir::prelude::*;

struct Github;

fn named(name: &str) -> Event {
    Event::new(format!("handled.{name}"))
}

#[driver("github")]
impl Github {
    #[on("**")]
    async fn anything(&self, _event: Event) -> Event {
        named("anything")
    }

    #[on("github.**")]
    async fn github(&self, event: Event) -> Event {
        named("github").with_data(event.data.clone())
    }

    #[on("github.*.create")]
    async fn create(&self, _event: Event) -> Event {
        named("create")
    }

    #[on("github.issue.*", "gitlab.issue.*")]
    async fn issue(&self, _event: Event) -> Event {
        named("issue")
    }

    #[on("github.issue.close")]
    async fn close(&self, cx: &Ctx, _event: Event) -> Event {
        named("close").with_cause(cx.event().id.clone())
    }

    #[on]
    async fn weather(&self, GetWeather { location }: GetWeather, cx: &Ctx) -> vextir::Result<()> {
        cx.emit(Event::new("asked").with_source(location))?;
        cx.emit(named("weather"))
    }

    /// No handler: the macro leaves it alone, and its name may be that of a trait's method.
    fn check(&self) -> &'static str {
        "mine"
    }
}

#[tokio::test]
async fn the_most_specific_handler_gets_the_event() {
    for (event_type, handler) in [
        ("github.issue.close", "close"),
        ("github.issue.create", "issue"),
        ("gitlab.issue.create", "issue"),
        ("github.pull.create", "create"),
        ("github.pull.close", "github"),
        ("github.pull", "github"),
        ("github", "anything"),
        ("gitlab.pull", "anything"),
    ] {
        let handled = types(&Github, &Event::new(event_type)).await;
        assert_eq!(handled, [format!("handled.{handler}")], "{event_type}");
    }
}

#[tokio::test]
async fn a_payload_comes_before_patterns_and_the_context_keeps_what_is_emitted() {
    let event = GetWeather::at("Oslo");
    let cx = Ctx::detached(&event);
    assert!(Github.handle_event(event, &cx).await.unwrap().is_empty());
    let emitted = cx.emitted();
    assert_eq!(emitted[0].source, "Oslo");
    assert_eq!(emitted[1].event_type, "handled.weather");
}

#[tokio::test]
async fn a_raw_event_keeps_its_payload() {
    let event = Event::new("github.push").with_data(json!({"branch": "main"}));
    assert_eq!(call(&Github, &event).await.unwrap()[0].data, event.data);
}

#[tokio::test]
async fn a_payload_that_does_not_fit_fails_for_good_and_says_where() {
    let event = Event::new("weather.get").with_data(json!({"location": 7}));
    let failure = Failure::from_error(call(&Github, &event).await.unwrap_err());
    assert_eq!(failure.class(), vextir::FailureClass::Permanent);
    let sentence = failure.to_string();
    assert!(sentence.contains("weather.get: data.location: invalid type: integer `7`"), "{sentence}");
}

#[test]
fn check_decodes_what_a_payload_handler_would_get() {
    let check = |event: &Event| Driver::check(&Github, event);
    assert!(check(&GetWeather::at("Oslo")).is_ok());
    assert!(check(&Event::new("github.push")).is_ok());
    assert!(check(&Event::new("unknown")).is_ok());
    let refused = check(&Event::new("weather.get").with_data(json!({}))).unwrap_err();
    assert_eq!(refused.kind(), vextir::ErrorKind::Invalid);
    assert!(refused.to_string().contains("missing field `location`"), "{refused}");
    assert_eq!(Github.check(), "mine");
}

struct Narrow;

#[driver("narrow")]
impl Narrow {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

#[tokio::test]
async fn an_event_that_nobody_handles_fails_for_good() {
    let failure = Failure::from_error(call(&Narrow, &Event::new("weather.set")).await.unwrap_err());
    assert_eq!(failure.class(), vextir::FailureClass::Permanent);
    assert_eq!(failure.to_string(), "driver \"narrow\" has no handler for \"weather.set\"");
}

/// By hand, as short as it can be.
struct ByHand;

#[vextir::async_trait]
impl Driver for ByHand {
    fn manifest(&self) -> Manifest {
        Manifest::new("by_hand").handles("weather.*")
    }

    async fn handle_event(&self, event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(vec![Event::new("copied").with_data(event.data.clone())])
    }
}

#[tokio::test]
async fn a_driver_by_hand_stands_beside_the_others() {
    let drivers: [Box<dyn Driver>; 2] = [Box::new(ByHand), Box::new(Github)];
    let event = GetWeather::at("Oslo");
    for driver in &drivers {
        assert!(driver.handle_event(event.clone(), &Ctx::detached(&event)).await.is_ok());
    }
    assert_eq!(drivers[0].capabilities(), ["weather.*"]);
}
