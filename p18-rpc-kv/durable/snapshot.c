/* snapshot.c - see snapshot.h. Numbers in the file are little-endian: it is sent
 * to other machines as it is. */
#include "p18-rpc-kv/durable/snapshot.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "p18-rpc-kv/durable/file.h"

#define PREFIX "snapshot-"
#define MAGIC "UIPCSNAP"

enum {
	VERSION = 1,
	BLOCK = 65536,
	SYNC_EACH = 4 << 20, /* so that the log's syncs do not wait for all */
	NAME_BYTES = 32,
};

struct head {
	char magic[8];
	uint32_t version;
	uint32_t crc; /* of the rest, this being 0, and of the members */
	uint64_t index, term;
	uint32_t members_len;
	uint32_t zero;
};
_Static_assert(sizeof(struct head) == 40, "the format of a snapshot");

struct block {
	uint32_t len; /* 0: the end */
	uint32_t crc; /* of its place in the file, len, and the bytes */
};
_Static_assert(sizeof(struct block) == 8, "the format of a snapshot");

static uint32_t head_crc(struct head head, const uint8_t *members)
{
	head.crc = 0;
	return crc32c_more(crc32c(&head, sizeof(head)), members,
			   le32toh(head.members_len));
}

static uint32_t block_crc(uint64_t at, uint32_t len, const uint8_t *bytes)
{
	const uint64_t place[2] = {htole64(at), htole64(len)};

	return crc32c_more(crc32c(place, sizeof(place)), bytes, len);
}

static const char *name_of(uint64_t index, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, PREFIX "%020" PRIu64, index);
	return name;
}

/* Whole, synced, and from now on a snapshot. */
static int publish(int dir, int fd, const char *from, uint64_t index)
{
	char name[NAME_BYTES];

	if (fsync(fd))
		return -errno;
	return file_rename(dir, from, name_of(index, name));
}

/* ---- making one -------------------------------------------------------------- */

struct snapshot_writer {
	int dir, fd;
	uint64_t index;
	uint64_t at; /* of the next block */
	uint64_t synced;
	struct block block;
	uint32_t len;
	uint8_t bytes[BLOCK];
};

static int write_head(struct snapshot_writer *writer,
		      const struct snapshot_info *info)
{
	struct head head = {
		.magic = MAGIC,
		.version = htole32(VERSION),
		.index = htole64(info->index),
		.term = htole64(info->term),
		.members_len = htole32(info->members_len),
	};
	int error;

	head.crc = htole32(head_crc(head, info->members));
	error = file_write(writer->fd, &head, sizeof(head), 0);
	writer->at = sizeof(head) + info->members_len;
	if (error)
		return error;
	return file_write(writer->fd, info->members, info->members_len,
			  sizeof(head));
}

int snapshot_create(struct snapshot_writer **writer, int dir,
		    const struct snapshot_info *info)
{
	struct snapshot_writer *new = calloc(1, sizeof(*new));
	int error = 0;

	*writer = NULL;
	if (!new)
		return -ENOMEM;
	new->dir = dir;
	new->index = info->index;
	new->fd = file_make(dir, SNAPSHOT_BEING_MADE);
	if (!info->index || info->members_len > SNAPSHOT_MEMBERS_MAX)
		error = -EINVAL;
	else if (new->fd < 0)
		error = new->fd;
	if (!error)
		error = write_head(new, info);
	if (error)
		snapshot_abort(new);
	else
		*writer = new;
	return error;
}

static int write_block(struct snapshot_writer *writer)
{
	const uint32_t crc = block_crc(writer->at, writer->len, writer->bytes);
	const size_t bytes = sizeof(struct block) + writer->len;
	int error;

	writer->block = (struct block){htole32(writer->len), htole32(crc)};
	error = file_write(writer->fd, &writer->block, sizeof(struct block),
			   writer->at);
	if (!error)
		error = file_write(writer->fd, writer->bytes, writer->len,
				   writer->at + sizeof(struct block));
	writer->at += bytes;
	writer->len = 0;
	if (!error && writer->at - writer->synced >= SYNC_EACH) {
		error = file_sync(writer->fd);
		writer->synced = writer->at;
	}
	return error;
}

int snapshot_write(struct snapshot_writer *writer, const void *bytes,
		   size_t len)
{
	int error = 0;

	while (len && !error) {
		size_t n = BLOCK - writer->len;

		n = n < len ? n : len;
		memcpy(writer->bytes + writer->len, bytes, n);
		writer->len += (uint32_t)n;
		bytes = (const uint8_t *)bytes + n;
		len -= n;
		if (writer->len == BLOCK)
			error = write_block(writer);
	}
	return error;
}

int snapshot_commit(struct snapshot_writer *writer)
{
	int error = writer->len ? write_block(writer) : 0;

	if (!error)
		error = write_block(writer); /* an empty one */
	if (!error)
		error = publish(writer->dir, writer->fd, SNAPSHOT_BEING_MADE,
				writer->index);
	snapshot_abort(writer);
	return error;
}

