-- A Neon database for one developer. The URL is in a file of its own with mode 0600, so that it is neither in the
-- project
-- nor in the shell's history; both forms that the services need are derived from it, and its TLS settings are kept.
local home = os.getenv("HOME")

return {
    namespace = "todo-" .. (os.getenv("USER") or "dev"),
    database = { url_file = home .. "/.config/todo-lua/neon.url" },
    values = { config = { openaiBaseUrl = "https://api.openai.com/v1" } },
}
