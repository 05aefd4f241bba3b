/* An object that the program loads and unloads. */
#define _GNU_SOURCE
#include "use.h"

void use(void) { use_epoll(); }

void *slot(void) { return slot_of("epoll_wait"); }
