use vextir::prelude::*;

struct First;

#[driver("first")]
impl First {
    #[on_start("now")]
    fn start(&mut self, _emitter: Emitter, _cx: &Ctx) {}
}

struct Second;

#[driver("second")]
impl Second {
    #[on_start]
    async fn start(&self) {}

    #[on_start]
    async fn again(&self, _emitter: &Emitter) {}
}

fn main() {}
