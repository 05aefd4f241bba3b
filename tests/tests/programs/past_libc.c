/* Uses the kernel's epoll by instructions of its own, past libc:
 * past_libc [MILLISECONDS [STATUS]] waits for as long on an empty set. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* The fifth argument, epoll_pwait's mask, is 0. */
static long raw(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;
	__asm__ volatile("syscall"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
		: "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = 0;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
#endif
}

int main(int argc, char **argv)
{
	char event[16];
	long ep = raw(SYS_epoll_create1, 0, 0, 0, 0);

	if (ep < 0)
		return 1;
	puts("waiting");
	fflush(stdout);
	/* epoll_pwait without a mask; aarch64 has no epoll_wait. */
	if (raw(SYS_epoll_pwait, ep, (long)event, 1, argc > 1 ? atoi(argv[1]) : 0) != 0)
		return 1;
	return argc > 2 ? atoi(argv[2]) : 0;
}
