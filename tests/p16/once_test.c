/* At most once: replies are lost on purpose, after the work was done. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_record.h"
#include "tests/p16/calc_fixture.h"

static struct fixture f;

static int open_it(void **state)
{
	(void)state;
	fixture_open(&f, 2);
	return 0;
}

static int close_it(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static int64_t accumulate(struct calcclient *calc, int64_t amount)
{
	calc_answer answer = {0};
	struct rpc_fault fault;

	assert_int_equal(calcclient_accumulate(calc, amount, &answer, &fault),
			 0);
	assert_int_equal(answer.status, CALC_DONE);
	return answer.calc_answer_u.value;
}

static struct accumulator_counts counts(void)
{
	return accumulator_counts(f.accumulator);
}

static void requests_are_done_in_their_order(void **state)
{
	(void)state;
	for (int t = 0; t < RPC_TRANSPORTS; t++) {
		struct calcclient *calc =
			fixture_calcclient(&f, (enum rpc_transport)t);

		assert_int_equal(accumulate(calc, 10), 7 * t + 10);
		assert_int_equal(accumulate(calc, -3), 7 * t + 7);
		calcclient_close(calc);
	}
	assert_int_equal(counts().added, 6);
	assert_int_equal(counts().clients, 3);
}

static void lost_datagrams_are_repeated_and_done_once(void **state)
{
	struct calcclient *calc = fixture_calcclient(&f, RPC_UDP);
	struct rpc_server_counts server;

	(void)state;
	f.to_lose = 2;
	assert_int_equal(accumulate(calc, 5), 5);
	assert_int_equal(counts().added, 1);
	rpc_server_count(f.server, &server);
	/* The first reply, kept: the calculator was not asked again. */
	assert_true(server.repeated >= 2);
	assert_int_equal(counts().repeated, 0);
	calcclient_close(calc);
}

static void lost_connections_are_made_again_and_calls_done_once(void **state)
{
	const enum rpc_transport streams[] = {RPC_TCP, RPC_UNIX};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct calcclient *calc = fixture_calcclient(&f, streams[i]);
		struct rpc_server_counts server;

		f.to_lose = 3;
		assert_int_equal(accumulate(calc, 5), 5 * (i + 1));
		assert_int_equal(counts().added, i + 1);
		/* By the request's name: nothing else knows it again. */
		assert_int_equal(counts().repeated, 3 * (i + 1));
		rpc_server_count(f.server, &server);
		assert_int_equal(server.connections, 4 * (i + 1));
		calcclient_close(calc);
	}
}

/* ---- the name of a request, by hand ---- */

static int64_t call(struct rpc_client *client, uint64_t who, uint64_t sequence,
		    calc_status *status)
{
	calc_accumulation request = {{who, sequence}, 5};
	struct rpc_fault fault;
	calc_answer answer;

	assert_int_equal(calc_accumulate_2(client, &request, &answer, &fault),
			 0);
	*status = answer.status;
	return answer.status == CALC_DONE ? answer.calc_answer_u.value : -1;
}

static void same_request_over_another_transport_is_known(void **state)
{
	calc_status status;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int t = 0; t < RPC_TRANSPORTS; t++) {
			struct rpc_client *client = fixture_client(
				&f, (enum rpc_transport)t, CALC_VERS_2);

			assert_int_equal(call(client, 4711, 1, &status), 5);
			rpc_client_close(client);
		}
	assert_int_equal(counts().added, 1);
	assert_int_equal(counts().repeated, 5);
}

static void late_request_is_refused(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	calc_status status;

	(void)state;
	call(client, 4711, 1, &status);
	call(client, 4711, 2, &status);
	call(client, 4711, 1, &status);
	assert_int_equal(status, CALC_OUT_OF_ORDER);
	call(client, 4711, 4, &status);
	assert_int_equal(status, CALC_OUT_OF_ORDER);
	assert_int_equal(call(client, 4711, 3, &status), 15);
	rpc_client_close(client);
}

static void one_client_too_many_is_told_so(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	calc_status status;

	(void)state;
	/* Half of the 64 places: all come from one address. */
	for (uint64_t i = 1; i <= 32; i++)
		assert_int_equal(call(client, i, 1, &status), 5 * i);
	call(client, 33, 1, &status);
	assert_int_equal(status, CALC_TOO_MANY_CLIENTS);
	assert_int_equal(call(client, 1, 2, &status), 5 * 33);
	rpc_client_close(client);
}

static calc_status status_of(struct calcclient *calc, int64_t amount)
{
	calc_answer answer = {0};
	struct rpc_fault fault;

	assert_int_equal(calcclient_accumulate(calc, amount, &answer, &fault),
			 0);
	return answer.status;
}

static void total_beyond_64_bits_is_refused_and_the_next_counts(void **state)
{
	struct calcclient *calc = fixture_calcclient(&f, RPC_TCP);

	(void)state;
	assert_int_equal(accumulate(calc, INT64_MAX), INT64_MAX);
	assert_int_equal(status_of(calc, 1), CALC_OVERFLOW);
	assert_int_equal(accumulate(calc, -1), INT64_MAX - 1);
	assert_int_equal(counts().clients, 1);
	assert_int_equal(counts().added, 2);
	calcclient_close(calc);
}

