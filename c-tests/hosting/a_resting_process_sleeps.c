// All threads of a process wait, and nothing happens to their files, whatever kinds of file these are. The process has
// no tick: nothing wakes it to look at files, or to hand the watch over.
#include "harness/resting.h"

static bool any(const struct kind *kind, bool inherited)
{
    (void)kind, (void)inherited;
    return true;
}

static void test(void) { all_rest(false, any); }
