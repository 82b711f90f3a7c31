#ifndef TL_TESTS_FOLDER_H
#define TL_TESTS_FOLDER_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder for each test; include cmocka.h before. */
static char dir[64];

/* Two results at a time. */
static inline const char *in_dir(const char *name)
{
    static char paths[2][512];
    static int turn;
    char *path = paths[turn ^= 1];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* Writes a file in it, and makes the folders for it. */
static inline void put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_dir(name));
    for (char *slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/tl-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

#endif
