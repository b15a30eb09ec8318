/* Which addresses a host has, and at which port rpcbind says that a program is
 * there: over IPv4 and IPv6, and from somebody who never says a word.
 * sandbox: --rpcbind --root */
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/rpc/rpc_lookup.h"
#include "tests/lib/rpc_fixture.h"

enum { SHORT_MS = 200, SLACK_MS = 5000 };

/* ---- hosts ---- */

/* In the sandbox alone: a file of /etc is text for us. */
static void put_over(const char *path, const char *text)
{
	char name[] = "/tmp/rpc-lookup-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fdio_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	assert_int_equal(mount(name, path, "", MS_BIND, ""), 0);
	assert_int_equal(unlink(name), 0);
}

static int name_the_hosts(void **state)
{
	(void)state;
	put_over("/etc/hosts",
		 "::1 localhost twice\n127.0.0.1 localhost twice\n");
	return 0;
}

static int let_hosts_go(void **state)
{
	(void)state;
	return umount("/etc/hosts");
}

static int resolve(struct rpc_address *addresses, const char *host, int *error)
{
	return rpc_address_resolve(addresses, host, tick_after(60 * TICK_S),
				   error);
}

static void numbers_are_addresses_of_either_family(void **state)
{
	static const struct {
		const char *host;
		sa_family_t family;
	} hosts[] = {
		{"127.0.0.1", AF_INET},
		{"::1", AF_INET6},
		{"[::1]", AF_INET6},
	};
	struct rpc_address a[RPC_ADDRESS_MOST];
	int error;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(resolve(a, hosts[i].host, &error), 1);
		assert_int_equal(a[0].storage.ss_family, hosts[i].family);
		assert_true(rpc_address_is_loopback(&a[0]));
	}
	assert_int_equal(resolve(a, "192.0.2.1", &error), 1);
	assert_false(rpc_address_is_loopback(&a[0]));
}

static void what_is_no_host_is_named_so(void **state)
{
	static const char *const hosts[] = {"", "[]", "999.999.999.999",
					    "no-such-host.invalid"};
	struct rpc_address a[RPC_ADDRESS_MOST];
	char name[2000];
	int error;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(resolve(a, hosts[i], &error), 0);
		assert_int_not_equal(error, 0);
	}
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(resolve(a, name, &error), 0);
	assert_int_equal(error, EAI_NONAME);
}

/* ---- sockets that listen ---- */

