/* Child processes: fork, exec, reaping on SIGCHLD. */
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop_internal.h"

extern char **environ;

static void forget(tl_loop *loop, tl_child *child)
{
    for (tl_child **link = &loop->children; *link; link = &(*link)->next) {
        if (*link != child) continue;
        *link = child->next;
        loop->child_count--;
        return;
    }
}

/* A child that nobody holds any more: it still has to be reaped, and killed where it does not end in time. */
struct tl_orphan {
    pid_t pid;
    int own_group;
    tl_timer timer;
    struct tl_orphan *next;
};

static void signal_child(pid_t pid, int own_group, int number)
{
    kill(own_group ? -pid : pid, number);
}

static void reap_orphans(tl_loop *loop)
{
    for (struct tl_orphan **link = &loop->orphans, *o; (o = *link);) {
        if (waitpid(o->pid, NULL, WNOHANG) == 0) {
            link = &o->next;
            continue;
        }
        *link = o->next;
        tl_timer_stop(&o->timer);
        free(o);
    }
}

static void on_grace_over(tl_timer *timer)
{
    struct tl_orphan *o = timer->data;
    signal_child(o->pid, o->own_group, SIGKILL);
}

void tl_children_end(tl_loop *loop)
{
    /* The program ends: what was told to end gets a last moment. */
    for (int tenths = 0; tenths < 20; tenths++) {
        int waiting = 0;
        reap_orphans(loop);
        for (struct tl_orphan *o = loop->orphans; o; o = o->next) waiting |= o->timer.slot;
        if (!waiting) break;
        poll(NULL, 0, 100);
    }
    for (struct tl_orphan *o; (o = loop->orphans);) {
        loop->orphans = o->next;
        if (o->timer.slot) signal_child(o->pid, o->own_group, SIGKILL);
        tl_timer_stop(&o->timer);
        free(o);
    }
}

static void reap(tl_signal *signal)
{
    tl_loop *loop = signal->loop;
    reap_orphans(loop);
    for (tl_child *c = loop->children, *next; c; c = next) {
        int status;
        next = c->next;
        if (waitpid(c->pid, &status, WNOHANG) != c->pid) continue;
        c->running = 0;
        c->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        forget(loop, c);
        if (!c->on_exit) continue;
        c->on_exit(c);
        /* The callback may have stopped the next child as well: start over. */
        next = loop->children;
    }
}

/* Our end, non-blocking; the child's end in *theirs. */
static int make_pipe(int index, int *ours, int *theirs, tl_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return tl_error_errno(err, errno, "cannot make a pipe");
    int child_reads = index == 0;
    *theirs = ends[child_reads ? 0 : 1];
    *ours = ends[child_reads ? 1 : 0];
    fcntl(*ours, F_SETFL, O_NONBLOCK);
    return 0;
}

static int open_stdio(tl_child *child, const tl_child_options *o, int theirs[3], tl_error *err)
{
    for (int i = 0; i < 3; i++) {
        switch (o->stdio[i]) {
        case TL_STDIO_PIPE:
            if (make_pipe(i, &child->pipes[i], &theirs[i], err) < 0) return -1;
            break;
        case TL_STDIO_NULL:
            theirs[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
            if (theirs[i] < 0) return tl_error_errno(err, errno, "cannot open /dev/null");
            break;
        case TL_STDIO_INHERIT: theirs[i] = i; break;
        case TL_STDIO_FD: theirs[i] = o->fds[i]; break;
        case TL_STDIO_STDOUT: theirs[i] = -1; break;
        }
    }
    return 0;
}

static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction now;
        if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN)
            signal(number, SIG_DFL);
    }
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves the wanted descriptors to 0, 1, 2. They are first copied above 2, so that no copy overwrites one still needed;
 * the copy to 0..2 loses the close-on-exec flag. */
static int place_stdio(const int theirs[3])
{
    int high[3];
    for (int i = 0; i < 3; i++) {
        high[i] = theirs[i] < 0 ? high[1] : fcntl(theirs[i], F_DUPFD_CLOEXEC, 3);
        if (high[i] < 0) return -1;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(high[i], i) < 0) return -1;
    return 0;
}

