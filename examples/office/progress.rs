//! Shows how a plan goes on: its document changes with each step, in the commit that the step is part of.

use serde_json::Value;
use std::collections::BTreeMap;
use vextir::context::Watch;
use vextir::{Context, Error, ErrorKind, Result};

const PLANS: &str = "/System/Plans";

/// Follows the plans of a user.
pub(crate) struct Progress {
    context: Context,
    watch: Watch,
}

impl Progress {
    /// Begins to watch: plans that begin from now on are seen.
    pub(crate) async fn new(context: Context) -> Result<Self> {
        let watch = context.watch(PLANS).await?;
        Ok(Self { context, watch })
    }

    /// Prints what each step of the next plan comes to, and returns the plan when it is over.
    ///
    /// # Errors
    /// It did not complete.
    pub(crate) async fn until_over(&mut self) -> Result<Value> {
        let mut known = BTreeMap::new();
        while let Some(changed) = self.watch.next().await {
            let changed = changed?;
            let name = changed.path.strip_prefix(PLANS).unwrap_or_default();
            // What is kept beside the plans begins with a dot.
            if name.is_empty() || name.starts_with("/.") {
                continue;
            }
            let then = self.context.at_version(changed.version);
            let Some(document) = then.read(&changed.path).await? else { continue };
            let plan = document.content.as_json().cloned().unwrap_or_default();
            show(&plan, &mut known);
            match plan["status"].as_str().unwrap_or_default() {
                "completed" => return Ok(plan),
                status @ ("failed" | "cancelled" | "skipped") => {
                    let why = plan["error"].as_str().unwrap_or("it does not say why");
                    let reason = format!("the plan is {status}: {why}");
                    return Err(Error::new(ErrorKind::Invalid, reason));
                }
                _ => {}
            }
        }
        Err(Error::new(ErrorKind::Closed, "the hub was closed before the plan was over"))
    }
}

/// Prints the steps whose status is another one than before, and the plan's own.
fn show(plan: &Value, known: &mut BTreeMap<String, String>) {
    let steps = plan["dag"]["nodes"].as_object().into_iter().flatten();
    let steps = steps.map(|(id, node)| (id.clone(), &node["status"]));
    for (name, status) in steps.chain([("the plan".to_owned(), &plan["status"])]) {
        let status = status.as_str().unwrap_or_default();
        let before = known.insert(name.clone(), status.to_owned());
        if before.as_deref() != Some(status) && status != "pending" {
            println!("  {name:<18} {status}");
        }
    }
}