static int open_port6(int type, uint16_t *port)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t len = sizeof(in6);
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in6, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in6, &len), 0);
	*port = ntohs(in6.sin6_port);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int open_port4(uint16_t *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

/* ---- rpcbind ---- */

static enum rpc_fault_kind look_up(const char *host,
				   enum rpc_transport transport,
				   uint16_t rpcbind_port, int64_t deadline,
				   uint16_t *port, struct rpc_fault *fault)
{
	const struct rpc_lookup what = {PROGRAM, VERSION, transport,
					rpcbind_port};
	struct rpc_address a[RPC_ADDRESS_MOST];
	int error;

	assert_int_equal(resolve(a, host, &error), 1);
	return rpc_lookup_port(&what, &a[0], deadline, port, fault);
}

static void silent_rpcbind_is_given_up_in_time(void **state)
{
	struct rpc_fault fault;
	uint16_t silent[3], port;
	int fds[3] = {open_port4(&silent[0]),
		      open_port6(SOCK_STREAM, &silent[1]),
		      open_port6(SOCK_DGRAM, &silent[2])};

	(void)state;
	for (int i = 0; i < 3; i++) {
		int64_t begun = tick_now();

		assert_int_equal(look_up(i == 0 ? "127.0.0.1" : "::1",
					 i == 2 ? RPC_UDP : RPC_TCP, silent[i],
					 tick_after(SHORT_MS * TICK_MS), &port,
					 &fault),
				 RPC_FAULT_NO_RPCBIND);
		assert_int_equal(fault.error, ETIMEDOUT);
		assert_false(rpc_fault_is_unknown(&fault));
		assert_in_range(tick_now() - begun, SHORT_MS * TICK_MS,
				(SHORT_MS + SLACK_MS) * TICK_MS);
		close(fds[i]);
	}
}

static void nobody_at_the_port_is_no_rpcbind(void **state)
{
	struct rpc_fault fault;
	uint16_t dead, port;

	(void)state;
	close(open_port4(&dead));
	assert_int_equal(look_up("127.0.0.1", RPC_TCP, dead,
				 tick_after(60 * TICK_S), &port, &fault),
			 RPC_FAULT_NO_RPCBIND);
	assert_int_equal(fault.error, ECONNREFUSED);
	assert_int_equal(rpc_fault_status(&fault), 5);
	close(open_port6(SOCK_DGRAM, &dead));
	assert_int_equal(look_up("::1", RPC_UDP, dead, tick_after(60 * TICK_S),
				 &port, &fault),
			 RPC_FAULT_NO_RPCBIND);
	assert_int_equal(fault.error, ECONNREFUSED);
}

/* One answer, whatever was asked: the xid, and what the case wants. */
struct oracle {
	int fd;
	const char *says; /* behind the xid */
	size_t bytes;
	int deaf; /* to so many questions */
	pthread_t thread;
};

static void *speak(void *arg)
{
	struct oracle *oracle = arg;
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	char buf[2048];
	ssize_t n;

	do
		n = recvfrom(oracle->fd, buf, sizeof(buf), 0,
			     (struct sockaddr *)&from, &len);
	while (n >= 4 && oracle->deaf-- > 0);
	if (n < 4)
		return NULL;
	memcpy(buf + 4, oracle->says, oracle->bytes);
	sendto(oracle->fd, buf, 4 + oracle->bytes, 0, (struct sockaddr *)&from,
	       len);
	return NULL;
}

/* What a lookup makes of a universal address. */
static enum rpc_fault_kind believe(const char *address, int deaf,
				   uint16_t *port)
{
	static char says[24 + 64];
	struct oracle oracle = {.says = says, .deaf = deaf};
	struct rpc_fault fault;
	uint16_t rpcbind;

	memset(says, 0, sizeof(says));
	says[3] = REPLY;
	says[23] = (char)strlen(address);
	for (size_t i = 0; address[i]; i++)
		says[24 + i] = address[i];
	oracle.bytes = 24 + (strlen(address) + 3) / 4 * 4;
	oracle.fd = open_port6(SOCK_DGRAM, &rpcbind);
	assert_int_equal(pthread_create(&oracle.thread, NULL, speak, &oracle),
			 0);
	look_up("::1", RPC_UDP, rpcbind, tick_after(60 * TICK_S), port, &fault);
	assert_int_equal(pthread_join(oracle.thread, NULL), 0);
	close(oracle.fd);
	return fault.kind;
}

static void port_of_a_universal_address_is_its_last_two_bytes(void **state)
{
	static const char *const bad[] = {
		"",          ".",        "..",      "1.2",     "::1.3",
		"::1..8",    "::1.3.",   "::1.3.x", "::1.x.3", "::1.256.1",
		"::1.1.256", "::1.1.-1", "::1.0.0"};
	uint16_t port;

	(void)state;
	assert_int_equal(believe("::1.3.232", 0, &port), RPC_FAULT_NONE);
	assert_int_equal(port, 1000);
	assert_int_equal(believe("fe80::1.255.255", 0, &port), RPC_FAULT_NONE);
	assert_int_equal(port, 65535);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(believe(bad[i], 0, &port),
				 RPC_FAULT_NOT_REGISTERED);
}

static void lost_question_is_asked_again(void **state)
{
	uint16_t port;

	(void)state;
	assert_int_equal(believe("::1.3.232", 2, &port), RPC_FAULT_NONE);
	assert_int_equal(port, 1000);
}

/* ---- a client without a port ---- */

static const struct fixture server6 = {.options = {.dispatch = DISPATCH,
						   .host = "::1",
						   .has_tcp = true,
						   .has_udp = true}};

static void program_on_ipv6_is_found_and_called(void **state)
{
	static const char *const hosts[] = {"::1", "[::1]", "twice"};
	struct rpc_bind_service service;
	struct fixture f = server6;
	struct rpc_client *client;
	struct rpc_fault fault;
	int32_t sum;

	(void)state;
	start_server(&f);
	rpc_server_service(f.server, &service);
	assert_int_equal(rpc_bind_set(&service, tick_after(60 * TICK_S)), 0);
	for (int t = RPC_TCP; t <= RPC_UDP; t++)
		for (size_t i = 0; i < 3; i++) {
			struct rpc_client_options options =
				client_options(&f, (enum rpc_transport)t);

			options.port = 0;
			options.host = hosts[i];
			assert_int_equal(
				rpc_client_open(&client, &options, &fault), 0);
			assert_int_equal(
				rpc_client_port(client),
				rpc_server_port(f.server,
						(enum rpc_transport)t));
			assert_int_equal(call_add(client, t, 3, &sum, &fault),
					 0);
			assert_int_equal(sum, t + 3);
			rpc_client_close(client);
		}
	assert_int_equal(rpc_bind_unset(&service, tick_after(60 * TICK_S)), 0);
	stop_server(&f);
}

/* The name has two addresses, and the server is at one of them. */
static void every_address_of_a_name_is_tried(void **state)
{
	struct rpc_client *client;
	struct rpc_fault fault;

	(void)state;
	for (int family = 0; family < 2; family++) {
		struct fixture f = server6;
		struct rpc_bind_service service;
		int32_t sum;

		f.options.host = family ? "::1" : "127.0.0.1";
		start_server(&f);
		rpc_server_service(f.server, &service);
		for (int by_rpcbind = 0; by_rpcbind < 2; by_rpcbind++)
			for (int t = RPC_TCP; t <= RPC_UDP; t++) {
				struct rpc_client_options options =
					client_options(&f,
						       (enum rpc_transport)t);

				options.host = "twice";
				if (by_rpcbind) {
					assert_int_equal(
						rpc_bind_set(&service,
							     TICK_NEVER),
						0);
					options.port = 0;
				}
				assert_int_equal(rpc_client_open(&client,
								 &options,
								 &fault),
						 0);
				assert_int_equal(
					call_add(client, t, 8, &sum, &fault),
					0);
				assert_int_equal(sum, t + 8);
				rpc_client_close(client);
			}
		assert_int_equal(rpc_bind_unset(&service, TICK_NEVER), 0);
		stop_server(&f);
	}
}

/* ---- one deadline for all ---- */

/* Where the name server should be, that takes questions and says nothing. */
static int be_silent_name_server(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	put_over("/etc/resolv.conf",
		 "nameserver 127.0.0.1\noptions timeout:10 attempts:2\n");
	return fd;
}

/* Some sanitizers have one of their own. */
static int count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(tasks);
	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n;
}

