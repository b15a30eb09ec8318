/* The sockets of all sides: Nagle's delay off, and no other option. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p16-rpc-calc/bench/bench_side.h"

static int open_socket(const struct bench_case *c)
{
	static const struct {
		int family, type;
	} kinds[] = {
		[BENCH_TCP] = {AF_INET, SOCK_STREAM},
		[BENCH_UDP] = {AF_INET, SOCK_DGRAM},
		[BENCH_UNIX] = {AF_UNIX, SOCK_STREAM},
	};
	int fd = socket(kinds[c->transport].family,
			kinds[c->transport].type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static void make_address(const struct bench_case *c, struct bench_address *at)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&at->storage;
	struct sockaddr_un *un = (struct sockaddr_un *)&at->storage;

	memset(at, 0, sizeof(*at));
	if (c->transport == BENCH_UNIX) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", c->path);
		at->len = sizeof(*un);
	} else {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		at->len = sizeof(*in);
	}
}

int bench_listen(const struct bench_case *c, struct bench_address *at)
{
	int fd = open_socket(c), r = 0;

	if (fd < 0)
		return fd;
	make_address(c, at);
	if (c->transport == BENCH_UNIX)
		unlink(c->path);
	if (bind(fd, (struct sockaddr *)&at->storage, at->len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at->storage, &at->len) < 0 ||
	    (c->transport != BENCH_UDP && listen(fd, 16) < 0))
		r = -errno;
	if (r < 0)
		fdio_close(&fd);
	return r < 0 ? r : fd;
}

int bench_connect(const struct bench_case *c, const struct bench_address *at)
{
	int fd = open_socket(c), r = 0, on = 1;

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&at->storage, at->len) < 0 ||
	    (c->transport == BENCH_TCP &&
	     setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0))
		r = -errno;
	if (r < 0)
		fdio_close(&fd);
	return r < 0 ? r : fd;
}

void bench_fill(void *block, size_t bytes, uint32_t number)
{
	unsigned char *byte = block;

	memset(block, (int)(number & 0xff), bytes);
	for (size_t i = 0; i + sizeof(number) <= bytes; i += 256)
		memcpy(byte + i, &number, sizeof(number));
}
