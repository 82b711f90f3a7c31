/* The only program of the test images: `tool WORD…` does what the words say, in order. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void copy(int from, int to)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t put = 0, n; put < got; put += n)
            if ((n = write(to, bytes + put, (size_t)(got - put))) < 0) exit(9);
}

/* How many keys the SSH agent has: RFC 9987's request for identities. */
static int count_keys(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    unsigned char answer[9];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || write(fd, "\0\0\0\1\13", 5) != 5) return -1;
    for (size_t have = 0, got; have < sizeof answer; have += got)
        if ((got = (size_t)read(fd, answer + have, sizeof answer - have)) == 0 || got > sizeof answer) return -1;
    return answer[4] == 12 ? answer[8] : -1;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *word = argv[i], *value = argv[i + 1];
        if (!strcmp(word, "out")) printf("%s\n", value);
        if (!strcmp(word, "err")) fprintf(stderr, "%s\n", value);
        if (!strcmp(word, "env")) printf("%s\n", getenv(value) ? getenv(value) : "unset");
        if (!strcmp(word, "agent")) {
            int keys = count_keys(getenv(value) ? getenv(value) : "");
            printf("%d keys\n", keys);
            if (keys < 0) return 5;
        }
        if (!strcmp(word, "exit")) return atoi(value);
        if (!strcmp(word, "sleep")) usleep((useconds_t)(atof(value) * 1e6));
        if (!strcmp(word, "copy")) copy(0, 1);
        if (!strcmp(word, "to") && !freopen(value, "w", stdout)) return 4;
        if (!strcmp(word, "lines"))
            for (int n = 1; n <= atoi(value); n++) printf("line %d\n", n);
        if (!strcmp(word, "cat")) {
            int fd = open(value, O_RDONLY);
            if (fd < 0) return 3;
            copy(fd, 1);
        }
    }
    return 0;
}
