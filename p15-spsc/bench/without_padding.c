/* The queue's own sources once more, with all that is shared on two lines: of
 * spsc_layout.h, module.mk makes a copy that says so, and is included first. */
#include "p15-spsc/bench/packed_layout.h"
_Static_assert(SPSC_LINE == 8, "the copy is as the original");

#define spsc_bytes packed_bytes
#define spsc_init packed_init
#define spsc_init_at packed_init_at
#define spsc_producer_attach packed_producer_attach
#define spsc_consumer_attach packed_consumer_attach
#define spsc_producer_close packed_producer_close
#define spsc_consumer_close packed_consumer_close
#define spsc_count packed_count
#define spsc_try_push_many packed_try_push_many
#define spsc_push_many_until packed_push_many_until
#define spsc_try_pop_many packed_try_pop_many
#define spsc_pop_many_until packed_pop_many_until
#define spsc_producer_adopt packed_producer_adopt
#define spsc_consumer_adopt packed_consumer_adopt
#define spsc_producer_forget packed_producer_forget
#define spsc_consumer_forget packed_consumer_forget
#define spsc_fill packed_fill
#define spsc_validate packed_validate
#define spsc_produce packed_produce
#define spsc_consume packed_consume
#define spsc_join packed_join
#define spsc_leave packed_leave
#define spsc_wake packed_wake
#define spsc_wait packed_wait

#include "p15-spsc/spsc.c"      /* NOLINT(bugprone-suspicious-include) */
#include "p15-spsc/spsc_wait.c" /* NOLINT(bugprone-suspicious-include) */

#define contender_spsc packed_spsc
#define contender_spsc_waiting packed_spsc_waiting
#define contender_spsc_deferred packed_spsc_deferred

#include "p15-spsc/bench/ours.c" /* NOLINT(bugprone-suspicious-include) */

#include "p15-spsc/bench/without.h"

const struct contender without_padding = {
	.name = "no padding",
	.bytes = bytes,
	.make = make,
	.produce = produce,
	.consume = consume,
};
