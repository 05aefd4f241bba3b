/* A program to attach to: it calls one wait again and again, and prints a line when something is not as it was before
 * the call. On a byte in its standard input it prints "ok" and how often it has waited.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void on_signal(int number)
{
	signals++;
}

static int wait_once(const char *kind, int epfd, int fd, int milliseconds)
{
	struct epoll_event event;
	struct pollfd polled = { fd, POLLIN, 0 };
	struct timespec time = { 0, milliseconds * 1000000L };
	struct timeval interval = { 0, milliseconds * 1000L };
	sigset_t none;
	fd_set set;
	sigemptyset(&none);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	if (!strcmp(kind, "epoll_wait"))
		return epoll_wait(epfd, &event, 1, milliseconds);
	if (!strcmp(kind, "long_epoll_wait")) {
		struct timespec begin, end;
		clock_gettime(CLOCK_MONOTONIC, &begin);
		int result = epoll_wait(epfd, &event, 1, 3000);
		clock_gettime(CLOCK_MONOTONIC, &end);
		long long took = (end.tv_sec - begin.tv_sec) * 1000LL + (end.tv_nsec - begin.tv_nsec) / 1000000;
		printf("took %s\n", took < 3000 ? "less" : took > 4500 ? "more" : "3 s");
		return result;
	}
	if (!strcmp(kind, "epoll_pwait"))
		return epoll_pwait(epfd, &event, 1, milliseconds, &none);
	if (!strcmp(kind, "poll"))
		return poll(&polled, 1, milliseconds);
	if (!strcmp(kind, "ppoll"))
		return ppoll(&polled, 1, &time, &none);
	if (!strcmp(kind, "select"))
		return select(fd + 1, &set, NULL, NULL, &interval);
	if (!strcmp(kind, "nanosleep"))
		return nanosleep(&time, NULL);
	if (!strcmp(kind, "clock_nanosleep"))
		return clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	if (!strcmp(kind, "read")) {
		char byte;
		return read(fd, &byte, 1) == 1 ? 0 : -1;
	}
	if (!strcmp(kind, "condition")) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += milliseconds * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_mutex_lock(&lock);
		int result = pthread_cond_timedwait(&condition, &lock, &until);
		pthread_mutex_unlock(&lock);
		return result == ETIMEDOUT ? 0 : -1;
	}
	if (!strcmp(kind, "spin")) {
		int result = epoll_wait(epfd, &event, 1, 0);
		return result;
	}
	if (!strcmp(kind, "compute")) {
		for (volatile long i = 0; i < 3000000; i++)
			;
		return 0;
	}
	abort();
}

/* Kills the process at the call `number`. */
static void forbid(int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		abort();
}

static void *load(void *path)
{
	dlopen(path, RTLD_NOW);
	return NULL;
}

int main(int count, char **arguments)
{
	const char *kind = arguments[1];
	int pipes[2], epfd = epoll_create1(EPOLL_CLOEXEC);
	long waits = 0;
	pthread_t thread;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe2(pipes, O_CLOEXEC))
		abort();
	struct epoll_event event = { EPOLLIN, { 0 } };
	epoll_ctl(epfd, EPOLL_CTL_ADD, pipes[0], &event);
	int reads = !strcmp(kind, "read");
	if (!reads)
		fcntl(0, F_SETFL, O_NONBLOCK);
	for (int i = 2; i < count; i++) {
		if (!strcmp(arguments[i], "timer")) {
			/* A signal every 3 ms, whose handler lets calls be made once more. */
			struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
			struct itimerval interval = { { 0, 3000 }, { 0, 3000 } };
			sigaction(SIGALRM, &action, NULL);
			setitimer(ITIMER_REAL, &interval, NULL);
		} else if (!strcmp(arguments[i], "forbid-openat")) {
			forbid(SYS_openat);
		} else if (!strcmp(arguments[i], "filter")) {
			forbid(SYS_reboot);
		} else if (!strcmp(arguments[i], "second-libc")) {
			if (!dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW))
				abort();
		} else if (!strncmp(arguments[i], "crowd=", 6)) {
			/* The last ones find no room for their thread-locals. */
			dlopen(arguments[i] + 6, RTLD_NOW);
		} else if (!strcmp(arguments[i], "nodump")) {
			prctl(PR_SET_DUMPABLE, 0);
		} else {
			/* The constructor of this library takes its time, under the loader's lock. */
			pthread_create(&thread, NULL, load, arguments[i]);
			while (!getenv("LOADING"))
				usleep(1000);
		}
	}
	puts("here");
	for (;;) {
		char byte;
		double before = 1.25 * waits;
		errno = ENOTTY;
		int result = wait_once(kind, epfd, reads ? 0 : pipes[0], 20);
		int is_kept = errno == ENOTTY && before == 1.25 * waits;
		if (!signals && (result != 0 || !is_kept))
			printf("bad: %s returned %d, errno %d\n", kind, result, errno);
		if (signals && result != 0 && !(result == -1 && errno == EINTR))
			printf("bad: %s returned %d, errno %d under signals\n", kind, result, errno);
		waits++;
		if (reads ? result == 0 : read(0, &byte, 1) == 1)
			printf("ok %ld\n", waits);
	}
}
