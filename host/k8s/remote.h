#ifndef TL_K8S_REMOTE_H
#define TL_K8S_REMOTE_H

#include "k8s/client.h"

/* A process or a port in a pod, as channels of one WebSocket: exec and attach by v5.channel.k8s.io or the older v4, a
 * forwarded port by v4 (one socket for one connection). */
typedef struct tl_remote tl_remote;

typedef enum tl_remote_kind { TL_REMOTE_EXEC, TL_REMOTE_ATTACH, TL_REMOTE_FORWARD } tl_remote_kind;

typedef struct tl_remote_options {
    tl_remote_kind kind;
    const char *namespace;       /* NULL: the client's */
    const char *pod, *container; /* container NULL: the pod's default */
    const char *const *command;  /* of exec, NULL-ended */
    int port;                    /* of a forward */
    int stdin, tty;
    int64_t timeout_ms; /* until it is open; 0: the client's */
    int64_t silence_ms; /* after which a peer that says nothing, not even to a ping, is dropped; 0: 60 s */
    /* Output of stream 1 or 2 (a forward's bytes are stream 1). May pause. */
    void (*on_output)(void *data, int stream, const char *bytes, size_t length);
    void (*on_change)(void *data); /* open, fewer bytes unsent, or ended */
    void *data;                    /* neither may free the remote */
} tl_remote_options;

/* Copies the options. NULL and *err where it is refused at once. Free with tl_remote_free, which ends the stream (a
 * process may go on in the pod). */
tl_remote *tl_remote_start(tl_k8s *client, const tl_remote_options *options, tl_error *err);
void tl_remote_free(tl_remote *remote);
int tl_remote_open(const tl_remote *remote);
/* Bytes for standard input or the port, copied; those before the stream is open wait. Dropped after the end. */
void tl_remote_write(tl_remote *remote, const char *bytes, size_t length);
size_t tl_remote_unsent(const tl_remote *remote);
/* Ends the input after what is unsent. Kind "unsupported" where the server speaks v4 only, which cannot say it; asked
 * before the stream is open, that becomes the stream's own error. */
int tl_remote_close_input(tl_remote *remote, tl_error *err);
/* Size of the terminal. */
void tl_remote_resize(tl_remote *remote, int columns, int rows);
void tl_remote_pause(tl_remote *remote, int paused);
int tl_remote_ended(const tl_remote *remote);
/* After the end: 0 and the process's exit status (0 for a forward), or -1 and why (copied out once). */
int tl_remote_result(tl_remote *remote, int *status, tl_error *err);

#endif
