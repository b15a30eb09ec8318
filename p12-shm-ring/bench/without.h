/* without.h - the ring's own sources once more, with a technique left out that
 * a handle cannot do without. A file says WITHOUT(name), under which all of them
 * are known, and what is different; then it includes this. */
#ifndef UNIXIPC_P12_SHM_RING_BENCH_WITHOUT_H
#define UNIXIPC_P12_SHM_RING_BENCH_WITHOUT_H

#ifndef WITHOUT
#define WITHOUT(name) without_##name
#endif

#define ring_memfd WITHOUT(memfd)
#define ring_attach WITHOUT(attach)
#define ring_pair WITHOUT(pair)
#define ring_close WITHOUT(close)
#define ring_abandon WITHOUT(abandon)
#define ring_forget WITHOUT(forget)
#define ring_enter WITHOUT(enter)
#define ring_reserve WITHOUT(reserve)
#define ring_commit WITHOUT(commit)
#define ring_commit_later WITHOUT(commit_later)
#define ring_flush WITHOUT(flush)
#define ring_send WITHOUT(send)
#define ring_send_batch WITHOUT(send_batch)
#define ring_drain WITHOUT(drain)
#define ring_peek WITHOUT(peek)
#define ring_peek_batch WITHOUT(peek_batch)
#define ring_release WITHOUT(release)
#define ring_recv WITHOUT(recv)
#define ring_peer WITHOUT(peer)
#define ring_is_lost WITHOUT(is_lost)
#define ring_wait_peer WITHOUT(wait_peer)
#define ring_capacity WITHOUT(capacity)
#define ring_message_max WITHOUT(message_max)
#define ring_dropped WITHOUT(dropped)
#define ring_calls WITHOUT(calls)
#define ring_gather WITHOUT(gather)
#define ring_shares_cpu WITHOUT(shares_cpu)
#define ring_pause WITHOUT(pause)
#define ring_wait_for WITHOUT(wait_for)
#define ring_wake_other WITHOUT(wake_other)
#define ring_wait_prepare WITHOUT(wait_prepare)
#define ring_mechanism_create WITHOUT(mechanism_create)
#define ring_mechanism_check WITHOUT(mechanism_check)
#define ring_mechanism_attach WITHOUT(mechanism_attach)
#define ring_mechanism_send WITHOUT(mechanism_send)
#define ring_mechanism_send_later WITHOUT(mechanism_send_later)
#define ring_mechanism_flush WITHOUT(mechanism_flush)
#define ring_mechanism_receive WITHOUT(mechanism_receive)
#define ring_mechanism_destroy WITHOUT(mechanism_destroy)

/* Both have one. */
#define publish publish_tail
#include "p12-shm-ring/ring_send.c" /* NOLINT(bugprone-suspicious-include) */
#undef publish
#include "p12-shm-ring/ring_recv.c" /* NOLINT(bugprone-suspicious-include) */

#undef memcpy
#include "p12-shm-ring/bench/ring_mechanism.c" /* NOLINT(bugprone-suspicious-include) */
#include "p12-shm-ring/ring.c"        /* NOLINT(bugprone-suspicious-include) */
#ifndef WITHOUT_GATHERING             /* it has its own ring_gather() */
#include "p12-shm-ring/ring_gather.c" /* NOLINT(bugprone-suspicious-include) */
#endif
#include "p12-shm-ring/ring_wait.c" /* NOLINT(bugprone-suspicious-include) */

#include "p12-shm-ring/bench/rows.h"

static inline int create(void **channel, size_t message_bytes)
{
	const struct ring_options options = {.capacity = ROWS_CAPACITY};

	return ring_mechanism_create(channel, message_bytes, &options);
}

#define WITHOUT_ROW(title)                                         \
	{                                                          \
		.name = (title), .check = ring_mechanism_check,    \
		.create = create, .attach = ring_mechanism_attach, \
		.send = ring_mechanism_send,                       \
		.receive = ring_mechanism_receive,                 \
		.destroy = ring_mechanism_destroy,                 \
	}

#endif
