---@meta term

---The terminal. All output of scripts passes the redactor.
local term = {}

---Writes to stdout (stderr) as it is, after redaction.
---@param text string
function term.write(text) end
---@param text string
function term.write_err(text) end

---@param stream "stdout"|"stderr"|"stdin"?
---@return boolean
function term.is_tty(stream) end

---Whether another program, such as a credential plugin, asks people something on the terminal: then nothing is drawn.
---@return boolean
function term.is_lent() end

---Whether colour is wanted: --color, NO_COLOR, CLICOLOR_FORCE, TERM=dumb, terminal.
---@return boolean
function term.color() end

---@return integer columns 80 where unknown
---@return integer rows
function term.size() end

---Columns the text takes (escape sequences none, wide runes two).
---@param text string
---@return integer
function term.width(text) end

---Cuts to at most `columns`, ending in "…" where something was cut.
---@param text string
---@param columns integer
---@return string
function term.truncate(text, columns) end

---Wraps in an SGR style when colour is on.
---@param style "bold"|"dim"|"red"|"green"|"yellow"|"blue"|"magenta"|"cyan"
---@param text string
---@return string
function term.style(style, text) end

---Hides or shows the cursor; always shown again at exit.
---@param visible boolean
function term.cursor(visible) end

---Reads a line from the terminal; nil at end of input or where there is no terminal.
---@async
---@param prompt string
---@param options { hidden: boolean? }?
---@return string?
function term.prompt(prompt, options) end

---Standard input as it comes; raw: each key at once, Ctrl-C included, where it is a terminal (restored by close).
---@param options { raw: boolean? }?
---@return todo.TermInput
function term.input(options) end

---@class todo.TermInput
local TermInput = {}
---@async
---@return string? bytes nil at the end
function TermInput:read() end
---Waits until the terminal has another size.
---@async
---@return integer columns
---@return integer rows
function TermInput:resized() end
function TermInput:close() end

---Removes control characters and escape sequences of a stranger's text (all but tab and newline).
---@param text string
---@return string
function term.clean(text) end

return term
