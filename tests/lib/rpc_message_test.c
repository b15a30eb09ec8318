/* Messages as bytes, both ways; and from the bytes of a call to the bytes of its reply, without any socket.
 * Credentials are in rpc_auth_test.c. */
#include "tests/lib/rpc_exchange_fixture.h"

/* ---- the header ---- */

static void every_shorter_header_is_no_call(void **state)
{
	struct exchange *x = *state;
	struct rpc_call call;

	put_call(x, PROGRAM, VERSION, 0);
	for (size_t n = 0; n < x->bytes; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		assert_non_null(exact);
		memcpy(exact, x->message, n);
		assert_int_equal(rpc_message_decode_call(exact, n, &call),
				 -EBADMSG);
		free(exact);
	}
	assert_int_equal(rpc_message_decode_call(x->message, x->bytes, &call),
			 0);
	assert_int_equal(call.args_bytes, 0);
	assert_int_equal(call.program, PROGRAM);
	assert_int_equal(call.version, VERSION);
}

static void reply_is_no_call(void **state)
{
	struct exchange *x = *state;
	struct rpc_call call;

	put_call(x, PROGRAM, VERSION, 0);
	rpc_message_put32(x->message + 4, REPLY);
	assert_int_equal(rpc_message_decode_call(x->message, x->bytes, &call),
			 -EBADMSG);
}

static void credential_longer_than_400_bytes_is_no_call(void **state)
{
	struct exchange *x = *state;
	struct rpc_call call;

	put_header(x, PROGRAM, VERSION, 0);
	put(x, AUTH_SYS);
	put(x, RPC_MESSAGE_AUTH_MAX + 1);
	x->bytes = 1024;
	assert_int_equal(rpc_message_decode_call(x->message, x->bytes, &call),
			 -EBADMSG);
	rpc_message_put32(x->message + 28, 0xfffffffd);
	assert_int_equal(rpc_message_decode_call(x->message, x->bytes, &call),
			 -EBADMSG);
}

static void credential_is_padded_to_four_bytes(void **state)
{
	struct exchange *x = *state;
	struct rpc_call call;

	put_header(x, PROGRAM, VERSION, 0);
	put(x, 77);
	put(x, 5);
	memcpy(x->message + x->bytes, "abcde\0\0\0", 8);
	x->bytes += 8;
	put(x, 0);
	put(x, 0);
	put(x, 42);
	assert_int_equal(rpc_message_decode_call(x->message, x->bytes, &call),
			 0);
	assert_int_equal(call.cred.bytes, 5);
	assert_memory_equal(call.cred.body, "abcde", 5);
	assert_int_equal(call.header_bytes, 24 + 8 + 8);
	assert_int_equal(call.args_bytes, 4);
}

/* ---- both ways ---- */

static const uint8_t name[] = {'c', 'a', 'l', 'c', 0xff};

/* What rpc_message_test knows of RFC 5531, written down by hand. */
static const uint8_t
	call_bytes[] =
		{
			0,    0,    0x12, 0x34, 0,    0, 0, 0,
			0,    0,    0,    2, /* xid, CALL, RPC 2 */
			0x31, 0x23, 0,    0,    0,    0, 0, 2,
			0,    0,    0,    6, /* program to procedure */
			0,    0,    0,    77,   0,    0, 0, 5,
			'c',  'a',  'l',  'c',  0xff, 0, 0, 0, /* cred */
			0,    0,    0,    0,    0,    0, 0, 0, /* verf */
};

static const struct rpc_call call_there = {
	.xid = 0x1234,
	.rpc_version = RPC_MESSAGE_VERSION,
	.program = 0x31230000,
	.version = 2,
	.procedure = 6,
	.cred = {77, sizeof(name), name},
};

