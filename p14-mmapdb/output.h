/* output.h - bytes into a file: all of them, or an error. */
#ifndef UNIXIPC_P14_MMAPDB_OUTPUT_H
#define UNIXIPC_P14_MMAPDB_OUTPUT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Goes on after short writes and EINTR. */
int output_write(int fd, const void *bytes, size_t len, uint64_t at);

/* The same of n pieces, which are spoilt. */
int output_write_pieces(int fd, struct iovec *pieces, unsigned int n,
			uint64_t at);

/* Take to the disk a range of the file that is mapped at bytes: it is written over
 * itself, which changes nothing, and the kernel syncs what is written. */
int output_sync(int fd, const void *bytes, size_t len, uint64_t at);

int output_zeros(int fd, uint64_t from, uint64_t to);

/* Give a file real blocks from one length to a larger one, zeros in them, so
 * that to write there cannot fail for want of room. */
int output_grow(int fd, uint64_t from, uint64_t to);

#endif
