/* rpc_exchange_fixture.h - the bytes of a call, and of its reply, without any
 * socket. */
#ifndef UNIXIPC_TESTS_LIB_RPC_EXCHANGE_FIXTURE_H
#define UNIXIPC_TESTS_LIB_RPC_EXCHANGE_FIXTURE_H

#include "lib/rpc/rpc_fault.h"
#include "tests/lib/rpc_fixture.h"

static const struct rpc_dispatch plain = DISPATCH;
static const struct rpc_peer nobody = {.transport = RPC_TCP};

/* A message as it is being written, and what comes of it. */
struct exchange {
	uint8_t message[4096];
	size_t bytes;
	struct rpc_scratch scratch;
	struct rpc_buffer reply;
	struct rpc_reply parsed;
	struct rpc_fault fault; /* what it says */
};

static inline int set_up_exchange(void **state)
{
	struct exchange *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	rpc_dispatch_scratch_init(&x->scratch);
	rpc_buffer_init(&x->reply, 1 << 20);
	*state = x;
	return 0;
}

static inline int tear_down_exchange(void **state)
{
	struct exchange *x = *state;

	rpc_dispatch_scratch_fini(&x->scratch);
	rpc_buffer_fini(&x->reply);
	free(x);
	return 0;
}

static inline void put(struct exchange *x, uint32_t value)
{
	rpc_message_put32(x->message + x->bytes, value);
	x->bytes += 4;
}

static inline void put_header(struct exchange *x, uint32_t program,
			      uint32_t version, uint32_t procedure)
{
	x->bytes = 0;
	put(x, 0xabcd);
	put(x, CALL);
	put(x, 2);
	put(x, program);
	put(x, version);
	put(x, procedure);
}

/* With no credentials. */
static inline void put_call(struct exchange *x, uint32_t program,
			    uint32_t version, uint32_t procedure)
{
	put_header(x, program, version, procedure);
	for (int i = 0; i < 4; i++)
		put(x, 0);
}

/* The message is copied to where nothing lies behind it, so that reading too
 * far is seen. */
static const struct rpc_fault *ask(struct exchange *x,
				   const struct rpc_dispatch *dispatch)
{
	uint8_t *exact = malloc(x->bytes);
	struct rpc_call call;
	ssize_t n;

	assert_non_null(exact);
	memcpy(exact, x->message, x->bytes);
	assert_int_equal(rpc_message_decode_call(exact, x->bytes, &call), 0);
	n = rpc_dispatch_answer(dispatch, &nobody, &call, &x->scratch,
				&x->reply, 4);
	free(exact);
	assert_true(n > 0);
	assert_int_equal(rpc_message_decode_reply(x->reply.bytes + 4, (size_t)n,
						  &x->parsed),
			 0);
	assert_int_equal(x->parsed.xid, 0xabcd);
	x->fault = rpc_fault_of_reply(&x->parsed);
	return &x->fault;
}

#define CASE(name)                                             \
	cmocka_unit_test_setup_teardown(name, set_up_exchange, \
					tear_down_exchange)

#endif
