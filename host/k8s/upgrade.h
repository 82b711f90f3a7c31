#ifndef TL_K8S_UPGRADE_H
#define TL_K8S_UPGRADE_H

#include "k8s/client.h"
#include "net/websocket.h"

/* A request whose connection becomes a WebSocket (exec, attach, portforward, proxy). It has a connection of its own, on
 * which a pinned cluster's identity is proven before the request goes out, and is judged as every other request is. */
typedef struct tl_upgrade tl_upgrade;

typedef struct tl_upgrade_options {
    const char *path;      /* with its query, below the server's URL */
    const char *protocols; /* subprotocols in order of preference, comma-separated */
    int64_t timeout_ms;    /* until it is open; 0: the client's */
    int64_t silence_ms;    /* as tl_websocket_options has it */
    /* A piece of a message, as tl_websocket_options has it. */
    void (*on_piece)(void *data, int first, const char *bytes, size_t length);
    /* Open, fewer bytes unsent, or ended; never from within tl_upgrade_start. Must not free the upgrade. */
    void (*on_change)(void *data);
    void *data;
} tl_upgrade_options;

/* Copies the options. NULL and *err where it is refused at once. Free with tl_upgrade_free, which closes. */
tl_upgrade *tl_upgrade_start(tl_k8s *client, const tl_upgrade_options *options, tl_error *err);
void tl_upgrade_free(tl_upgrade *upgrade);
/* NULL before it is open. */
tl_websocket *tl_upgrade_socket(const tl_upgrade *upgrade);
/* The subprotocol that the server chose, "" before it is open. */
const char *tl_upgrade_protocol(const tl_upgrade *upgrade);
int tl_upgrade_ended(const tl_upgrade *upgrade);
/* After the end: NULL for a stream that was closed in due form, else why not. */
tl_error *tl_upgrade_error(tl_upgrade *upgrade);

#endif
