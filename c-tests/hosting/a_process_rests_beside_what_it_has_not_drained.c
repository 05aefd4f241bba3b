// An edge-triggered item was reported and its file was not drained. While nothing new happens to the file, nothing
// wakes the process.
// Limit: poll: every file is asked, so what comes on top of what was not read is found by looking, every 10 ms
#include "harness/resting.h"

// The other cells are a limit, and have a test of their own: a_process_rests_beside_shared_files_it_has_not_drained.
static bool made_here(const struct kind *kind, bool inherited)
{
    return !inherited && strcmp(kind->name, "signalfd") != 0;
}

static void test(void) { all_rest(true, made_here); }
