/* Signals as loop callbacks: the handler notes the number and wakes the poll. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "loop/loop_internal.h"

#define MOST_SIGNALS 65

/* Signal handlers have no argument, so what they touch is the program's; one loop receives signals. */
static tl_loop *receiver;
static volatile sig_atomic_t arrived[MOST_SIGNALS], pending;
static void (*on_arrival)(int number);

static void note(int number)
{
    if (number == SIGINT && arrived[number]) {
        /* The first one was not seen: a C function computes without end. The second one ends the program. */
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    if (number < MOST_SIGNALS) arrived[number] = 1;
    pending = 1;
    if (receiver) tl_loop_poke(receiver);
    if (on_arrival) on_arrival(number);
}

int tl_signals_pending(void)
{
    return pending;
}

void tl_signals_on_arrival(void (*fn)(int number))
{
    on_arrival = fn;
}

int tl_signal_start(tl_loop *loop, tl_signal *signal, int number, tl_error *err)
{
    if (signal->loop) return 0;
    receiver = loop;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    if (number <= 0 || number >= MOST_SIGNALS || sigaction(number, &action, NULL) < 0)
        return tl_error_errno(err, errno ? errno : EINVAL, "cannot receive signal %d", number);
    signal->loop = loop;
    signal->number = number;
    signal->next = loop->signals;
    loop->signals = signal;
    return 0;
}

void tl_signal_stop(tl_signal *signal)
{
    tl_loop *loop = signal->loop;
    if (!loop) return;
    int others = 0;
    for (tl_signal **link = &loop->signals; *link;) {
        if (*link == signal) {
            *link = signal->next;
            continue;
        }
        others |= (*link)->number == signal->number;
        link = &(*link)->next;
    }
    signal->loop = NULL;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    if (!others) sigaction(signal->number, &action, NULL);
}

int tl_signals_run(tl_loop *loop)
{
    int called = 0;
    pending = 0; /* first: one that arrives meanwhile counts again */
    for (int number = 1; number < MOST_SIGNALS; number++) {
        if (!arrived[number]) continue;
        arrived[number] = 0;
        for (tl_signal *s = loop->signals, *next; s; s = next) {
            next = s->next;
            if (s->number != number) continue;
            called++;
            s->on_signal(s);
        }
    }
    return called;
}

void tl_signals_end(tl_loop *loop)
{
    while (loop->signals) tl_signal_stop(loop->signals);
    if (receiver == loop) receiver = NULL;
}
