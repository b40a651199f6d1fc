//! The other side: a processor that keeps repositories in a folder, and offers that to agents over MCP.

use std::fs;
use std::path::{Path, PathBuf};
use vextir::drivers::mcp::Offer;
use vextir::prelude::*;
use vextir::{BoxError, MemoryBus};

/// Create an issue in a repository.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "create_issue")]
struct Create {
    repo: String,
    title: String,
    body: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "issue.created", category = "output")]
pub(crate) struct Created {
    pub(crate) id: u64,
    pub(crate) url: String,
}

/// List the open pull requests of a repository.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "list_prs")]
struct List {
    repo: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "prs.listed", category = "output")]
pub(crate) struct Prs {
    pub(crate) titles: Vec<String>,
}

/// Search repositories by their names.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "search_repos")]
struct Search {
    query: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "repos.found", category = "output")]
pub(crate) struct Repos {
    pub(crate) repos: Vec<String>,
}

/// Repositories as folders: `OWNER/NAME/issues/1.json` and `OWNER/NAME/prs.txt`.
struct Repositories {
    folder: PathBuf,
}

#[driver("repositories", kind = "io", concurrency = 1)]
impl Repositories {
    /// Create an issue in a repository.
    #[on]
    async fn create(&self, ask: Create, cx: &Ctx) -> Result<Created, Failure> {
        let issues = self.find(&ask.repo)?.join("issues");
        let key = cx.idempotency_key();
        let count = fs::read_dir(&issues).map_err(Failure::transient)?.count() as u64;
        // An issue that was written before a crash is found again.
        let known = (1..=count).find(|id| is_of(&issues.join(format!("{id}.json")), &key));
        let id = known.unwrap_or(count + 1);
        let issue = json!({"title": ask.title, "body": ask.body, "key": key});
        let path = issues.join(format!("{id}.json"));
        fs::write(path, issue.to_string()).map_err(Failure::transient)?;
        Ok(Created { id, url: format!("https://git.example/{}/issues/{id}", ask.repo) })
    }

    /// List the open pull requests of a repository.
    #[on(effect = "reads")]
    async fn list(&self, ask: List) -> Result<Prs, Failure> {
        let text = fs::read_to_string(self.find(&ask.repo)?.join("prs.txt")).map_err(Failure::transient)?;
        Ok(Prs { titles: text.lines().map(str::to_owned).collect() })
    }

    /// Search repositories by their names.
    #[on(effect = "reads")]
    async fn search(&self, ask: Search) -> Result<Repos, Failure> {
        let mut repos = Vec::new();
        for owner in fs::read_dir(&self.folder).map_err(Failure::transient)?.flatten() {
            for repo in fs::read_dir(owner.path()).map_err(Failure::transient)?.flatten() {
                repos.push(format!("{}/{}", owner.file_name().display(), repo.file_name().display()));
            }
        }
        repos.retain(|repo| repo.contains(&ask.query));
        repos.sort();
        Ok(Repos { repos })
    }
}

impl Repositories {
    /// The folder of a repository. Its name comes from outside, and does not lead out of ours.
    fn find(&self, repo: &str) -> Result<PathBuf, Failure> {
        let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
        let folder = self.folder.join(repo);
        if repo.split('/').count() == 2 && repo.split('/').all(is_plain) && folder.is_dir() {
            Ok(folder)
        } else {
            Err(Failure::permanent(format!("there is no repository {repo:?}")))
        }
    }
}

fn is_of(issue: &Path, key: &str) -> bool {
    let text = fs::read_to_string(issue).unwrap_or_default();
    serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|issue| issue["key"] == key)
}

/// Two repositories to begin with.
pub(crate) fn fill(folder: &Path) -> std::io::Result<()> {
    for (repo, prs) in [("vextir/vextir", "Tools of MCP servers\nA faster bus\n"), ("ada/tools", "")] {
        fs::create_dir_all(folder.join(repo).join("issues"))?;
        fs::write(folder.join(repo).join("prs.txt"), prs)?;
    }
    Ok(())
}

/// Serves until who started it closes its input.
pub(crate) async fn serve(folder: &Path) -> Result<(), BoxError> {
    let repositories = Repositories { folder: folder.to_path_buf() };
    let app = Processor::builder(MemoryBus::new()).driver(repositories).start().await?;
    let offer = Offer::new(&app).tool("create_issue").tool("list_prs").tool("search_repos");
    offer.serve_stdio(app.as_user("agent")).await?;
    app.shutdown().await?;
    Ok(())
}
