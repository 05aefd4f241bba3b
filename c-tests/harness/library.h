// Whether the library under test answers the epoll calls.
#ifndef HARNESS_LIBRARY_H
#define HARNESS_LIBRARY_H

#include "check.h"
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdbool.h>

// The file that defines `symbol`: the program or a library.
static inline void *file_of(void *symbol)
{
    Dl_info file;
    CHECK(symbol && dladdr(symbol, &file));
    return file.dli_fbase;
}

// For the few tests that pin what happens where glasspoll cannot do what the
// kernel does: each test also runs on the kernel, and says there what the
// kernel does.
// A library that is loaded before libc defines epoll_wait, whatever the library
// is called. With GLASSPOLL_ENGINE=observe the kernel answers nevertheless.
static inline bool emulated(void)
{
    const char *engine = getenv("GLASSPOLL_ENGINE");
    return file_of(dlsym(RTLD_DEFAULT, "epoll_wait")) !=
               file_of(dlsym(RTLD_DEFAULT, "gnu_get_libc_version")) &&
           (!engine || strcmp(engine, "observe") != 0);
}

#endif
