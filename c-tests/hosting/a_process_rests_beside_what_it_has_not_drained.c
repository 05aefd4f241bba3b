// An edge-triggered item that was told of and whose file was not drained is told of no more: nothing wakes the process.
// Limit: poll: every file is asked, so what comes on top of what was not read is found by looking, every 10 ms
#include "harness/resting.h"

// Those that are a limit have a test of their own.
static bool made_here(const struct kind *kind, bool inherited)
{
    return !inherited && strcmp(kind->name, "signalfd") != 0;
}

static void test(void) { all_rest(true, made_here); }