void snapshot_abort(struct snapshot_writer *writer)
{
	if (!writer)
		return;
	/* Unless it has its name. */
	file_remove(writer->dir, SNAPSHOT_BEING_MADE);
	fdio_close(&writer->fd);
	free(writer);
}

/* ---- reading one ------------------------------------------------------------- */

struct snapshot {
	int fd;
	char name[NAME_BYTES];
	struct damage *damage;
	struct snapshot_info info;
	uint64_t at;        /* of the next block; */
	uint32_t len, read; /* of this one */
	bool is_over;
	uint8_t bytes[BLOCK];
};

static int blame(const struct snapshot *snapshot, uint64_t at, const char *what)
{
	return damage_note(snapshot->damage, snapshot->name, at, what);
}

static int read_head(struct snapshot *snapshot)
{
	struct snapshot_info *info = &snapshot->info;
	struct head head = {.version = 0};
	ssize_t n;
	int error = file_size(snapshot->fd, &info->bytes);

	if (error)
		return error;
	n = file_read(snapshot->fd, &head, sizeof(head), 0);
	if (n < 0)
		return (int)n;
	if (n != sizeof(head) ||
	    memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0)
		return blame(snapshot, 0, "it is no snapshot");
	if (le32toh(head.version) != VERSION)
		return blame(snapshot, 0, "it is of another version");
	info->index = le64toh(head.index);
	info->term = le64toh(head.term);
	info->members_len = le32toh(head.members_len);
	if (info->members_len > SNAPSHOT_MEMBERS_MAX)
		return blame(snapshot, 0, "its head cannot be");
	n = file_read(snapshot->fd, info->members, info->members_len,
		      sizeof(head));
	if (n < 0)
		return (int)n;
	if (n != info->members_len || head.zero ||
	    le32toh(head.crc) != head_crc(head, info->members))
		return blame(snapshot, 0, "the checksum of its head is wrong");
	snapshot->at = sizeof(head) + info->members_len;
	return 0;
}

/* Takes fd. */
static int open_file(struct snapshot **snapshot, int fd, const char *name,
		     struct damage *damage)
{
	struct snapshot *new = calloc(1, sizeof(*new));
	int error;

	if (!new) {
		fdio_close(&fd);
		return -ENOMEM;
	}
	new->fd = fd;
	new->damage = damage;
	snprintf(new->name, sizeof(new->name), "%s", name);
	error = read_head(new);
	if (error)
		snapshot_close(new);
	else
		*snapshot = new;
	return error;
}

int snapshot_open_at(struct snapshot **snapshot, int dir, uint64_t index,
		     struct damage *damage)
{
	char name[NAME_BYTES];
	int fd = file_open(dir, name_of(index, name)), error;

	*snapshot = NULL;
	if (damage)
		damage->text[0] = '\0';
	if (fd < 0)
		return damage_of_open(damage, name, fd);
	error = open_file(snapshot, fd, name, damage);
	if (!error && (*snapshot)->info.index != index) {
		error = damage_note(damage, name, 0, "it is another one");
		snapshot_close(*snapshot);
		*snapshot = NULL;
	}
	return error;
}

static int keep_highest(const char *name, void *arg)
{
	const uint64_t index = file_number(name, PREFIX);
	uint64_t *highest = arg;

	if (index > *highest)
		*highest = index;
	return 0;
}

int snapshot_open(struct snapshot **snapshot, int dir, struct damage *damage)
{
	uint64_t index = 0;
	int error = file_each(dir, keep_highest, &index);

	*snapshot = NULL;
	if (damage)
		damage->text[0] = '\0';
	if (error)
		return error;
	return index ? snapshot_open_at(snapshot, dir, index, damage) : -ENOENT;
}

void snapshot_close(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	fdio_close(&snapshot->fd);
	free(snapshot);
}

const struct snapshot_info *snapshot_info(const struct snapshot *snapshot)
{
	return &snapshot->info;
}

/* After the last block nothing may stand. */
static int read_block(struct snapshot *snapshot)
{
	struct block block;
	ssize_t n =
		file_read(snapshot->fd, &block, sizeof(block), snapshot->at);

	if (n < 0)
		return (int)n;
	if (n != sizeof(block))
		return blame(snapshot, snapshot->at, "it ends too early");
	snapshot->len = le32toh(block.len);
	snapshot->read = 0;
	if (snapshot->len > BLOCK)
		return blame(snapshot, snapshot->at, "a length cannot be");
	n = file_read(snapshot->fd, snapshot->bytes, snapshot->len,
		      snapshot->at + sizeof(block));
	if (n < 0)
		return (int)n;
	if (n != snapshot->len)
		return blame(snapshot, snapshot->at, "it ends too early");
	if (le32toh(block.crc) !=
	    block_crc(snapshot->at, snapshot->len, snapshot->bytes))
		return blame(snapshot, snapshot->at, "the checksum is wrong");
	snapshot->at += sizeof(block) + snapshot->len;
	snapshot->is_over = !snapshot->len;
	if (snapshot->is_over && snapshot->at != snapshot->info.bytes)
		return blame(snapshot, snapshot->at,
			     "there is something behind its end");
	return 0;
}

