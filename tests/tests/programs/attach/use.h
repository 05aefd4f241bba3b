/* What the program and its plugins do with epoll, and how they find their own slots. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #what, errno); \
            exit(1); \
        } \
    } while (0)

/* Where this object's own calls of a function lead now. */
static inline void *slot_of(const char *name) {
    const ElfW(Dyn) *entry = _DYNAMIC;
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    const ElfW(Rela) *tables[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    for (; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_SYMTAB: symbols = (void *)entry->d_un.d_ptr; break;
        case DT_STRTAB: strings = (void *)entry->d_un.d_ptr; break;
        case DT_JMPREL: tables[0] = (void *)entry->d_un.d_ptr; break;
        case DT_PLTRELSZ: sizes[0] = entry->d_un.d_val; break;
        case DT_RELA: tables[1] = (void *)entry->d_un.d_ptr; break;
        case DT_RELASZ: sizes[1] = entry->d_un.d_val; break;
        }
    }
    Dl_info info;
    struct link_map *self = NULL;
    CHECK(dladdr1(_DYNAMIC, &info, (void **)&self, RTLD_DL_LINKMAP) != 0);
    for (int table = 0; table < 2; table++)
        for (size_t i = 0; i < sizes[table] / sizeof(ElfW(Rela)); i++) {
            const ElfW(Rela) *rela = &tables[table][i];
            if (!strcmp(strings + symbols[ELF64_R_SYM(rela->r_info)].st_name, name))
                return *(void *volatile *)(self->l_addr + rela->r_offset);
        }
    CHECK(!"the object has the slot");
    return NULL;
}

/* One wait that reports an item, one read, and the closes. */
static inline void use_epoll(void) {
    int ends[2], set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
    char byte = 'x';
    CHECK(set >= 0 && pipe(ends) == 0 && epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
    CHECK(epoll_wait(set, &event, 1, 0) == 0);
    CHECK(write(ends[1], &byte, 1) == 1);
    CHECK(epoll_wait(set, &event, 1, 1000) == 1 && event.data.u64 == 7);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && close(set) == 0);
}
