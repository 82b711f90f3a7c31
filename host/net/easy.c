/* One libcurl easy handle aimed at a server: address, TLS, proxy, and the words for what goes wrong. */
#include "net/easy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"

#define CONNECT_TIMEOUT_MS 10000

static char *url_part(const tl_curl *curl, CURLU *url, CURLUPart part)
{
    char *text = NULL;
    if (curl->url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return NULL;
    char *copy = tl_strdup(text);
    curl->free(text);
    return copy;
}

static int is_loopback(const char *host)
{
    return !strcasecmp(host, "localhost") || !strncmp(host, "127.", 4) || !strcmp(host, "[::1]");
}

static struct curl_blob blob_of(const char *text)
{
    return (struct curl_blob){.data = (void *)text, .len = strlen(text), .flags = CURL_BLOB_COPY};
}

/* A libcurl knows the place of the system that it was made for; a program that was made there may run elsewhere (the places
 * of Go's crypto/x509/root_linux.go). NULL: what the library knows will do. */
static const char *system_authorities(void)
{
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
                                        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (access(files[i], R_OK) == 0) return i ? files[i] : NULL;
    return NULL;
}

static void set_authorities(tl_easy *easy, const tl_tls *tls)
{
    const tl_curl *curl = easy->curl;
    const char *file = tls ? tls->ca_file : NULL;
    if (tls && (tls->ca_pem || tls->ca_file)) curl->easy_setopt(easy->handle, CURLOPT_CAPATH, NULL);
    if (tls && tls->ca_pem) {
        struct curl_blob blob = blob_of(tls->ca_pem);
        curl->easy_setopt(easy->handle, CURLOPT_CAINFO, NULL);
        curl->easy_setopt(easy->handle, CURLOPT_CAINFO_BLOB, &blob);
        return;
    }
    /* A cluster made anew has other authorities in the same file. From 7.87 on libcurl keeps a file's for a day, from 8.12 on
     * it resumes the TLS sessions of other transfers, whose certificates were judged by those of then. */
    if (file) curl->easy_setopt(easy->handle, CURLOPT_SSL_SESSIONID_CACHE, 0L);
#if LIBCURL_VERSION_NUM >= 0x075700
    if (file) curl->easy_setopt(easy->handle, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
    if (!file) file = getenv("SSL_CERT_FILE");
    if (!file || !*file) file = system_authorities();
    if (file) curl->easy_setopt(easy->handle, CURLOPT_CAINFO, file);
}

static void set_tls(tl_easy *easy, const tl_tls *tls)
{
    const tl_curl *curl = easy->curl;
    curl->easy_setopt(easy->handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set_authorities(easy, tls);
    if (!tls) return;
    if (tls->cert_pem) {
        struct curl_blob blob = blob_of(tls->cert_pem);
        curl->easy_setopt(easy->handle, CURLOPT_SSLCERTTYPE, "PEM");
        curl->easy_setopt(easy->handle, CURLOPT_SSLCERT_BLOB, &blob);
    }
    if (tls->key_pem) {
        struct curl_blob blob = blob_of(tls->key_pem);
        curl->easy_setopt(easy->handle, CURLOPT_SSLKEYTYPE, "PEM");
        curl->easy_setopt(easy->handle, CURLOPT_SSLKEY_BLOB, &blob);
    }
    if (tls->insecure) {
        curl->easy_setopt(easy->handle, CURLOPT_SSL_VERIFYPEER, 0L);
        curl->easy_setopt(easy->handle, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

/* libcurl verifies the URL's host, so the URL is given the name to verify and the connection goes to the real host. */
static void set_server_name(tl_easy *easy, CURLU *url, const char *host, const char *port, const char *name)
{
    tl_buf line = TL_BUF_INIT(4096);
    tl_buf_addf(&line, "%s:%s:%s:%s", name, port, host, port);
    easy->connect_to = easy->curl->slist_append(NULL, line.data);
    easy->curl->easy_setopt(easy->handle, CURLOPT_CONNECT_TO, easy->connect_to);
    easy->curl->url_set(url, CURLUPART_HOST, name, 0);
    tl_buf_clear(&line);
    tl_buf_addf(&line, "Host: %s:%s", host, port);
    easy->host_header = tl_buf_take(&line);
}

static void set_route(tl_easy *easy, CURLU *url, const tl_easy_target *target)
{
    const tl_curl *curl = easy->curl;
    char *host = url_part(curl, url, CURLUPART_HOST), *port = url_part(curl, url, CURLUPART_PORT);
    tl_buf peer = TL_BUF_INIT(SIZE_MAX);
    if (target->unix_socket) {
        curl->easy_setopt(easy->handle, CURLOPT_UNIX_SOCKET_PATH, target->unix_socket);
        tl_buf_adds(&peer, target->unix_socket);
    } else {
        tl_buf_addf(&peer, "%s:%s", host ? host : "?", port ? port : "?");
    }
    easy->peer = tl_buf_take(&peer);
    if (target->proxy)
        curl->easy_setopt(easy->handle, CURLOPT_PROXY, target->proxy);
    else if (target->unix_socket || !host || is_loopback(host)) /* as Go does: no proxy to this machine itself */
        curl->easy_setopt(easy->handle, CURLOPT_PROXY, "");
    if (host && port && target->tls && target->tls->server_name)
        set_server_name(easy, url, host, port, target->tls->server_name);
    free(host);
    free(port);
}

static int set_url(tl_easy *easy, const tl_easy_target *target, tl_error *err)
{
    const tl_curl *curl = easy->curl;
    CURLU *url = curl->url();
    char *text = NULL;
    int result = -1;
    CURLUcode code = curl->url_set(url, CURLUPART_URL, target->url ? target->url : "", 0);
    if (code != CURLUE_OK) {
        tl_error_set(err, "usage", "not a URL that can be used: \"%s\"", target->url ? target->url : "");
        goto out;
    }
    set_route(easy, url, target);
    if (curl->url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK ||
        curl->easy_setopt(easy->handle, CURLOPT_URL, text) != CURLE_OK) {
        tl_error_set(err, "usage", "not a URL that can be used: \"%s\"", target->url);
        goto out;
    }
    result = 0;
out:
    if (text) curl->free(text);
    curl->url_cleanup(url);
    return result;
}

int tl_easy_open(tl_easy *easy, const tl_curl *curl, const tl_easy_target *target, tl_error *err)
{
    memset(easy, 0, sizeof *easy);
    easy->curl = curl;
    easy->handle = curl->easy_init();
    if (!easy->handle) return tl_error_set(err, "io", "libcurl gave no handle");
    easy->connect_timeout_ms = target->connect_timeout_ms > 0 ? target->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    curl->easy_setopt(easy->handle, CURLOPT_ERRORBUFFER, easy->text);
    curl->easy_setopt(easy->handle, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(easy->handle, CURLOPT_QUICK_EXIT, 1L); /* a stalled resolver must not hold up a cancel */
    curl->easy_setopt(easy->handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl->easy_setopt(easy->handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy->handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy->handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl->easy_setopt(easy->handle, CURLOPT_CONNECTTIMEOUT_MS, (long)easy->connect_timeout_ms);
    set_tls(easy, target->tls);
    if (set_url(easy, target, err) < 0) {
        tl_easy_dispose(easy);
        return -1;
    }
    return 0;
}

void tl_easy_dispose(tl_easy *easy)
{
    if (!easy->handle) return;
    easy->curl->easy_cleanup(easy->handle);
    easy->curl->slist_free_all(easy->connect_to);
    free(easy->peer);
    free(easy->host_header);
    easy->handle = NULL;
    easy->connect_to = NULL;
    easy->peer = easy->host_header = NULL;
}

static void connect_error(tl_easy *easy, tl_error *err)
{
    long code = 0;
    easy->curl->easy_getinfo(easy->handle, CURLINFO_OS_ERRNO, &code);
    const char *why = code ? strerror((int)code) : easy->text;
    tl_error_set(err, code == EACCES || code == EPERM ? "denied" : "connect", "cannot connect to %s: %s", easy->peer, why);
    if (code == ECONNREFUSED || code == ENOENT)
        tl_error_hint(err, "nothing listens there: start the server, or correct the address");
    else if (code == ENETUNREACH || code == EHOSTUNREACH)
        tl_error_hint(err, "there is no way to that address: check the network, the VPN and the address");
}

static void timeout_error(tl_easy *easy, tl_error *err)
{
    curl_off_t connected = 0;
    easy->curl->easy_getinfo(easy->handle, CURLINFO_PRETRANSFER_TIME_T, &connected);
    if (connected > 0) {
        tl_error_set(err, "timeout", "%s did not finish its answer in time", easy->peer);
        tl_error_hint(err, "give the request more time (timeout), or look why the server is slow");
    } else {
        tl_error_set(err, "timeout", "no connection to %s in time", easy->peer);
        tl_error_hint(err, "check the address, the network and the proxy settings");
    }
}

/* OpenSSL's verdicts (X509_V_ERR_… of x509_vfy.h), which libcurl hands on. */
enum { NOT_YET_VALID = 9, HAS_EXPIRED = 10, HOSTNAME_MISMATCH = 62 };

static void explain_certificate(tl_easy *easy, tl_error *err)
{
    long verdict = 0;
    easy->curl->easy_getinfo(easy->handle, CURLINFO_SSL_VERIFYRESULT, &verdict);
    if (verdict == HAS_EXPIRED)
        tl_error_hint(err, "the server's certificate has expired: renew it, or set this machine's clock right");
    else if (verdict == NOT_YET_VALID)
        tl_error_hint(err, "the server's certificate is not valid yet: set this machine's clock right");
    else if (verdict == HOSTNAME_MISMATCH || strstr(easy->text, "subject name"))
        tl_error_hint(err, "the server's certificate is for another host: use an address that it names, or say whose "
                           "certificate it is (tls-server-name in a kubeconfig)");
    else
        tl_error_hint(err, "the server's certificate is not trusted here: give the authority that signed it (ca, ca_file)");
}

/* A peer or a network that went away during the handshake: no word about trust. */
static int is_broken_handshake(tl_easy *easy, CURLcode code)
{
    long number = 0;
    easy->curl->easy_getinfo(easy->handle, CURLINFO_OS_ERRNO, &number);
    return code == CURLE_SSL_CONNECT_ERROR &&
           (number == ECONNRESET || number == EPIPE || strstr(easy->text, "SSL_ERROR_SYSCALL") ||
            strstr(easy->text, "reset by peer") || strstr(easy->text, "unexpected eof"));
}

static void tls_error(tl_easy *easy, CURLcode code, tl_error *err)
{
    if (is_broken_handshake(easy, code)) {
        tl_error_set(err, "closed", "%s closed the connection during the TLS handshake", easy->peer);
        return;
    }
    tl_error_set(err, "tls", "no secure connection to %s: %s", easy->peer,
                 easy->text[0] ? easy->text : easy->curl->easy_strerror(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
        explain_certificate(easy, err);
    else if (code == CURLE_SSL_CERTPROBLEM)
        tl_error_hint(err, "check the client certificate and its key");
}

static int is_tls_code(CURLcode code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT: return 1;
    default: return 0;
    }
}

void tl_easy_error(tl_easy *easy, CURLcode code, tl_error *err)
{
    const char *why = easy->text[0] ? easy->text : easy->curl->easy_strerror(code);
    if (is_tls_code(code)) {
        tls_error(easy, code, err);
        return;
    }
    switch (code) {
    case CURLE_COULDNT_CONNECT: connect_error(easy, err); break;
    case CURLE_OPERATION_TIMEDOUT: timeout_error(easy, err); break;
    case CURLE_COULDNT_RESOLVE_HOST:
        tl_error_set(err, "dns", "cannot find the address of %s", easy->peer);
        tl_error_hint(err, "check the name and this machine's DNS");
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        tl_error_set(err, "connect", "the proxy for %s cannot be used: %s", easy->peer, why);
        tl_error_hint(err, "check http_proxy, https_proxy and no_proxy in the environment");
        break;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE: tl_error_set(err, "closed", "%s closed the connection: %s", easy->peer, why); break;
    case CURLE_TOO_MANY_REDIRECTS: tl_error_set(err, "io", "%s redirects without end", easy->peer); break;
    default: tl_error_set(err, "io", "request to %s failed: %s", easy->peer, why);
    }
}
