/* A program that loads the library late, by itself, and attaches and detaches it. Arguments: a scenario, the library,
 * and what the scenario needs. Status 0: all is as it should be; 1, with a line on stderr: not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "use.h"

static void *library;
static int (*attach)(const char *);
static int (*detach)(void);

static void load(const char *path) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(3);
    }
    attach = (int (*)(const char *))dlsym(library, "glasspoll_attach");
    detach = (int (*)(void))dlsym(library, "glasspoll_detach");
    CHECK(attach && detach);
}

static void *ours(const char *name) {
    void *found = dlsym(library, name);
    CHECK(found);
    return found;
}

/* The mappings of files, without the library's. */
static char *mappings(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file);
    char *line = NULL, *text = calloc(1, 1 << 20);
    size_t room = 0, used = 0;
    while (getline(&line, &room, file) > 0)
        if (strchr(line, '/') && !strstr(line, "glasspoll")) {
            CHECK(used + strlen(line) < 1 << 20);
            used = stpcpy(text + used, line) - text;
        }
    free(line);
    fclose(file);
    return text;
}

static int lines_of_maps(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file);
    int lines = 0;
    for (int c; (c = getc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static int open_fds(void) {
    int count = 0;
    for (int fd = 0; fd < 2048; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Attached, the slots lead to us; detached, to where they led before, and the protections are the same. */
static void slots(int argc, char **argv) {
    (void)argc;
    int is_lazy = !strcmp(argv[3], "lazy");
    int (*volatile early)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, "close");
    if (!is_lazy)
        use_epoll();
    /* Bound, so that reading the mappings binds nothing. */
    free(mappings());
    load(argv[2]);
    static const char *names[] = {"epoll_wait", "epoll_ctl", "epoll_create1", "close", "read", "write", "pipe"};
    enum { COUNT = sizeof names / sizeof *names };
    void *before[COUNT];
    for (int i = 0; i < COUNT; i++) {
        before[i] = slot_of(names[i]);
        CHECK(before[i] != ours(names[i]));
    }
    CHECK(detach() == -ENOTCONN);
    CHECK(attach("ring=nonsense") == -EINVAL && attach("what=1") == -EINVAL && attach("x") == -EINVAL);
    char *maps = mappings();
    int count = attach("ring=64K");
    CHECK(count >= COUNT);
    CHECK(attach("") == -EISCONN && attach("look=yes") == -EISCONN);
    for (int i = 0; i < COUNT; i++)
        CHECK(slot_of(names[i]) == ours(names[i]));
    CHECK(slot_of("sigprocmask") != ours("sigprocmask"));
    /* A pointer from before still leads to libc. */
    CHECK((void *)early != ours("close") && early(-1) == -1 && errno == EBADF);
    char *attached = mappings();
    CHECK(!strcmp(maps, attached));
    use_epoll();
    CHECK(detach() == count);
    for (int i = 0; i < COUNT; i++)
        CHECK(slot_of(names[i]) == before[i]);
    char *detached = mappings();
    CHECK(!strcmp(maps, detached));
    CHECK(detach() == -ENOTCONN);
    use_epoll();
    free(maps);
    free(attached);
    free(detached);
    CHECK(attach(NULL) == count && detach() == count);
    use_epoll();
}

static atomic_int done;
static atomic_long rounds;

static void *work(void *unused) {
    (void)unused;
    while (!done) {
        use_epoll();
        rounds++;
    }
    return NULL;
}

/* Threads use epoll all the while. */
static void cycles(int argc, char **argv) {
    CHECK(argc > 4);
    int count = atoi(argv[3]), threads = atoi(argv[4]);
    pthread_t thread[16];
    load(argv[2]);
    for (int i = 0; i < threads; i++)
        CHECK(pthread_create(&thread[i], NULL, work, NULL) == 0);
    int maps = 0, fds = 0;
    for (int i = 0; i < count; i++) {
        CHECK(attach("ring=64K") > 0);
        use_epoll();
        CHECK(detach() > 0);
        use_epoll();
        if (threads == 0 && i == 10)
            maps = lines_of_maps(), fds = open_fds();
    }
    if (threads == 0)
        CHECK(lines_of_maps() == maps && open_fds() == fds);
    done = 1;
    for (int i = 0; i < threads; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(threads == 0 || rounds > threads);
}

struct plugin {
    void *handle;
    void (*use)(void);
    void *(*slot)(void);
};

static struct plugin plug(const char *path) {
    struct plugin plugin = {dlopen(path, RTLD_LAZY | RTLD_LOCAL), NULL, NULL};
    CHECK(plugin.handle);
    plugin.use = (void (*)(void))dlsym(plugin.handle, "use");
    plugin.slot = (void *(*)(void))dlsym(plugin.handle, "slot");
    CHECK(plugin.use && plugin.slot);
    return plugin;
}

/* What was taken and is gone is not touched, nor is what came to its place. */
static void unplugged(int argc, char **argv) {
    CHECK(argc > 4);
    load(argv[2]);
    struct plugin first = plug(argv[3]);
    CHECK(attach("") > 0);
    CHECK(first.slot() == ours("epoll_wait"));
    first.use();
    CHECK(dlclose(first.handle) == 0 && dlopen(argv[3], RTLD_LAZY | RTLD_NOLOAD) == NULL);
    struct plugin second = plug(argv[4]);
    CHECK(second.slot() != ours("epoll_wait"));
    second.use();
    CHECK(detach() > 0);
    second.use();
    CHECK(second.slot() != ours("epoll_wait"));
    CHECK(attach("") > 0 && second.slot() == ours("epoll_wait"));
    CHECK(dlclose(second.handle) == 0);
    CHECK(detach() > 0);
    use_epoll();
}

/* What is loaded later is found within seconds. */
static void plugged(int argc, char **argv) {
    CHECK(argc > 3);
    load(argv[2]);
    CHECK(attach("") > 0);
    struct plugin plugin = plug(argv[3]);
    for (int tries = 0; plugin.slot() != ours("epoll_wait"); tries++) {
        CHECK(tries < 100);
        use_epoll();
        usleep(100000);
    }
    plugin.use();
    CHECK(detach() > 0);
    CHECK(plugin.slot() != ours("epoll_wait"));
    plugin.use();
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void before_fork(void) { pthread_mutex_lock(&mutex); }
static void after_fork(void) { pthread_mutex_unlock(&mutex); }

static void *work_locked(void *unused) {
    (void)unused;
    while (!done) {
        pthread_mutex_lock(&mutex);
        use_epoll();
        pthread_mutex_unlock(&mutex);
        usleep(100);
    }
    return NULL;
}

static void *work_once(void *unused) {
    use_epoll();
    return unused;
}

static void *come_and_go(void *unused) {
    (void)unused;
    while (!done) {
        pthread_t thread;
        pthread_mutex_lock(&mutex);
        CHECK(pthread_create(&thread, NULL, work_once, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        pthread_mutex_unlock(&mutex);
        usleep(100);
    }
    return NULL;
}

/* A handler of pthread_atfork waits for a lock that a thread holds in a call of ours. */
static void forks(int argc, char **argv) {
    CHECK(argc > 3);
    int count = atoi(argv[3]);
    pthread_t thread[3];
    CHECK(pthread_atfork(before_fork, after_fork, after_fork) == 0);
    load(argv[2]);
    CHECK(attach("") > 0);
    CHECK(pthread_create(&thread[0], NULL, work_locked, NULL) == 0);
    CHECK(pthread_create(&thread[1], NULL, work_locked, NULL) == 0);
    CHECK(pthread_create(&thread[2], NULL, come_and_go, NULL) == 0);
    for (int i = 0; i < count; i++) {
        int status, is_attached = i % 3 != 2;
        if (!is_attached)
            CHECK(detach() > 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            use_epoll();
            if (i % 2 == 0)
                CHECK(is_attached ? detach() > 0 : attach("") > 0);
            use_epoll();
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        if (!is_attached)
            CHECK(attach("") > 0);
    }
    done = 1;
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
}

/* The loader has no room left for thread-local variables at a fixed place. */
static void crowded(int argc, char **argv) {
    CHECK(argc > 3);
    pthread_t early;
    CHECK(pthread_create(&early, NULL, work, NULL) == 0);
    int loaded = 0;
    for (int i = 3; i < argc; i++)
        loaded += dlopen(argv[i], RTLD_NOW | RTLD_LOCAL) != NULL;
    CHECK(loaded < argc - 3 && strstr(dlerror(), "static TLS"));
    load(argv[2]);
    CHECK(attach("") > 0);
    pthread_t late;
    CHECK(pthread_create(&late, NULL, work, NULL) == 0);
    for (int i = 0; i < 100; i++)
        use_epoll();
    CHECK(detach() > 0 && attach("") > 0 && detach() > 0);
    done = 1;
    CHECK(pthread_join(early, NULL) == 0 && pthread_join(late, NULL) == 0);
}

/* The library came with the program. */
static void with_the_program(int argc, char **argv) {
    (void)argc;
    load(argv[2]);
    CHECK(attach("") == -EBUSY && detach() == -ENOTCONN);
    use_epoll();
}

/* Asleep it changes nothing. */
static void asleep(int argc, char **argv) {
    (void)argc;
    struct epoll_event event;
    int set = epoll_create1(0), fds = open_fds();
    load(argv[2]);
    CHECK(open_fds() == fds && epoll_wait(set, &event, 1, 0) == 0);
    sigset_t mask;
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int signal = 1; signal <= 64; signal++)
        CHECK(sigismember(&mask, signal) != 1);
    int (*volatile wait)(int, struct epoll_event *, int, int);
    wait = (int (*)(int, struct epoll_event *, int, int))ours("epoll_wait");
    CHECK(wait(set, &event, 1, 0) == 0 && wait(-1, &event, 1, 0) == -1 && errno == EBADF);
    int (*volatile create)(int) = (int (*)(int))ours("epoll_create1");
    int other = create(0);
    CHECK(other >= 0);
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", other);
    CHECK(readlink(path, target, sizeof target - 1) > 0 && strstr(target, "eventpoll"));
    CHECK(fork() != 0 || (use_epoll(), _exit(0), 1));
    int status;
    CHECK(wait4(-1, &status, 0, NULL) > 0 && status == 0);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(int, char **);
    } scenarios[] = {
        {"slots", slots},     {"cycles", cycles},   {"unplugged", unplugged},
        {"plugged", plugged}, {"forks", forks},     {"crowded", crowded},
        {"asleep", asleep},   {"with_the_program", with_the_program},
    };
    for (size_t i = 0; argc > 2 && i < sizeof scenarios / sizeof *scenarios; i++)
        if (!strcmp(argv[1], scenarios[i].name)) {
            scenarios[i].run(argc, argv);
            return 0;
        }
    fprintf(stderr, "usage: attach SCENARIO LIBRARY ...\n");
    return 2;
}
