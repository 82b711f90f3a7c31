std = "lua54"
ignore = { "211/_.*" }
max_line_length = 120
exclude_files = { "build", "examples/todo-app", "lua/types" }
files["tests/"] = { max_line_length = 160 } -- cases are tables of one line each
