#ifndef TL_K8S_LOG_LINES_H
#define TL_K8S_LOG_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Where a log has been read to. Streams of one container's log that are read one after the other share it, so that each
 * goes on where the last one ended. */
typedef struct tl_log_place {
    tl_buf *out;        /* gets the lines */
    const char *prefix; /* in front of each line, or NULL */
    int stamped;        /* each line begins with its time */
    int keep_stamps;    /* which is part of what is given out */
    char stamp[48];     /* the time of the newest line, and how many lines had it */
    size_t stamp_len;
    int64_t same;
    int64_t known, known_left; /* lines before this time were given out, and so many of this time; 0: none */
} tl_log_place;

/* Cuts one stream of a log into lines. */
typedef struct tl_log_lines {
    tl_log_place *place;
    tl_buf rest;     /* the unfinished line */
    int inside;      /* a line too long to be held was given out in part */
    int skipping;    /* that line was known */
    int resumed;     /* the stream repeats what is known; what has no time is the node's complaint then */
    int met;         /* it has shown a line that is known, so nothing lies between */
} tl_log_lines;

void tl_log_lines_init(tl_log_lines *lines, tl_log_place *place);
void tl_log_lines_dispose(tl_log_lines *lines);
/* The stream begins (again): what was unfinished comes once more. Where lines were given out already they are expected
 * once more too, from the beginning of the newest one's second. */
void tl_log_lines_begin(tl_log_lines *lines);
/* The same for a stream that has begun and not yet given out a line, after another one has. */
void tl_log_lines_expect(tl_log_lines *lines);
void tl_log_lines_feed(tl_log_lines *lines, const char *bytes, size_t length);
/* Gives out an unfinished last line, as it is, or with an end where more lines will follow. */
void tl_log_lines_end(tl_log_lines *lines, int more);
/* Where these bytes would begin a resumed stream with a line that is newer than all that is known: 1, so something may
 * lie between. 0: they would not, -1: too few to tell. */
int tl_log_lines_gap(const tl_log_lines *lines, const char *bytes, size_t length);
/* The time of the newest line in ns, 0 where there was none. */
int64_t tl_log_place_newest(const tl_log_place *place);

#endif
