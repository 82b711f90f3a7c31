#ifndef TL_NET_DRIVE_H
#define TL_NET_DRIVE_H

#include "loop/loop.h"
#include "net/libcurl.h"

/* One curl multi handle driven by the loop. For the files of this folder; lives in its owner's struct. */
typedef struct tl_drive {
    const tl_curl *curl;
    tl_loop *loop;
    CURLM *multi;
    tl_timer timer;
    struct tl_drive_socket *sockets;
    int busy; /* inside libcurl: its multi functions must not be called now */
    /* After libcurl has worked: read the messages, do what was put off. May dispose the drive. */
    void (*after)(struct tl_drive *drive);
    void *data;
} tl_drive;

/* Makes the multi handle; `after` and `data` are the caller's to set. */
int tl_drive_init(tl_drive *drive, const tl_curl *curl, tl_loop *loop, tl_error *err);
/* Stops every watch and frees the multi handle; its easy handles must be removed before. */
void tl_drive_dispose(tl_drive *drive);

#endif
