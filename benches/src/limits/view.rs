//! SQL over documents as it is without any protection: views over the hub's own tables, for one user's tree and with no
//! question about rights, on a connection that stays open, with statements that stay prepared.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::Result;

/// From the root down, for what goes over many documents; and from a document up, for what asks for one, which is
/// found in the index of its public number.
const VIEWS: &str = "
    CREATE TEMP VIEW documents AS
      WITH RECURSIVE tree (node, path) AS (
        SELECT id, '' FROM node WHERE kind = 0 AND parent = 0 AND name = 'ann' AND removed IS NULL
        UNION ALL
        SELECT node.id, tree.path || '/' || node.name FROM tree JOIN node ON node.parent = tree.node
        WHERE node.removed IS NULL
      )
      SELECT path, content, coalesce(metadata, '{}') AS metadata, version
      FROM tree JOIN document ON document.node = tree.node;
    CREATE TEMP VIEW document_by_id AS
      SELECT uid, content, (
        WITH RECURSIVE up (parent, path) AS (
          SELECT one.parent, '/' || one.name
          UNION ALL
          SELECT above.parent, '/' || above.name || up.path FROM up JOIN node above ON above.id = up.parent
          WHERE above.kind > 0
        )
        SELECT path FROM up ORDER BY length(path) DESC LIMIT 1
      ) AS path
      FROM node one JOIN document ON document.node = one.id WHERE one.removed IS NULL;";

/// Opens the hub's file read-only, with the views.
pub(crate) fn open_views(file: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2000;")?;
    connection.execute_batch(VIEWS)?;
    Ok(connection)
}
