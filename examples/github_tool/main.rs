//! Run with `cargo run --example github_tool --features mcp`.
//!
//! The specification's `GitHubToolDriver`: a driver of your own that calls the tools of an MCP server. The server is this
//! program again, started with `--serve FOLDER` as a child process: a processor of its own, whose capabilities it offers over
//! its input and output. It keeps issues as files in a folder, so no network is needed; with the configuration of GitHub's own
//! server (`command` or `url`, and a token as `env:GITHUB_TOKEN`) the driver would be the same.

mod server;

use std::path::Path;
use vextir::BoxError;
use vextir::MemoryBus;
use vextir::drivers::mcp::{McpConfig, McpServer, Untrusted};
use vextir::prelude::*;

/// Create an issue.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "github.issue.create")]
struct CreateIssue {
    repo: String,
    title: String,
    body: String,
}

/// An issue was created.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "github.issue.created", category = "output")]
struct IssueCreated {
    issue_id: u64,
    url: String,
}

/// List the pull requests of a repository.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "github.pr.list")]
struct ListPrs {
    repo: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "github.pr.listed", category = "output")]
struct PrsListed {
    titles: Vec<String>,
}

/// Search repositories.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "github.repo.search")]
struct SearchRepos {
    query: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "github.repo.found", category = "output")]
struct ReposFound {
    repos: Vec<String>,
}

struct GitHubTool {
    mcp: McpServer,
}

/// What a server says is data, and nobody's instruction. The handle does not know what its answers become, so the handlers say it:
/// what follows from an [`Untrusted`] answer inherits its label.
#[driver("github_tool", kind = "tool")]
impl GitHubTool {
    /// Create an issue.
    #[on]
    async fn create(&self, ask: CreateIssue) -> Result<Untrusted<IssueCreated>, vextir::Error> {
        let answer = self
            .mcp
            .call("create_issue", json!({"repo": ask.repo, "title": ask.title, "body": ask.body}))
            .await?;
        let server::Created { id, url } = answer.json()?;
        Ok(Untrusted(IssueCreated { issue_id: id, url }))
    }

    /// List the pull requests of a repository.
    #[on]
    async fn list(&self, ask: ListPrs) -> Result<Untrusted<PrsListed>, vextir::Error> {
        let server::Prs { titles } = self.mcp.call("list_prs", json!({"repo": ask.repo})).await?.json()?;
        Ok(Untrusted(PrsListed { titles }))
    }

    /// Search repositories.
    #[on]
    async fn search(&self, ask: SearchRepos) -> Result<Untrusted<ReposFound>, vextir::Error> {
        let server::Repos { repos } =
            self.mcp.call("search_repos", json!({"query": ask.query})).await?.json()?;
        Ok(Untrusted(ReposFound { repos }))
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => work().await,
        (Some("--serve"), Some(folder)) => server::serve(Path::new(&folder)).await,
        _ => Err("usage: github_tool [--serve FOLDER]".into()),
    }
}

async fn work() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    server::fill(folder.path())?;
    let program = std::env::current_exe()?;
    let config = McpConfig::command(
        program.to_string_lossy(),
        ["--serve".to_owned(), folder.path().to_string_lossy().into_owned()],
    );
    let mcp = McpServer::connect("github", config).await?;
    for tool in mcp.tools() {
        println!("{:<14} {}", tool.name, tool.description);
    }

    // Registered as a driver, the server is watched and its tools are events, too; as a handle, it serves the driver.
    let app = Processor::builder(MemoryBus::new())
        .driver(GitHubTool { mcp: mcp.clone() })
        .driver(mcp)
        .start()
        .await?;
    let repo = || "vextir/vextir".to_owned();
    for title in ["The roof leaks", "The door squeaks"] {
        let issue = CreateIssue { repo: repo(), title: title.into(), body: "Since Monday.".into() };
        println!("{:?}", app.request::<IssueCreated>(issue).await?);
    }
    println!("{:?}", app.request::<PrsListed>(ListPrs { repo: repo() }).await?);
    println!("{:?}", app.request::<ReposFound>(SearchRepos { query: "vex".into() }).await?);

    let nowhere = CreateIssue { repo: "nobody/nothing".into(), title: "x".into(), body: String::new() };
    if let Err(error) = app.request::<IssueCreated>(nowhere).await {
        println!("refused: {error}");
    }
    let raw = Event::new("mcp.github.search_repos").with_data(json!({"query": "tool"}));
    for event in app.process_event(raw).await? {
        println!("{} {:?} {}", event.event_type, event.labels, event.data.value()["structured"]);
    }
    app.shutdown().await?;
    Ok(())
}
