/* Connections that keep to no rules. */
#ifndef UNIXIPC_TESTS_LIB_RPC_HOSTILE_FIXTURE_H
#define UNIXIPC_TESTS_LIB_RPC_HOSTILE_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_record.h"
#include "tests/lib/rpc_fixture.h"

static inline void connect_fd(const struct fixture *f, int fd)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_port = htons(rpc_server_port(f->server, RPC_TCP))};

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
}

/* A connection that says whatever the case likes. */
static inline int connect_raw(const struct fixture *f)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	connect_fd(f, fd);
	return fd;
}

/* One from another address of the loopback, as of another peer. */
static inline int connect_from(const struct fixture *f, const char *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	connect_fd(f, fd);
	return fd;
}

/* The header of a call, 40 bytes; returns what comes after. */
static inline uint8_t *put_call(uint8_t *at, uint32_t procedure)
{
	memset(at, 0, 40);
	rpc_message_put32(at, 4711);
	rpc_message_put32(at + 8, 2);
	rpc_message_put32(at + 12, PROGRAM);
	rpc_message_put32(at + 16, VERSION);
	rpc_message_put32(at + 20, procedure);
	return at + 40;
}

/* Ask for more than the socket holds, and take none of it. */
static inline int ask_and_do_not_read(const struct fixture *f)
{
	enum { BYTES = 200000 };
	static uint8_t call[4 + 40 + 4 + BYTES];
	int fd = connect_raw(f);
	size_t at = 0;
	ssize_t n = 1;

	rpc_record_mark(call, sizeof(call) - 4);
	rpc_message_put32(put_call(call + 4, ECHO), BYTES);
	/* Call after call, until neither side's buffers take any more. */
	for (int i = 0; i < 1000 && n > 0; i++) {
		n = fdio_write_some(fd, call + at, sizeof(call) - at,
				    tick_after(20 * TICK_MS));
		at = n > 0 ? (at + (size_t)n) % sizeof(call) : at;
	}
	return fd;
}

/* Both ends of hundreds of connections are here. */
static inline void allow_more_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 4096) {
		files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

#endif
