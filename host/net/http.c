/* HTTP requests on one curl multi handle: bodies collected or streamed, paused and resumed in both directions. */
#include "net/http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/easy.h"
#include "net/net_internal.h"

#define MAX_BODY ((size_t)64 << 20)
#define MAX_REDIRECTS 10L

enum { QUEUED, RUNNING, ENDED };

struct tl_http_request {
    tl_net *net; /* NULL once the net is gone */
    tl_http_request *next, **link;
    tl_http_options options; /* the borrowed pointers in it are cleared */
    tl_easy easy;
    struct curl_slist *lines;
    char *body;
    int state, cancelled, freed, resume, paused;
    int status, headers_done;
    char *status_text;
    tl_header *headers;
    size_t header_count, header_cap;
    tl_buf answer;
    tl_error err;
    tl_timer idle;
    int64_t last_byte;
};

static void after_curl(tl_drive *drive);
static void on_kick(tl_timer *timer);

tl_net *tl_net_new(tl_loop *loop, tl_error *err)
{
    const tl_curl *curl = tl_curl_load(err);
    if (!curl) return NULL;
    tl_net *net = tl_calloc(1, sizeof *net);
    net->loop = loop;
    if (tl_drive_init(&net->drive, curl, loop, err) < 0) {
        free(net);
        return NULL;
    }
    net->drive.after = after_curl;
    net->drive.data = net;
    net->kick.on_due = on_kick;
    net->kick.data = net;
    return net;
}

tl_loop *tl_net_loop(const tl_net *net)
{
    return net->loop;
}

void tl_net_free(tl_net *net)
{
    if (!net) return;
    while (net->requests) tl_http_cancel(net->requests);
    tl_net_drop_streams(net);
    tl_timer_stop(&net->kick);
    tl_drive_dispose(&net->drive);
    free(net);
}

static void clear_headers(tl_http_request *r)
{
    for (size_t i = 0; i < r->header_count; i++) {
        free((char *)r->headers[i].name);
        free((char *)r->headers[i].value);
    }
    r->header_count = 0;
    free(r->status_text);
    r->status_text = NULL;
}

static void destroy(tl_http_request *r)
{
    tl_easy_dispose(&r->easy);
    r->easy.curl->slist_free_all(r->lines);
    clear_headers(r);
    free(r->headers);
    free(r->body);
    tl_buf_dispose(&r->answer);
    tl_error_dispose(&r->err);
    free(r);
}

/* Takes the request out of libcurl and of the net's list. */
static void leave(tl_http_request *r)
{
    if (r->state == ENDED) return;
    if (r->state == RUNNING) r->net->drive.curl->multi_remove_handle(r->net->drive.multi, r->easy.handle);
    r->state = ENDED;
    tl_timer_stop(&r->idle);
    *r->link = r->next;
    if (r->next) r->next->link = r->link;
    r->net = NULL;
}

static void end(tl_http_request *r)
{
    leave(r);
    if (r->options.on_done) r->options.on_done(r, r->options.data);
}

/* What curl's callbacks asked for while curl's own functions could not be called. */
static void do_put_off(tl_net *net)
{
    tl_http_request *next;
    for (tl_http_request *r = net->requests; r; r = next) {
        next = r->next;
        if (r->cancelled) {
            int freed = r->freed;
            leave(r);
            if (freed) destroy(r);
        } else if (r->state == QUEUED) {
            r->state = RUNNING;
            net->drive.curl->multi_add_handle(net->drive.multi, r->easy.handle);
        }
    }
    net->put_off = 0;
}

