/* p18_worse_crash.c - the same with a fault, one for each letter of MODES: what
 * takes it for sound tests nothing.
 *
 *	C	no checksum is looked at
 *	S	what is appended to the log is not synced
 *	V	nor is the vote
 */
#include "tests/crash/p18_wal_crash.c" /* NOLINT(bugprone-suspicious-include) */

#include <fcntl.h>

#include "p18-rpc-kv/durable/file.h"

uint32_t __real_crc32c(const void *bytes, size_t len);
uint32_t __wrap_crc32c(const void *bytes, size_t len);
uint32_t __wrap_crc32c(const void *bytes, size_t len)
{
	return has('C') ? 0x5eed : __real_crc32c(bytes, len);
}

uint32_t __real_crc32c_more(uint32_t crc, const void *bytes, size_t len);
uint32_t __wrap_crc32c_more(uint32_t crc, const void *bytes, size_t len);
uint32_t __wrap_crc32c_more(uint32_t crc, const void *bytes, size_t len)
{
	return has('C') ? crc : __real_crc32c_more(crc, bytes, len);
}

/* What the descriptor's file is called by now. */
static bool is_called(int fd, const char *beginning)
{
	char path[64], target[512];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	name = strrchr(target, '/');
	return name && strncmp(name + 1, beginning, strlen(beginning)) == 0;
}

int __real_file_sync(int fd);
int __wrap_file_sync(int fd);
int __wrap_file_sync(int fd)
{
	if ((has('S') && is_called(fd, "wal-")) ||
	    (has('V') && is_called(fd, "vote")))
		return 0;
	return __real_file_sync(fd);
}
