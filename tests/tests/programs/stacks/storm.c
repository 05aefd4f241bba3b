// ADDs from every kind of stack, while other threads load and unload the code that makes them: threads, plugins that
// dlclose(3) unmaps, coroutines of 8 KB with anything above their first frame, the smallest threads, forked children.
// `storm PLUGIN PLUGIN`. Exit status 0: nothing happened to the program.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { PLUGINS = 600, COROUTINES = 400, CHILDREN = 30, SMALL = 50, STACK = 8192, PAGE = 4096 };

struct pair {
    int set, fd;
};

static atomic_bool is_over;

static struct pair open_pair(void)
{
    return (struct pair){.set = epoll_create1(0), .fd = eventfd(0, 0)};
}

static void close_pair(struct pair pair)
{
    close(pair.set);
    close(pair.fd);
}

static void add_and_delete(struct pair pair)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(pair.set, EPOLL_CTL_ADD, pair.fd, &event) || epoll_ctl(pair.set, EPOLL_CTL_DEL, pair.fd, 0)) {
        perror("epoll_ctl");
        abort();
    }
}

static void *add_all_the_time(void *unused)
{
    struct pair pair = open_pair();
    while (!is_over)
        add_and_delete(pair);
    close_pair(pair);
    return unused;
}

static void *add_once(void *unused)
{
    struct pair pair = open_pair();
    add_and_delete(pair);
    close_pair(pair);
    return unused;
}

static void *add_through_plugins(void *arguments)
{
    char **names = arguments;
    struct pair pair = open_pair();
    for (int n = 0; n < PLUGINS; n++) {
        void *plugin = dlopen(names[n % 2], RTLD_NOW);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            abort();
        }
        void (*through)(void (*)(struct pair), struct pair) = dlsym(plugin, "through");
        through(add_and_delete, pair);
        dlclose(plugin);
    }
    close_pair(pair);
    return 0;
}

static ucontext_t outside, coroutine;
static struct pair its_pair;

static void body(void)
{
    add_and_delete(its_pair);
    swapcontext(&coroutine, &outside);
    abort();
}

static void *add_in_coroutines(void *unused)
{
    its_pair = open_pair();
    for (int n = 0; n < COROUTINES; n++) {
        char *pages = mmap(0, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || mprotect(pages, PAGE, PROT_NONE))
            abort();
        char *stack = pages + PAGE;
        memset(stack, 0xa5 ^ n, STACK);
        getcontext(&coroutine);
        coroutine.uc_stack.ss_sp = stack;
        coroutine.uc_stack.ss_size = STACK;
        coroutine.uc_link = 0;
        makecontext(&coroutine, body, 0);
        // What a first frame returns to, and what is above it, may be anything: also code, or the stack itself.
        unsigned long *top = (unsigned long *)(stack + STACK);
        for (int word = 1; word <= 8; word++)
            top[-word] = word % 3 == 0   ? (unsigned long)top - 64
                         : word % 3 == 1 ? (unsigned long)add_once + 4
                                         : (unsigned long)random() * (unsigned long)random();
        swapcontext(&outside, &coroutine);
        munmap(pages, STACK + PAGE);
    }
    close_pair(its_pair);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[4], small;
    pthread_attr_t smallest;
    if (argc < 3)
        return 2;
    pthread_create(&threads[0], 0, add_all_the_time, 0);
    pthread_create(&threads[1], 0, add_all_the_time, 0);
    pthread_create(&threads[2], 0, add_through_plugins, argv + 1);
    pthread_create(&threads[3], 0, add_in_coroutines, 0);
    for (int n = 0; n < CHILDREN; n++) {
        // _Fork leaves the loader's lock as it is at that moment.
        pid_t child = n % 2 ? fork() : _Fork();
        if (child == 0) {
            add_once(0);
            _exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "a child ended with %x\n", status);
            return 1;
        }
    }
    pthread_attr_init(&smallest);
    pthread_attr_setstacksize(&smallest, PTHREAD_STACK_MIN);
    for (int n = 0; n < SMALL; n++) {
        pthread_create(&small, &smallest, add_once, 0);
        pthread_join(small, 0);
    }
    pthread_join(threads[2], 0);
    pthread_join(threads[3], 0);
    is_over = true;
    pthread_join(threads[0], 0);
    pthread_join(threads[1], 0);
    return 0;
}