static void call_is_encoded_to_the_bytes_of_the_rfc(void **state)
{
	uint8_t bytes[sizeof(call_bytes)];
	struct rpc_call back;

	(void)state;
	/* No rest of what was there before shines through the padding. */
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(
		rpc_message_encode_call(bytes, sizeof(bytes), &call_there),
		sizeof(call_bytes));
	assert_memory_equal(bytes, call_bytes, sizeof(call_bytes));
	assert_int_equal(rpc_message_decode_call(bytes, sizeof(bytes), &back),
			 0);
	assert_int_equal(back.procedure, 6);
	assert_int_equal(back.cred.bytes, sizeof(name));
	assert_memory_equal(back.cred.body, name, sizeof(name));
	assert_int_equal(back.header_bytes, sizeof(call_bytes) - 8);
	for (size_t room = 0; room < sizeof(bytes); room++)
		assert_int_equal(
			rpc_message_encode_call(bytes, room, &call_there),
			-EMSGSIZE);
}

static void credential_longer_than_400_bytes_is_not_encoded(void **state)
{
	static const uint8_t body[RPC_MESSAGE_AUTH_MAX + 1];
	uint8_t bytes[RPC_MESSAGE_CALL_MAX + 100];
	struct rpc_call call = call_there;

	(void)state;
	call.cred = call.verf =
		(struct rpc_opaque){1, RPC_MESSAGE_AUTH_MAX, body};
	assert_int_equal(rpc_message_encode_call(bytes, sizeof(bytes), &call),
			 RPC_MESSAGE_CALL_MAX);
	call.verf.bytes++;
	assert_int_equal(rpc_message_encode_call(bytes, sizeof(bytes), &call),
			 -EINVAL);
}

/* A reply of each kind, and the words behind its verifier or MSG_DENIED. */
static const struct {
	struct rpc_reply reply;
	size_t bytes;
} replies[] = {
	{{.stat = MSG_ACCEPTED, .status = SUCCESS}, 24},
	{{.stat = MSG_ACCEPTED, .status = PROG_UNAVAIL}, 24},
	{{.stat = MSG_ACCEPTED, .status = PROG_MISMATCH, .low = 3, .high = 5},
	 32},
	{{.stat = MSG_ACCEPTED,
	  .status = SYSTEM_ERR,
	  .verf = {77, sizeof(name), name}},
	 32},
	{{.stat = MSG_ACCEPTED, .status = 4711}, 24},
	{{.stat = MSG_DENIED, .status = RPC_MISMATCH, .low = 2, .high = 2}, 24},
	{{.stat = MSG_DENIED, .status = AUTH_ERROR, .why = AUTH_TOOWEAK}, 20},
	{{.stat = MSG_DENIED, .status = 4711}, 16},
	{{.stat = 4711}, 12},
};

static void every_reply_comes_back_as_it_was_encoded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		const struct rpc_reply *was = &replies[i].reply;
		uint8_t bytes[RPC_MESSAGE_REPLY_MAX];
		struct rpc_reply is;

		assert_int_equal(
			rpc_message_encode_reply(bytes, sizeof(bytes), was),
			replies[i].bytes);
		assert_int_equal(
			rpc_message_decode_reply(bytes, replies[i].bytes, &is),
			0);
		assert_int_equal(is.stat, was->stat);
		assert_int_equal(is.status, was->status);
		assert_int_equal(is.why, was->why);
		assert_int_equal(is.low, was->low);
		assert_int_equal(is.high, was->high);
		assert_int_equal(is.verf.bytes, was->verf.bytes);
		assert_int_equal(!!is.results, was->stat == MSG_ACCEPTED &&
						       was->status == SUCCESS);
		for (size_t n = 0; n < replies[i].bytes; n++) {
			uint8_t *exact = malloc(n ? n : 1);

			assert_non_null(exact);
			memcpy(exact, bytes, n);
			assert_int_equal(
				rpc_message_decode_reply(exact, n, &is),
				-EBADMSG);
			free(exact);
		}
	}
}

/* ---- what is answered ---- */

static void call_is_served(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, ADD);
	put(x, 40);
	put(x, 2);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_NONE);
	assert_int_equal(x->parsed.results_bytes, 4);
	assert_int_equal(rpc_message_get32(x->parsed.results), 42);
}

