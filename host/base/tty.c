/* The terminal's state that outlives a program which does not restore it. */
#include "base/tty.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* One terminal, one program: a signal handler can reach nothing else. */
static volatile sig_atomic_t hidden_on = -1, changed_on = -1;
static struct termios before_change;

static int positive(const char *name, int fallback)
{
    const char *text = getenv(name);
    int number = text ? atoi(text) : 0;
    return number > 0 ? number : fallback;
}

void tl_tty_size(int *columns, int *rows)
{
    static const int streams[] = {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO};
    struct winsize size;
    for (int i = 0; i < 3; i++) {
        if (ioctl(streams[i], TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
            *columns = size.ws_col;
            *rows = size.ws_row > 0 ? size.ws_row : 24;
            return;
        }
    }
    *columns = positive("COLUMNS", 80);
    *rows = positive("LINES", 24);
}

int tl_tty_write(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t put = write(fd, bytes, length);
        if (put >= 0) {
            bytes += put;
            length -= (size_t)put;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, -1) < 0 && errno != EINTR) return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

void tl_tty_restore(void)
{
    static const char show[] = "\x1b[?25h";
    if (hidden_on >= 0 && write(hidden_on, show, sizeof show - 1) >= 0) hidden_on = -1;
    if (changed_on >= 0) {
        tcsetattr(changed_on, TCSANOW, &before_change);
        changed_on = -1;
    }
}

static void on_fatal(int number)
{
    int code = errno;
    tl_tty_restore();
    errno = code;
    raise(number); /* SA_RESETHAND: the default action now */
}

/* Interrupts and termination end the program in order, through exit; these do not. */
static void guard(void)
{
    static const int fatal[] = {SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTSTP};
    static int done;
    if (!done) atexit(tl_tty_restore);
    done = 1;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        struct sigaction now, action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};
        if (sigaction(fatal[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) sigaction(fatal[i], &action, NULL);
    }
}

void tl_tty_cursor(int fd, int visible)
{
    if (!isatty(fd)) return;
    if (!visible) guard();
    hidden_on = visible ? -1 : fd;
    tl_tty_write(fd, visible ? "\x1b[?25h" : "\x1b[?25l", 6);
}

/* The settings of the terminal as `change` makes them, or as they were before. */
static int set_typing(int fd, void (*change)(struct termios *settings))
{
    struct termios settings;
    if (!change) {
        if (changed_on < 0) return 0;
        tcsetattr(changed_on, TCSADRAIN, &before_change);
        changed_on = -1;
        return 0;
    }
    if (tcgetattr(fd, &settings) < 0) return -1;
    guard();
    before_change = settings;
    change(&settings);
    changed_on = fd;
    return tcsetattr(fd, TCSAFLUSH, &settings);
}

static void silence(struct termios *settings)
{
    settings->c_lflag &= ~(tcflag_t)ECHO;
}

int tl_tty_echo(int fd, int on)
{
    return set_typing(fd, on ? NULL : silence);
}

int tl_tty_raw(int fd, int on)
{
    return set_typing(fd, on ? cfmakeraw : NULL);
}

static int borrowers;

void tl_tty_lend(int lent)
{
    borrowers += lent ? 1 : -1;
}

int tl_tty_is_lent(void)
{
    return borrowers > 0;
}