static void who_was_refused_begins_anew(void **state)
{
	struct rpc_client *client = fixture_client(&f, RPC_TCP, CALC_VERS_2);
	struct calcclient *calc = fixture_calcclient(&f, RPC_TCP);
	calc_status status;

	(void)state;
	for (uint64_t i = 1; i <= 32; i++)
		call(client, i, 1, &status);
	for (int i = 0; i < 2; i++)
		assert_int_equal(status_of(calc, 1), CALC_TOO_MANY_CLIENTS);
	calcclient_close(calc);
	rpc_client_close(client);
}

/* It may have been done, and was: its name is not used for another. */
static void request_without_an_answer_keeps_its_name(void **state)
{
	const struct rpc_client_options options = {
		.transport = RPC_TCP,
		.host = "127.0.0.1",
		.port = rpc_server_port(f.server, RPC_TCP),
		.timeout_ns = 60 * TICK_S,
	};
	struct calcclient *calc;
	struct rpc_fault fault;
	calc_answer answer;

	(void)state;
	assert_int_equal(calcclient_open(&calc, &options, &fault), 0);
	assert_int_equal(accumulate(calc, 10), 10);
	f.to_lose = 1;
	assert_int_not_equal(calcclient_accumulate(calc, 5, &answer, &fault),
			     0);
	assert_int_equal(accumulate(calc, 3), 18);
	calcclient_close(calc);
}

/* ---- many at once ---- */

enum { CLIENTS = 6, REQUESTS = 30 };

static void *accumulate_many(void *calc)
{
	calc_answer answer = {0};
	struct rpc_fault fault;

	for (int i = 0; i < REQUESTS; i++)
		if (calcclient_accumulate(calc, 1, &answer, &fault) ||
		    answer.status)
			return calc;
	return NULL;
}

static void every_third_reply_lost_and_the_sum_is_right(void **state)
{
	struct calcclient *calcs[CLIENTS], *last;
	pthread_t threads[CLIENTS];

	(void)state;
	f.every = 3;
	for (int i = 0; i < CLIENTS; i++)
		calcs[i] = fixture_calcclient(&f, i % 2 ? RPC_TCP : RPC_UNIX);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						accumulate_many, calcs[i]),
				 0);
	for (int i = 0; i < CLIENTS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
		calcclient_close(calcs[i]);
	}
	assert_int_equal(counts().added, CLIENTS * REQUESTS);
	assert_true(counts().repeated > 0);
	last = fixture_calcclient(&f, RPC_TCP);
	assert_int_equal(accumulate(last, 0), CLIENTS * REQUESTS);
	calcclient_close(last);
}

/* ---- one who makes up clients ---- */

/* A connection from an address of the loopback that is not ours. */
static int connect_from(const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(rpc_server_port(f.server, RPC_TCP));
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

/* A call to accumulate, of a client that nobody has heard of. */
static void put_first_request(uint8_t *at, uint32_t client)
{
	const struct rpc_call call = {
		.xid = client,
		.rpc_version = RPC_MESSAGE_VERSION,
		.program = CALC_PROG,
		.version = CALC_VERS_2,
		.procedure = ACCUMULATE,
	};

	memset(at, 0, 4 + 64);
	rpc_record_mark(at, 64);
	assert_int_equal(rpc_message_encode_call(at + 4, 40, &call), 40);
	rpc_message_put32(at + 4 + 40, 1);
	rpc_message_put32(at + 4 + 44, client);
	rpc_message_put32(at + 4 + 52, 1);
}

static void one_address_does_not_keep_others_out(void **state)
{
	enum { CALLS = 1024, BYTES = 4 + 64 };
	static uint8_t calls[CALLS * BYTES];
	uint8_t reply[4 + 24 + 12];
	struct calcclient *calc = fixture_calcclient(&f, RPC_TCP);
	int fd = connect_from("127.0.0.2");

	(void)state;
	for (uint32_t i = 0; i < CALLS; i++)
		put_first_request(calls + (size_t)i * BYTES, i);
	/* 70 KB, and all of it is answered before others come. */
	assert_int_equal(fdio_write_full(fd, calls, sizeof(calls)), 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	while (fdio_read(fd, reply, sizeof(reply)) > 0)
		;
	close(fd);
	accumulate(calc, 5);
	calcclient_close(calc);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_it, close_it)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(requests_are_done_in_their_order),
		CASE(lost_datagrams_are_repeated_and_done_once),
		CASE(lost_connections_are_made_again_and_calls_done_once),
		CASE(same_request_over_another_transport_is_known),
		CASE(late_request_is_refused),
		CASE(one_client_too_many_is_told_so),
		CASE(total_beyond_64_bits_is_refused_and_the_next_counts),
		CASE(who_was_refused_begins_anew),
		CASE(request_without_an_answer_keeps_its_name),
		CASE(one_address_does_not_keep_others_out),
		CASE(every_third_reply_lost_and_the_sum_is_right),
	};

	return SUPPORT_MAIN(tests);
}
