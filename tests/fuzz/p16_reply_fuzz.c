/* Any bytes as what a server sends to a client that has calls in flight: each
 * call ends once, by a result that could be decoded or by a fault that says
 * whether it was done, and nothing is kept. Over TCP they come in pieces, and
 * then the connection ends; over UDP as datagrams.
 *
 * The first byte is the transport and the number of calls, the second how long
 * a piece is. Of datagrams each begins with its length. The xids of the calls
 * are 1, 2, 3 … */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_trace.h"
#include "lib/tick.h"
#include "tests/fuzz/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS_MAX = 8 };

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

/* ---- what is asked for ---- */

struct started {
	struct names names;
	int n_done;
};

static void note(const struct rpc_fault *fault, void *arg)
{
	struct started *call = arg;
	char text[256];

	call->n_done++;
	rpc_fault_text(fault, text, sizeof(text));
	must(strlen(text) < sizeof(text));
	/* All of them had left, so none is known not to have been done. */
	must(rpc_fault_outcome(fault) != RPC_OUTCOME_NOT_DONE);
	must((rpc_fault_status(fault) == 0) == (fault->kind == RPC_FAULT_NONE));
	if (fault->kind == RPC_FAULT_NONE)
		xdr_free((xdrproc_t)xdr_names, (char *)&call->names);
}

static void look(bool is_sent, const uint8_t *message, size_t n, void *arg)
{
	(void)arg;
	if (!is_sent)
		free(rpc_trace_text(false, message, n));
}

/* ---- the server ---- */

static int open_port(int type, struct sockaddr_in *in)
{
	socklen_t len = sizeof(*in);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*in = (struct sockaddr_in){.sin_family = AF_INET};
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(fd >= 0 && bind(fd, (struct sockaddr *)in, len) == 0);
	must(getsockname(fd, (struct sockaddr *)in, &len) == 0);
	if (type == SOCK_STREAM)
		must(listen(fd, 8) == 0);
	return fd;
}

static int take_connection(int listener)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	return accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
}

static void say_stream(struct rpc_client *client, int server,
		       const uint8_t *data, size_t size, size_t piece)
{
	const struct linger reset = {.l_onoff = 1};

	/* So that no port has to wait when the client closes. */
	setsockopt(rpc_client_fd(client), SOL_SOCKET, SO_LINGER, &reset,
		   sizeof(reset));
	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		/* The client may have closed on what it got. */
		if (send(server, data + at, n, MSG_NOSIGNAL) < 0)
			break;
		rpc_client_process(client);
	}
	shutdown(server, SHUT_WR);
}

static void say_datagrams(struct rpc_client *client, int server,
			  const uint8_t *data, size_t size)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);

	must(getsockname(rpc_client_fd(client), (struct sockaddr *)&to, &len) ==
	     0);
	for (size_t at = 0; at < size;) {
		size_t n = data[at++];

		n = n < size - at ? n : size - at;
		sendto(server, data + at, n, 0, (struct sockaddr *)&to, len);
		at += n;
		rpc_client_process(client);
	}
}

static void start_calls(struct rpc_client *client, struct started *calls, int n)
{
	struct rpc_fault fault;

	rpc_client_set_xid(client, 1);
	for (int i = 0; i < n; i++) {
		const struct rpc_client_request request = {
			.procedure = 1,
			.xdr_result = (xdrproc_t)xdr_names,
			.result = &calls[i].names,
			.done = note,
			.arg = &calls[i],
		};

		must(rpc_client_start(client, &request, &fault) ==
		     RPC_FAULT_NONE);
	}
	rpc_client_process(client); /* all of them leave */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sockaddr_in tcp, udp;
	static int listener = -1, datagrams;
	struct started calls[CALLS_MAX] = {{.n_done = 0}};
	struct rpc_client_options options = {
		.host = "127.0.0.1",
		.program = 0x31230000,
		.version = 1,
		.max_record_bytes = RECORD_MAX,
		.max_in_flight = CALLS_MAX,
		.timeout_ns = 3 * TICK_MS,
		.trace = look,
	};
	struct rpc_client *client;
	struct rpc_fault fault;
	bool is_stream;
	int n, server;

	if (size < 2 || size > RECORD_MAX * 4)
		return 0;
	if (listener < 0) {
		listener = open_port(SOCK_STREAM, &tcp);
		datagrams = open_port(SOCK_DGRAM, &udp);
	}
	is_stream = data[0] % 2 == 0;
	n = data[0] / 2 % CALLS_MAX + 1;
	options.transport = is_stream ? RPC_TCP : RPC_UDP;
	options.port = ntohs(is_stream ? tcp.sin_port : udp.sin_port);
	must(rpc_client_open(&client, &options, &fault) == RPC_FAULT_NONE);
	/* Time is not what is tried here, where the connection ends. */
	if (is_stream)
		rpc_client_set_timeout(client, 20 * TICK_S);
	server = is_stream ? take_connection(listener) : datagrams;
	must(server >= 0);
	start_calls(client, calls, n);
	if (is_stream)
		say_stream(client, server, data + 2, size - 2, data[1] + 1u);
	else
		say_datagrams(client, server, data + 2, size - 2);
	/* The fuzzer's alarm is a signal like any other. */
	while (rpc_client_in_flight(client) > 0)
		must(rpc_client_wait(client, tick_after(20 * TICK_S)) !=
		     -ETIMEDOUT);
	for (int i = 0; i < CALLS_MAX; i++)
		must(calls[i].n_done == (i < n));
	rpc_client_close(client);
	if (is_stream)
		close(server);
	return 0;
}
