/* hasty.h - what a program does each second, it does soon: so a promise of one
 * second is kept easily, and by nothing that comes more seldom.
 *
 * For a test that is linked with --wrap=tick_after; in one file of it. */
#ifndef UNIXIPC_TESTS_SUPPORT_HASTY_H
#define UNIXIPC_TESTS_SUPPORT_HASTY_H

#include <stdbool.h>

#include "lib/tick.h"

/* While it is set, and in what is forked meanwhile. */
static bool is_hasty;

int64_t __real_tick_after(int64_t timeout_ns);
int64_t __wrap_tick_after(int64_t timeout_ns);

int64_t __wrap_tick_after(int64_t timeout_ns)
{
	return __real_tick_after(is_hasty && timeout_ns == TICK_S ? 10 * TICK_MS
								  : timeout_ns);
}

#endif
