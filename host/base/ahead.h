#ifndef TL_BASE_AHEAD_H
#define TL_BASE_AHEAD_H

#include "base/mem.h"

/* Pure work that one thread will need and another may do before: each item is done once, by whoever comes to it first. One
 * thread, the owner, adds items and asks for them; one more does what it finds. Without that one the owner does all. */
typedef struct tl_ahead tl_ahead;

/* Bytes: to wake a thread costs as much as the work on some thousand. */
#define TL_AHEAD_WORTH_WAKING 16384

typedef struct tl_ahead_item tl_ahead_item;
struct tl_ahead_item {
    void (*work)(tl_ahead_item *item, tl_arena *arena);
    tl_arena *owners, *others; /* the arena that `work` gets on the owner's thread, on the other one */
    size_t size; /* of its input in bytes: the other thread is woken for small items when some have gathered */
    _Atomic int state;
    tl_ahead_item *_Atomic next;
};

/* How the other thread is found; called on the owner's. */
typedef struct tl_ahead_help {
    /* Items wait: has another thread call tl_ahead_work and returns 1, or 0 where it is not worth it (yet). */
    int (*call)(void *context);
    /* Returns when no other thread will call tl_ahead_work, nor is in it. */
    void (*dismiss)(void *context);
    void *context;
} tl_ahead_help;

/* help may be NULL. Free with tl_ahead_free. */
tl_ahead *tl_ahead_new(const tl_ahead_help *help);
void tl_ahead_free(tl_ahead *ahead);

/* From now on items may be added; the other thread waits for more. */
void tl_ahead_open(tl_ahead *ahead);
/* The other thread returns when nothing is left. */
void tl_ahead_close(tl_ahead *ahead);
/* Adds an item with work, owners, others and size set; it must live until tl_ahead_end. */
void tl_ahead_add(tl_ahead *ahead, tl_ahead_item *item);
/* Returns when the item is done, be it by a call of its work. */
void tl_ahead_finish(tl_ahead *ahead, tl_ahead_item *item);
/* Dismisses the other thread, which leaves undone what it has not begun, and forgets all items; those that still live may
 * be finished afterwards. */
void tl_ahead_end(tl_ahead *ahead);

/* On the other thread. */
void tl_ahead_work(tl_ahead *ahead);

#endif
