/* The lock without its fast path: all forms at random, as in stress_test.c, of
 * which this is another build, with the sources of the lock. */
#define MYRWLOCK_PLAIN

/* NOLINTBEGIN(bugprone-suspicious-include) */
#include "p08-rwlock/held.c"
#include "p08-rwlock/inner.c"
#include "p08-rwlock/myrwlock.c"
#include "p08-rwlock/myrwlock_make.c"
#include "p08-rwlock/queue.c"
#include "p08-rwlock/roster.c"

#include "tests/p08/stress_test.c"
/* NOLINTEND(bugprone-suspicious-include) */
