/* The client with many calls in flight: each gets its own reply, in whatever
 * order they come, or the outcome that is known of it. */
#include <poll.h>

#include "tests/lib/rpc_fake_fixture.h"

enum { MANY = 64 };

/* A call that was started. */
struct started {
	struct pair pair;
	int32_t sum;
	int n_done;
	struct rpc_fault fault;
	struct rpc_client *again; /* to be started once more, so many times */
	int n_again;
};

static void note(const struct rpc_fault *fault, void *arg);

static enum rpc_fault_kind begin(struct rpc_client *client,
				 struct started *call, uint32_t procedure,
				 struct rpc_fault *fault)
{
	const struct rpc_client_request request = {
		.procedure = procedure,
		.xdr_args = procedure == ADD ? (xdrproc_t)xdr_pair : NULL,
		.args = &call->pair,
		.xdr_result = procedure == ADD || procedure == COUNT
				      ? (xdrproc_t)xdr_int32_t
				      : NULL,
		.result = &call->sum,
		.done = note,
		.arg = call,
	};

	return rpc_client_start(client, &request, fault);
}

static void note(const struct rpc_fault *fault, void *arg)
{
	struct started *call = arg;
	struct rpc_fault second;

	call->n_done++;
	call->fault = *fault;
	if (call->n_again > 0) {
		call->n_again--;
		call->pair.a++;
		assert_int_equal(begin(call->again, call, ADD, &second), 0);
	}
}

static void begin_adds(struct rpc_client *client, struct started *calls, int n)
{
	struct rpc_fault fault;

	for (int i = 0; i < n; i++) {
		calls[i] = (struct started){.pair = {i, 1000}};
		assert_int_equal(begin(client, &calls[i], ADD, &fault), 0);
	}
}

static void wait_for_all(struct rpc_client *client)
{
	int64_t deadline = tick_after(60 * TICK_S);

	while (rpc_client_in_flight(client) > 0)
		assert_true(rpc_client_wait(client, deadline) >= 0);
}

static void each_call_gets_its_own_reply(void **state)
{
	static struct started calls[MANY];

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client_options options =
			client_options(*state, (enum rpc_transport)t);
		struct rpc_client *client;
		struct rpc_fault fault;

		/* A socket takes only so many datagrams. */
		options.retry_ns = 100 * TICK_MS;
		options.retries = 50;
		assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
		for (int round = 0; round < 3; round++) {
			begin_adds(client, calls, MANY);
			assert_int_equal(rpc_client_in_flight(client), MANY);
			wait_for_all(client);
			for (int i = 0; i < MANY; i++) {
				assert_int_equal(calls[i].n_done, 1);
				assert_int_equal(calls[i].fault.kind, 0);
				assert_int_equal(calls[i].sum, i + 1000);
			}
		}
		rpc_client_close(client);
	}
}

/* ---- replies in any order ---- */

static void answer_backwards(struct fake *fake)
{
	if (!fake_take(fake, MANY))
		return;
	for (size_t i = MANY; i-- > 0;)
		if (!fake_answer(fake, fake->xids[i], (uint32_t)i))
			return;
	fake_take(fake, MANY + 1); /* until the client has gone */
}

static void replies_may_come_in_any_order(void **state)
{
	static struct started calls[MANY];
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;

	(void)state;
	fake_start(&fake, answer_backwards, NULL);
	options = fake_options(&fake);
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	begin_adds(client, calls, MANY);
	wait_for_all(client);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(calls[i].fault.kind, 0);
		assert_int_equal(calls[i].sum, i);
	}
	rpc_client_close(client);
	fake_end(&fake);
}

/* A place of the table is that of many xids: the others are not looked for. */
static void answer_of_another_time(struct fake *fake)
{
	if (fake_take(fake, 1) && fake_answer(fake, fake->xids[0] + MANY, 1) &&
	    fake_answer(fake, fake->xids[0] ^ 0x80000000, 2) &&
	    fake_answer(fake, fake->xids[0], 3))
		fake_take(fake, 2);
}

