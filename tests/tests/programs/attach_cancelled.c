/* A program to attach to that cancels its waiting threads all the time. Argument: how they wait. On a byte in its
 * standard input it prints "ok" and how many it has cancelled; it prints a line when one of them did not end as a
 * cancelled thread does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *kind;
static int epfd, ends[2];
static volatile int cleanups;

static void clean_up(void *unused)
{
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (sigismember(&mask, SIGUSR1))
		puts("bad: its signals are blocked");
	cleanups++;
}

static void *wait_for_ever(void *unused)
{
	struct epoll_event event;
	struct pollfd polled = { ends[0], POLLIN, 0 };
	pthread_cleanup_push(clean_up, NULL);
	for (;;) {
		int result;
		if (!strcmp(kind, "epoll_wait"))
			result = epoll_wait(epfd, &event, 1, -1);
		else if (!strcmp(kind, "poll"))
			result = poll(&polled, 1, -1);
		else {
			/* No cancellation point: the thread is cancelled after it. */
			result = syscall(SYS_epoll_wait, epfd, &event, 1, 2);
			pthread_testcancel();
		}
		if (result)
			printf("bad: %s returned %d\n", kind, result);
	}
	pthread_cleanup_pop(0);
	return NULL;
}

int main(int count, char **arguments)
{
	long cancelled = 0;
	kind = arguments[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	if (pipe2(ends, O_CLOEXEC))
		abort();
	struct epoll_event event = { EPOLLIN, { 0 } };
	epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], &event);
	fcntl(0, F_SETFL, O_NONBLOCK);
	puts("here");
	for (;;) {
		pthread_t thread;
		void *result;
		char byte;
		int before = cleanups;
		pthread_create(&thread, NULL, wait_for_ever, NULL);
		/* Busy: a thread that sleeps here might be asked in its place. */
		struct timespec begin, now;
		clock_gettime(CLOCK_MONOTONIC, &begin);
		do
			clock_gettime(CLOCK_MONOTONIC, &now);
		while ((now.tv_sec - begin.tv_sec) * 1000000000L + now.tv_nsec - begin.tv_nsec < 3000000 + cancelled % 7 * 1000000);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		if (result != PTHREAD_CANCELED || cleanups != before + 1)
			puts("bad: it was not cancelled");
		cancelled++;
		if (read(0, &byte, 1) == 1)
			printf("ok %ld\n", cancelled);
	}
}
