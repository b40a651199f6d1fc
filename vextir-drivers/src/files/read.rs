//! Files as tools: what is in them, and what is in their folders, within what is granted.

mod driver;
mod open;
mod payload;

pub use driver::FileReader;
pub use payload::{FileContent, FileItem, FileItems, FileList, FileRead};
