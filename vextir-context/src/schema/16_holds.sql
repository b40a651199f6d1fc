-- Whether the driver of the branch is told of what is held in it.
ALTER TABLE branch ADD COLUMN holds INTEGER NOT NULL DEFAULT 0;
