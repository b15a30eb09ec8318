/* From the bytes of a call to the bytes of its reply, without any socket.
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
		assert_int_equal(rpc_call_parse(exact, n, &call), -EBADMSG);
		free(exact);
	}
	assert_int_equal(rpc_call_parse(x->message, x->bytes, &call), 0);
	assert_int_equal(call.args_bytes, 0);
	assert_int_equal(call.program, PROGRAM);
	assert_int_equal(call.version, VERSION);
}

static void reply_is_no_call(void **state)
{
	struct exchange *x = *state;
	struct rpc_call call;

	put_call(x, PROGRAM, VERSION, 0);
	rpc_call_put32(x->message + 4, REPLY);
	assert_int_equal(rpc_call_parse(x->message, x->bytes, &call), -EBADMSG);
}

static void credential_longer_than_400_bytes_is_no_call(void **state)
{
	struct exchange *x = *state;
	struct rpc_call call;

	put_header(x, PROGRAM, VERSION, 0);
	put(x, AUTH_SYS);
	put(x, RPC_CALL_AUTH_MAX + 1);
	x->bytes = 1024;
	assert_int_equal(rpc_call_parse(x->message, x->bytes, &call), -EBADMSG);
	rpc_call_put32(x->message + 28, 0xfffffffd);
	assert_int_equal(rpc_call_parse(x->message, x->bytes, &call), -EBADMSG);
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
	assert_int_equal(rpc_call_parse(x->message, x->bytes, &call), 0);
	assert_int_equal(call.cred.bytes, 5);
	assert_memory_equal(call.cred.body, "abcde", 5);
	assert_int_equal(call.header_bytes, 24 + 8 + 8);
	assert_int_equal(call.args_bytes, 4);
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
	assert_int_equal(rpc_call_get32(x->parsed.results), 42);
}

static void other_rpc_version_is_denied(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, 0);
	rpc_call_put32(x->message + 8, 3);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_BAD_REPLY);
	assert_int_equal(x->parsed.fault.error, EPROTONOSUPPORT);
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
	assert_int_equal(x->parsed.fault.low, VERSION);
	assert_int_equal(x->parsed.fault.high, VERSION + 2);
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

/* ---- replies as a client sees them ---- */

static void every_shorter_reply_is_bad(void **state)
{
	struct exchange *x = *state;
	struct rpc_reply reply;

	put_call(x, PROGRAM, VERSION + 1, 0);
	ask(x, &plain);
	for (size_t n = 0; n < 32; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		assert_non_null(exact);
		memcpy(exact, x->reply.bytes + 4, n);
		assert_int_equal(rpc_reply_parse(exact, n, &reply), -EBADMSG);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_shorter_header_is_no_call),
		CASE(reply_is_no_call),
		CASE(credential_longer_than_400_bytes_is_no_call),
		CASE(credential_is_padded_to_four_bytes),
		CASE(call_is_served),
		CASE(other_rpc_version_is_denied),
		CASE(other_program_is_unavailable),
		CASE(other_version_is_told_the_range),
		CASE(other_procedure_is_unavailable),
		CASE(missing_arguments_are_garbage),
		CASE(handlers_failure_is_a_system_error),
		CASE(result_without_room_is_a_system_error),
		CASE(undecodable_arguments_are_freed),
		CASE(every_shorter_reply_is_bad),
	};

	return SUPPORT_MAIN(tests);
}
