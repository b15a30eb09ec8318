/* A file that anybody may have written: what is not refused gives values that
 * fit, and after a repair it is a store. The input is a whole file, or patches
 * (where, 4 bytes; how long, 1; the bytes) of a small good one, whose header is
 * then given the checksum that it wants. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p09-reclock/layout.h"
#include "p09-reclock/reclock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/p09fuzz.XXXXXX", path[sizeof(dir) + 2];
static unsigned char *good;
static size_t good_len;

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void remove_dir(void)
{
	char beside[sizeof(path) + 16];

	snprintf(beside, sizeof(beside), "%s.rebuild", path);
	unlink(beside);
	unlink(path);
	rmdir(dir);
	free(good);
}

static void make_good(void)
{
	const struct reclock_options options = {
		.flags = RECLOCK_CREATE,
		.record_bytes = RECLOCK_RECORD_MIN,
	};
	struct reclock *store;
	char key[16];
	int fd;

	must(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/f", dir);
	atexit(remove_dir);
	must(reclock_open(&store, path, &options, NULL) == 0);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		must(reclock_set_until(store, key, strlen(key), key,
				       strlen(key), TICK_NEVER) == 0);
	}
	reclock_close(store);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	good_len = (size_t)lseek(fd, 0, SEEK_END);
	good = malloc(good_len);
	must(good && pread(fd, good, good_len, 0) == (ssize_t)good_len);
	close(fd);
}

static void write_file(const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && fdio_write_full(fd, bytes, len) == 0);
	close(fd);
}

static void write_patched(const uint8_t *data, size_t size)
{
	unsigned char *bytes = malloc(good_len);
	struct layout_header header;

	must(bytes != NULL);
	memcpy(bytes, good, good_len);
	while (size > 5) {
		uint32_t at;
		size_t n = data[4];

		memcpy(&at, data, 4);
		data += 5;
		size -= 5;
		n = n < size ? n : size;
		at %= (uint32_t)good_len;
		n = n < good_len - at ? n : good_len - at;
		memcpy(bytes + at, data, n);
		data += n;
		size -= n;
	}
	memcpy(&header, bytes, sizeof(header));
	header.crc = crc32c(&header, offsetof(struct layout_header, crc));
	memcpy(bytes, &header, sizeof(header));
	write_file(bytes, good_len);
	free(bytes);
}

static int look_at(void *arg, const void *key, size_t key_len,
		   const void *value, size_t value_len)
{
	const unsigned char *bytes = value;
	unsigned int *sum = arg;

	must(key_len > 0 && key_len + value_len <= RECLOCK_RECORD_MAX);
	for (size_t i = 0; i < value_len; i++)
		*sum += bytes[i];
	*sum += *(const unsigned char *)key;
	return 0;
}

static void use(struct reclock *store)
{
	struct reclock_stat stat;
	unsigned int sum = 0;
	char value[64];
	ssize_t n;

	reclock_each(store, look_at, &sum);
	must(reclock_stat(store, &stat) == 0);
	reclock_get_until(store, "k1", 2, value, sizeof(value), TICK_NEVER);
	reclock_set_until(store, "k2", 2, "new", 3, TICK_NEVER);
	reclock_del_until(store, "k3", 2, TICK_NEVER);
	must(reclock_check_until(store, true, NULL, NULL, TICK_NEVER) >= 0);
	must(reclock_check_until(store, false, NULL, NULL, TICK_NEVER) == 0);
	must(reclock_set_until(store, "k4", 2, "new", 3, TICK_NEVER) == 0);
	n = reclock_get_until(store, "k4", 2, value, sizeof(value), TICK_NEVER);
	must(n == 3 && memcmp(value, "new", 3) == 0);
	must(reclock_compact_until(store, TICK_NEVER) == 0);
	must(reclock_get_until(store, "k4", 2, value, sizeof(value),
			       TICK_NEVER) == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reclock *store;

	if (!good)
		make_good();
	if (size < 1 || size > 1 << 20)
		return 0;
	if (data[0] == 'f')
		write_file(data + 1, size - 1);
	else
		write_patched(data + 1, size - 1);
	if (reclock_open(&store, path, NULL, NULL) == 0) {
		use(store);
		reclock_close(store);
	}
	return 0;
}
