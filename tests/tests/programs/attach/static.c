/* A static program that loads the library. Status 0: the loader refuses it, or the library does. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
    if (!library) {
        puts(dlerror());
        return 0;
    }
    int (*attach)(const char *) = (int (*)(const char *))dlsym(library, "glasspoll_attach");
    int (*detach)(void) = (int (*)(void))dlsym(library, "glasspoll_detach");
    return attach("") == -ENOSYS && detach() == -ENOTCONN ? 0 : 1;
}