ssize_t snapshot_read(struct snapshot *snapshot, void *bytes, size_t len)
{
	size_t n;
	int error;

	if (snapshot->read == snapshot->len && !snapshot->is_over) {
		error = read_block(snapshot);
		if (error) {
			snapshot->len = snapshot->read = 0;
			return error;
		}
	}
	n = snapshot->len - snapshot->read;
	n = n < len ? n : len;
	memcpy(bytes, snapshot->bytes + snapshot->read, n);
	snapshot->read += (uint32_t)n;
	return (ssize_t)n;
}

ssize_t snapshot_chunk(const struct snapshot *snapshot, uint64_t offset,
		       void *bytes, size_t len)
{
	if (offset > snapshot->info.bytes)
		return -EINVAL;
	return file_read(snapshot->fd, bytes, len, offset);
}

/* ---- receiving one ----------------------------------------------------------- */

struct snapshot_receiver {
	int dir, fd;
	uint64_t index, term;
	uint64_t total, next;
};

int snapshot_receive(struct snapshot_receiver **receiver, int dir,
		     uint64_t index, uint64_t term, uint64_t total,
		     uint64_t max)
{
	struct snapshot_receiver *new;
	int error = 0;

	*receiver = NULL;
	if (!index || total < sizeof(struct head) + sizeof(struct block))
		return -EINVAL;
	if (total > max || total > INT64_MAX)
		return -EFBIG;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct snapshot_receiver){
		.dir = dir,
		.fd = file_make(dir, SNAPSHOT_BEING_RECEIVED),
		.index = index,
		.term = term,
		.total = total,
	};
	if (new->fd < 0)
		error = new->fd;
	else if (fallocate(new->fd, 0, 0, (off_t)total) && errno != EOPNOTSUPP)
		error = -errno;
	if (error)
		snapshot_receive_abort(new);
	else
		*receiver = new;
	return error;
}

int snapshot_chunk_in(struct snapshot_receiver *receiver, uint64_t offset,
		      const void *bytes, size_t len, uint64_t *next)
{
	int error = 0;

	*next = receiver->next;
	if (offset != receiver->next)
		return 0;
	if (len > receiver->total - offset)
		return -EINVAL;
	error = file_write(receiver->fd, bytes, len, offset);
	if (!error)
		*next = receiver->next += len;
	return error;
}

/* Every block, and that it is the one that was announced. Takes fd. */
static int check_all(int fd, uint64_t index, uint64_t term,
		     struct damage *damage)
{
	struct snapshot *snapshot = NULL;
	uint8_t bytes[4096];
	ssize_t n = 1;
	int error = open_file(&snapshot, fd, SNAPSHOT_BEING_RECEIVED, damage);

	if (error)
		return error;
	if (snapshot->info.index != index || snapshot->info.term != term)
		n = blame(snapshot, 0, "it is another one");
	while (n > 0)
		n = snapshot_read(snapshot, bytes, sizeof(bytes));
	snapshot_close(snapshot);
	return (int)n;
}

int snapshot_receive_end(struct snapshot_receiver *receiver,
			 struct damage *damage)
{
	int fd = fcntl(receiver->fd, F_DUPFD_CLOEXEC, 3);
	int error = fd < 0 ? -errno : 0;

	if (damage)
		damage->text[0] = '\0';
	if (!error)
		error = check_all(fd, receiver->index, receiver->term, damage);
	if (!error)
		error = publish(receiver->dir, receiver->fd,
				SNAPSHOT_BEING_RECEIVED, receiver->index);
	snapshot_receive_abort(receiver);
	return error;
}

void snapshot_receive_abort(struct snapshot_receiver *receiver)
{
	if (!receiver)
		return;
	/* Unless it has its name. */
	file_remove(receiver->dir, SNAPSHOT_BEING_RECEIVED);
	fdio_close(&receiver->fd);
	free(receiver);
}

/* ---- removing them ----------------------------------------------------------- */

struct dropping {
	int dir;
	uint64_t index;
};

static int drop_one(const char *name, void *arg)
{
	const struct dropping *dropping = arg;
	const uint64_t index = file_number(name, PREFIX);

	if (index && index < dropping->index)
		return file_remove(dropping->dir, name);
	return 0;
}

int snapshot_drop(int dir, uint64_t index)
{
	struct dropping dropping = {dir, index};

	return file_each(dir, drop_one, &dropping);
}
