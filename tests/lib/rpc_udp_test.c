/* Datagrams whose calls take long: who waits for them, and who does not. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/lib/rpc_hostile_fixture.h"
#include "tests/lib/rpc_server_fixture.h"

enum { WORKERS = 4 };

static atomic_int n_received;

static void count_received(bool is_sent, const uint8_t *message, size_t n,
			   void *arg)
{
	(void)message, (void)n, (void)arg;
	if (!is_sent)
		atomic_fetch_add(&n_received, 1);
}

static struct fixture start_traced(void)
{
	struct fixture f = special();

	f.options.trace = count_received;
	atomic_store(&n_received, 0);
	return f;
}

struct at_least {
	atomic_int *what;
	int n;
};

static bool is_reached(void *arg)
{
	const struct at_least *want = arg;

	return atomic_load(want->what) >= want->n;
}

static void wait_for(atomic_int *what, int n)
{
	struct at_least want = {what, n};

	assert_true(support_wait_until(is_reached, &want, 60000));
}

/* A socket that sends datagrams to the server, from that address. */
static int connect_datagrams(const struct fixture *f, const char *from)
{
	const struct timeval patience = {.tv_sec = 60};
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, from, &in.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	in.sin_port = htons(rpc_server_port(f->server, RPC_UDP));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
				    sizeof(patience)),
			 0);
	return fd;
}

static void send_call(int fd, uint32_t procedure, uint32_t xid)
{
	uint8_t call[40];

	put_call(call, procedure);
	rpc_message_put32(call, xid);
	assert_int_equal(send(fd, call, sizeof(call), 0), sizeof(call));
}

/* The xid of the next reply. */
static uint32_t hear(int fd)
{
	uint8_t reply[64];

	assert_true(recv(fd, reply, sizeof(reply), 0) >= 24);
	return rpc_message_get32(reply);
}

static void slow_calls_hold_up_no_other_datagrams(void **state)
{
	struct fixture *f = *state;
	int fd = connect_datagrams(f, "127.0.0.1");
	struct rpc_client *client = open_client(f, RPC_UDP);
	struct rpc_fault fault;
	int32_t n;

	for (uint32_t i = 1; i < WORKERS; i++)
		send_call(fd, GATE, i);
	wait_for(&in_gate, WORKERS - 1);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(call_add(client, i, 1, &n, &fault), 0);
		assert_int_equal(n, i + 1);
		assert_int_equal(call_count(client, &n, &fault), 0);
		assert_int_equal(n, i + 1);
	}
	/* And where all workers have something to do, those that are quick. */
	send_call(fd, GATE, WORKERS);
	wait_for(&in_gate, WORKERS);
	assert_int_equal(call_add(client, 1, 1, &n, &fault), 0);
	atomic_store(&gate_is_open, true);
	for (int i = 0; i < WORKERS; i++)
		assert_in_range(hear(fd), 1, WORKERS);
	rpc_client_close(client);
	close(fd);
}

static void repetition_of_a_call_under_way_is_not_done(void **state)
{
	enum { TIMES = 20 };
	struct fixture f = start_traced();
	int fd;

	(void)state;
	start_server(&f);
	fd = connect_datagrams(&f, "127.0.0.1");
	for (int i = 0; i < TIMES; i++)
		send_call(fd, GATE, 4711);
	wait_for(&n_received, TIMES);
	wait_for(&in_gate, 1);
	/* The next one comes behind all of them, and is served. */
	send_call(fd, COUNT, 1);
	assert_int_equal(hear(fd), 1);
	assert_int_equal(atomic_load(&in_gate), 1);
	atomic_store(&gate_is_open, true);
	assert_int_equal(hear(fd), 4711);
	/* Done by now, it is answered again. */
	send_call(fd, GATE, 4711);
	assert_int_equal(hear(fd), 4711);
	assert_int_equal(counts_of(&f).repeated, 1);
	assert_int_equal(counts_of(&f).calls, 3);
	close(fd);
	stop_server(&f);
}

static void peer_leaves_room_for_the_calls_of_others(void **state)
{
	enum { MANY = 100 };
	struct fixture f = start_traced();
	int greedy, honest;

	(void)state;
	start_server(&f);
	greedy = connect_datagrams(&f, "127.0.0.2");
	honest = connect_datagrams(&f, "127.0.0.3");
	for (int i = 0; i < MANY; i++) {
		send_call(greedy, GATE, (uint32_t)i);
		/* None is lost before the server has it. */
		wait_for(&n_received, i + 1);
	}
	send_call(honest, COUNT, 1);
	wait_for(&n_received, MANY + 1);
	wait_for(&in_gate, WORKERS);
	assert_int_equal(atomic_load(&in_gate), WORKERS);
	atomic_store(&gate_is_open, true);
	assert_int_equal(hear(honest), 1);
	close(greedy);
	close(honest);
	stop_server(&f);
}

static void call_in_hand_is_answered_and_what_waits_is_not_begun(void **state)
{
	enum { WAITING = 5 };
	struct fixture f = start_traced();
	const uint64_t one = 1;
	uint8_t reply[64];
	int fd, idle;

	(void)state;
	start_server(&f);
	idle = connect_raw(&f);
	fd = connect_datagrams(&f, "127.0.0.1");
	for (uint32_t i = 0; i < WORKERS; i++)
		send_call(fd, GATE, i);
	wait_for(&in_gate, WORKERS);
	for (uint32_t i = 0; i < WAITING; i++)
		send_call(fd, COUNT, WORKERS + i);
	wait_for(&n_received, WORKERS + WAITING);
	assert_int_equal(write(f.stop_fd, &one, sizeof(one)), sizeof(one));
	/* The stop has come as far as to the connections. */
	assert_int_equal(fdio_read(idle, reply, 1), 0);
	stop_server(&f); /* opens the gate */
	for (int i = 0; i < WORKERS; i++)
		assert_in_range(hear(fd), 0, WORKERS - 1);
	assert_int_equal(recv(fd, reply, sizeof(reply), MSG_DONTWAIT), -1);
	assert_int_equal(atomic_load(&count), 0);
	close(fd);
	close(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED_CASE(slow_calls_hold_up_no_other_datagrams),
		MODES_CASE(repetition_of_a_call_under_way_is_not_done),
		MODES_CASE(peer_leaves_room_for_the_calls_of_others),
		MODES_CASE(
			call_in_hand_is_answered_and_what_waits_is_not_begun),
	};

	return SUPPORT_MAIN(tests);
}
