/* The four ways side by side, over real sockets: what lies on the wire, what
 * a replay of a call does, and a call in the name of another. Their answers are
 * the table of the README, row by row. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/rpc/rpc_fault.h"
#include "lib/rpc/rpc_record.h"
#include "tests/p17/server.h"

/* ---- a client that keeps what it sends ---- */

struct exchange {
	uint8_t call[1024]; /* from RPC_RECORD_MARK on */
	size_t call_bytes;
	uint8_t reply[1024];
	size_t reply_bytes;
};

static int connect_to(enum way way)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = SOCKET};
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(server, RPC_TCP)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	bool is_local = way == SYS_UNIX;
	int fd = socket(is_local ? AF_UNIX : AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, is_local ? (void *)&local : (void *)&in,
				 is_local ? (socklen_t)sizeof(local)
					  : (socklen_t)sizeof(in)),
			 0);
	return fd;
}

/* The same call again, over a connection of its own. */
static void send_replay(struct exchange *exchange, enum way way)
{
	int fd = connect_to(way);
	struct rpc_record_reader reader;
	uint8_t *reply;
	ssize_t n;

	assert_int_equal(rpc_record_send(fd, exchange->call,
					 exchange->call_bytes, LONG_NS),
			 0);
	rpc_record_init(&reader, fd, sizeof(exchange->reply), LONG_NS);
	n = rpc_record_read(&reader, &reply);
	assert_true(n > 0);
	memcpy(exchange->reply, reply, (size_t)n);
	exchange->reply_bytes = (size_t)n;
	rpc_record_fini(&reader);
	close(fd);
}

static void call_add(struct exchange *exchange, enum way way, AUTH *auth)
{
	sums_operands operands = {70007, 90009};
	uint8_t *to = exchange->call + RPC_RECORD_MARK;
	XDR xdrs;

	to = rpc_message_put32(to, 4711);
	to = rpc_message_put32(to, CALL);
	to = rpc_message_put32(to, RPC_MSG_VERSION);
	to = rpc_message_put32(to, SUMS_PROG);
	to = rpc_message_put32(to, SUMS_VERS);
	to = rpc_message_put32(to, SUMS_ADD);
	xdrmem_create(&xdrs, (char *)to, 512, XDR_ENCODE);
	assert_true(AUTH_MARSHALL(auth, &xdrs));
	assert_true(xdr_sums_operands(&xdrs, &operands));
	exchange->call_bytes = RPC_RECORD_MARK + 24 + xdr_getpos(&xdrs);
	rpc_record_mark(exchange->call, exchange->call_bytes - RPC_RECORD_MARK);
	send_replay(exchange, way);
}

/* "served", or "refused: " and why. */
static void put_answer(char *cell, size_t size, const struct exchange *exchange)
{
	uint32_t status = rpc_message_get32(exchange->reply + 8);

	if (status == MSG_ACCEPTED)
		snprintf(cell, size, "served");
	else
		snprintf(cell, size, "refused: %s",
			 rpc_fault_auth_text((enum auth_stat)rpc_message_get32(
				 exchange->reply + 16)));
}

/* ---- the table ---- */

static bool is_in(const uint8_t *bytes, size_t n, const void *what, size_t size)
{
	return memmem(bytes, n, what, size) != NULL;
}

static bool has_number(const struct exchange *exchange, uint32_t number)
{
	uint8_t wire[4];

	rpc_message_put32(wire, number);
	return is_in(exchange->call, exchange->call_bytes, wire, 4) ||
	       is_in(exchange->reply, exchange->reply_bytes, wire, 4);
}

static bool has_text(const struct exchange *exchange, const char *text)
{
	return is_in(exchange->call, exchange->call_bytes, text, strlen(text));
}

static void put_seen(char *cell, size_t size, const struct exchange *exchange,
		     enum way way)
{
	bool has_operands =
		has_number(exchange, 70007) && has_number(exchange, 90009);

	/* Of no way: */
	assert_false(is_in(exchange->call, exchange->call_bytes,
			   people.secret[ALICE].key, DH_KEY));
	/* What never leaves the machine is on no wire. */
	if (way == SYS_UNIX)
		snprintf(cell, size, "nothing");
	else
		snprintf(cell, size, "%s%s%s%s%s",
			 has_operands ? "operands" : "",
			 has_number(exchange, 160016) ? ", result" : "",
			 has_number(exchange, 54321) ? ", uid" : "",
			 has_text(exchange, "machine-x") ? ", machine" : "",
			 has_text(exchange, "unix.1000@") ? ", netname" : "");
}

static void put_row(char *row, size_t size, enum way way)
{
	static const char *const titles[] = {"AUTH_NONE", "AUTH_SYS over TCP",
					     "AUTH_SYS over a Unix socket",
					     "AUTH_DH over TCP"};
	static const enum service_auth auths[] = {SERVICE_NONE, SERVICE_SYS,
						  SERVICE_SYS, SERVICE_DES};
	char seen[128], replayed[64], spoofed[64] = "(nobody is asked)";
	struct exchange exchange;
	AUTH *auth;

	start(auths[way]);
	auth = make_auth(way, false);
	call_add(&exchange, way, auth);
	put_answer(replayed, sizeof(replayed), &exchange);
	assert_string_equal(replayed, "served");
	put_seen(seen, sizeof(seen), &exchange, way);
	send_replay(&exchange, way);
	put_answer(replayed, sizeof(replayed), &exchange);
	auth_destroy(auth);
	if (way != NONE) {
		auth = make_auth(way, true);
		call_add(&exchange, way, auth);
		put_answer(spoofed, sizeof(spoofed), &exchange);
		auth_destroy(auth);
	}
	end(NULL);
	snprintf(row, size, "| %s | %s | %s | %s |\n", titles[way], seen,
		 replayed, spoofed);
}

static void table_of_the_readme_is_what_happens(void **state)
{
	char *text = calloc(1, 1 << 20), row[512];
	FILE *readme = fopen("p17-rpc-auth/README.md", "r");
	int missing = 0;

	(void)state;
	assert_non_null(text);
	if (readme) {
		assert_true(fread(text, 1, (1 << 20) - 1, readme) > 0);
		fclose(readme);
	}
	for (enum way way = NONE; way < WAYS; way++) {
		put_row(row, sizeof(row), way);
		if (strstr(text, row))
			continue;
		print_error("README.md has no row\n%s", row);
		missing++;
	}
	free(text);
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_the_readme_is_what_happens),
	};
	return SUPPORT_MAIN(tests);
}
