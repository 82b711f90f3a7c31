"""The server of the network tests: one port of TCP, one unix socket. Prints the port, then serves until its standard
input ends."""
import http.server
import socketserver
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "test"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def start_chunks(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline(), 16)
                data += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return data
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        body = self.body()
        path = self.path
        if path == "/echo":
            kind = self.headers.get("Content-Type", "none")
            text = "%s %s %s %d\n" % (self.command, path, kind, len(body))
            self.answer(200, text.encode() + body, [("X-Twice", "one"), ("X-Twice", "two")])
        elif path == "/redirect":
            self.answer(302, b"elsewhere", [("Location", "/echo")])
        elif path == "/circle":
            self.answer(302, b"", [("Location", "/circle")])
        elif path == "/missing":
            self.answer(404, b"no such thing")
        elif path == "/auth":
            self.answer(200, self.headers.get("Authorization", "").encode())
        elif path.startswith("/bytes/"):
            count = int(path[7:])
            self.start_chunks()
            block = bytes(range(256)) * 256
            while count > 0:
                part = block[:min(count, len(block))]
                self.chunk(part)
                count -= len(part)
            self.wfile.write(b"0\r\n\r\n")
        elif path == "/stall":
            self.start_chunks()
            self.chunk(b"first")
            time.sleep(30)
        elif path == "/silent":
            time.sleep(30)
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"only this")
            self.close_connection = True
        elif path == "/nul":
            self.answer(200, b"a\0b\xff\xfe")
        else:
            self.answer(200, b"ok")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET


class Quiet(socketserver.ThreadingMixIn):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Server(Quiet, http.server.HTTPServer):
    pass


class UnixServer(Quiet, socketserver.UnixStreamServer):
    pass


tcp = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=tcp.serve_forever, daemon=True).start()
unix = UnixServer(sys.argv[1], Handler)
threading.Thread(target=unix.serve_forever, daemon=True).start()
# In one write, since the test reads once and closes: print may take two (PYTHONUNBUFFERED), and die of the second.
sys.stdout.write("%d\n" % tcp.server_address[1])
sys.stdout.flush()
sys.stdin.read()
