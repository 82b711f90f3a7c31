"""What the API and the MCP server share: settings, the database, tasks, and the check of a user's token."""