static void reply_with_another_xid_is_passed_over(void **state)
{
	struct started call = {.sum = 0};
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;

	(void)state;
	fake_start(&fake, answer_of_another_time, NULL);
	options = fake_options(&fake);
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	assert_int_equal(begin(client, &call, COUNT, &fault), 0);
	wait_for_all(client);
	assert_int_equal(call.fault.kind, 0);
	assert_int_equal(call.sum, 3);
	rpc_client_close(client);
	fake_end(&fake);
}

/* ---- a poll loop of the caller's ---- */

static void one_descriptor_says_when_there_is_something_to_do(void **state)
{
	static struct started calls[MANY];
	int64_t deadline = tick_after(60 * TICK_S);

	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct rpc_client *client =
			open_client(*state, (enum rpc_transport)t);
		struct pollfd ready = {.fd = rpc_client_poll_fd(client),
				       .events = POLLIN};
		unsigned int n = 0;

		assert_true(ready.fd >= 0);
		assert_int_equal(poll(&ready, 1, 0), 0);
		begin_adds(client, calls, 8);
		assert_int_equal(rpc_client_poll_fd(client), ready.fd);
		while (n < 8) {
			assert_int_equal(
				poll(&ready, 1, tick_left_ms(deadline)), 1);
			n += rpc_client_process(client);
		}
		for (int i = 0; i < 8; i++)
			assert_int_equal(calls[i].sum, i + 1000);
		assert_int_equal(poll(&ready, 1, 0), 0);
		rpc_client_close(client);
	}
}

/* It wakes the loop for the time of a call, and for a connection that the
 * server has closed, and is quiet then. */
static void descriptor_wakes_for_time_and_for_a_lost_connection(void **state)
{
	struct fixture *f = *state;
	struct rpc_client *client = open_client(f, RPC_TCP);
	struct pollfd ready = {.fd = rpc_client_poll_fd(client),
			       .events = POLLIN};
	struct started call = {.sum = 0};
	struct rpc_fault fault;

	rpc_client_set_timeout(client, 50 * TICK_MS);
	assert_int_equal(begin(client, &call, GATE, &fault), 0);
	while (call.n_done == 0) {
		assert_int_equal(poll(&ready, 1, 60000), 1);
		rpc_client_process(client);
	}
	assert_int_equal(call.fault.kind, RPC_FAULT_TIMED_OUT);
	assert_true(rpc_fault_is_unknown(&call.fault));
	/* Another connection, and an idle one when the server ends. */
	atomic_store(&gate_is_open, true);
	rpc_client_set_timeout(client, 60 * TICK_S);
	assert_int_equal(call_null(client, &fault), 0);
	rpc_client_process(client);
	assert_int_equal(poll(&ready, 1, 0), 0);
	stop_server(f);
	assert_int_equal(poll(&ready, 1, 60000), 1);
	assert_int_equal(rpc_client_process(client), 0);
	assert_int_equal(rpc_client_fd(client), -1);
	assert_int_equal(poll(&ready, 1, 0), 0);
	rpc_client_close(client);
	start_server(f);
}

/* ---- limits ---- */

static void more_than_the_cap_are_not_started(void **state)
{
	static struct started calls[8];
	struct rpc_client_options options = client_options(*state, RPC_TCP);
	struct started one_more = {.pair = {1, 2}};
	struct rpc_client *client;
	struct rpc_fault fault;

	options.max_in_flight = 5; /* as 8 */
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	for (int i = 0; i < 8; i++) {
		calls[i] = (struct started){.n_done = 0};
		assert_int_equal(begin(client, &calls[i], GATE, &fault), 0);
	}
	assert_int_equal(begin(client, &one_more, ADD, &fault),
			 RPC_FAULT_LOCAL);
	assert_int_equal(fault.error, EAGAIN);
	assert_false(rpc_fault_is_unknown(&fault));
	assert_int_equal(one_more.n_done, 0);
	atomic_store(&gate_is_open, true);
	assert_true(rpc_client_wait(client, tick_after(60 * TICK_S)) > 0);
	assert_int_equal(begin(client, &one_more, ADD, &fault), 0);
	wait_for_all(client);
	assert_int_equal(one_more.sum, 3);
	rpc_client_close(client);
}

