/* A byte stream to a server through libcurl's CONNECT_ONLY, TLS and proxies included. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/easy.h"
#include "net/net_internal.h"

#define OUT_SIZE 16384 /* of a TLS record */

struct tl_stream {
    tl_net *net; /* NULL once the net is gone */
    tl_stream *next, **link;
    tl_stream_options options;
    /* Removing the handle from its multi would end the connection, so each stream keeps a multi of its own. */
    tl_drive drive;
    tl_easy easy;
    tl_watch watch;
    tl_timer again; /* libcurl may hold decrypted bytes of which poll knows nothing */
    int connected, paused, want_write, ended, calling, freed, shut;
    /* What is being sent. TLS wants the very same memory again after it could not write, so it is taken over here. */
    char *out;
    size_t out_at, out_len;
    tl_error err;
};

static void release(tl_stream *s)
{
    tl_watch_stop(&s->watch);
    tl_timer_stop(&s->again);
    if (s->drive.multi) {
        s->drive.curl->multi_remove_handle(s->drive.multi, s->easy.handle);
        tl_drive_dispose(&s->drive);
    }
    tl_easy_dispose(&s->easy);
    free(s->out);
    s->out = NULL;
    s->out_at = s->out_len = 0;
    if (s->net) {
        *s->link = s->next;
        if (s->next) s->next->link = s->link;
        s->net = NULL;
    }
}

void tl_stream_free(tl_stream *s)
{
    if (!s) return;
    if (s->calling || s->drive.busy) {
        s->freed = 1;
        return;
    }
    release(s);
    tl_error_dispose(&s->err);
    free(s);
}

void tl_net_drop_streams(tl_net *net)
{
    while (net->streams) {
        tl_stream *s = net->streams;
        release(s);
        s->connected = 0;
        if (!s->err.message) tl_error_set(&s->err, "closed", "the connection was closed here");
    }
}

/* Calls back with the stream protected from being freed meanwhile; 0 where it was freed. */
static int call(tl_stream *s, void (*callback)(tl_stream *, void *))
{
    if (!callback) return 1;
    s->calling++;
    callback(s, s->options.data);
    s->calling--;
    if (!s->freed || s->calling) return !s->freed;
    tl_stream_free(s);
    return 0;
}

static void watch_again(tl_stream *s)
{
    if (!s->connected) return;
    short events = 0;
    if (!s->paused && !s->ended) events |= POLLIN;
    if (s->want_write) events |= POLLOUT;
    if (events)
        tl_watch_start(s->drive.loop, &s->watch, s->watch.fd, events);
    else
        tl_watch_stop(&s->watch);
}

/* Sends what was taken over: 1 where all is gone, 0 where it has to wait, -1. */
static int send_out(tl_stream *s, tl_error *err)
{
    while (s->out_at < s->out_len) {
        size_t sent = 0;
        CURLcode code = s->easy.curl->easy_send(s->easy.handle, s->out + s->out_at, s->out_len - s->out_at, &sent);
        s->out_at += sent;
        if (code == CURLE_AGAIN) {
            s->want_write = 1;
            watch_again(s);
            return 0;
        }
        if (code != CURLE_OK) {
            tl_easy_error(&s->easy, code, err);
            return -1;
        }
    }
    s->out_at = s->out_len = 0;
    if (s->shut) shutdown(s->watch.fd, SHUT_WR);
    return 1;
}

static void on_ready(tl_watch *watch, short revents)
{
    tl_stream *s = watch->data;
    if (s->want_write && (revents & (POLLOUT | POLLERR | POLLHUP))) {
        tl_error err = {0};
        s->want_write = 0;
        int rc = send_out(s, &err);
        tl_error_dispose(&err); /* the next write meets it again */
        watch_again(s);
        if (rc && !call(s, s->options.on_writable)) return;
    }
    if (!s->paused && !s->ended && (revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL))) call(s, s->options.on_readable);
}

static void on_again(tl_timer *timer)
{
    tl_stream *s = timer->data;
    if (!s->paused && !s->ended) call(s, s->options.on_readable);
}

