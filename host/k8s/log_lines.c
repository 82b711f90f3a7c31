/* Gives out the lines of a log: without their times, behind a prefix, and each once. */
#include "k8s/log_lines.h"

#include <string.h>

#include "k8s/rfc3339.h"

#define LINE_LIMIT ((size_t)1 << 20)

void tl_log_lines_init(tl_log_lines *lines, tl_log_place *place)
{
    *lines = (tl_log_lines){.place = place};
    tl_buf_init(&lines->rest, SIZE_MAX);
}

void tl_log_lines_dispose(tl_log_lines *lines)
{
    tl_buf_dispose(&lines->rest);
}

int64_t tl_log_place_newest(const tl_log_place *place)
{
    int64_t at = place->stamp_len ? tl_rfc3339(place->stamp, NULL) : 0;
    return at > 0 ? at : 0;
}

void tl_log_lines_begin(tl_log_lines *lines)
{
    tl_log_place *place = lines->place;
    tl_buf_clear(&lines->rest);
    if (lines->inside && !lines->skipping) { /* of a line so long there is no telling how much of it was given out */
        tl_buf_addc(place->out, '\n');
        if (place->same) place->same--;
    }
    lines->inside = lines->skipping = 0;
    tl_log_lines_expect(lines);
}

void tl_log_lines_expect(tl_log_lines *lines)
{
    tl_log_place *place = lines->place;
    lines->met = 0;
    lines->resumed = place->stamp_len > 0;
    place->known = tl_log_place_newest(place);
    place->known_left = place->same;
}

/* The length of the time that the line begins with, without the space after it; 0 where there is none. */
static size_t stamp_of(const char *line, size_t length)
{
    size_t look = length < sizeof((tl_log_place *)0)->stamp ? length : sizeof((tl_log_place *)0)->stamp - 1;
    const char *space = look > 20 && line[4] == '-' && line[10] == 'T' ? memchr(line, ' ', look) : NULL;
    return space ? (size_t)(space - line) : 0;
}

static int64_t time_of(const char *line, size_t size)
{
    char text[sizeof((tl_log_place *)0)->stamp];
    memcpy(text, line, size);
    text[size] = 0;
    return tl_rfc3339(text, NULL);
}

/* A line that was given out before, by another stream. */
static int known_already(tl_log_lines *lines, const char *line, size_t stamp)
{
    tl_log_place *place = lines->place;
    int64_t at = time_of(line, stamp);
    if (at > place->known) {
        place->known = 0; /* nor is any later one */
        return 0;
    }
    lines->met = 1;
    return at < place->known || (place->known_left > 0 && place->known_left--);
}

static void note_stamp(tl_log_place *place, const char *line, size_t stamp)
{
    if (stamp == place->stamp_len && memcmp(line, place->stamp, stamp) == 0) {
        place->same++;
        return;
    }
    memcpy(place->stamp, line, stamp);
    place->stamp[stamp] = 0;
    place->stamp_len = stamp;
    place->same = 1;
}

/* One line without its newline; whole = 0: a piece of one that goes on. */
static void give(tl_log_lines *lines, const char *line, size_t length, int whole)
{
    tl_log_place *place = lines->place;
    int first = !lines->inside;
    size_t cut = 0;
    lines->inside = !whole;
    if (first) lines->skipping = 0;
    if (first && place->stamped) {
        size_t stamp = stamp_of(line, length);
        if (stamp && place->known)
            lines->skipping = known_already(lines, line, stamp);
        else if (!stamp && lines->resumed)
            lines->skipping = 1;
        if (stamp && !lines->skipping) note_stamp(place, line, stamp);
        cut = stamp && !place->keep_stamps ? stamp + 1 : 0;
    }
    if (lines->skipping) return;
    if (first && place->prefix) tl_buf_adds(place->out, place->prefix);
    tl_buf_add(place->out, line + cut, length - cut);
    if (whole) tl_buf_addc(place->out, '\n');
}

void tl_log_lines_feed(tl_log_lines *lines, const char *bytes, size_t length)
{
    while (length) {
        const char *newline = memchr(bytes, '\n', length);
        size_t take = newline ? (size_t)(newline - bytes) : length;
        if (newline && !lines->rest.len) {
            give(lines, bytes, take, 1);
        } else {
            tl_buf_add(&lines->rest, bytes, take);
            if (newline || lines->rest.len >= LINE_LIMIT) {
                give(lines, lines->rest.data, lines->rest.len, newline != NULL);
                tl_buf_clear(&lines->rest);
            }
        }
        take += newline != NULL;
        bytes += take;
        length -= take;
    }
}

void tl_log_lines_end(tl_log_lines *lines, int more)
{
    if (lines->rest.len || (lines->inside && more)) give(lines, lines->rest.data, lines->rest.len, more);
    tl_buf_clear(&lines->rest);
}

int tl_log_lines_gap(const tl_log_lines *lines, const char *bytes, size_t length)
{
    char text[sizeof((tl_log_place *)0)->stamp];
    if (!lines->resumed || lines->met || !lines->place->known) return 0;
    size_t held = lines->rest.len < sizeof text ? lines->rest.len : sizeof text;
    size_t more = length < sizeof text - held ? length : sizeof text - held;
    if (held) memcpy(text, lines->rest.data, held);
    memcpy(text + held, bytes, more);
    size_t stamp = stamp_of(text, held + more);
    if (!stamp) return held + more < sizeof text && !memchr(text, '\n', held + more) ? -1 : 0;
    return time_of(text, stamp) > lines->place->known;
}
