/* What macOS tells about processes. */
#include "loop/process.h"

#include <libproc.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "base/mem.h"

int64_t tl_process_start_time(pid_t pid)
{
    struct proc_bsdinfo info;
    if (proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != sizeof info) return -1;
    return (int64_t)info.pbi_start_tvsec * 1000000 + (int64_t)info.pbi_start_tvusec;
}

int tl_process_is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *tl_process_executable(void)
{
    char path[PROC_PIDPATHINFO_MAXSIZE];
    return proc_pidpath(getpid(), path, sizeof path) > 0 ? tl_strdup(path) : NULL;
}
