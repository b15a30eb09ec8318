/* The client: what servers say told apart, credentials, libtirpc's handle, and
 * deadlines kept. Servers that cannot be reached are in
 * rpc_client_reach_test.c, lost replies in rpc_client_lost_test.c. */
#include "tests/lib/rpc_fixture.h"
#include "tests/support/interrupt.h"

/* ---- what the server says ---- */

static void servers_refusals_are_told_apart(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct rpc_fault fault;
	char text[200];

	rpc_client_set_version(client, VERSION + 1);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_VERSION);
	assert_string_equal(rpc_fault_text(&fault, text, sizeof(text)),
			    "RPC: Program/version mismatch; low version = 3, "
			    "high version = 5");
	/* On the same connection. */
	rpc_client_set_version(client, VERSION);
	assert_int_equal(call_null(client, &fault), RPC_FAULT_NONE);
	assert_int_equal(
		rpc_client_call(client, 99, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_PROCEDURE);
	assert_int_equal(
		rpc_client_call(client, ADD, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_GARBAGE_ARGS);
	assert_int_equal(
		rpc_client_call(client, FAIL, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_SYSTEM);
	assert_int_equal(counts_of(*state).connections, 1);
	rpc_client_close(client);
}

static void reply_of_another_form_is_a_bad_reply(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct blob blob = {0};
	struct rpc_fault fault;
	int32_t sum;

	assert_int_equal(rpc_client_call(client, COUNT, NULL, NULL,
					 (xdrproc_t)xdr_blob, &blob, &fault),
			 RPC_FAULT_BAD_REPLY);
	assert_true(rpc_fault_is_unknown(&fault));
	assert_int_equal(call_add(client, 1, 2, &sum, &fault), 0);
	rpc_client_close(client);
}

/* ---- credentials ---- */

static enum auth_stat want_uid_7(const struct rpc_request *request)
{
	if (!request->who->has_uid)
		return AUTH_TOOWEAK;
	return request->who->uid == 7 ? AUTH_OK : AUTH_REJECTEDCRED;
}

static void credentials_are_sent_and_refusals_have_reasons(void **state)
{
	struct fixture f = {.options = all_transports()};
	struct rpc_client *client;
	struct rpc_fault fault;
	char text[200];

	(void)state;
	f.options.dispatch.authorise = want_uid_7;
	start_server(&f);
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		client = open_client(&f, (enum rpc_transport)t);
		assert_int_equal(call_null(client, &fault), RPC_FAULT_AUTH);
		assert_int_equal(fault.why, AUTH_TOOWEAK);
		assert_string_equal(rpc_fault_text(&fault, text, sizeof(text)),
				    "RPC: Authentication error; why = "
				    "Client credential too weak");
		assert_int_equal(rpc_fault_status(&fault), 7);
		rpc_client_set_auth(client,
				    authunix_create("host", 8, 8, 0, NULL));
		assert_int_equal(call_null(client, &fault), RPC_FAULT_AUTH);
		assert_int_equal(fault.why, AUTH_REJECTEDCRED);
		rpc_client_set_auth(client,
				    authunix_create("host", 7, 7, 0, NULL));
		assert_int_equal(call_null(client, &fault), 0);
		rpc_client_close(client);
	}
	stop_server(&f);
}

/* ---- libtirpc's way to call ---- */

static void stubs_work_on_the_handle(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	CLIENT *handle = rpc_client_handle(client);
	const struct timeval timeout = {25, 0};
	const struct pair pair = {20, 22};
	struct rpc_err error;
	int32_t sum = 0;
	uint32_t version = VERSION + 1;

	assert_int_equal(clnt_call(handle, ADD, (xdrproc_t)xdr_pair,
				   (caddr_t)(uintptr_t)&pair,
				   (xdrproc_t)xdr_int32_t, (caddr_t)&sum,
				   timeout),
			 RPC_SUCCESS);
	assert_int_equal(sum, 42);
	assert_true(clnt_control(handle, CLSET_VERS, (char *)&version));
	assert_int_equal(clnt_call(handle, 0, (xdrproc_t)xdr_int32_t,
				   (caddr_t)&sum, (xdrproc_t)xdr_int32_t,
				   (caddr_t)&sum, timeout),
			 RPC_PROGVERSMISMATCH);
	clnt_geterr(handle, &error);
	assert_int_equal(error.re_vers.low, VERSION);
	assert_int_equal(error.re_vers.high, VERSION + 2);
	assert_int_equal(rpc_client_fault(client)->kind, RPC_FAULT_VERSION);
	rpc_client_close(client);
}

/* ---- time ---- */

static bool is_in_gate(void *arg)
{
	(void)arg;
	return atomic_load(&in_gate) > 0;
}

static void late_reply_times_out_and_the_next_call_is_served(void **state)
{
	struct rpc_fault fault;
	int32_t sum;

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);

		atomic_store(&gate_is_open, false);
		rpc_client_set_timeout(client, 30 * TICK_MS);
		assert_int_equal(rpc_client_call(client, GATE, NULL, NULL, NULL,
						 NULL, &fault),
				 RPC_FAULT_TIMED_OUT);
		assert_true(rpc_fault_is_unknown(&fault));
		assert_int_equal(rpc_fault_status(&fault), 3);
		/* Datagrams are served by one thread, which is in there. */
		support_wait_until(is_in_gate, NULL, 20000);
		atomic_store(&gate_is_open, true);
		rpc_client_set_timeout(client, 60 * TICK_S);
		assert_int_equal(call_add(client, 4, 5, &sum, &fault), 0);
		assert_int_equal(sum, 9);
		rpc_client_close(client);
	}
}

static void signal_handler_ends_a_call(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct rpc_fault fault;

	interrupt_start();
	assert_int_equal(
		rpc_client_call(client, GATE, NULL, NULL, NULL, NULL, &fault),
		RPC_FAULT_INTERRUPTED);
	interrupt_stop();
	rpc_client_close(client);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(servers_refusals_are_told_apart),
		CASE(reply_of_another_form_is_a_bad_reply),
		cmocka_unit_test(
			credentials_are_sent_and_refusals_have_reasons),
		CASE(stubs_work_on_the_handle),
		CASE(late_reply_times_out_and_the_next_call_is_served),
		CASE(signal_handler_ends_a_call),
	};

	return SUPPORT_MAIN(tests);
}
