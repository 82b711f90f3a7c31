/* Memory: checked allocation, cleansing, the arena. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"

#define FIRST_BLOCK 4096
#define LAST_SMALL_BLOCK (64u << 10)
#define HUGE_PAGE ((size_t)2 << 20)
#define LAST_BLOCK (HUGE_PAGE - sizeof(block))
#define ALIGN 8 /* what the program's types need; nothing here is long double or a vector */
#define CACHE_LINE 64

typedef struct block {
    struct block *next;
    size_t size, used;
} block;

struct tl_arena {
    block *blocks; /* the newest first */
    size_t used, limit, next_size;
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
        free(b);
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
        free(b);
        b = next;
    }
    if (kept) *kept = (block){.size = kept->size};
    arena->blocks = kept;
    arena->used = 0;
}

static size_t aligned(size_t size)
{
    return (size + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
}

static char *block_data(block *b)
{
    return (char *)b + aligned(sizeof *b);
}

#ifndef TL_ARENA_EACH_BLOCK
static block *add_block(tl_arena *arena, size_t size)
{
    if (size > 2 * LAST_SMALL_BLOCK) arena->next_size = LAST_BLOCK; /* what asks for so much will ask for more */
    /* A request larger than a block gets one of its own behind the newest, whose free space stays in use. */
    int own = size > arena->next_size / 2 && arena->blocks;
    size_t room = own || size > arena->next_size ? size : arena->next_size;
    size_t total = aligned(sizeof(block)) + room;
    block *b = total < TL_LARGE ? tl_malloc(total) : tl_malloc_large(total);
    b->size = room;
    b->used = 0;
    if (own) {
        b->next = arena->blocks->next;
        arena->blocks->next = b;
    } else {
        b->next = arena->blocks;
        arena->blocks = b;
        arena->next_size = arena->next_size < LAST_SMALL_BLOCK ? arena->next_size * 2 : LAST_BLOCK;
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
    block *b = tl_malloc(aligned(sizeof *b) + size);
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