static void after_curl(tl_drive *drive)
{
    tl_net *net = drive->data;
    if (drive->busy) return;
    if (net->put_off) do_put_off(net);
    CURLMsg *message;
    int left;
    while ((message = drive->curl->multi_info_read(drive->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        tl_http_request *r = NULL;
        CURLcode code = message->data.result;
        drive->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        if (code != CURLE_OK && !r->err.message) tl_easy_error(&r->easy, code, &r->err);
        end(r);
    }
}

static void on_kick(tl_timer *timer)
{
    tl_net *net = timer->data;
    net->drive.busy++;
    for (tl_http_request *r = net->requests; r; r = r->next) {
        if (!r->resume || r->cancelled || r->state != RUNNING) continue;
        r->resume = r->paused = 0;
        r->last_byte = tl_loop_now(net->loop);
        net->drive.curl->easy_pause(r->easy.handle, CURLPAUSE_CONT);
    }
    net->drive.busy--;
    after_curl(&net->drive);
}

static void put_off(tl_net *net)
{
    net->put_off = 1;
    /* From outside of libcurl nothing else would look soon. */
    tl_timer_start(net->loop, &net->kick, 0);
}

static void on_idle(tl_timer *timer)
{
    tl_http_request *r = timer->data;
    int64_t quiet = tl_loop_now(timer->loop) - r->last_byte;
    if (r->paused || quiet < r->options.idle_timeout_ms) {
        tl_timer_start(timer->loop, timer, r->paused ? r->options.idle_timeout_ms : r->options.idle_timeout_ms - quiet);
        return;
    }
    tl_error_set(&r->err, "timeout", "%s has been silent for %lld s", r->easy.peer, (long long)(quiet / 1000));
    end(r);
}

static void add_header(tl_http_request *r, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    if (!colon) return;
    if (r->header_count == r->header_cap) {
        r->header_cap = r->header_cap ? r->header_cap * 2 : 16;
        r->headers = tl_realloc(r->headers, r->header_cap * sizeof *r->headers);
    }
    char *name = tl_strndup(line, (size_t)(colon - line));
    for (char *c = name; *c; c++) *c = (char)tolower((unsigned char)*c);
    const char *value = colon + 1, *stop = line + length;
    while (value < stop && (*value == ' ' || *value == '\t')) value++;
    while (stop > value && (unsigned char)stop[-1] <= ' ') stop--;
    r->headers[r->header_count++] = (tl_header){name, tl_strndup(value, (size_t)(stop - value))};
}

static int will_redirect(const tl_http_request *r)
{
    int s = r->status;
    return r->options.follow && (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) &&
           tl_http_header(r, "location");
}

/* What follows the protocol in a status line, without the spaces in between and the line's end. */
static char *status_text(const char *from, const char *end)
{
    while (from < end && *from == ' ') from++;
    while (end > from && (end[-1] == '\n' || end[-1] == '\r')) end--;
    return tl_strndup(from, (size_t)(end - from));
}

static size_t on_header(char *line, size_t size, size_t count, void *data)
{
    tl_http_request *r = data;
    size_t length = size * count;
    if (r->cancelled) return 0;
    r->last_byte = tl_loop_now(r->net->loop);
    if (!strncmp(line, "HTTP/", length < 5 ? length : 5) && !r->headers_done) {
        const char *space = memchr(line, ' ', length);
        clear_headers(r);
        r->status = space ? atoi(space + 1) : 0;
        if (space && !strncmp(line, "HTTP/1", 6)) r->status_text = status_text(space, line + length);
    } else if (length <= 2) {
        if (r->headers_done || r->status < 200 || will_redirect(r)) return length;
        r->headers_done = 1;
        if (r->options.on_headers) r->options.on_headers(r, r->options.data);
        if (r->cancelled) return 0;
    } else {
        add_header(r, line, length);
    }
    return length;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *data)
{
    tl_http_request *r = data;
    size_t length = size * count;
    if (r->cancelled) return 0;
    r->last_byte = tl_loop_now(r->net->loop);
    if (r->options.on_body) {
        int result = r->options.on_body(r, bytes, length, r->options.data);
        if (r->cancelled) return 0;
        if (result == TL_HTTP_PAUSE) {
            r->paused = 1;
            return CURL_WRITEFUNC_PAUSE;
        }
        if (result >= 0) return length;
        tl_error_set(&r->err, "aborted", "the answer of %s was not wanted any more", r->easy.peer);
        return 0;
    }
    tl_buf_add(&r->answer, bytes, length);
    if (!r->answer.over) return length;
    tl_error_set(&r->err, "too_large", "the answer of %s has more than %zu bytes", r->easy.peer, r->answer.max);
    return 0;
}

static size_t on_read(char *buffer, size_t size, size_t count, void *data)
{
    tl_http_request *r = data;
    if (r->cancelled) return CURL_READFUNC_ABORT;
    r->last_byte = tl_loop_now(r->net->loop);
    int64_t got = r->options.read_body(r->options.data, buffer, size * count);
    if (r->cancelled) return CURL_READFUNC_ABORT;
    if (got == TL_HTTP_PAUSE) {
        r->paused = 1;
        return CURL_READFUNC_PAUSE;
    }
    if (got >= 0) return (size_t)got;
    tl_error_set(&r->err, "aborted", "the request to %s was given up", r->easy.peer);
    return CURL_READFUNC_ABORT;
}

static void set_headers(tl_http_request *r, const tl_http_options *o)
{
    const tl_curl *curl = r->easy.curl;
    int has_type = 0, has_host = 0;
    tl_buf line = TL_BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < o->header_count; i++) {
        tl_buf_clear(&line);
        /* libcurl's spelling of a header without a value */
        tl_buf_addf(&line, o->headers[i].value[0] ? "%s: %s" : "%s;%s", o->headers[i].name, o->headers[i].value);
        r->lines = curl->slist_append(r->lines, line.data);
        if (!strcasecmp(o->headers[i].name, "content-type")) has_type = 1;
        if (!strcasecmp(o->headers[i].name, "host")) has_host = 1;
    }
    tl_buf_dispose(&line);
    if (r->easy.host_header && !has_host) r->lines = curl->slist_append(r->lines, r->easy.host_header);
    if (!has_type) r->lines = curl->slist_append(r->lines, "Content-Type:");
    r->lines = curl->slist_append(r->lines, "Expect:");
    curl->easy_setopt(r->easy.handle, CURLOPT_HTTPHEADER, r->lines);
}

static void set_body(tl_http_request *r, const tl_http_options *o)
{
    const tl_curl *curl = r->easy.curl;
    CURL *easy = r->easy.handle;
    const char *method = o->method ? o->method : "GET";
    int custom = strcmp(method, "GET") != 0;
    if (o->read_body) {
        curl->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl->easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl->easy_setopt(easy, CURLOPT_READDATA, r);
        curl->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)(o->body_size >= 0 ? o->body_size : -1));
        curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
        custom = strcmp(method, "PUT") != 0;
    } else if (!strcmp(method, "HEAD")) {
        curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
        custom = 0;
    } else if (o->body || !strcmp(method, "POST")) {
        r->body = tl_malloc(o->body_len + 1);
        if (o->body_len) memcpy(r->body, o->body, o->body_len);
        curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
        curl->easy_setopt(easy, CURLOPT_POSTFIELDS, r->body);
        custom = strcmp(method, "POST") != 0;
    }
    if (custom) curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static int on_connection(void *data, char *address, char *local_address, int port, int local_port)
{
    tl_http_request *r = data;
    long made = 0;
    (void)address;
    (void)local_address;
    (void)port;
    r->easy.curl->easy_getinfo(r->easy.handle, CURLINFO_NUM_CONNECTS, &made);
    int refused = r->options.before_send(r, local_port, made > 0, r->options.data) < 0;
    return refused ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* libcurl 7.88.1 now and then keeps what came for one of several transfers on an HTTP/2 connection until the deadline;
 * its HTTP/2 was written anew in 8.1.0. */
static int has_sound_http2(const tl_curl *curl)
{
    return curl->version_info(CURLVERSION_NOW)->version_num >= 0x080100;
}

static void set_transfer(tl_http_request *r, const tl_http_options *o)
{
    const tl_curl *curl = r->easy.curl;
    CURL *easy = r->easy.handle;
    curl->easy_setopt(easy, CURLOPT_PRIVATE, (char *)r);
    curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_setopt(easy, CURLOPT_HEADERDATA, r);
    curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    curl->easy_setopt(easy, CURLOPT_WRITEDATA, r);
    curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * 1024);
    if (o->timeout_ms > 0) curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    if (o->follow) {
        curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl->easy_setopt(easy, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
    }
    /* A stream that lives long must not share an HTTP/2 connection, whose window it would fill while paused. */
    if (o->http1 || !has_sound_http2(curl)) {
        curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    } else {
        curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        if (!strncasecmp(o->url, "https:", 6)) curl->easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    }
    if (o->fresh) {
        curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl->easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }
    if (o->before_send) {
        curl->easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connection);
        curl->easy_setopt(easy, CURLOPT_PREREQDATA, r);
    }
    if (o->username || o->password) {
        curl->easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl->easy_setopt(easy, CURLOPT_USERNAME, o->username ? o->username : "");
        curl->easy_setopt(easy, CURLOPT_PASSWORD, o->password ? o->password : "");
    }
}

