/* A curl multi handle on the loop: libcurl's sockets become watches, its timeout a timer. */
#include "net/drive.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct tl_drive_socket {
    tl_watch watch;
    tl_drive *drive;
    struct tl_drive_socket *next, **link;
};

static void act(tl_drive *drive, curl_socket_t fd, int events)
{
    int running = 0;
    drive->busy++;
    drive->curl->multi_socket_action(drive->multi, fd, events, &running);
    drive->busy--;
    if (drive->after) drive->after(drive);
}

static void on_ready(tl_watch *watch, short revents)
{
    struct tl_drive_socket *socket = watch->data;
    int events = 0;
    if (revents & (POLLIN | POLLHUP)) events |= CURL_CSELECT_IN;
    if (revents & POLLOUT) events |= CURL_CSELECT_OUT;
    if (revents & (POLLERR | POLLNVAL)) events |= CURL_CSELECT_ERR;
    act(socket->drive, watch->fd, events);
}

static void on_due(tl_timer *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void drop_socket(struct tl_drive_socket *socket)
{
    tl_watch_stop(&socket->watch);
    *socket->link = socket->next;
    if (socket->next) socket->next->link = socket->link;
    free(socket);
}

static struct tl_drive_socket *add_socket(tl_drive *drive, curl_socket_t fd)
{
    struct tl_drive_socket *socket = tl_calloc(1, sizeof *socket);
    socket->drive = drive;
    socket->watch.on_ready = on_ready;
    socket->watch.data = socket;
    socket->next = drive->sockets;
    socket->link = &drive->sockets;
    if (socket->next) socket->next->link = &socket->next;
    drive->sockets = socket;
    drive->curl->multi_assign(drive->multi, fd, socket);
    return socket;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned)
{
    (void)easy;
    tl_drive *drive = data;
    struct tl_drive_socket *socket = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (socket) drop_socket(socket);
        return 0;
    }
    if (!socket) socket = add_socket(drive, fd);
    short events = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= POLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= POLLOUT;
    tl_watch_start(drive->loop, &socket->watch, fd, events);
    return 0;
}

static int on_timeout(CURLM *multi, long ms, void *data)
{
    (void)multi;
    tl_drive *drive = data;
    if (ms < 0)
        tl_timer_stop(&drive->timer);
    else
        tl_timer_start(drive->loop, &drive->timer, ms);
    return 0;
}

int tl_drive_init(tl_drive *drive, const tl_curl *curl, tl_loop *loop, tl_error *err)
{
    memset(drive, 0, sizeof *drive);
    drive->curl = curl;
    drive->loop = loop;
    drive->timer.on_due = on_due;
    drive->timer.data = drive;
    drive->multi = curl->multi_init();
    if (!drive->multi) return tl_error_set(err, "io", "libcurl gave no multi handle");
    curl->multi_setopt(drive->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl->multi_setopt(drive->multi, CURLMOPT_SOCKETDATA, drive);
    curl->multi_setopt(drive->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl->multi_setopt(drive->multi, CURLMOPT_TIMERDATA, drive);
    /* The default of 4 per handle closes connections of streams that are still open (curl issue 4369). */
    curl->multi_setopt(drive->multi, CURLMOPT_MAXCONNECTS, 256L);
    return 0;
}

void tl_drive_dispose(tl_drive *drive)
{
    if (!drive->multi) return;
    drive->curl->multi_cleanup(drive->multi);
    drive->multi = NULL;
    while (drive->sockets) drop_socket(drive->sockets);
    tl_timer_stop(&drive->timer);
}
