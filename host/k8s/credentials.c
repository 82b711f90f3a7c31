/* Tokens, token files and client certificates, kept fresh. */
#include "k8s/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "k8s/execplugin.h"
#include "k8s/textfile.h"

#define TOKEN_LIMIT ((size_t)64 << 10)

struct tl_credentials {
    const tl_kube_auth *auth;
    tl_buf file_token;
    struct stat file;       /* the token's file as it was when it was read */
    tl_exec_plugin *plugin; /* or NULL */
};

tl_credentials *tl_credentials_new(tl_loop *loop, const tl_kube_target *target)
{
    tl_credentials *credentials = tl_calloc(1, sizeof *credentials);
    credentials->auth = &target->auth;
    tl_buf_init(&credentials->file_token, TOKEN_LIMIT);
    if (target->auth.exec) credentials->plugin = tl_exec_plugin_new(loop, target);
    return credentials;
}

void tl_credentials_free(tl_credentials *credentials)
{
    if (!credentials) return;
    tl_exec_plugin_free(credentials->plugin);
    if (credentials->file_token.cap) tl_cleanse(credentials->file_token.data, credentials->file_token.cap);
    tl_buf_dispose(&credentials->file_token);
    free(credentials);
}

void tl_credentials_close(tl_credentials *credentials)
{
    if (credentials->plugin) tl_exec_plugin_close(credentials->plugin);
}

/* The time alone does not tell: a kernel's clock tick is long enough for two writes. */
static int is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Kubernetes rotates a service account's token by replacing the file, so its time is looked at before each request. */
static int refresh_file(tl_credentials *credentials, tl_error *err)
{
    struct stat now;
    const char *path = credentials->auth->token_file;
    int seen = stat(path, &now) == 0;
    if (credentials->file_token.len && (!seen || is_same_file(&now, &credentials->file))) return 0;
    tl_buf text = TL_BUF_INIT(TOKEN_LIMIT);
    int rc = tl_textfile_read(path, &text, err);
    while (!rc && text.len && strchr(" \t\r\n", text.data[text.len - 1])) text.data[--text.len] = 0;
    if (!rc && !text.len) rc = tl_error_set(err, "denied", "the token file %s is empty", path);
    if (!rc) {
        tl_buf_clear(&credentials->file_token);
        tl_buf_add(&credentials->file_token, text.data, text.len);
        credentials->file = now;
    }
    if (text.cap) tl_cleanse(text.data, text.cap);
    tl_buf_dispose(&text);
    return rc;
}

int tl_credentials_get(tl_credentials *credentials, tl_credential *out, tl_credential_wait *wait, tl_error *err)
{
    const tl_kube_auth *auth = credentials->auth;
    *out = (tl_credential){auth->token, auth->username, auth->password, auth->cert_pem, auth->key_pem, 0};
    if (auth->token_file) {
        tl_error below = {0};
        if (!refresh_file(credentials, &below))
            out->token = credentials->file_token.data;
        else if (!auth->token) {
            tl_error_move(err, &below);
            return tl_error_wrap(err, "cannot read the token of this context");
        }
        tl_error_dispose(&below);
    }
    /* As client-go: the plugin does not run where something else says who we are. */
    if (!credentials->plugin || out->token || out->username || out->cert_pem) return 1;
    return tl_exec_plugin_get(credentials->plugin, out, wait, err);
}

void tl_credentials_forget(tl_credential_wait *wait)
{
    tl_exec_plugin_forget(wait);
}

int tl_credentials_refused(tl_credentials *credentials, unsigned answer)
{
    if (credentials->auth->token_file) {
        credentials->file = (struct stat){0};
        return 1;
    }
    return credentials->plugin && answer && tl_exec_plugin_refused(credentials->plugin, answer);
}
