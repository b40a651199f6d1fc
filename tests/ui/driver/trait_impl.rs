use vextir::prelude::*;

struct Weather;

#[driver("weather_tool")]
impl Drop for Weather {
    fn drop(&mut self) {}
}

#[driver("weather_tool")]
#[vextir::async_trait]
impl Driver for Weather {
    fn manifest(&self) -> Manifest {
        Manifest::new("weather_tool")
    }

    async fn handle_event(&self, _event: Event, _cx: &Ctx) -> HandlerResult {
        Ok(Vec::new())
    }
}

fn main() {}
