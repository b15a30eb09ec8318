/* ring_fixture.h - both sides of one ring, in this thread: nothing depends on
 * who runs when. */
#ifndef UNIXIPC_TESTS_P12_RING_FIXTURE_H
#define UNIXIPC_TESTS_P12_RING_FIXTURE_H

#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <string.h>

enum { CAPACITY = 4096 };

/* A moment that is over: try, and do not wait. */
static const int64_t at_once = 0;

static struct ring *tx, *rx;
static struct ring_options options;

static int make(void **state)
{
	(void)state;
	options.capacity = CAPACITY;
	struct ring *pair[2] = {NULL, NULL};
	int rc = ring_pair(pair, &options);

	tx = pair[RING_SENDER];
	rx = pair[RING_RECEIVER];
	return rc;
}

static int leave(void **state)
{
	(void)state;
	ring_close(tx);
	ring_close(rx);
	tx = rx = NULL;
	memset(&options, 0, sizeof(options));
	return 0;
}

static inline void send_text(const char *text)
{
	assert_int_equal(ring_send(tx, text, strlen(text), at_once), 0);
}

static inline void assert_next_is(const char *text)
{
	char buf[CAPACITY];
	ssize_t len = ring_recv(rx, buf, sizeof(buf), at_once);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

#endif