_Noreturn static void become(const tl_child_options *o, const int theirs[3], int report)
{
    if (o->detached)
        setsid();
    else if (o->stdio[0] != TL_STDIO_INHERIT)
        setpgid(0, 0);
    reset_signals();
    /* A library may have opened descriptors without the flag; none of them is the program's business. */
    for (int fd = 3; fd < 256; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
    int failed = place_stdio(theirs) < 0 || (o->cwd && chdir(o->cwd) < 0);
    if (!failed) {
        if (o->env) environ = (char **)o->env;
        execvp(o->argv[0], (char *const *)o->argv);
    }
    int code = errno;
    ssize_t ignored = write(report, &code, sizeof code);
    (void)ignored;
    _exit(127);
}

static void close_theirs(const tl_child_options *o, int theirs[3])
{
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0 && (o->stdio[i] == TL_STDIO_PIPE || o->stdio[i] == TL_STDIO_NULL)) close(theirs[i]);
}

static void close_ours(tl_child *child)
{
    for (int i = 0; i < 3; i++) {
        if (child->pipes[i] >= 0) close(child->pipes[i]);
        child->pipes[i] = -1;
    }
}

/* Forks; the child's exec error comes back through a pipe that a successful exec closes. */
static int fork_child(tl_child *child, const tl_child_options *o, const int theirs[3], tl_error *err)
{
    int report[2], code = 0;
    if (pipe2(report, O_CLOEXEC) < 0) return tl_error_errno(err, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) become(o, theirs, report[1]);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return tl_error_errno(err, errno, "cannot start a process");
    }
    ssize_t got;
    do got = read(report[0], &code, sizeof code);
    while (got < 0 && errno == EINTR);
    close(report[0]);
    if (got > 0) {
        waitpid(pid, NULL, 0);
        tl_error_errno(err, code, "cannot run %s%s%s", o->argv[0], o->cwd ? " in " : "", o->cwd ? o->cwd : "");
        if (code == ENOENT && !o->cwd) tl_error_hint(err, "install %s, or check PATH", o->argv[0]);
        return -1;
    }
    child->pid = pid;
    return 0;
}

int tl_child_start(tl_loop *loop, tl_child *child, const tl_child_options *o, tl_error *err)
{
    int theirs[3] = {-1, -1, -1}, rc = -1;
    for (int i = 0; i < 3; i++) child->pipes[i] = -1;
    if (!loop->child_signal.loop) {
        loop->child_signal.on_signal = reap;
        if (tl_signal_start(loop, &loop->child_signal, SIGCHLD, err) < 0) return -1;
    }
    if (open_stdio(child, o, theirs, err) < 0) goto out;
    if (fork_child(child, o, theirs, err) < 0) goto out;
    child->loop = loop;
    child->running = 1;
    child->status = 0;
    child->next = loop->children;
    loop->children = child;
    loop->child_count++;
    rc = 0;
out:
    close_theirs(o, theirs);
    if (rc < 0) close_ours(child);
    return rc;
}

int tl_child_kill(tl_child *child, int number)
{
    if (!child->running) return -1;
    /* A child that shares our process group (inherited terminal) has none of its own. */
    return getpgid(child->pid) == child->pid ? kill(-child->pid, number) : kill(child->pid, number);
}

void tl_child_stop(tl_child *child, int grace_ms)
{
    if (!child->running || !child->loop) return;
    tl_loop *loop = child->loop;
    struct tl_orphan *o = tl_calloc(1, sizeof *o);
    o->pid = child->pid;
    o->own_group = getpgid(child->pid) == child->pid;
    o->timer.data = o;
    o->timer.on_due = on_grace_over;
    o->next = loop->orphans;
    loop->orphans = o;
    if (grace_ms >= 0) {
        signal_child(o->pid, o->own_group, SIGTERM);
        tl_timer_start(loop, &o->timer, grace_ms);
    }
    forget(loop, child);
    child->loop = NULL;
    child->running = 0;
}
