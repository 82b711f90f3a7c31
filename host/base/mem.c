/* Memory: checked allocation, cleansing, the arena. */
#include "base/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

#define FIRST_BLOCK ((size_t)4 << 10)
#define HUGE_PAGE ((size_t)2 << 20)
#define SPAN ((size_t)64 << 10)
#define CHUNK_SPANS (HUGE_PAGE / SPAN)
#define ALIGN 8 /* what the program's types need; nothing here is long double or a vector */
#define CACHE_LINE 64

/* A huge page that arenas share, in spans: one for each arena would be cleared whole for the part that the arena uses. */
typedef struct chunk {
    struct chunk *next;
    char *memory;
    uint32_t taken; /* one bit for each span */
} chunk;

typedef struct block {
    struct block *next;
    chunk *chunk; /* NULL: from malloc */
    size_t size, used;
} block;

struct tl_arena {
    block *blocks; /* the newest first */
    size_t used, limit;
    size_t next_size; /* of the next block as a whole */
};

static void *checked(void *memory)
{
    if (!memory) tl_log_fatal("out of memory");
    return memory;
}

void *tl_malloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *tl_malloc_large(size_t size)
{
    size = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *memory = checked(aligned_alloc(HUGE_PAGE, size));
#ifdef MADV_HUGEPAGE
    madvise(memory, size, MADV_HUGEPAGE);
#endif
    return memory;
}

void *tl_calloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *tl_realloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1));
}