static void forget_borrowed(tl_http_options *o)
{
    o->method = o->url = o->unix_socket = o->proxy = o->username = o->password = NULL;
    o->headers = NULL;
    o->header_count = 0;
    o->body = NULL;
    o->tls = NULL;
}

tl_http_request *tl_http_start(tl_net *net, const tl_http_options *options, tl_error *err)
{
    tl_http_request *r = tl_calloc(1, sizeof *r);
    const tl_easy_target target = {options->url, options->unix_socket, options->proxy, options->tls,
                                   options->connect_timeout_ms};
    if (tl_easy_open(&r->easy, net->drive.curl, &target, err) < 0) {
        free(r);
        return NULL;
    }
    r->options = *options;
    tl_buf_init(&r->answer, options->max_body ? options->max_body : MAX_BODY);
    set_headers(r, options);
    set_body(r, options);
    set_transfer(r, options);
    forget_borrowed(&r->options);
    r->net = net;
    r->next = net->requests;
    r->link = &net->requests;
    if (r->next) r->next->link = &r->next;
    net->requests = r;
    r->last_byte = tl_loop_now(net->loop);
    r->idle.on_due = on_idle;
    r->idle.data = r;
    if (options->idle_timeout_ms > 0) tl_timer_start(net->loop, &r->idle, options->idle_timeout_ms);
    if (net->drive.busy) {
        put_off(net);
    } else {
        r->state = RUNNING;
        net->drive.curl->multi_add_handle(net->drive.multi, r->easy.handle);
    }
    return r;
}

