/* output.c - see output.h. */
#include "p14-mmapdb/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { CALL_MAX = 16384 };

/* How many of these pieces one call may have, and, when the first alone is too
 * long, how much of it. */
static int limit(const struct iovec *pieces, unsigned int n, size_t *cut)
{
	size_t bytes = 0;
	unsigned int i = 0;

	while (i < n && i < IOV_MAX && bytes + pieces[i].iov_len <= CALL_MAX)
		bytes += pieces[i++].iov_len;
	*cut = i ? 0 : CALL_MAX;
	return i ? (int)i : 1;
}

int output_write_pieces(int fd, struct iovec *pieces, unsigned int n,
			uint64_t at)
{
	while (n > 0) {
		const size_t whole = pieces->iov_len;
		size_t cut;
		const int most = limit(pieces, n, &cut);
		ssize_t done;

		if (cut)
			pieces->iov_len = cut;
		done = pwritev(fd, pieces, most, (off_t)at);
		pieces->iov_len = whole;

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		at += (uint64_t)done;
		for (; n > 0 && (size_t)done >= pieces->iov_len; pieces++, n--)
			done -= (ssize_t)pieces->iov_len;
		if (n > 0) {
			pieces->iov_base = (char *)pieces->iov_base + done;
			pieces->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int output_write(int fd, const void *bytes, size_t len, uint64_t at)
{
	struct iovec piece = {(void *)bytes, len};

	return output_write_pieces(fd, &piece, 1, at);
}

int output_sync(int fd, const void *bytes, size_t len, uint64_t at)
{
	while (len > 0) {
		struct iovec piece = {(void *)bytes, len};
		ssize_t done = pwritev2(fd, &piece, 1, (off_t)at, RWF_DSYNC);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EOPNOTSUPP)
			return fdatasync(fd) ? -errno : 0;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes = (const char *)bytes + done;
		at += (uint64_t)done;
		len -= (size_t)done;
	}
	return 0;
}

int output_zeros(int fd, uint64_t from, uint64_t to)
{
	static const char zeros[16384];
	struct iovec pieces[64];

	while (from < to) {
		uint64_t left = to - from;
		unsigned int n = 0;

		for (; left > 0 && n < 64; n++) {
			pieces[n].iov_base = (void *)zeros;
			pieces[n].iov_len =
				left < sizeof(zeros) ? left : sizeof(zeros);
			left -= pieces[n].iov_len;
		}
		int error = output_write_pieces(fd, pieces, n, from);

		if (error)
			return error;
		from = to - left;
	}
	return 0;
}

int output_grow(int fd, uint64_t from, uint64_t to)
{
	int error;

	do {
		error = fallocate(fd, 0, (off_t)from, (off_t)(to - from));
	} while (error && errno == EINTR);
	if (!error)
		return 0;
	return errno == EOPNOTSUPP ? output_zeros(fd, from, to) : -errno;
}
