#ifndef TL_BASE_MEM_H
#define TL_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Allocation that does not return NULL. A machine that is out of memory ends the program with a message, as in other
 * command-line tools; sizes that a stranger's input decides are bounded by the caller (arena limits, buffer limits),
 * so that input alone cannot get there. Free with free(). */
void *tl_malloc(size_t size);
void *tl_calloc(size_t count, size_t size);
void *tl_realloc(void *old, size_t size);
char *tl_strdup(const char *text);
/* A copy of `length` bytes with a final NUL. */
char *tl_strndup(const char *text, size_t length);

/* At least `size` bytes in huge pages where the system has them: they are filled without a fault for each 4 KiB, which takes
 * half of the time of a big render. Worth it from TL_LARGE on. Free with free(). */
#define TL_LARGE ((size_t)1 << 20)
void *tl_malloc_large(size_t size);

/* Overwrites memory that held a secret; not removed by the optimiser. */
void tl_cleanse(void *memory, size_t size);

/* Many small allocations freed at once. */
typedef struct tl_arena tl_arena;

/* A new arena that wants to stay under `limit` bytes (0: no limit). Past the limit allocation still succeeds, and
 * tl_arena_over says so: parsers and evaluators ask it in their loops and stop with an error. Free with tl_arena_free. */
tl_arena *tl_arena_new(size_t limit);
void tl_arena_free(tl_arena *arena);
/* Forgets what was handed out; some memory is kept for what comes next. */
void tl_arena_clear(tl_arena *arena);
/* Memory aligned to 8 bytes, not zeroed; lives until the arena is freed. */
void *tl_arena_alloc(tl_arena *arena, size_t size);
/* The same, zeroed. */
void *tl_arena_zalloc(tl_arena *arena, size_t size);
/* Grows the newest or any block to `size`, copying `old_size` bytes where it must move. */
void *tl_arena_grow(tl_arena *arena, void *old, size_t old_size, size_t size);
/* A copy of `length` bytes with a final NUL. */
char *tl_arena_strndup(tl_arena *arena, const char *text, size_t length);
char *tl_arena_strdup(tl_arena *arena, const char *text);
char *tl_arena_printf(tl_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes handed out so far. */
size_t tl_arena_used(const tl_arena *arena);
int tl_arena_over(const tl_arena *arena);

#endif