/* Takes no byte until it is told to. */
static void do_not_read(struct fake *fake)
{
	char byte;

	if (fdio_read((int)(intptr_t)fake->arg, &byte, 1) < 0)
		return;
}

static void queue_for_a_server_that_does_not_read_has_an_end(void **state)
{
	enum { BYTES = 60000, MOST = 4096 }; /* more than any socket holds */
	static char bytes[BYTES];
	static struct started calls[MOST];
	static struct blob back[MOST];
	struct blob blob = {BYTES, bytes};
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault = {0};
	int started = 0, unsent = 0, stop[2];
	struct fake fake;

	(void)state;
	assert_int_equal(fdio_pipe(stop), 0);
	fake_start(&fake, do_not_read, (void *)(intptr_t)stop[0]);
	options = fake_options(&fake);
	options.max_in_flight = MOST;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	for (; started < MOST && !fault.kind; started++) {
		const struct rpc_client_request request = {
			.procedure = ECHO,
			.xdr_args = (xdrproc_t)xdr_blob,
			.args = &blob,
			.xdr_result = (xdrproc_t)xdr_blob,
			.result = &back[started],
			.done = note,
			.arg = &calls[started],
		};

		rpc_client_start(client, &request, &fault);
	}
	started--;
	assert_int_equal(fault.kind, RPC_FAULT_LOCAL);
	assert_int_equal(fault.error, EAGAIN);
	assert_int_equal(rpc_client_in_flight(client), started);
	fdio_close(&stop[1]);
	wait_for_all(client);
	/* What was in our queue was not done, and what had left us is not
	 * known. They left in their order; their places in the table are others. */
	for (int i = 0; i < started; i++) {
		assert_int_equal(calls[i].n_done, 1);
		if (rpc_fault_is_unknown(&calls[i].fault)) {
			assert_int_equal(unsent, 0);
			assert_int_equal(calls[i].fault.kind, RPC_FAULT_LOST);
		} else {
			assert_int_equal(calls[i].fault.kind,
					 RPC_FAULT_UNREACHABLE);
			unsent++;
		}
	}
	assert_in_range(unsent, 1, started - 1);
	rpc_client_close(client);
	fake_end(&fake);
	fdio_close(&stop[0]);
}

/* ---- connections that are lost ---- */

static void answer_half_and_go(struct fake *fake)
{
	if (!fake_take(fake, MANY))
		return;
	for (size_t i = 0; i < MANY; i += 2)
		if (!fake_answer(fake, fake->xids[i], (uint32_t)i))
			return;
}

static void lost_connection_ends_each_by_what_is_known(void **state)
{
	static struct started calls[MANY];
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;

	(void)state;
	fake_start(&fake, answer_half_and_go, NULL);
	options = fake_options(&fake);
	options.may_repeat = true; /* does not matter to what was started */
	options.retries = 5;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	begin_adds(client, calls, MANY);
	wait_for_all(client);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(calls[i].n_done, 1);
		assert_int_equal(calls[i].fault.kind,
				 i % 2 ? RPC_FAULT_LOST : RPC_FAULT_NONE);
		assert_int_equal(rpc_fault_is_unknown(&calls[i].fault), i % 2);
	}
	rpc_client_close(client);
	fake_end(&fake);
}

static void answer_rubbish(struct fake *fake)
{
	uint8_t *to;

	if (!fake_take(fake, 4) || !fake_answer(fake, fake->xids[1], 4711))
		return;
	to = rpc_stream_reserve(&fake->stream, 12);
	rpc_message_put32(
		rpc_message_put32(rpc_message_put32(to, fake->xids[2]), CALL),
		0);
	rpc_stream_put(&fake->stream, 12);
	if (rpc_stream_flush(&fake->stream) == 0)
		fake_take(fake, 5);
}

