/* What the tests run inside a root: one static program whose first argument says what to do. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int fail(const char *what) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return 0;
}

static int put(const char *path, const char *text, int flags) {
    int fd = open(path, flags, 0666);
    if (fd < 0) return fail(path);
    if (write(fd, text, strlen(text)) < 0) return fail(path);
    return close(fd);
}

static int cat(const char *path) {
    char buffer[65536];
    int fd = open(path, O_RDONLY);
    if (fd < 0) return fail(path);
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) fwrite(buffer, 1, n, stdout);
    return n < 0 ? fail(path) : 0;
}

static int list(const char *path) {
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    if (n < 0) return fail(path);
    for (int i = 0; i < n; i++)
        if (names[i]->d_name[0] != '.') printf("%s\n", names[i]->d_name);
    return 0;
}

static int show(const char *path) {
    struct stat s;
    if (lstat(path, &s)) return fail(path);
    printf("%o %lld %lld %d\n", s.st_mode, (long long)s.st_size, (long long)s.st_mtime, (int)s.st_nlink);
    return 0;
}

static int reach(const char *address) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    inet_pton(AF_INET, address, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to)) return fail(address);
    printf("reached\n");
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *a = argc > 2 ? argv[2] : "", *b = argc > 3 ? argv[3] : "";
    if (!strcmp(what, "cat")) return cat(a);
    if (!strcmp(what, "ls")) return list(a);
    if (!strcmp(what, "stat")) return show(a);
    if (!strcmp(what, "reach")) return reach(a);
    if (!strcmp(what, "put")) return put(a, b, O_WRONLY | O_CREAT | O_TRUNC);
    if (!strcmp(what, "replace")) return unlink(a), put(a, b, O_WRONLY | O_CREAT | O_EXCL);
    if (!strcmp(what, "append")) return put(a, b, O_WRONLY | O_APPEND);
    if (!strcmp(what, "chmod")) return chmod(a, strtol(b, NULL, 8)) ? fail(a) : 0;
    if (!strcmp(what, "rm")) return remove(a) ? fail(a) : 0;
    if (!strcmp(what, "mkdir")) return mkdir(a, 0777) ? fail(a) : 0;
    if (!strcmp(what, "ln")) return symlink(a, b) ? fail(b) : 0;
    if (!strcmp(what, "mkfifo")) return mkfifo(a, 0666) ? fail(a) : 0;
    if (!strcmp(what, "exit")) return atoi(a);
    if (!strcmp(what, "abort")) return raise(atoi(a));
    if (!strcmp(what, "argv0")) return printf("%s\n", argv[0]) < 0;
    if (!strcmp(what, "hang")) {
        if (*a && fork()) for (;;) pause(); /* the child too */
        for (;;) pause();
    }
    if (!strcmp(what, "leave")) {
        if (fork() == 0) for (;;) pause();
        return 0;
    }
    if (!strcmp(what, "both")) {
        for (long left = atol(a); left > 0; left -= 10) fputs("out-out-o\n", stdout), fputs("err-err-e\n", stderr);
        return 0;
    }
    if (!strcmp(what, "grow")) {
        size_t size = (size_t)atol(a) << 20;
        char *p = malloc(size);
        if (p) memset(p, 1, size);
        return p == NULL || p[size / 2] != 1;
    }
    if (!strcmp(what, "spin")) {
        struct rusage u;
        do getrusage(RUSAGE_SELF, &u); while (u.ru_utime.tv_usec + u.ru_stime.tv_usec < 50000);
        return 0;
    }
    if (!strcmp(what, "self")) {
        char cwd[4096];
        mode_t mask = umask(0);
        sigset_t blocked;
        int ignored = 0, open = 0, masked = 0;
        sigprocmask(SIG_SETMASK, NULL, &blocked);
        for (int s = 1; s < 65; s++) {
            struct sigaction old;
            if (!sigaction(s, NULL, &old) && old.sa_handler != SIG_DFL) ignored++;
            masked += sigismember(&blocked, s) == 1;
        }
        for (int fd = 0; fd < 4096; fd++) open += fcntl(fd, F_GETFD) >= 0;
        printf("uid %d gid %d umask %03o cwd %s fds %d ignored %d masked %d stdin %d\n", geteuid(), getegid(), mask,
               getcwd(cwd, sizeof cwd), open, ignored, masked, getchar());
        for (char **e = environ; *e; e++) printf("%s\n", *e);
        return 0;
    }
    fprintf(stderr, "tool: unknown: %s\n", what);
    return 125;
}
