// Preloaded before the library under a sanitizer of gcc's.
//
// The sanitizers ask for limits while they start, which comes to the library before its own code can run: here the
// kernel answers. And what newer compilers call the copying functions, for a ThreadSanitizer that does not know it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#ifdef ASAN
void __asan_handle_no_return(void);
#endif

static int prlimit_now(int what, const struct rlimit *new, struct rlimit *old)
{
    long result;
#ifdef __x86_64__
    register long r10 __asm__("r10") = (long)old;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_prlimit64), "D"(0L), "S"((long)what), "d"(new), "r"(r10)
                     : "rcx", "r11", "memory");
#else
#error "the sanitizers are run on x86_64 alone"
#endif
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return 0;
}

int getrlimit(__rlimit_resource_t what, struct rlimit *limit) { return prlimit_now(what, NULL, limit); }
int setrlimit(__rlimit_resource_t what, const struct rlimit *limit) { return prlimit_now(what, limit, NULL); }

#ifdef ASAN
// A cancelled thread is unwound past frames whose marks AddressSanitizer leaves on the stack, and the destructors of the
// thread's keys would stumble over them. The library sets its key anew in each round of destructors but the last.
int pthread_setspecific(pthread_key_t key, const void *value)
{
    static int (*real)(pthread_key_t, const void *);
    if (!real)
        real = (int (*)(pthread_key_t, const void *))dlsym(RTLD_NEXT, "pthread_setspecific");
    __asan_handle_no_return();
    return real(key, value);
}
#endif

#ifdef TSAN
void *__tsan_memcpy(void *to, const void *from, size_t n) { return memcpy(to, from, n); }
void *__tsan_memmove(void *to, const void *from, size_t n) { return memmove(to, from, n); }
void *__tsan_memset(void *to, int byte, size_t n) { return memset(to, byte, n); }
#endif