static void rubbish_is_a_bad_reply_and_ends_the_connection(void **state)
{
	struct started calls[4];
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	struct fake fake;

	(void)state;
	fake_start(&fake, answer_rubbish, NULL);
	options = fake_options(&fake);
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	begin_adds(client, calls, 4);
	wait_for_all(client);
	assert_int_equal(calls[0].fault.kind, RPC_FAULT_LOST);
	assert_int_equal(calls[1].fault.kind, RPC_FAULT_NONE);
	assert_int_equal(calls[1].sum, 4711);
	assert_int_equal(calls[2].fault.kind, RPC_FAULT_BAD_REPLY);
	assert_int_equal(calls[3].fault.kind, RPC_FAULT_LOST);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rpc_fault_status(&calls[i].fault),
				 i == 1 ? 0 : 3);
	rpc_client_close(client);
	fake_end(&fake);
}

/* A callback that starts another call whatever became of the first. */
static void start_one_more(const struct rpc_fault *fault, void *arg)
{
	struct started *call = arg;
	const struct rpc_client_request request = {
		.procedure = 0, .done = start_one_more, .arg = call};
	struct rpc_fault second;

	call->n_done++;
	call->fault = *fault;
	assert_int_equal(rpc_client_start(call->again, &request, &second),
			 RPC_FAULT_LOCAL);
	assert_int_equal(second.error, ECANCELED);
}

static void closed_client_tells_what_is_in_flight(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct started call = {.again = client};
	const struct rpc_client_request request = {
		.procedure = GATE, .done = start_one_more, .arg = &call};
	struct rpc_fault fault;

	assert_int_equal(rpc_client_start(client, &request, &fault), 0);
	rpc_client_close(client);
	assert_int_equal(call.n_done, 1);
	assert_int_equal(call.fault.kind, RPC_FAULT_LOCAL);
	assert_int_equal(call.fault.error, ECANCELED);
	assert_true(rpc_fault_is_unknown(&call.fault));
}

/* ---- together ---- */

static void callback_may_start_the_next_call(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct started calls[4];
	struct rpc_fault fault;

	for (int i = 0; i < 4; i++) {
		calls[i] = (struct started){
			.pair = {i, 1000}, .again = client, .n_again = 50};
		assert_int_equal(begin(client, &calls[i], ADD, &fault), 0);
	}
	wait_for_all(client);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(calls[i].n_done, 51);
		assert_int_equal(calls[i].sum, i + 50 + 1000);
	}
	rpc_client_close(client);
}

static void call_that_is_waited_for_lets_the_others_end(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_TCP);
	struct started calls[8];
	struct rpc_fault fault;
	int32_t sum;

	begin_adds(client, calls, 8);
	assert_int_equal(call_add(client, 20, 22, &sum, &fault), 0);
	assert_int_equal(sum, 42);
	/* The server answers in their order. */
	assert_int_equal(rpc_client_in_flight(client), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(calls[i].sum, i + 1000);
	assert_int_equal(counts_of(*state).connections, 1);
	rpc_client_close(client);
}

static void one_that_times_out_leaves_the_others_alone(void **state)
{
	struct rpc_client *client = open_client(*state, RPC_UDP);
	struct started slow = {.n_done = 0}, patient = {.n_done = 0};
	struct rpc_fault fault;

	rpc_client_set_timeout(client, 50 * TICK_MS);
	assert_int_equal(begin(client, &slow, GATE, &fault), 0);
	rpc_client_set_timeout(client, 60 * TICK_S);
	assert_int_equal(begin(client, &patient, GATE, &fault), 0);
	assert_int_equal(rpc_client_wait(client, tick_after(60 * TICK_S)), 1);
	assert_int_equal(slow.n_done, 1);
	assert_int_equal(slow.fault.kind, RPC_FAULT_TIMED_OUT);
	assert_int_equal(patient.n_done, 0);
	atomic_store(&gate_is_open, true);
	wait_for_all(client);
	assert_int_equal(patient.n_done, 1);
	assert_int_equal(patient.fault.kind, RPC_FAULT_NONE);
	rpc_client_close(client);
}

