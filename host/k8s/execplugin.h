#ifndef TL_K8S_EXECPLUGIN_H
#define TL_K8S_EXECPLUGIN_H

#include "k8s/credentials.h"

/* A credential plugin (client.authentication.k8s.io v1 and v1beta1): a program that prints an ExecCredential. It runs
 * once for all requests that wait, and again when its answer has expired or was refused. It gets standard input only
 * where it wants it and there is a terminal; otherwise it must answer within a minute. */
typedef struct tl_exec_plugin tl_exec_plugin;

tl_exec_plugin *tl_exec_plugin_new(tl_loop *loop, const tl_kube_target *target);
void tl_exec_plugin_free(tl_exec_plugin *plugin);
/* As tl_credentials_close. */
void tl_exec_plugin_close(tl_exec_plugin *plugin);
/* As tl_credentials_get. */
int tl_exec_plugin_get(tl_exec_plugin *plugin, tl_credential *out, tl_credential_wait *wait, tl_error *err);
void tl_exec_plugin_forget(tl_credential_wait *wait);
/* Drops the answer with this number, if it is still the latest; 1: another one is there or will come. */
int tl_exec_plugin_refused(tl_exec_plugin *plugin, unsigned answer);

#endif
