//! `#[cfg]` on handlers, and declarations out of `macro_rules!`.

use super::{GetWeather, types};
use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Weather {
    #[cfg(test)]
    #[on]
    async fn get(&self, _ask: GetWeather) -> Event {
        Event::new("here")
    }

    #[cfg(not(test))]
    #[on]
    async fn get(&self, _ask: GetWeather) -> Event {
        Event::new("elsewhere")
    }

    #[cfg(not(test))]
    #[on("wind.*")]
    async fn wind(&self, event: Event) -> Missing {
        Missing::of(event)
    }

    #[cfg(not(test))]
    #[on_start]
    async fn start(&self) {}
}

#[tokio::test]
async fn a_handler_that_is_configured_out_is_not_there() {
    assert_eq!(types(&Weather, &GetWeather::at("Oslo")).await, ["here"]);
    assert_eq!(Weather.capabilities(), ["weather.get"]);
}

/// A block that is configured out takes its driver, and the comparison of its names, along.
#[driver("gone")]
#[cfg(not(test))]
impl Gone {
    #[on]
    async fn one(&self, _ask: MissingOne) {}

    #[on]
    async fn other(&self, _ask: MissingOther) {}
}

macro_rules! relay {
    ($driver:ident, $id:literal, $from:expr, $payload:ty, $limit:expr) => {
        struct $driver;

        #[driver($id, timeout = $limit)]
        impl $driver {
            #[on($from)]
            async fn raw(&self, event: Event) -> Event {
                event
            }

            #[on]
            async fn typed(&self, payload: $payload) -> $payload {
                payload
            }
        }
    };
}

relay!(Relay, "relay", "raw.*", GetWeather, "5s");

#[tokio::test]
async fn a_declaration_may_come_out_of_another_macro() {
    assert_eq!(types(&Relay, &Event::new("raw.one")).await, ["raw.one"]);
    assert_eq!(types(&Relay, &GetWeather::at("Oslo")).await, ["weather.get"]);
    assert_eq!(Relay.resource_requirements().timeout, Some(std::time::Duration::from_secs(5)));
}

#[tokio::test]
async fn a_declaration_may_stand_in_a_function() {
    struct Local;

    #[driver("local")]
    impl Local {
        #[on]
        async fn get(&self, _ask: GetWeather) -> Event {
            Event::new("local.data")
        }

        #[on("wind.get")]
        async fn wind(&self, _event: Event) {}
    }

    assert_eq!(types(&Local, &GetWeather::at("Oslo")).await, ["local.data"]);
}