static void after_curl(tl_drive *drive)
{
    tl_stream *s = drive->data;
    int left;
    CURLMsg *message = drive->curl->multi_info_read(drive->multi, &left);
    if (!message || message->msg != CURLMSG_DONE || s->connected) return;
    CURLcode code = message->data.result;
    if (code == CURLE_OK) {
        curl_socket_t fd = CURL_SOCKET_BAD;
        drive->curl->easy_getinfo(s->easy.handle, CURLINFO_ACTIVESOCKET, &fd);
        if (fd == CURL_SOCKET_BAD) code = CURLE_COULDNT_CONNECT;
        s->watch.fd = fd;
    }
    if (code != CURLE_OK) {
        tl_easy_error(&s->easy, code, &s->err);
    } else {
        s->connected = 1;
        watch_again(s);
    }
    call(s, s->options.on_connect);
}

tl_stream *tl_stream_open(tl_net *net, const tl_stream_options *options, tl_error *err)
{
    const tl_curl *curl = net->drive.curl;
    tl_stream *s = tl_calloc(1, sizeof *s);
    const tl_easy_target target = {options->url, options->unix_socket, options->proxy, options->tls,
                                   options->connect_timeout_ms};
    if (tl_easy_open(&s->easy, curl, &target, err) < 0) goto failed;
    if (tl_drive_init(&s->drive, curl, net->loop, err) < 0) goto failed;
    s->options = *options;
    s->options.url = s->options.unix_socket = s->options.proxy = NULL;
    s->options.tls = NULL;
    s->drive.after = after_curl;
    s->drive.data = s;
    s->watch.on_ready = on_ready;
    s->watch.data = s;
    s->again.on_due = on_again;
    s->again.data = s;
    s->net = net;
    s->next = net->streams;
    s->link = &net->streams;
    if (s->next) s->next->link = &s->next;
    net->streams = s;
    curl->easy_setopt(s->easy.handle, CURLOPT_CONNECT_ONLY, 1L);
    /* With the default, TLS would settle on HTTP/2 and curl_easy_send then fails. */
    curl->easy_setopt(s->easy.handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl->easy_setopt(s->easy.handle, CURLOPT_HTTPPROXYTUNNEL, 1L); /* also to a server without TLS */
    curl->multi_add_handle(s->drive.multi, s->easy.handle);
    return s;
failed:
    tl_easy_dispose(&s->easy);
    free(s);
    return NULL;
}

int64_t tl_stream_read(tl_stream *s, char *buffer, size_t size, tl_error *err)
{
    if (s->err.message || !s->connected) return tl_error_set(err, "closed", "the connection is not open");
    size_t got = 0;
    CURLcode code = s->easy.curl->easy_recv(s->easy.handle, buffer, size, &got);
    if (code == CURLE_AGAIN) return tl_error_set(err, "again", "nothing there now");
    if (code != CURLE_OK) {
        tl_easy_error(&s->easy, code, err);
        s->ended = 1;
        watch_again(s);
        return -1;
    }
    if (!got) {
        s->ended = 1;
        watch_again(s);
        return 0;
    }
    if (!s->paused) tl_timer_start(s->drive.loop, &s->again, 0);
    return (int64_t)got;
}

int64_t tl_stream_write(tl_stream *s, const char *bytes, size_t length, tl_error *err)
{
    if (s->err.message || !s->connected) return tl_error_set(err, "closed", "the connection is not open");
    size_t taken = 0;
    if (!s->out) s->out = tl_malloc(OUT_SIZE);
    int rc = send_out(s, err);
    while (rc > 0 && taken < length) {
        size_t size = length - taken < OUT_SIZE ? length - taken : OUT_SIZE;
        memcpy(s->out, bytes + taken, size);
        s->out_len = size;
        taken += size;
        rc = send_out(s, err);
    }
    return rc < 0 ? -1 : (int64_t)taken;
}

void tl_stream_shutdown(tl_stream *s)
{
    s->shut = 1;
    if (s->connected && !s->out_len) shutdown(s->watch.fd, SHUT_WR);
}

tl_error *tl_stream_error(tl_stream *s)
{
    return s->err.message ? &s->err : NULL;
}

void tl_stream_pause(tl_stream *s, int paused)
{
    if (s->paused == !!paused) return;
    s->paused = !!paused;
    watch_again(s);
    if (!s->paused && s->connected)
        tl_timer_start(s->drive.loop, &s->again, 0);
    else
        tl_timer_stop(&s->again);
}
