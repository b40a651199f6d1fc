use vextir::prelude::*;

struct Watch;

#[driver("watch")]
impl Watch {
    #[on_start]
    async fn start(&self) -> Result<(), std::io::Error> {
        Ok(())
    }
}

fn main() {}
