// Calls that sleep are libc's own in a thread that serves a set, though the
// library times them: EINTR, the time that is left, errors that are returned,
// cancellation in the middle.
// Source: nanosleep(2), signal(7), pthreads(7). Contract: 8
#include "harness.h"
#include <netdb.h>
#include <semaphore.h>
#include <sys/file.h>

static int epfd, quiet[2], held, wanted;
static sem_t never;
static pthread_t sleeper;
static _Atomic int begun, cleaned;

static void on_alarm(int signo) { (void)signo; }

// From now on the thread is one that has waited on a set.
static void wait_once(void)
{
    struct epoll_event ev[1];
    CHECK_EQ(epoll_wait(epfd, ev, 1, 0), 0);
}

// A signal comes in 30 ms, and again, in case the call has not begun by then.
static void alarm_soon(void)
{
    struct itimerval timer = {{0, 30000}, {0, 30000}};
    OK(setitimer(ITIMER_REAL, &timer, NULL));
}

static void calls_are_interrupted(void)
{
    struct timespec nap = {100, 0}, left = {0, 0};
    int status;
    char byte;
    alarm_soon();
    CHECK_ERR(nanosleep(&nap, &left), EINTR);
    CHECK(left.tv_sec > 50 && left.tv_sec < 100);
    left.tv_sec = 0;
    errno = 77;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, &left), EINTR);
    CHECK_EQ(errno, 77);
    CHECK(left.tv_sec > 50 && left.tv_sec < 100);
    CHECK(sleep(100) > 50);
    CHECK_ERR(usleep(900000), EINTR);
    CHECK_ERR(read(quiet[0], &byte, 1), EINTR);
    CHECK_ERR(flock(wanted, LOCK_EX), EINTR);
    CHECK_ERR(sem_wait(&never), EINTR);
    pid_t pid = fork_child();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    CHECK_ERR(waitpid(pid, &status, 0), EINTR);
    struct itimerval off = {{0, 0}, {0, 0}};
    OK(setitimer(ITIMER_REAL, &off, NULL));
    OK(kill(pid, SIGKILL));
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
}

static void errors_are_libcs(void)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;
    errno = 77;
    CHECK_EQ(pthread_join(pthread_self(), NULL), EDEADLK);
    CHECK_EQ(errno, 77);
    CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
    CHECK_ERR(flock(-1, LOCK_EX), EBADF);
    CHECK_ERR(fsync(quiet[0]), EINVAL);
    CHECK_EQ(getaddrinfo("no number", NULL, &hints, &list), EAI_NONAME);
    CHECK_EQ(getaddrinfo("127.0.0.1", "80", &hints, &list), 0);
    freeaddrinfo(list);
    CHECK_EQ(WEXITSTATUS(system("exit 7")), 7);
}

static void in_nanosleep(void) { sleep(100); }
static void in_read(void)
{
    char byte;
    CHECK(read(quiet[0], &byte, 1) < 0);
}
static void in_sem_wait(void) { sem_wait(&never); }
static void in_join(void) { pthread_join(sleeper, NULL); }
static void in_poll(void)
{
    struct pollfd watch = {quiet[0], POLLIN, 0};
    poll(&watch, 1, -1);
}

static void clean_up(void *unused)
{
    (void)unused;
    cleaned++;
}

static void *sleeps(void *call)
{
    wait_once();
    pthread_cleanup_push(clean_up, NULL);
    begun++;
    ((void (*)(void))call)();
    pthread_cleanup_pop(0);
    return NULL;
}

static void calls_are_cancelled(void)
{
    void (*calls[])(void) = {in_nanosleep, in_read, in_sem_wait, in_join,
                             in_poll};
    int count = sizeof calls / sizeof calls[0];
    CHECK_EQ(pthread_create(&sleeper, NULL, sleeps, in_nanosleep), 0);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        void *result;
        CHECK_EQ(pthread_create(&thread, NULL, sleeps, calls[i]), 0);
        while (begun < i + 2)
            sleep_ms(1);
        sleep_ms(10);
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED);
    }
    CHECK_EQ(pthread_cancel(sleeper), 0);
    CHECK_EQ(pthread_join(sleeper, NULL), 0);
    CHECK_EQ(cleaned, count + 1);
}

static void test(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    char path[] = "/tmp/sleepsXXXXXX";
    epfd = ep_new();
    OK(pipe(quiet));
    OK(sem_init(&never, 0, 0));
    held = OK(mkstemp(path));
    wanted = OK(open(path, O_RDWR | O_CLOEXEC));
    OK(unlink(path));
    OK(flock(held, LOCK_EX));
    OK(sigaction(SIGALRM, &action, NULL));
    wait_once();
    calls_are_interrupted();
    errors_are_libcs();
    calls_are_cancelled();
    close_pair(quiet);
    OK(close(held));
    OK(close(wanted));
    OK(close(epfd));
}
