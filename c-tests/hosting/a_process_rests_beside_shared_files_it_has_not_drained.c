// As in a_process_rests_beside_what_it_has_not_drained, for a file that another process has too, and for a signalfd.
// Limit: preloaded: what another process does to a file that is ready already is found by looking, every 10 ms; so are further signals of a signalfd
#include "harness/resting.h"

static bool shared(const struct kind *kind, bool inherited)
{
    return inherited || strcmp(kind->name, "signalfd") == 0;
}

static void test(void) { all_rest(true, shared); }