char *tl_strndup(const char *text, size_t length)
{
    char *copy = tl_malloc(length + 1);
    if (length) memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *tl_strdup(const char *text)
{
    return tl_strndup(text, strlen(text));
}

void tl_cleanse(void *memory, size_t size)
{
    volatile unsigned char *byte = memory;
    while (size--) *byte++ = 0;
}

#ifndef TL_ARENA_EACH_BLOCK
static chunk *chunks;
static pthread_mutex_t chunks_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t span_bits(size_t first, size_t count)
{
    return (count < CHUNK_SPANS ? ((uint32_t)1 << count) - 1 : UINT32_MAX) << first;
}

/* count spans that lie together; only their addresses are touched here. */
static block *take_spans(size_t count, chunk **from)
{
    pthread_mutex_lock(&chunks_lock);
    chunk *c = chunks;
    size_t first = 0;
    for (; c; c = c->next) {
        if (c->taken == UINT32_MAX) continue;
        for (first = 0; first + count <= CHUNK_SPANS && c->taken & span_bits(first, count);) first++;
        if (first + count <= CHUNK_SPANS) break;
    }
    if (!c) {
        c = tl_malloc(sizeof *c);
        *c = (chunk){chunks, tl_malloc_large(HUGE_PAGE), 0};
        chunks = c;
        first = 0;
    }
    c->taken |= span_bits(first, count);
    *from = c;
    pthread_mutex_unlock(&chunks_lock);
    return (block *)(c->memory + first * SPAN);
}

/* One chunk that nobody uses is kept: what comes next finds it filled. */
static void free_unused_chunk(void)
{
    int unused = 0;
    for (chunk **c = &chunks; *c; c = &(*c)->next) {
        if ((*c)->taken || !unused++) continue;
        chunk *freed = *c;
        *c = freed->next;
        free(freed->memory);
        free(freed);
        return;
    }
}

static void free_block(block *b)
{
    chunk *c = b->chunk;
    if (!c) {
        free(b);
        return;
    }
    pthread_mutex_lock(&chunks_lock);
    c->taken &= ~span_bits((size_t)((char *)b - c->memory) / SPAN, (sizeof *b + b->size) / SPAN);
    if (!c->taken) free_unused_chunk();
    pthread_mutex_unlock(&chunks_lock);
}

static block *new_block(size_t size)
{
    size_t total = sizeof(block) + size;
    chunk *from = NULL;
    block *b;
    if (total > HUGE_PAGE) {
        b = tl_malloc_large(total);
    } else if (total < SPAN) {
        b = tl_malloc(total);
    } else {
        size_t count = (total + SPAN - 1) / SPAN;
        b = take_spans(count, &from);
        size = count * SPAN - sizeof *b;
    }
    *b = (block){.chunk = from, .size = size};
    return b;
}
#else
static void free_block(block *b)
{
    free(b);
}
#endif

tl_arena *tl_arena_new(size_t limit)
{
    /* A cache line of its own: two threads with an arena each would slow each other down otherwise. */
    tl_arena *arena = checked(aligned_alloc(CACHE_LINE, CACHE_LINE));
    _Static_assert(sizeof *arena <= CACHE_LINE, "an arena fills one cache line");
    *arena = (tl_arena){.limit = limit, .next_size = FIRST_BLOCK};
    return arena;
}

void tl_arena_free(tl_arena *arena)
{
    if (!arena) return;
    for (block *b = arena->blocks; b;) {
        block *next = b->next;
        free_block(b);
        b = next;
    }
    free(arena);
}

void tl_arena_clear(tl_arena *arena)
{
    block *kept = NULL;
    for (block *b = arena->blocks; b;) {
        block *next = b->next;
#ifndef TL_ARENA_EACH_BLOCK
        if (!kept && b->size <= HUGE_PAGE) {
            kept = b;
            b = next;
            continue;
        }
#endif
        free_block(b);
        b = next;
    }
    if (kept) *kept = (block){.chunk = kept->chunk, .size = kept->size};
    arena->blocks = kept;
    arena->used = 0;
}

static size_t aligned(size_t size)
{
    return (size + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static char *block_data(block *b)
{
    return (char *)(b + 1);
}

#ifndef TL_ARENA_EACH_BLOCK
static block *add_block(tl_arena *arena, size_t size)
{
    size_t room = arena->next_size - sizeof(block);
    /* A request larger than a block gets one of its own behind the newest, whose free space stays in use. */
    int own = size > room / 2 && arena->blocks;
    block *b = new_block(own || size > room ? size : room);
    if (own) {
        b->next = arena->blocks->next;
        arena->blocks->next = b;
    } else {
        b->next = arena->blocks;
        arena->blocks = b;
        if (arena->next_size < SPAN) arena->next_size *= 2;
    }
    return b;
}
#endif

/* Under the sanitizers every allocation is a block of its own, so that an overrun of one node is seen. */
static int fits(const block *b, size_t size)
{
#ifdef TL_ARENA_EACH_BLOCK
    return 0 && b && size;
#else
    return b && b->size - b->used >= size;
#endif
}

void *tl_arena_alloc(tl_arena *arena, size_t size)
{
#ifdef TL_ARENA_EACH_BLOCK
    block *b = tl_malloc(sizeof *b + size);
    b->size = b->used = size;
    b->next = arena->blocks;
    arena->blocks = b;
    arena->used += size;
    return block_data(b);
#else
    size = aligned(size ? size : 1);
    block *b = arena->blocks;
    if (!fits(b, size)) b = add_block(arena, size);
    void *memory = block_data(b) + b->used;
    b->used += size;
    arena->used += size;
    return memory;
#endif
}

void *tl_arena_zalloc(tl_arena *arena, size_t size)
{
    return memset(tl_arena_alloc(arena, size), 0, size);
}

void *tl_arena_grow(tl_arena *arena, void *old, size_t old_size, size_t size)
{
    if (old && size <= old_size) return old;
    block *b = arena->blocks;
    size_t before = aligned(old_size), after = aligned(size);
    if (old && fits(b, after - before) && (char *)old + before == block_data(b) + b->used) {
        b->used += after - before;
        arena->used += after - before;
        return old;
    }
    void *memory = tl_arena_alloc(arena, size);
    if (old_size) memcpy(memory, old, old_size);
    return memory;
}

char *tl_arena_strndup(tl_arena *arena, const char *text, size_t length)
{
    char *copy = tl_arena_alloc(arena, length + 1);
    if (length) memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *tl_arena_strdup(tl_arena *arena, const char *text)
{
    return tl_arena_strndup(arena, text, strlen(text));
}

char *tl_arena_printf(tl_arena *arena, const char *format, ...)
{
    char few[256];
    va_list args;
    va_start(args, format);
    size_t length = (size_t)vsnprintf(few, sizeof few, format, args);
    va_end(args);
    if (length < sizeof few) return tl_arena_strndup(arena, few, length);
    char *text = tl_arena_alloc(arena, length + 1);
    va_start(args, format);
    vsnprintf(text, length + 1, format, args);
    va_end(args);
    return text;
}

size_t tl_arena_used(const tl_arena *arena)
{
    return arena->used;
}

int tl_arena_over(const tl_arena *arena)
{
    return arena->limit && arena->used > arena->limit;
}
