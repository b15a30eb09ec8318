/* From the bytes of a call to the bytes of its reply, without any socket. */
#include "p16-rpc-calc/rpc_reply.h"
#include "tests/p16_rpc_fixture.h"

static const struct rpc_dispatch plain = DISPATCH;
static const struct rpc_peer nobody = {.transport = RPC_TCP};

/* A message as it is being written, and what comes of it. */
struct exchange {
	uint8_t message[4096];
	size_t bytes;
	struct rpc_scratch scratch;
	struct rpc_buffer reply;
	struct rpc_reply parsed;
};

static int set_up_exchange(void **state)
{
	struct exchange *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	rpc_dispatch_scratch_init(&x->scratch);
	rpc_buffer_init(&x->reply, 1 << 20);
	*state = x;
	return 0;
}

static int tear_down_exchange(void **state)
{
	struct exchange *x = *state;

	rpc_dispatch_scratch_fini(&x->scratch);
	rpc_buffer_fini(&x->reply);
	free(x);
	return 0;
}

static void put(struct exchange *x, uint32_t value)
{
	rpc_call_put32(x->message + x->bytes, value);
	x->bytes += 4;
}

static void put_header(struct exchange *x, uint32_t program, uint32_t version,
		       uint32_t procedure)
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
static void put_call(struct exchange *x, uint32_t program, uint32_t version,
		     uint32_t procedure)
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
	assert_int_equal(rpc_call_parse(exact, x->bytes, &call), 0);
	n = rpc_dispatch_answer(dispatch, &nobody, &call, &x->scratch,
				&x->reply, 4);
	free(exact);
	assert_true(n > 0);
	assert_int_equal(
		rpc_reply_parse(x->reply.bytes + 4, (size_t)n, &x->parsed), 0);
	assert_int_equal(x->parsed.xid, 0xabcd);
	return &x->parsed.fault;
}

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

/* ---- authentication ---- */

static void put_sys(struct exchange *x, uint32_t uid, uint32_t n_gids)
{
	put_header(x, PROGRAM, VERSION, 0);
	put(x, AUTH_SYS);
	put(x, 24 + 4 * n_gids);
	put(x, 12345);
	put(x, 4);
	memcpy(x->message + x->bytes, "a\nb ", 4);
	x->bytes += 4;
	put(x, uid);
	put(x, 100);
	put(x, n_gids);
	for (uint32_t i = 0; i < n_gids; i++)
		put(x, 1000 + i);
	put(x, 0);
	put(x, 0);
}

static struct rpc_identity seen;

static enum auth_stat look(const struct rpc_request *request)
{
	seen = *request->who;
	return seen.uid == 9999 ? AUTH_TOOWEAK : AUTH_OK;
}

static const struct rpc_dispatch looking = {
	.programs = programs, .n_programs = 2, .authorise = look};

static void auth_sys_says_who_it_claims_to_be(void **state)
{
	struct exchange *x = *state;

	put_sys(x, 1000, 16);
	assert_int_equal(ask(x, &looking)->kind, RPC_FAULT_NONE);
	assert_int_equal(seen.flavor, AUTH_SYS);
	assert_true(seen.has_uid);
	assert_false(seen.is_proved);
	assert_int_equal(seen.uid, 1000);
	assert_int_equal(seen.gid, 100);
	assert_int_equal(seen.n_gids, 16);
	assert_int_equal(seen.gids[15], 1015);
	/* Nothing that could write a line of its own into a log. */
	assert_string_equal(seen.name, "a?b?");
}

static void authorise_hook_says_why_not(void **state)
{
	put_sys(*state, 9999, 0);
	assert_int_equal(ask(*state, &looking)->kind, RPC_FAULT_AUTH);
	assert_int_equal(((struct exchange *)*state)->parsed.fault.why,
			 AUTH_TOOWEAK);
}

static void malformed_auth_sys_is_a_bad_credential(void **state)
{
	struct exchange *x = *state;

	put_sys(x, 1000, 17);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->parsed.fault.why, AUTH_BADCRED);
	put_sys(x, 1000, 2);
	rpc_call_put32(x->message + 36, 0xfffffff0); /* of the name */
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->parsed.fault.why, AUTH_BADCRED);
	put_sys(x, 1000, 2);
	rpc_call_put32(x->message + 52, 1); /* fewer gids than there are */
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->parsed.fault.why, AUTH_BADCRED);
}

static void unknown_flavor_is_rejected(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, 0);
	rpc_call_put32(x->message + 24, 6);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->parsed.fault.why, AUTH_REJECTEDCRED);
}

/* A flavor that seals: every byte of arguments and results is inverted. */
static enum auth_stat verify_inverted(void *state, const struct rpc_call *call,
				      const struct rpc_peer *peer,
				      struct rpc_identity *who,
				      struct rpc_verifier *verf)
{
	(void)state, (void)call, (void)peer;
	who->is_proved = true;
	verf->flavor = 200;
	verf->bytes = 3;
	memcpy(verf->body, "yes", 3);
	return AUTH_OK;
}

static int unwrap_inverted(void *state, const struct rpc_identity *who,
			   const uint8_t **bytes, size_t *n,
			   struct rpc_buffer *scratch)
{
	(void)state, (void)who;
	if (rpc_buffer_reserve(scratch, *n + 1))
		return -EBADMSG;
	for (size_t i = 0; i < *n; i++)
		scratch->bytes[i] = (uint8_t) ~(*bytes)[i];
	*bytes = scratch->bytes;
	return 0;
}

static ssize_t wrap_inverted(void *state, const struct rpc_identity *who,
			     struct rpc_buffer *reply, size_t offset, size_t n)
{
	(void)state, (void)who;
	for (size_t i = 0; i < n; i++)
		reply->bytes[offset + i] = (uint8_t)~reply->bytes[offset + i];
	return (ssize_t)n;
}

static void flavor_may_seal_arguments_and_results(void **state)
{
	static const struct rpc_auth_flavor inverted = {
		.number = 200,
		.name = "inverted",
		.verify = verify_inverted,
		.unwrap = unwrap_inverted,
		.wrap = wrap_inverted,
	};
	static const struct rpc_auth_flavor *const flavors[] = {&inverted};
	const struct rpc_dispatch dispatch = {.programs = programs,
					      .n_programs = 2,
					      .flavors = flavors,
					      .n_flavors = 1};
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, ADD);
	rpc_call_put32(x->message + 24, 200);
	put(x, ~7u);
	put(x, ~8u);
	assert_int_equal(ask(x, &dispatch)->kind, RPC_FAULT_NONE);
	assert_int_equal(rpc_call_get32(x->parsed.results), ~15u);
	assert_int_equal(x->parsed.verf.flavor, 200);
	assert_int_equal(x->parsed.verf.bytes, 3);
	assert_memory_equal(x->parsed.verf.body, "yes", 3);
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

#define CASE(name)                                             \
	cmocka_unit_test_setup_teardown(name, set_up_exchange, \
					tear_down_exchange)

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
		CASE(auth_sys_says_who_it_claims_to_be),
		CASE(authorise_hook_says_why_not),
		CASE(malformed_auth_sys_is_a_bad_credential),
		CASE(unknown_flavor_is_rejected),
		CASE(flavor_may_seal_arguments_and_results),
		CASE(every_shorter_reply_is_bad),
	};
	return SUPPORT_MAIN(tests);
}
