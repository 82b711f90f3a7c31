"""Runs a program on a terminal of its own: terminal.py PROGRAM ARGUMENT... with a script on standard input, one step a line:
wait TEXT, send TEXT (Python escapes), pause SECONDS, suspend (as Ctrl-Z and fg do: another program had the terminal). Prints what the terminal showed; exits with the program's status."""
import os
import pty
import select
import signal
import sys
import termios
import time

LIMIT = 50  # seconds; only a failure takes so long


def unescape(text):
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


class Terminal:
    def __init__(self, argv):
        self.shown = b""
        self.position = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b""
        self.shown += got
        return got != b""

    def wait(self, text):
        end = time.monotonic() + LIMIT
        while (at := self.shown.find(text, self.position)) < 0:
            if time.monotonic() > end or not self.read(0.2):
                sys.stdout.buffer.write(self.shown)
                sys.exit(f"\nnever came: {text!r}")
        self.position = at + len(text)

    def suspend(self):
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)
        mode = termios.tcgetattr(self.fd)
        mode[3] |= termios.ICANON | termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, mode)
        os.kill(self.pid, signal.SIGCONT)

    def finish(self):
        end = time.monotonic() + LIMIT
        while self.read(0.2):
            if time.monotonic() > end:
                os.kill(self.pid, 9)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def main():
    steps = sys.stdin.buffer.read().decode("latin-1").splitlines()
    terminal = Terminal(sys.argv[1:])
    for step in steps:
        verb, _, text = step.partition(" ")
        if verb == "wait":
            terminal.wait(unescape(text))
        elif verb == "send":
            os.write(terminal.fd, unescape(text))
        elif verb == "pause":
            terminal.read(float(text))
        elif verb == "suspend":
            terminal.suspend()
    status = terminal.finish()
    sys.stdout.buffer.write(terminal.shown)
    sys.exit(status if status >= 0 else 128 - status)


main()
