/* rpc_server_fixture.h - servers with options of their own, whose events are
 * counted. */
#ifndef UNIXIPC_TESTS_LIB_RPC_SERVER_FIXTURE_H
#define UNIXIPC_TESTS_LIB_RPC_SERVER_FIXTURE_H

#include "tests/lib/rpc_fixture.h"

static atomic_int events[RPC_SERVER_REFUSED + 1];

static inline void note(enum rpc_server_event event,
			const struct rpc_peer *peer, int error, void *arg)
{
	(void)peer, (void)error, (void)arg;
	atomic_fetch_add(&events[event], 1);
}

/* A server with other options; end it with stop_server(). */
static inline struct fixture special(void)
{
	struct fixture f = {.options = all_transports()};

	f.options.on_event = note;
	for (int i = 0; i <= RPC_SERVER_REFUSED; i++)
		atomic_store(&events[i], 0);
	return f;
}

static inline bool has_event(void *arg)
{
	return atomic_load((atomic_int *)arg) > 0;
}

static inline void wait_event(enum rpc_server_event event)
{
	assert_true(support_wait_until(has_event, &events[event], 60000));
}

#endif
