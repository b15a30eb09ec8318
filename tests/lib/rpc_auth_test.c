/* Who calls, by the credentials in the bytes of a call, and flavors that seal
 * arguments and results. */
#include "tests/lib/rpc_exchange_fixture.h"

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
	assert_int_equal(((struct exchange *)*state)->fault.why, AUTH_TOOWEAK);
}

static void malformed_auth_sys_is_a_bad_credential(void **state)
{
	struct exchange *x = *state;

	put_sys(x, 1000, 17);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->fault.why, AUTH_BADCRED);
	put_sys(x, 1000, 2);
	rpc_message_put32(x->message + 36, 0xfffffff0); /* of the name */
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->fault.why, AUTH_BADCRED);
	put_sys(x, 1000, 2);
	rpc_message_put32(x->message + 52, 1); /* fewer gids than there are */
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->fault.why, AUTH_BADCRED);
}

static void unknown_flavor_is_rejected(void **state)
{
	struct exchange *x = *state;

	put_call(x, PROGRAM, VERSION, 0);
	rpc_message_put32(x->message + 24, 6);
	assert_int_equal(ask(x, &plain)->kind, RPC_FAULT_AUTH);
	assert_int_equal(x->fault.why, AUTH_REJECTEDCRED);
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
	rpc_message_put32(x->message + 24, 200);
	put(x, ~7u);
	put(x, ~8u);
	assert_int_equal(ask(x, &dispatch)->kind, RPC_FAULT_NONE);
	assert_int_equal(rpc_message_get32(x->parsed.results), ~15u);
	assert_int_equal(x->parsed.verf.flavor, 200);
	assert_int_equal(x->parsed.verf.bytes, 3);
	assert_memory_equal(x->parsed.verf.body, "yes", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(auth_sys_says_who_it_claims_to_be),
		CASE(authorise_hook_says_why_not),
		CASE(malformed_auth_sys_is_a_bad_credential),
		CASE(unknown_flavor_is_rejected),
		CASE(flavor_may_seal_arguments_and_results),
	};

	return SUPPORT_MAIN(tests);
}
