//! Tools that ask the web.
//!
//! | event | answer |
//! |---|---|
//! | `http.fetch` | `http.fetched`: status, content type and text |
//! | `web.search` | `web.results`, of a service that speaks as SearXNG does |
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir::prelude::*;
//! use vextir_drivers::http::{HttpFetch, HttpFetched, HttpTools};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let tools = HttpTools::new().allow("*.example.com").search("https://search.example.com");
//! let app = vextir::Processor::builder(vextir::MemoryBus::new()).driver(tools).start().await?;
//! // What is not allowed is refused before anything is sent.
//! let ann = app.as_user("ann");
//! let page = ann.request::<HttpFetched>(HttpFetch::get("http://localhost/admin")).await;
//! assert!(page.unwrap_err().to_string().contains("localhost is not among the hosts"));
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **Nothing is allowed until the application says so**: hosts ([`HttpTools::allow`]), and methods other than `GET`
//!   ([`HttpTools::with_methods`]).
//! * **No way leads inside.** A host is looked up once for a connection, each address is checked, and the connection goes to
//!   those addresses: private, loopback, link-local (and so the metadata of clouds), shared, reserved and multicast ones are
//!   refused, as IPv4 within IPv6 too, unless the application allows that very host and port ([`HttpTools::allow_private`]).
//!   Proxies of the environment are not used. Each redirect is checked like the first address, and from outside none leads
//!   inside; at most five are followed, and headers are not carried to another host.
//! * **It ends.** 20 seconds with all redirects, 256 KiB of text, unless the application says otherwise; what is longer is cut,
//!   and `truncated` says so. What is no text is told, and not passed on.
//! * **What comes from outside is labelled `untrusted`**, and so is all that it causes.
//! * **Only a `GET` and a `HEAD` are sent twice.** What fails on the way is tried again if it is one; what was refused is not.
//!   Before anything else is sent, that is noted: when the process dies with it, or its answer cannot be told, it fails, for it
//!   is not known whether it was done. A status that says no is an answer.

mod address;
mod body;
mod driver;
mod fetch;
mod guard;
mod payload;
mod search;

pub use driver::HttpTools;
pub use payload::{HttpFetch, HttpFetched, WebResult, WebResults, WebSearch};
