/* The client when replies are lost: datagrams are sent again and connections
 * made anew, but a call is done once, or not known to have been. */
#include "tests/lib/rpc_fixture.h"

static atomic_int to_lose;

static bool loses(const struct rpc_call *call, void *arg)
{
	(void)call, (void)arg;
	if (atomic_load(&to_lose) <= 0)
		return false;
	atomic_fetch_sub(&to_lose, 1);
	return true;
}

static struct fixture losing_server(int n)
{
	struct fixture f = {.options = all_transports()};

	f.options.loses_reply = loses;
	atomic_store(&to_lose, n);
	return f;
}

static void lost_datagrams_are_sent_again_and_served_once(void **state)
{
	struct fixture f = losing_server(3);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_UDP);
	options.retries = 10;
	options.retry_ns = 10 * TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 1);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 2);
	assert_int_equal(atomic_load(&count), 2);
	assert_true(counts_of(&f).repeated >= 3);
	rpc_client_close(client);
	stop_server(&f);
}

/* The same port and xid, as a client has them that was started anew: another
 * message is another call. */
static void same_xid_with_other_arguments_is_another_call(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_UDP);
	struct rpc_fault fault;
	int32_t n;

	rpc_client_set_xid(client, 4711);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 1);
	rpc_client_set_xid(client, 4711);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 1);
	rpc_client_set_auth(client, authunix_create("host", 7, 7, 0, NULL));
	rpc_client_set_xid(client, 4711);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 2);
	rpc_client_close(client);
}

static void lost_connection_is_not_repeated_unasked(void **state)
{
	struct fixture f = losing_server(1);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_TCP);
	options.retries = 5;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_count(client, &n, &fault), RPC_FAULT_LOST);
	assert_true(rpc_fault_is_unknown(&fault));
	assert_int_equal(rpc_fault_status(&fault), 3);
	assert_int_equal(atomic_load(&count), 1);
	/* The next call makes a connection of its own. */
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 2);
	rpc_client_close(client);
	stop_server(&f);
}

static void lost_connection_is_repeated_if_that_may_be(void **state)
{
	struct fixture f = losing_server(3);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	(void)state;
	start_server(&f);
	options = client_options(&f, RPC_UNIX);
	options.retries = 5;
	options.retry_ns = TICK_MS;
	options.may_repeat = true;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(call_count(client, &n, &fault), 0);
	assert_int_equal(n, 4);
	rpc_client_close(client);
	stop_server(&f);
}

/* AUTH_SYS that counts how often it was made. */
static int n_marshalled;
static struct auth_ops counting;
static int (*real_marshal)(AUTH *auth, XDR *xdrs);

static int marshal_counted(AUTH *auth, XDR *xdrs)
{
	n_marshalled++;
	return real_marshal(auth, xdrs);
}

static AUTH *counted_auth(void)
{
	AUTH *auth = authunix_create("host", 7, 7, 0, NULL);

	assert_non_null(auth);
	counting = *auth->ah_ops;
	real_marshal = counting.ah_marshal;
	counting.ah_marshal = marshal_counted;
	auth->ah_ops = &counting;
	n_marshalled = 0;
	return auth;
}

static int count_marshals(enum rpc_transport transport)
{
	struct fixture f = losing_server(2);
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t n;

	start_server(&f);
	options = client_options(&f, transport);
	options.retries = 30;
	options.retry_ns = 10 * TICK_MS;
	options.may_repeat = true;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	rpc_client_set_auth(client, counted_auth());
	assert_int_equal(call_count(client, &n, &fault), 0);
	rpc_client_close(client);
	stop_server(&f);
	return n_marshalled;
}

/* A time in it may not be the same twice; but a datagram is known again by
 * being the same. */
static void credentials_are_new_on_a_new_connection_only(void **state)
{
	(void)state;
	assert_int_equal(count_marshals(RPC_TCP), 3);
	assert_int_equal(count_marshals(RPC_UDP), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_datagrams_are_sent_again_and_served_once),
		CASE(same_xid_with_other_arguments_is_another_call),
		cmocka_unit_test(lost_connection_is_not_repeated_unasked),
		cmocka_unit_test(lost_connection_is_repeated_if_that_may_be),
		cmocka_unit_test(credentials_are_new_on_a_new_connection_only),
	};

	return SUPPORT_MAIN(tests);
}
