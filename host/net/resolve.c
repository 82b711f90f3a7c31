/* Names of hosts to addresses. */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

/* Held by the asking side and by the thread; the last one frees it. */
typedef struct tl_resolve_question {
    pthread_mutex_t lock;
    int holders;
    char *host;
    int port, code;
    struct addrinfo *addresses;
    int done[2]; /* a pipe: the thread closes its end when it has the answer */
} question;

int tl_resolve_now(const char *host, int port, int flags, struct addrinfo **out)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV | flags, .ai_socktype = SOCK_STREAM};
    return getaddrinfo(*host ? host : NULL, service, &hints, out);
}

static void release(question *q)
{
    pthread_mutex_lock(&q->lock);
    int left = --q->holders;
    pthread_mutex_unlock(&q->lock);
    if (left) return;
    pthread_mutex_destroy(&q->lock);
    if (q->addresses) freeaddrinfo(q->addresses);
    free(q->host);
    free(q);
}

static void *ask(void *data)
{
    question *q = data;
    struct addrinfo *found = NULL;
    int code = tl_resolve_now(q->host, q->port, 0, &found), end = q->done[1];
    pthread_mutex_lock(&q->lock);
    q->code = code;
    q->addresses = found;
    pthread_mutex_unlock(&q->lock);
    release(q);
    close(end);
    return NULL;
}

static void leave(tl_resolve *r)
{
    question *q = r->question;
    r->question = NULL;
    tl_watch_stop(&r->watch);
    close(q->done[0]);
    release(q);
}

static void on_answer(tl_watch *watch, short revents)
{
    (void)revents;
    tl_resolve *r = watch->data;
    question *q = r->question;
    pthread_mutex_lock(&q->lock);
    r->code = q->code;
    r->addresses = q->addresses;
    q->addresses = NULL;
    pthread_mutex_unlock(&q->lock);
    leave(r);
    r->on_done(r);
}

int tl_resolve_start(tl_loop *loop, tl_resolve *r, const char *host, int port, tl_error *err)
{
    pthread_t thread;
    question *q = tl_calloc(1, sizeof *q);
    pthread_mutex_init(&q->lock, NULL);
    q->holders = 1;
    q->host = tl_strdup(host);
    q->port = port;
    if (pipe2(q->done, O_CLOEXEC)) {
        tl_error_errno(err, errno, "cannot ask for the address of %s", host);
        release(q);
        return -1;
    }
    q->holders++;
    r->question = q;
    r->watch.on_ready = on_answer;
    r->watch.data = r;
    if (tl_thread_start(&thread, ask, q, err)) {
        close(q->done[1]);
        release(q);
        leave(r);
        return -1;
    }
    pthread_detach(thread);
    tl_watch_start(loop, &r->watch, q->done[0], POLLIN);
    return 0;
}

void tl_resolve_stop(tl_resolve *r)
{
    if (r->question) leave(r);
    if (r->addresses) freeaddrinfo(r->addresses);
    r->addresses = NULL;
}

int tl_is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char digits[INET6_ADDRSTRLEN];
    const char *zone = strchr(host, ':') ? strchr(host, '%') : NULL;
    if (!zone) return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
    size_t length = (size_t)(zone - host);
    if (!zone[1] || length >= sizeof digits) return 0;
    memcpy(digits, host, length);
    digits[length] = 0;
    return inet_pton(AF_INET6, digits, bytes) == 1;
}

void tl_resolve_text(const struct addrinfo *address, char out[64])
{
    if (getnameinfo(address->ai_addr, address->ai_addrlen, out, 64, NULL, 0, NI_NUMERICHOST)) *out = 0;
}
