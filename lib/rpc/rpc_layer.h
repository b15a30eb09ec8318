/* rpc_layer.h - what stands between a socket and the records on it: TLS, as
 * RFC 9289 puts it there, or anything else that turns bytes into other bytes.
 *
 * The layer gets the descriptor and moves all bytes of it; it never waits, but
 * says what is to be waited for. One thread at a time calls, not always the
 * same. */
#ifndef UNIXIPC_LIB_RPC_RPC_LAYER_H
#define UNIXIPC_LIB_RPC_RPC_LAYER_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rpc_layer {
	/* Servers: one step of what comes before the first record, such as the
	 * AUTH_TLS call in clear and a handshake. Returns 0 when that is done,
	 * POLLIN or POLLOUT: do another step when the socket is so; or another
	 * -errno: the connection is closed. NULL: nothing comes before. A
	 * client does all of it in its options.secure. */
	int (*begin)(void *state, int fd);
	/* Move some bytes: returns how many, 0 at the end (of reading alone),
	 * -EAGAIN when the socket has to be readable, or writable, first; or
	 * another -errno, after which the stream is of no use. Fewer than n
	 * were read only if no more are there before the socket is readable
	 * again: what the layer holds back nobody would ask for. */
	ssize_t (*read)(void *state, int fd, void *buf, size_t n);
	ssize_t (*write)(void *state, int fd, const void *buf, size_t n);
	/* Before the socket is closed. NULL: nothing is to be done. */
	void (*close)(void *state);
	void *state;
};

#ifdef __cplusplus
}
#endif

#endif
