use vextir_ui_tests::GetWeather;

struct Weather;

impl Weather {
    #[on]
    async fn get(&self, _ask: GetWeather) {}
}

fn main() {}
