#ifndef TL_NET_NET_INTERNAL_H
#define TL_NET_NET_INTERNAL_H

#include "net/drive.h"
#include "net/http.h"

/* What requests and streams share; for the files of this folder. */
struct tl_net {
    tl_loop *loop;
    tl_drive drive;
    tl_timer kick; /* resumes, starts and cancels that were put off */
    int put_off;
    tl_http_request *requests;
    tl_stream *streams;
};

/* Closes every stream (their owners still free them). */
void tl_net_drop_streams(tl_net *net);

#endif