/* Say at last that there is no such name, until the resolver's thread, whom
 * nobody waits for any more, has ended. */
static void let_resolver_end(int fd, int n_threads)
{
	int64_t deadline = tick_after(60 * TICK_S);

	while (count_threads() > n_threads) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		uint8_t query[512];
		ssize_t n;

		assert_false(tick_is_over(deadline));
		if (fdio_wait(fd, POLLIN, tick_after(10 * TICK_MS)) < 0)
			continue;
		n = recvfrom(fd, query, sizeof(query), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len);
		if (n < 12)
			continue;
		query[2] = 0x81; /* a response */
		query[3] = 0x83; /* NXDOMAIN */
		sendto(fd, query, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static __thread int joined;

int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result)
{
	joined++;
	return __real_pthread_join(thread, result);
}

/* Else it would go on for a moment, with its stack, when the program has ended all
 * that it knows of. */
static void resolver_that_has_answered_is_waited_for(void **state)
{
	struct rpc_address a[RPC_ADDRESS_MOST];
	int before = joined, error;

	(void)state;
	assert_true(resolve(a, "localhost", &error) > 0);
	assert_int_equal(joined, before + 1);
}

static void silent_name_server_takes_no_more_than_the_timeout(void **state)
{
	const struct rpc_client_options options = {
		.host = "host.example",
		.program = PROGRAM,
		.version = VERSION,
		.retries = 4,
		.timeout_ns = SHORT_MS * TICK_MS,
	};
	struct rpc_client *client;
	struct rpc_fault fault;
	int64_t begun;
	int fd = be_silent_name_server(), n_threads = count_threads();

	(void)state;
	begun = tick_now();
	assert_int_equal(rpc_client_open(&client, &options, &fault),
			 RPC_FAULT_HOST);
	assert_in_range(tick_now() - begun, SHORT_MS * TICK_MS,
			(SHORT_MS + SLACK_MS) * TICK_MS);
	assert_int_equal(fault.error, EAI_AGAIN);
	assert_int_equal(rpc_fault_status(&fault), 4);
	assert_false(rpc_fault_is_unknown(&fault));
	let_resolver_end(fd, n_threads);
	close(fd);
	assert_int_equal(umount("/etc/resolv.conf"), 0);
}

static int64_t time_of_failing(const struct rpc_client_options *options,
			       struct rpc_fault *fault)
{
	struct rpc_client *client;
	int64_t begun = tick_now();

	if (rpc_client_open(&client, options, fault) == 0) {
		call_null(client, fault);
		rpc_client_close(client);
	}
	assert_int_not_equal(fault->kind, RPC_FAULT_NONE);
	return tick_now() - begun;
}

static void silent_rpcbind_takes_no_more_than_the_timeout(void **state)
{
	struct rpc_client_options options = {
		.program = PROGRAM,
		.version = VERSION,
		.retries = 4,
		.timeout_ns = SHORT_MS * TICK_MS,
	};
	struct rpc_fault fault;
	int fd = open_port6(SOCK_DGRAM, &options.rpcbind_port);

	(void)state;
	options.transport = RPC_UDP;
	options.host = "::1";
	assert_in_range(time_of_failing(&options, &fault), 0,
			(SHORT_MS + SLACK_MS) * TICK_MS);
	assert_int_equal(fault.kind, RPC_FAULT_NO_RPCBIND);
	close(fd);
	fd = open_port4(&options.rpcbind_port);
	for (int t = RPC_TCP; t <= RPC_UDP; t++) {
		options.transport = (enum rpc_transport)t;
		options.host = "127.0.0.1";
		assert_in_range(time_of_failing(&options, &fault), 0,
				(SHORT_MS + SLACK_MS) * TICK_MS);
		assert_int_equal(fault.kind, RPC_FAULT_NO_RPCBIND);
		assert_int_equal(fault.error, ETIMEDOUT);
	}
	close(fd);
}

/* The time that opening takes, without waiting for it: while the connection is
 * made secure the clock goes on. */
static int64_t skew;

int64_t __real_tick_now(void);
int64_t __wrap_tick_now(void);

int64_t __wrap_tick_now(void)
{
	return __real_tick_now() + skew;
}

static int take_ten_seconds(struct rpc_stream *stream, int64_t deadline,
			    void *arg)
{
	(void)stream, (void)deadline, (void)arg;
	skew = 10 * TICK_S;
	return 0;
}

/* What opening took is not given to the first call a second time. */
static void first_call_has_what_opening_left(void **state)
{
	struct rpc_client_options options = {
		.host = "127.0.0.1",
		.program = PROGRAM,
		.version = VERSION,
		.timeout_ns = 10 * TICK_S + SHORT_MS * TICK_MS,
		.secure = take_ten_seconds,
	};
	struct rpc_client *client;
	struct rpc_fault fault;
	int64_t begun = __real_tick_now();
	int fd = open_port4(&options.port);

	(void)state;
	skew = 0;
	assert_int_equal(rpc_client_open(&client, &options, &fault), 0);
	skew = 0;
	assert_int_equal(call_null(client, &fault), RPC_FAULT_TIMED_OUT);
	assert_in_range(__real_tick_now() - begun, 0, SLACK_MS * TICK_MS);
	rpc_client_close(client);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_addresses_of_either_family),
		cmocka_unit_test(what_is_no_host_is_named_so),
		cmocka_unit_test(silent_rpcbind_is_given_up_in_time),
		cmocka_unit_test(nobody_at_the_port_is_no_rpcbind),
		cmocka_unit_test(
			port_of_a_universal_address_is_its_last_two_bytes),
		cmocka_unit_test(lost_question_is_asked_again),
		cmocka_unit_test_setup_teardown(
			program_on_ipv6_is_found_and_called, name_the_hosts,
			let_hosts_go),
		cmocka_unit_test_setup_teardown(
			every_address_of_a_name_is_tried, name_the_hosts,
			let_hosts_go),
		cmocka_unit_test(resolver_that_has_answered_is_waited_for),
		cmocka_unit_test(
			silent_name_server_takes_no_more_than_the_timeout),
		cmocka_unit_test(silent_rpcbind_takes_no_more_than_the_timeout),
		cmocka_unit_test(first_call_has_what_opening_left),
	};

	return SUPPORT_MAIN(tests);
}
