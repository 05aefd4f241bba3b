// Whether the library under test answers the epoll calls.
#ifndef HARNESS_LIBRARY_H
#define HARNESS_LIBRARY_H

#include "check.h"
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdbool.h>

// The file that `symbol` comes from: the program, a library.
static inline void *file_of(void *symbol)
{
    Dl_info file;
    CHECK(symbol && dladdr(symbol, &file));
    return file.dli_fbase;
}

// For the few tests that pin what happens where glasspoll cannot do as the
// kernel does: each is also run on the kernel, and says there what that does.
// A library that stands before libc defines epoll_wait, whatever it is called.
static inline bool preloaded(void)
{
    return file_of(dlsym(RTLD_DEFAULT, "epoll_wait")) !=
           file_of(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"));
}

#endif