static void other_rpc_version_is_denied(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, 0);
	rpc_message_put32(x->message + 8, 3);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_RPC_VERSION);
	assert_int_equal(x->fault.low, 2);
	assert_int_equal(x->fault.high, 2);
}

static void other_program_is_unavailable(void **state)
{
	put_call(*state, PROGRAM + 1, VERSION, 0);
	assert_int_equal(ask(*state, &plain)->kind, RPC_FAULT_PROGRAM);
}

static void other_version_is_told_the_range(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION + 1, 0);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_VERSION);
	assert_int_equal(x->fault.low, VERSION);
	assert_int_equal(x->fault.high, VERSION + 2);
}

static void other_procedure_is_unavailable(void **state)
{
	put_call(*state, PROGRAM, VERSION, 99);
	assert_int_equal(ask(*state, &plain)->kind, RPC_FAULT_PROCEDURE);
	put_call(*state, PROGRAM, VERSION + 2, ADD);
	assert_int_equal(ask(*state, &plain)->kind, RPC_FAULT_PROCEDURE);
}

static void missing_arguments_are_garbage(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, ADD);
	put(x, 40);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_GARBAGE_ARGS);
}

static void handlers_failure_is_a_system_error(void **state)
{
	put_call(*state, PROGRAM, VERSION, FAIL);
	assert_int_equal(ask(*state, &plain)->kind, RPC_FAULT_SYSTEM);
}

static void result_without_room_is_a_system_error(void **state)
{
	struct exchange *x = *state;

	x->reply.limit = 600;
	put_call(x, PROGRAM, VERSION, ECHO);
	put(x, 1000);
	x->bytes += 1000;
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_SYSTEM);
	x->reply.limit = 1 << 20;
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_NONE);
	assert_int_equal(x->parsed.results_bytes, 1004);
}

/* A list whose second blob is cut: what was decoded of it must be freed, as
 * LeakSanitizer and valgrind will say. */
struct two_blobs {
	struct blob first, second;
};

static bool_t xdr_two_blobs(XDR *xdrs, struct two_blobs *two)
{
	return xdr_blob(xdrs, &two->first) && xdr_blob(xdrs, &two->second);
}

static void undecodable_arguments_are_freed(void **state)
{
	static const struct rpc_procedure two = {
		.number = 1,
		.name = "two",
		.xdr_args = (xdrproc_t)xdr_two_blobs,
		.args_bytes = sizeof(struct two_blobs),
	};
	static const struct rpc_program program = {PROGRAM, 1, &two, 1};
	static const struct rpc_dispatch dispatch = {.programs = &program,
						     .n_programs = 1};
	struct exchange *x = *state;

	put_call(x, PROGRAM, 1, 1);
	put(x, 1000);
	x->bytes += 1000;
	put(x, 1000);
	x->bytes += 500;
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask(x, &dispatch)->kind,
				 RPC_FAULT_GARBAGE_ARGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_shorter_header_is_no_call),
		CASE(reply_is_no_call),
		CASE(credential_longer_than_400_bytes_is_no_call),
		CASE(credential_is_padded_to_four_bytes),
		cmocka_unit_test(call_is_encoded_to_the_bytes_of_the_rfc),
		cmocka_unit_test(
			credential_longer_than_400_bytes_is_not_encoded),
		cmocka_unit_test(every_reply_comes_back_as_it_was_encoded),
		CASE(call_is_served),
		CASE(other_rpc_version_is_denied),
		CASE(other_program_is_unavailable),
		CASE(other_version_is_told_the_range),
		CASE(other_procedure_is_unavailable),
		CASE(missing_arguments_are_garbage),
		CASE(handlers_failure_is_a_system_error),
		CASE(result_without_room_is_a_system_error),
		CASE(undecodable_arguments_are_freed),
	};

	return SUPPORT_MAIN(tests);
}
