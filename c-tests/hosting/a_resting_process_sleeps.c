// At rest there is no tick: a process whose threads all wait for files to which nothing happens is not woken, not to look
// and not to hand over, whatever the files are.
#include "harness/resting.h"

static bool any(const struct kind *kind, bool inherited)
{
    (void)kind, (void)inherited;
    return true;
}

static void test(void) { all_rest(false, any); }
