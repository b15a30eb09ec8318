/* hardstate.c - see hardstate.h.
 *
 * Both copies say the same, or the first one is a step ahead, since it is written
 * first: then nobody has been told of that step. */
#include "p18-rpc-kv/durable/hardstate.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "p18-rpc-kv/durable/file.h"

#define NAME "vote"
#define MAGIC UINT64_C(0x45544f5643504955) /* "UIPCVOTE" */

enum { APART = 4096 }; /* so that a disk does not write both at once */

struct copy {
	uint64_t magic;
	uint64_t version;
	uint64_t term;
	uint64_t vote;
	uint32_t zero;
	uint32_t crc; /* of all above */
};
_Static_assert(sizeof(struct copy) == 40, "the format of a vote");

static uint32_t crc_of(const struct copy *copy)
{
	return crc32c(copy, offsetof(struct copy, crc));
}

static bool is_sound(const struct copy *copy)
{
	return copy->magic == MAGIC && copy->crc == crc_of(copy);
}

static int write_copy(int fd, const struct copy *copy, int which)
{
	int error =
		file_write(fd, copy, sizeof(*copy), (uint64_t)which * APART);

	return error ? error : file_sync(fd);
}

static int write_both(int fd, uint64_t version, uint64_t term, uint64_t vote)
{
	struct copy copy = {
		.magic = MAGIC,
		.version = version,
		.term = term,
		.vote = vote,
	};
	int error;

	copy.crc = crc_of(&copy);
	error = write_copy(fd, &copy, 0);
	return error ? error : write_copy(fd, &copy, 1);
}

int hardstate_create(int dir)
{
	int fd = file_make(dir, NAME);
	int error;

	if (fd < 0)
		return fd;
	error = write_both(fd, 1, 0, 0);
	if (!error)
		error = file_sync(dir);
	fdio_close(&fd);
	return error;
}

/* Which of both counts; NULL and damage when that cannot be told. */
static const struct copy *choose(const struct copy copies[2],
				 struct damage *damage)
{
	const bool is_first = is_sound(&copies[0]);
	const bool is_second = is_sound(&copies[1]);

	if (!is_first && !is_second) {
		damage_note(damage, NAME, 0, "both copies are bad");
		return NULL;
	}
	if (!is_first || !is_second)
		return &copies[is_second];
	if (memcmp(&copies[0], &copies[1], sizeof(copies[0])) != 0 &&
	    (copies[0].version != copies[1].version + 1 ||
	     copies[0].term < copies[1].term)) {
		damage_note(damage, NAME, APART,
			    "the copies are of two histories");
		return NULL;
	}
	return &copies[0];
}

/* The bad copy or the older one first, so that there is always a good one. And
 * both: what is in memory after a sync that failed need not be on the disk. */
static int write_again(int fd, const struct copy *copies,
		       const struct copy *chosen)
{
	const struct copy copy = *chosen;
	const int which = chosen == &copies[1];
	int error = write_copy(fd, &copy, !which);

	return error ? error : write_copy(fd, &copy, which);
}

static int open_file(int dir, struct damage *damage, int *fd)
{
	*fd = file_open(dir, NAME);
	if (*fd == -ENOENT)
		return damage_note(damage, NAME, 0, "it is missing");
	return *fd < 0 ? damage_of_open(damage, NAME, *fd) : 0;
}

int hardstate_open(struct hardstate *hardstate, int dir, struct damage *damage)
{
	struct copy copies[2] = {{0}};
	const struct copy *chosen;
	ssize_t n = 0;
	int error = open_file(dir, damage, &hardstate->fd);

	if (error)
		return error;
	for (int i = 0; i < 2 && n >= 0; i++)
		n = file_read(hardstate->fd, &copies[i], sizeof(copies[i]),
			      (uint64_t)i * APART);
	chosen = choose(copies, damage);
	error = chosen ? 0 : -EBADMSG;
	if (n < 0)
		error = (int)n;
	if (!error) {
		hardstate->version = chosen->version;
		hardstate->term = chosen->term;
		hardstate->vote = chosen->vote;
		error = write_again(hardstate->fd, copies, chosen);
	}
	if (error)
		hardstate_close(hardstate);
	return error;
}

void hardstate_close(struct hardstate *hardstate)
{
	fdio_close(&hardstate->fd);
}

int hardstate_set(struct hardstate *hardstate, uint64_t term, uint64_t vote)
{
	int error;

	if (term < hardstate->term ||
	    (term == hardstate->term && hardstate->vote &&
	     vote != hardstate->vote))
		return -EINVAL;
	error = write_both(hardstate->fd, hardstate->version + 1, term, vote);
	if (error)
		return error;
	hardstate->version++;
	hardstate->term = term;
	hardstate->vote = vote;
	return 0;
}
