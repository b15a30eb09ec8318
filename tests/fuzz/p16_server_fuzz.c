/* Any bytes to a whole server, over TCP, UDP and a Unix socket, served by
 * threads, by loops, and by loops that leave all calls to workers: it lives, and
 * answers a call of somebody else. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_record.h"
#include "lib/rpc/rpc_server.h"
#include "lib/tick.h"
#include "p16-rpc-calc/accumulator.h"
#include "p16-rpc-calc/calc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { THREADS, LOOPS, WORKERS, MODES };
enum { ANSWER_MS = 10000, PROCEDURES_MAX = 16 };

static struct accumulator *accumulator;
static struct rpc_server *servers[MODES];
static pthread_t threads[MODES];
static int stop_fd;
static int others[MODES]; /* a connection of somebody else */
static char paths[MODES][64];

static void *serve(void *server)
{
	if (rpc_server_run(server, stop_fd))
		abort();
	return NULL;
}

static int connect_to(int mode, enum rpc_transport transport)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(rpc_server_port(servers[mode], transport)),
	};
	const bool is_unix = transport == RPC_UNIX;
	int type = transport == RPC_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(is_unix ? AF_UNIX : AF_INET, type | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", paths[mode]);
	if (fd < 0 || (is_unix ? connect(fd, (void *)&un, sizeof(un))
			       : connect(fd, (void *)&in, sizeof(in)))) {
		perror("a connection");
		abort();
	}
	return fd;
}

static void end_servers(void)
{
	const uint64_t one = 1;

	if (write(stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	for (int mode = 0; mode < MODES; mode++) {
		pthread_join(threads[mode], NULL);
		rpc_server_close(servers[mode]);
	}
}

/* The same programs, of which no procedure is quick. */
static const struct rpc_program *make_slow(void)
{
	static struct rpc_procedure procedures[CALC_PROGRAMS][PROCEDURES_MAX];
	static struct rpc_program programs[CALC_PROGRAMS];

	for (int i = 0; i < CALC_PROGRAMS; i++) {
		programs[i] = calc_programs[i];
		programs[i].procedures = procedures[i];
		if (programs[i].n_procedures > PROCEDURES_MAX)
			abort();
		for (size_t j = 0; j < programs[i].n_procedures; j++) {
			procedures[i][j] = calc_programs[i].procedures[j];
			procedures[i][j].flags &= ~(unsigned int)RPC_QUICK;
		}
	}
	return programs;
}

static void start(int mode)
{
	const struct rpc_server_options options = {
		.dispatch = {.programs = mode == WORKERS ? make_slow()
							 : calc_programs,
			     .n_programs = CALC_PROGRAMS,
			     .arg = accumulator},
		.host = "127.0.0.1",
		.has_tcp = true,
		.has_udp = true,
		.unix_path = paths[mode],
		.loops = mode == THREADS ? 0 : 2,
	};

	snprintf(paths[mode], sizeof(paths[mode]), "/tmp/p16_fuzz.%d.%d",
		 (int)getpid(), mode);
	if (rpc_server_open(&servers[mode], &options) ||
	    pthread_create(&threads[mode], NULL, serve, servers[mode]))
		abort();
	others[mode] = connect_to(mode, RPC_TCP);
}

/* All n bytes, in time. The fuzzer has an alarm of its own, which ends a wait
 * early. */
static bool hear(int fd, uint8_t *bytes, size_t n)
{
	int64_t deadline = tick_after(ANSWER_MS * TICK_MS);
	ssize_t some;

	while (n > 0) {
		some = fdio_read_some(fd, bytes, n, deadline);
		if (some == -EINTR)
			continue;
		if (some <= 0)
			return false;
		bytes += some;
		n -= (size_t)some;
	}
	return true;
}

/* A NULL call, and its reply. */
static void call_as_somebody_else(int mode)
{
	const struct rpc_call call = {
		.rpc_version = RPC_MESSAGE_VERSION,
		.program = CALC_PROG,
		.version = CALC_VERS_2,
	};
	uint8_t bytes[44], reply[28];

	rpc_record_mark(bytes, 40);
	rpc_message_encode_call(bytes + 4, 40, &call);
	if (fdio_write_full(others[mode], bytes, sizeof(bytes)) ||
	    !hear(others[mode], reply, sizeof(reply)))
		abort();
}

/* What is answered is taken until the server has closed, or has nothing more
 * to say to what it has. */
static void send_all(int fd, const uint8_t *data, size_t size)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint8_t reply[4096];

	if (size > 0 && send(fd, data, size, MSG_NOSIGNAL) < 0)
		return;
	shutdown(fd, SHUT_WR);
	while (poll(&ready, 1, 1) > 0 &&
	       recv(fd, reply, sizeof(reply), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool is_started;

	if (!is_started) {
		stop_fd = eventfd(0, EFD_CLOEXEC);
		if (stop_fd < 0 || accumulator_open(&accumulator, 64, TICK_S))
			abort();
		for (int mode = 0; mode < MODES; mode++)
			start(mode);
		atexit(end_servers);
		is_started = true;
	}
	for (int mode = 0; mode < MODES; mode++) {
		for (int t = 0; t < RPC_TRANSPORTS; t++) {
			int fd = connect_to(mode, (enum rpc_transport)t);

			send_all(fd, data, size < 60000 ? size : 60000);
			close(fd);
		}
		call_as_somebody_else(mode);
	}
	return 0;
}
