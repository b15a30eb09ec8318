/* Any bytes, sent as a snapshot, their checksums made right again or not: they are
 * refused, or they are a state, which is the same when it is taken to bytes again,
 * and goes on. The input is a byte, odd for right checksums, and the file.
 * Seeds: tests/fuzz/p18_snapshot_fuzz. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "p18-rpc-kv/durable/snapshot.h"
#include "p18-rpc-kv/state.h"

enum { HEAD = 40, FILE_MAX = 1 << 16 };

static const struct state_limits limits = {1 << 20, 3};
static char path[64];
static int dir = -1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void make_folder(void)
{
	snprintf(path, sizeof(path), "/tmp/ipc.fuzz.%d", (int)getpid());
	must(mkdir(path, 0700) == 0);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(dir >= 0);
}

static void remove_folder(void)
{
	snapshot_drop(dir, UINT64_MAX);
	close(dir);
	rmdir(path);
}

static uint32_t get32(const uint8_t *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return le32toh(number);
}

static uint64_t get64(const uint8_t *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof(number));
	return le64toh(number);
}

static void put32(uint8_t *bytes, uint32_t number)
{
	number = htole32(number);
	memcpy(bytes, &number, sizeof(number));
}

/* As snapshot.c has it: the head's is at 12, a block's behind its length. */
static void mend(uint8_t *bytes, size_t size)
{
	const size_t members = get32(bytes + 32);
	size_t at = HEAD + members;

	if (members > size - HEAD)
		return;
	put32(bytes + 12, 0);
	put32(bytes + 12, crc32c(bytes, at));
	for (size_t len; at + 8 <= size; at += 8 + len) {
		uint64_t place[2];

		len = get32(bytes + at);
		if (len > size - at - 8)
			break;
		place[0] = htole64(at);
		place[1] = htole64(len);
		put32(bytes + at + 4, crc32c_more(crc32c(place, sizeof(place)),
						  bytes + at + 8, len));
	}
}

/* In chunks of 1, 2, 3 … bytes. */
static int receive(const uint8_t *bytes, size_t size)
{
	struct snapshot_receiver *receiver;
	struct damage damage;
	uint64_t next = 0;
	int error = snapshot_receive(&receiver, dir, get64(bytes + 16),
				     get64(bytes + 24), size, FILE_MAX);

	if (error)
		return error;
	for (size_t at = 0, n = 1; at < size; at += n, n++) {
		n = n < size - at ? n : size - at;
		must(snapshot_chunk_in(receiver, at, bytes + at, n, &next) ==
		     0);
	}
	must(next == size);
	error = snapshot_receive_end(receiver, &damage);
	must(!error || (error == -EBADMSG && damage.text[0]));
	return error;
}

struct bytes {
	uint8_t bytes[FILE_MAX];
	size_t len;
};

static ssize_t get(void *arg, void *bytes, size_t len)
{
	return snapshot_read(arg, bytes, len);
}

static int put(void *arg, const void *bytes, size_t len)
{
	struct bytes *to = arg;

	must(len <= sizeof(to->bytes) - to->len);
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
	return 0;
}

/* The payload of all blocks. */
static void gather(struct snapshot *snapshot, struct bytes *to)
{
	ssize_t n;

	to->len = 0;
	while ((n = snapshot_read(snapshot, to->bytes + to->len,
				  sizeof(to->bytes) - to->len)) > 0)
		to->len += (size_t)n;
	must(n == 0);
}

static void use(struct state *state, const struct bytes *from)
{
	static struct bytes again;
	kv_change change = {.operation = KV_INCR, .key = {1, "n"}, .number = 1};
	kv_write_result result;
	struct state_view *view;

	again.len = 0;
	must(state_freeze(state, &view) == 0);
	must(state_encode(view, put, &again) == 0);
	must(again.len == from->len &&
	     memcmp(again.bytes, from->bytes, again.len) == 0);
	state_release(view);
	for (uint64_t i = 1; i < 6; i++) {
		change.id.client[0] = (char)i;
		change.id.sequence = i;
		must(state_apply(state, state_count(state).applied + 1, &change,
				 &result) == 0);
	}
}

static void decode(uint64_t index)
{
	static struct bytes from;
	struct snapshot *snapshot;
	struct damage damage;
	struct state *state;
	const char *why;
	int error;

	must(snapshot_open_at(&snapshot, dir, index, &damage) == 0);
	gather(snapshot, &from);
	snapshot_close(snapshot);
	must(snapshot_open_at(&snapshot, dir, index, &damage) == 0);
	error = state_decode(&state, &limits, get, snapshot, &why);
	snapshot_close(snapshot);
	must(!error || ((error == -EBADMSG || error == -EPROTONOSUPPORT) &&
			why[0] && !state));
	if (error)
		return;
	if (state_count(state).applied < UINT64_MAX / 2)
		use(state, &from);
	state_free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (dir < 0) {
		make_folder();
		atexit(remove_folder);
	}
	/* The last index that there is could not be dropped below. */
	if (size < 1 + HEAD || size > FILE_MAX ||
	    get64(data + 17) == UINT64_MAX)
		return 0;
	bytes = malloc(size - 1);
	must(bytes != NULL);
	memcpy(bytes, data + 1, size - 1);
	if (data[0] % 2)
		mend(bytes, size - 1);
	if (receive(bytes, size - 1) == 0)
		decode(get64(bytes + 16));
	must(snapshot_drop(dir, UINT64_MAX) == 0);
	free(bytes);
	return 0;
}
