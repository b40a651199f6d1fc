//! The Model Context Protocol: tools of others, and ours for others.