/* ---- datagrams ---- */

static atomic_int to_lose;

static bool loses(const struct rpc_call *call, void *arg)
{
	(void)call, (void)arg;
	if (atomic_load(&to_lose) <= 0)
		return false;
	atomic_fetch_sub(&to_lose, 1);
	return true;
}

static void lost_datagrams_of_many_are_sent_again_and_served_once(void **state)
{
	static struct started calls[16];
	struct fixture f = {.options = all_transports()};
	struct rpc_client_options options;
	struct rpc_client *client;
	struct rpc_fault fault;
	bool seen[17] = {false};

	(void)state;
	f.options.loses_reply = loses;
	atomic_store(&to_lose, 10);
	start_server(&f);
	options = client_options(&f, RPC_UDP);
	options.retries = 30;
	options.retry_ns = 20 * TICK_MS;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	for (int i = 0; i < 16; i++) {
		calls[i] = (struct started){.n_done = 0};
		assert_int_equal(begin(client, &calls[i], COUNT, &fault), 0);
	}
	wait_for_all(client);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(calls[i].fault.kind, 0);
		assert_in_range(calls[i].sum, 1, 16);
		assert_false(seen[calls[i].sum]);
		seen[calls[i].sum] = true;
	}
	assert_int_equal(atomic_load(&count), 16);
	rpc_client_close(client);
	stop_server(&f);
}

/* The new connection may well have the old one's descriptor. */
static void descriptor_follows_to_the_next_connection(void **state)
{
	struct fixture f = {.options = all_transports()};
	struct started call = {.pair = {1, 2}, .n_again = 1};
	struct rpc_client *client;
	struct rpc_fault fault;
	struct pollfd ready;

	(void)state;
	f.options.loses_reply = loses;
	atomic_store(&to_lose, 1);
	start_server(&f);
	client = call.again = open_client(&f, RPC_TCP);
	ready = (struct pollfd){rpc_client_poll_fd(client), POLLIN, 0};
	assert_int_equal(begin(client, &call, ADD, &fault), 0);
	while (call.n_done < 2) {
		assert_int_equal(poll(&ready, 1, 60000), 1);
		rpc_client_process(client);
	}
	assert_int_equal(call.fault.kind, 0);
	assert_int_equal(call.sum, 4);
	assert_int_equal(counts_of(&f).connections, 2);
	rpc_client_close(client);
	stop_server(&f);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_call_gets_its_own_reply),
		cmocka_unit_test(replies_may_come_in_any_order),
		cmocka_unit_test(reply_with_another_xid_is_passed_over),
		cmocka_unit_test(descriptor_follows_to_the_next_connection),
		CASE(one_descriptor_says_when_there_is_something_to_do),
		CASE(descriptor_wakes_for_time_and_for_a_lost_connection),
		CASE(more_than_the_cap_are_not_started),
		cmocka_unit_test(
			queue_for_a_server_that_does_not_read_has_an_end),
		cmocka_unit_test(lost_connection_ends_each_by_what_is_known),
		cmocka_unit_test(
			rubbish_is_a_bad_reply_and_ends_the_connection),
		CASE(closed_client_tells_what_is_in_flight),
		CASE(callback_may_start_the_next_call),
		CASE(call_that_is_waited_for_lets_the_others_end),
		CASE(one_that_times_out_leaves_the_others_alone),
		cmocka_unit_test(
			lost_datagrams_of_many_are_sent_again_and_served_once),
	};

	return SUPPORT_MAIN(tests);
}
