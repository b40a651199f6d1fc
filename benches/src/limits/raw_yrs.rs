//! What yrs alone does with the editing trace: no JSON, no checks, no history, no rights.

use std::fs::{self, File};
use std::io::Write;
use std::time::Instant;

use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, ReadTxn, StateVector, Text, TextRef, Transact, TransactionMut, Update};

use super::trace::{Edit, STEP, Trace};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::resources::cpu_milliseconds;
use crate::trial::Trial;

/// How often the text is opened.
const TIMES: usize = 21;

/// Each edit in a transaction of its own, then the whole text and the state.
pub(crate) fn yrs_editing(trial: &Trial) -> Result<Vec<Measurement>> {
    let trace = Trace::read(trial)?;
    let began = cpu_milliseconds();
    let (doc, paper) = paper();
    for edit in &trace.edits {
        apply(&paper, &mut doc.transact_mut(), edit);
    }
    let state = state(&doc);
    let text = paper.get_string(&doc.transact());
    let took = cpu_milliseconds() - began;
    trace.check(&text)?;
    if state.is_empty() {
        return Err("there is no state".into());
    }
    Ok(vec![Measurement::new("limit_yrs_trace", Unit::CpuMilliseconds, took)])
}

/// Each 1,000 edits the document is loaded from its file, edited in one transaction, and written back and synced.
pub(crate) fn yrs_editing_stored(trial: &Trial) -> Result<Vec<Measurement>> {
    let trace = Trace::read(trial)?;
    let path = trial.folder.join("paper");
    let began = Instant::now();
    fs::write(&path, state(&paper().0))?;
    for edits in trace.edits.chunks(STEP) {
        let (doc, paper) = load(&fs::read(&path)?)?;
        let mut txn = doc.transact_mut();
        edits.iter().for_each(|edit| apply(&paper, &mut txn, edit));
        drop(txn);
        let mut file = File::create(&path)?;
        file.write_all(&state(&doc))?;
        file.sync_data()?;
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    let (doc, paper) = load(&fs::read(&path)?)?;
    trace.check(&paper.get_string(&doc.transact()))?;
    Ok(vec![Measurement::new("limit_yrs_trace_stored", Unit::Milliseconds, took)])
}

/// The paper is read from its file: decoded, integrated, and its text taken.
pub(crate) fn yrs_reopening(trial: &Trial) -> Result<Vec<Measurement>> {
    let trace = Trace::read(trial)?;
    let path = trial.folder.join("paper");
    let (doc, text) = paper();
    for edit in &trace.edits {
        apply(&text, &mut doc.transact_mut(), edit);
    }
    fs::write(&path, state(&doc))?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        let (doc, paper) = load(&fs::read(&path)?)?;
        let text = paper.get_string(&doc.transact());
        times.push(began.elapsed().as_secs_f64() * 1e3);
        trace.check(&text)?;
    }
    Ok(vec![Measurement::middle("limit_yrs_reopen", Unit::Milliseconds, &times)?])
}

fn paper() -> (Doc, TextRef) {
    let doc = Doc::new();
    let paper = doc.get_or_insert_text("paper");
    (doc, paper)
}

fn apply(paper: &TextRef, txn: &mut TransactionMut<'_>, edit: &Edit) {
    let (at, removed) = (edit.at as u32, edit.removed as u32);
    if removed > 0 {
        paper.remove_range(txn, at, removed);
    }
    if !edit.inserted.is_empty() {
        paper.insert(txn, at, &edit.inserted);
    }
}

fn state(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

fn load(state: &[u8]) -> Result<(Doc, TextRef)> {
    let (doc, paper) = paper();
    doc.transact_mut().apply_update(Update::decode_v1(state)?)?;
    Ok((doc, paper))
}
