//! Each form that a handler may return.

use super::{GetWeather, WeatherData, call, event, types};
use std::fmt;
use vextir::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "form")]
struct Form {
    good: bool,
}

fn form(good: bool) -> Event {
    event(&Form { good })
}

fn data() -> WeatherData {
    WeatherData { location: "Oslo".into(), celsius: 21.5 }
}

#[derive(Debug)]
struct Rained;

impl fmt::Display for Rained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it rained")
    }
}

impl std::error::Error for Rained {}

/// One driver for each form; `good` takes the longer way.
macro_rules! returns {
    ($($driver:ident: $form:ty = |$good:ident| $answer:expr;)+) => {$(
        struct $driver;

        #[driver("form")]
        impl $driver {
            #[on]
            async fn form(&self, ask: Form) -> $form {
                let $good = ask.good;
                $answer
            }
        }
    )+};
}

returns! {
    APayload: WeatherData = |_good| data();
    AnEvent: Event = |_good| Event::new("raw");
    AnOption: Option<WeatherData> = |good| good.then(data);
    AVec: Vec<WeatherData> = |good| if good { vec![data(), data()] } else { Vec::new() };
    ATuple: (WeatherData, Option<Event>, Vec<Event>) =
        |good| (data(), good.then(|| Event::new("raw")), vec![Event::new("last")]);
    AResult: Result<WeatherData, Rained> = |good| if good { Ok(data()) } else { Err(Rained) };
    ADeepResult: Result<Vec<(Event, WeatherData)>, vextir::BoxError> =
        |good| if good { Ok(vec![(Event::new("raw"), data())]) } else { Err("it rained".into()) };
    AKernelResult: vextir::Result<()> =
        |good| if good { Ok(()) } else { Err(vextir::Error::invalid("no such place")) };
    AUnit: () = |_good| ();
}

struct Nothing;

#[driver("nothing")]
impl Nothing {
    #[on]
    async fn form(&self, _ask: Form) {}
}

#[tokio::test]
async fn each_form_becomes_events() {
    assert_eq!(types(&APayload, &form(true)).await, ["weather.data"]);
    assert_eq!(types(&AnEvent, &form(true)).await, ["raw"]);
    assert_eq!(types(&AnOption, &form(true)).await, ["weather.data"]);
    assert_eq!(types(&AnOption, &form(false)).await, [""; 0]);
    assert_eq!(types(&AVec, &form(true)).await, ["weather.data", "weather.data"]);
    assert_eq!(types(&AVec, &form(false)).await, [""; 0]);
    assert_eq!(types(&ATuple, &form(true)).await, ["weather.data", "raw", "last"]);
    assert_eq!(types(&ATuple, &form(false)).await, ["weather.data", "last"]);
    assert_eq!(types(&AResult, &form(true)).await, ["weather.data"]);
    assert_eq!(types(&ADeepResult, &form(true)).await, ["raw", "weather.data"]);
    assert_eq!(types(&AKernelResult, &form(true)).await, [""; 0]);
    assert_eq!(types(&AUnit, &form(true)).await, [""; 0]);
    assert_eq!(types(&Nothing, &form(true)).await, [""; 0]);
}

#[tokio::test]
async fn the_authors_own_error_arrives_as_it_is() {
    let error = call(&AResult, &form(false)).await.unwrap_err();
    assert!(error.downcast_ref::<Rained>().is_some());
    assert_eq!(call(&ADeepResult, &form(false)).await.unwrap_err().to_string(), "it rained");
    let class = Failure::from_error(call(&AKernelResult, &form(false)).await.unwrap_err()).class();
    assert_eq!(class, vextir::FailureClass::Permanent);
}

#[test]
fn the_manifest_says_what_each_form_can_emit() {
    let emits = |manifest: Manifest| -> Vec<String> {
        manifest.capabilities[0].outputs.iter().map(|output| output.event_type.to_string()).collect()
    };
    assert_eq!(emits(APayload.manifest()), ["weather.data"]);
    assert_eq!(emits(AnEvent.manifest()), [""; 0]);
    assert_eq!(emits(AnOption.manifest()), ["weather.data"]);
    assert_eq!(emits(AVec.manifest()), ["weather.data"]);
    assert_eq!(emits(ATuple.manifest()), ["weather.data"]);
    assert_eq!(emits(AResult.manifest()), ["weather.data"]);
    assert_eq!(emits(ADeepResult.manifest()), ["weather.data"]);
    assert_eq!(emits(Nothing.manifest()), [""; 0]);
}

#[tokio::test]
async fn a_handler_stays_a_method_that_can_be_called() {
    assert!(AResult.form(Form { good: true }).await.is_ok());
    assert!(AResult.form(Form { good: false }).await.is_err());
    Nothing.form(Form { good: true }).await;
    assert_eq!(GetWeather::at("Oslo").event_type, "weather.get");
}