void tl_http_cancel(tl_http_request *r)
{
    if (r->state == ENDED || r->cancelled) return;
    r->cancelled = 1;
    tl_timer_stop(&r->idle);
    if (r->net->drive.busy)
        put_off(r->net);
    else
        leave(r);
}

void tl_http_free(tl_http_request *r)
{
    if (!r) return;
    tl_http_cancel(r);
    if (r->state == ENDED)
        destroy(r);
    else
        r->freed = 1;
}

void tl_http_resume(tl_http_request *r)
{
    if (r->state == ENDED || r->cancelled) return;
    r->resume = 1;
    tl_timer_start(r->net->loop, &r->net->kick, 0);
}

int tl_http_done(const tl_http_request *r)
{
    return r->state == ENDED;
}

int tl_http_status(const tl_http_request *r)
{
    return r->headers_done ? r->status : 0;
}

const char *tl_http_status_text(const tl_http_request *r)
{
    return r->headers_done ? r->status_text : NULL;
}

const char *tl_http_header(const tl_http_request *r, const char *name)
{
    for (size_t i = r->header_count; i-- > 0;)
        if (!strcasecmp(r->headers[i].name, name)) return r->headers[i].value;
    return NULL;
}

const tl_header *tl_http_headers(const tl_http_request *r, size_t *count)
{
    *count = r->header_count;
    return r->headers;
}

const tl_buf *tl_http_body(const tl_http_request *r)
{
    return &r->answer;
}

tl_error *tl_http_error(tl_http_request *r)
{
    return r->err.message ? &r->err : NULL;
}
