/* The event loop: timers, descriptors, jobs, signals, children. Each test ends with an empty loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/child.h"
#include "loop/process.h"

static tl_loop *loop;
static char trace[256];

static int setup(void **state)
{
    (void)state;
    loop = tl_loop_new(NULL);
    trace[0] = 0;
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    int left = tl_loop_active(loop);
    tl_loop_free(loop);
    return left;
}

static void note(const char *what)
{
    strncat(trace, what, sizeof trace - strlen(trace) - 1);
}

static void note_timer(tl_timer *timer)
{
    note(timer->data);
}

static void run_until_idle(void)
{
    for (int i = 0; i < 1000 && tl_loop_active(loop); i++) assert_true(tl_loop_step(loop, 2000, NULL) >= 0);
}

static void timers_fire_in_order_of_time(void **state)
{
    (void)state;
    tl_timer t[5] = {0};
    static const int ms[] = {30, 10, 20, 40, 0};
    static char names[][2] = {"c", "a", "b", "x", "0"};
    for (int i = 0; i < 5; i++) {
        t[i].on_due = note_timer;
        t[i].data = names[i];
        tl_timer_start(loop, &t[i], ms[i]);
    }
    tl_timer_stop(&t[3]);
    tl_timer_stop(&t[3]);
    run_until_idle();
    assert_string_equal(trace, "0abc");
}

static void timer_of_many_heap_stays_sorted(void **state)
{
    (void)state;
    static tl_timer t[500];
    memset(t, 0, sizeof t);
    for (int i = 0; i < 500; i++) {
        t[i].on_due = note_timer;
        t[i].data = (void *)"";
        tl_timer_start(loop, &t[i], 100000 + (i * 7919) % 1000);
    }
    for (int i = 0; i < 500; i += 3) tl_timer_stop(&t[i]);
    int live = tl_loop_active(loop);
    assert_int_equal(live, 500 - 167);
    for (int i = 0; i < 500; i++) tl_timer_stop(&t[i]);
}

static void restart_from_callback(tl_timer *timer)
{
    note("r");
    if (strlen(trace) < 3) tl_timer_start(loop, timer, 0);
}

static void timer_restarted_by_its_callback_fires_in_the_next_step(void **state)
{
    (void)state;
    tl_timer t = {.on_due = restart_from_callback};
    tl_timer_start(loop, &t, 0);
    assert_int_equal(tl_loop_step(loop, 0, NULL), 1);
    assert_string_equal(trace, "r");
    run_until_idle();
    assert_string_equal(trace, "rrr");
}

static tl_watch first, second;

static void stop_both(tl_watch *watch, short revents)
{
    (void)watch;
    assert_true(revents & POLLIN);
    note("w");
    tl_watch_stop(&first);
    tl_watch_stop(&second);
}

static void watch_stopped_by_another_callback_is_not_called(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    first.on_ready = second.on_ready = stop_both;
    tl_watch_start(loop, &first, ends[0], POLLIN);
    tl_watch_start(loop, &second, ends[0], POLLIN);
    tl_loop_step(loop, 1000, NULL);
    assert_string_equal(trace, "w");
    close(ends[0]);
    close(ends[1]);
}

static void work(tl_job *job)
{
    *(int *)job->data += 1;
}

static void job_done(tl_job *job)
{
    note(*(int *)job->data == 1 ? "j" : "?");
}

static void jobs_run_on_the_worker_and_return_to_the_loop(void **state)
{
    (void)state;
    tl_job jobs[3] = {0};
    int counts[3] = {0};
    for (int i = 0; i < 3; i++) {
        jobs[i].work = work;
        jobs[i].on_done = job_done;
        jobs[i].data = &counts[i];
        assert_int_equal(tl_job_start(loop, &jobs[i], NULL), 0);
    }
    tl_job_stop(&jobs[2]);
    run_until_idle();
    assert_string_equal(trace, "jj");
}

static void on_signal(tl_signal *s)
{
    (void)s;
    note("s");
}

static void signal_becomes_a_callback(void **state)
{
    (void)state;
    tl_signal s = {.on_signal = on_signal};
    assert_int_equal(tl_signal_start(loop, &s, SIGUSR1, NULL), 0);
    raise(SIGUSR1);
    tl_loop_step(loop, 1000, NULL);
    assert_string_equal(trace, "s");
    tl_signal_stop(&s);
    tl_signal_stop(&s);
}

static void on_exit_of(tl_child *child)
{
    (void)child;
    note("e");
}

static void child_exit_status_and_output_arrive(void **state)
{
    (void)state;
    static const char *const argv[] = {"sh", "-c", "read x; echo got $x; exit 5", NULL};
    tl_child_options o = {.argv = argv, .stdio = {TL_STDIO_PIPE, TL_STDIO_PIPE, TL_STDIO_STDOUT}};
    tl_child c = {.on_exit = on_exit_of};
    char out[64] = "";
    assert_int_equal(tl_child_start(loop, &c, &o, NULL), 0);
    assert_int_equal(write(c.pipes[0], "word\n", 5), 5);
    run_until_idle();
    assert_int_equal(c.status, 5);
    assert_true(read(c.pipes[1], out, sizeof out - 1) > 0);
    assert_string_equal(out, "got word\n");
    assert_int_equal(c.pipes[2], -1);
    close(c.pipes[0]);
    close(c.pipes[1]);
}

static void child_that_is_not_installed_says_which(void **state)
{
    (void)state;
    static const char *const argv[] = {"no-such-program-here", NULL};
    tl_child_options o = {.argv = argv, .stdio = {TL_STDIO_NULL, TL_STDIO_PIPE, TL_STDIO_NULL}};
    tl_child c = {0};
    tl_error e = {0};
    assert_int_equal(tl_child_start(loop, &c, &o, &e), -1);
    assert_string_equal(e.kind, "not_found");
    assert_non_null(strstr(e.message, "no-such-program-here"));
    assert_int_equal(c.pipes[1], -1);
    tl_error_dispose(&e);
}

static void child_killed_by_signal_reports_128_plus(void **state)
{
    (void)state;
    static const char *const argv[] = {"sleep", "100", NULL};
    tl_child_options o = {.argv = argv, .stdio = {TL_STDIO_NULL, TL_STDIO_NULL, TL_STDIO_NULL}};
    tl_child c = {.on_exit = on_exit_of};
    assert_int_equal(tl_child_start(loop, &c, &o, NULL), 0);
    int64_t start = tl_process_start_time(c.pid);
    assert_true(start > 0);
    assert_int_equal(tl_child_kill(&c, SIGTERM), 0);
    run_until_idle();
    assert_int_equal(c.status, 128 + SIGTERM);
    assert_int_equal(tl_child_kill(&c, SIGTERM), -1);
    assert_int_equal(tl_process_start_time(c.pid), -1);
}

static void child_that_ignores_term_is_killed_after_its_grace(void **state)
{
    (void)state;
    static const char *const argv[] = {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done", NULL};
    tl_child_options o = {.argv = argv, .stdio = {TL_STDIO_NULL, TL_STDIO_PIPE, TL_STDIO_NULL}};
    tl_child c = {.on_exit = on_exit_of};
    assert_int_equal(tl_child_start(loop, &c, &o, NULL), 0);
    struct pollfd ready = {.fd = c.pipes[1], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    pid_t pid = c.pid;
    tl_child_stop(&c, 50);
    for (int i = 0; i < 100 && tl_process_start_time(pid) >= 0; i++) tl_loop_step(loop, 50, NULL);
    assert_int_equal(tl_process_start_time(pid), -1);
    for (int i = 0; i < 20 && tl_loop_active(loop); i++) tl_loop_step(loop, 50, NULL);
    assert_string_equal(trace, "");
    close(c.pipes[1]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_in_order_of_time),
        TEST(timer_of_many_heap_stays_sorted),
        TEST(timer_restarted_by_its_callback_fires_in_the_next_step),
        TEST(watch_stopped_by_another_callback_is_not_called),
        TEST(jobs_run_on_the_worker_and_return_to_the_loop),
        TEST(signal_becomes_a_callback),
        TEST(child_exit_status_and_output_arrive),
        TEST(child_that_is_not_installed_says_which),
        TEST(child_killed_by_signal_reports_128_plus),
        TEST(child_that_ignores_term_is_killed_after_its_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
