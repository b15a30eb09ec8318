/* registry.h - every mechanism that the suite knows.
 *
 * The kernel's own come from p06-bench/table.h. A chapter's is one adapter
 * file here in suite/ (a struct mechanism on the chapter's header) and one
 * line in registry.c. Nothing is allocated; any thread may call.
 */
#ifndef UNIXIPC_SUITE_REGISTRY_H
#define UNIXIPC_SUITE_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/measure/mechanism.h"

#define REGISTRY_MAX 64

/* How many there are, and each of them: first the kernel's, in the order of
 * the guide's table, then the chapters'. NULL beyond the last. */
size_t registry_count(void);
const struct mechanism *registry_at(size_t i);

/* The one with that name, or NULL. */
const struct mechanism *registry_find(const char *name);

/* Pick those of a list "pipe,fifo", each once, in the order given. Returns how
 * many, or -EINVAL with the word that is no mechanism in unknown (cut to its
 * size; "" where a word is missing). */
int registry_pick(const char *list,
		  const struct mechanism *picked[REGISTRY_MAX], char *unknown,
		  size_t unknown_size);

/* The largest message that the mechanism carries on this machine now: asked
 * of the mechanism itself by bisection, up to MEASURE_MESSAGE_MAX. That value
 * means that there is no limit worth a name, and why is ""; otherwise why is
 * the mechanism's line for a message of REGISTRY_WANTED bytes, or for a larger
 * one when it carries that: it names the limit. 0: it does not work here at
 * all. */
#define REGISTRY_WANTED 65536 /* the largest that benchmark --all sends */
uint64_t registry_limit(const struct mechanism *mechanism, char *why,
			size_t why_size);

/* The chapters' own, each in a file of its own here. */
extern const struct mechanism registry_shm_ring; /* p12 */
extern const struct mechanism registry_spsc;     /* p15 */
extern const struct mechanism registry_rpc_tcp;  /* p16 */
extern const struct mechanism registry_rpc_udp;
extern const struct mechanism registry_rpc_unix;

#endif
