use vextir::prelude::*;

struct Watch;

#[driver("watch")]
impl Watch {
    #[on_stop("late")]
    async fn stop(&self, _emitter: Emitter) -> vextir::Result<()> {
        Ok(())
    }
}

fn main() {}
