---@meta http

local http = {}

---@class todo.HttpOptions
---@field method string? default "GET"
---@field headers table<string, string|todo.Secret>?
---@field body string? request body, any bytes
---@field json any? encoded as the body, with Content-Type application/json
---@field timeout number|string? seconds for the whole transfer, default 60 (stream: none); 0: none
---@field connect_timeout number|string? default 10
---@field unix string? path of a unix socket
---@field ca string? PEM text of trusted authorities
---@field ca_file string? the same as a path
---@field cert string? PEM text of a client certificate
---@field key string|todo.Secret? PEM text of its key
---@field insecure boolean? no TLS verification
---@field follow boolean? follow redirects, default true
---@field max_body integer? bytes, default 64 MiB; more raises "too_large"
---@field proxy string? "" for none; default from the environment
---@field fresh boolean? a new connection, closed afterwards: one that was kept may lead to a server that is no longer behind the address
---@field username string?
---@field password string|todo.Secret?

---@class todo.HttpResponse
---@field status integer
---@field status_text string? "404 Not Found" as the server says it; nil where HTTP/2 is spoken, which has no such text
---@field headers table<string,string> lower-case names
---@field body string

---Any HTTP status is a result; only a failed transfer raises ("connect", "dns", "tls", "timeout", "closed").
---@async
---@param url string
---@param options todo.HttpOptions?
---@return todo.HttpResponse
function http.request(url, options) end

---@async
---@param url string
---@param options todo.HttpOptions?
---@return todo.HttpResponse
function http.get(url, options) end

---As request, but returns as soon as the headers are there; iterate the body with `read`.
---@async
---@param url string
---@param options todo.HttpOptions?
---@return todo.HttpStream
function http.stream(url, options) end

---@class todo.HttpStream
---@field status integer
---@field headers table<string,string>
local HttpStream = {}
---@async
---@return string? bytes some bytes, nil at the end
function HttpStream:read() end
---@async
---@return string? line without its newline, nil at the end
function HttpStream:read_line() end
function HttpStream:close() end

---Percent-encodes everything but unreserved characters.
---@param text string
---@return string
function http.escape(text) end

---A listener for tests and forwarders: accepts connections and calls handler(conn) in a task each.
---@param host string
---@param port integer 0: any free one
---@param handler async fun(conn: todo.Conn)
---@return todo.Listener
function http.listen(host, port, handler) end

---A listener without tasks of its own: accept its connections one by one.
---@param host string
---@param port integer? default any free one
---@return todo.Listener
function http.bind(host, port) end

---@class todo.Listener
---@field port integer
local Listener = {}
---@async
---@return todo.Conn? conn nil once the listener is closed
function Listener:accept() end
function Listener:close() end

---A TCP connection.
---@class todo.Conn
local Conn = {}
---@async
---@param max integer? bytes, default 65536
---@return string? bytes nil at the end
function Conn:read(max) end
---@async
---@param bytes string
function Conn:write(bytes) end
---Says that no more will be written.
function Conn:shutdown() end
function Conn:close() end

---The addresses of a host in digits, as the system knows them; nil where it has none. An address is its own. Errors:
---"timeout".
---@async
---@param host string
---@param timeout number|string? default 10
---@return string[]?
function http.addresses(host, timeout) end

---Opens a TCP connection.
---@async
---@param host string
---@param port integer
---@param timeout number|string? default 10
---@return todo.Conn
function http.connect(host, port, timeout) end

return http
