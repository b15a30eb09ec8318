/* folder.c - see folder.h. */
#include "p18-rpc-kv/durable/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "p18-rpc-kv/durable/file.h"
#include "p18-rpc-kv/durable/snapshot.h"

#define NAME "identity"
#define MAGIC "UIPCKVID"

enum { VERSION = 1, LOCK_TEXT = 16 };

struct record {
	char magic[8];
	uint32_t version;
	uint32_t crc; /* of the rest, this being 0 */
	uint8_t share[FOLDER_CLUSTER_BYTES];
	uint8_t cluster[FOLDER_CLUSTER_BYTES];
	uint64_t server;
	uint64_t since;
	uint32_t is_formed;
	uint32_t n_members;
	struct folder_member members[FOLDER_MEMBERS_MAX];
};
_Static_assert(sizeof(struct record) == 2448, "the format of an identity");

/* ---- the lock ---------------------------------------------------------------- */

/* What the holder has said of itself: to be shown. */
static pid_t read_holder(int fd)
{
	char text[LOCK_TEXT + 1] = "";
	ssize_t n = file_read(fd, text, LOCK_TEXT, 0);

	text[n < 0 ? 0 : n] = '\0';
	n = (ssize_t)strtol(text, NULL, 10);
	return n > 0 && n <= INT32_MAX ? (pid_t)n : 0;
}

/* An open file description lock (fcntl(2)): whatever else of this process opens
 * and closes the file does not release it. */
static int lock(struct folder *folder, pid_t *holder, struct damage *damage)
{
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[LOCK_TEXT + 1];
	int fd = openat(folder->fd, "lock",
			O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int error = 0, n;

	fd = fd < 0 ? -errno : fdio_above_std(fd);
	if (fd < 0)
		return fd;
	folder->lock = fd;
	error = fdio_check_trusted(fd);
	if (error)
		return damage_of_open(damage, "lock", error);
	if (fcntl(fd, F_OFD_SETLK, &range) == 0) {
		n = snprintf(text, sizeof(text), "%-*d", LOCK_TEXT,
			     (int)getpid());
		return file_write(fd, text, (size_t)n, 0);
	}
	error = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	if (error == -EBUSY && holder)
		*holder = read_holder(fd);
	return error;
}

/* ---- the identity ------------------------------------------------------------ */

static uint32_t crc_of(const struct record *record)
{
	struct record rest = *record;

	rest.crc = 0;
	return crc32c(&rest, sizeof(rest));
}

static int write_identity(int dir, const struct folder_identity *identity)
{
	struct record record = {
		.magic = MAGIC,
		.version = VERSION,
		.server = identity->server,
		.since = identity->since,
		.is_formed = identity->is_formed,
		.n_members = identity->n_members,
	};
	int fd = file_make(dir, NAME ".tmp");
	int error;

	if (fd < 0)
		return fd;
	memcpy(record.share, identity->share, sizeof(record.share));
	memcpy(record.cluster, identity->cluster, sizeof(record.cluster));
	memcpy(record.members, identity->members, sizeof(record.members));
	record.crc = crc_of(&record);
	error = file_write(fd, &record, sizeof(record), 0);
	if (!error && fsync(fd))
		error = -errno;
	fdio_close(&fd);
	return error ? error : file_rename(dir, NAME ".tmp", NAME);
}

/* Sorted, so that all servers have the same list. */
static bool are_members(const struct folder_member *members, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!members[i].id ||
		    !memchr(members[i].address, '\0', FOLDER_ADDRESS_MAX) ||
		    !members[i].address[0])
			return false;
		if (i && members[i - 1].id >= members[i].id)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(members[j].address, members[i].address) == 0)
				return false;
	}
	return true;
}

static bool is_member(const struct folder_identity *identity, uint64_t id)
{
	for (uint32_t i = 0; i < identity->n_members; i++)
		if (identity->members[i].id == id)
			return true;
	return false;
}

static bool is_identity(const struct folder_identity *identity)
{
	return identity->server && identity->n_members <= FOLDER_MEMBERS_MAX &&
	       are_members(identity->members, identity->n_members) &&
	       (!identity->n_members || is_member(identity, identity->server));
}

static int read_record(int fd, struct record *record, struct damage *damage)
{
	const ssize_t n = file_read(fd, record, sizeof(*record), 0);

	if (n < 0)
		return (int)n;
	if (n < (ssize_t)offsetof(struct record, crc) ||
	    memcmp(record->magic, MAGIC, sizeof(record->magic)) != 0)
		return damage_note(damage, NAME, 0, "it is none");
	/* What another version has behind it is not for us to check. */
	if (record->version != VERSION)
		return -EPROTONOSUPPORT;
	if (n != sizeof(*record) || record->crc != crc_of(record))
		return damage_note(damage, NAME, 0, "the checksum is wrong");
	return 0;
}

static int read_identity(int fd, struct folder_identity *identity,
			 struct damage *damage)
{
	struct record record = {0};
	int error = read_record(fd, &record, damage);

	if (error)
		return error;
	identity->server = record.server;
	identity->since = record.since;
	identity->is_formed = record.is_formed != 0;
	identity->n_members = record.n_members;
	memcpy(identity->share, record.share, sizeof(record.share));
	memcpy(identity->cluster, record.cluster, sizeof(record.cluster));
	memcpy(identity->members, record.members, sizeof(record.members));
	if (!is_identity(identity))
		return damage_note(damage, NAME, 0, "it cannot be");
	return 0;
}

/* ---- the folder -------------------------------------------------------------- */

static int open_or_make(const char *path)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(path, flags), parent, error = 0;

	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fdio_above_std(fd);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, flags);
	fd = fd < 0 ? -errno : fdio_above_std(fd);
	if (fd < 0)
		return fd;
	/* Its own name has to last, too. Who may not read the folder above it
	 * cannot sync that either. */
	parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		error = errno == EACCES ? 0 : -errno;
	else if (fsync(parent))
		error = -errno;
	fdio_close(&parent);
	if (error)
		fdio_close(&fd);
	return error ? error : fd;
}

static int check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & 022 ? -EPERM : 0;
}

/* What only a server that had an identity can have left. */
static int is_of_a_server(const char *name, void *arg)
{
	(void)arg;
	return strcmp(name, "vote") == 0 || strncmp(name, "wal-", 4) == 0 ||
	       strncmp(name, "snapshot-", 9) == 0;
}

static int find_identity(struct folder *folder, struct damage *damage)
{
	int fd = file_open(folder->fd, NAME);
	int error;

	if (fd >= 0) {
		error = read_identity(fd, &folder->identity, damage);
		fdio_close(&fd);
		return error;
	}
	if (fd != -ENOENT)
		return damage_of_open(damage, NAME, fd);
	error = file_each(folder->fd, is_of_a_server, NULL);
	if (error > 0)
		return damage_note(damage, NAME, 0,
				   "it is missing, and the rest is there");
	folder->is_new = true;
	return error;
}

/* What a server that was killed has not finished goes; what it has renamed, and
 * did not come to sync, we build upon, so those names have to last. */
static int tidy(int fd)
{
	int error = file_remove(fd, SNAPSHOT_BEING_MADE);

	if (!error)
		error = file_remove(fd, SNAPSHOT_BEING_RECEIVED);
	if (!error && fsync(fd))
		error = -errno;
	return error;
}

int folder_open(struct folder *folder, const char *path, pid_t *holder,
		struct damage *damage)
{
	int error;

	*folder = (struct folder){.fd = -1, .lock = -1};
	if (holder)
		*holder = 0;
	if (damage)
		damage->text[0] = '\0';
	error = open_or_make(path);
	if (error < 0)
		return error;
	folder->fd = error;
	error = check_owner(folder->fd);
	if (!error)
		error = lock(folder, holder, damage);
	if (!error)
		error = tidy(folder->fd);
	if (!error)
		error = find_identity(folder, damage);
	if (error)
		folder_close(folder);
	return error;
}

void folder_close(struct folder *folder)
{
	fdio_close(&folder->fd);
	fdio_close(&folder->lock);
}

int folder_claim(struct folder *folder, const struct folder_identity *identity)
{
	struct folder_identity new = *identity;
	int error;

	if (!folder->is_new)
		return -EEXIST;
	new.is_formed = false;
	if (new.n_members) {
		new.since = 0;
		memset(new.cluster, 0, sizeof(new.cluster));
	}
	if (!is_identity(&new))
		return -EINVAL;
	if (getrandom(new.share, sizeof(new.share), 0) != sizeof(new.share))
		return -errno;
	error = write_identity(folder->fd, &new);
	if (error)
		return error;
	folder->identity = new;
	folder->is_new = false;
	return 0;
}

int folder_form(struct folder *folder,
		const uint8_t (*shares)[FOLDER_CLUSTER_BYTES])
{
	struct folder_identity new = folder->identity;
	int error;

	if (folder->is_new || new.is_formed)
		return -EEXIST;
	for (uint32_t i = 0; i < new.n_members; i++)
		for (int j = 0; j < FOLDER_CLUSTER_BYTES; j++)
			new.cluster[j] ^= shares[i][j];
	new.is_formed = true;
	error = write_identity(folder->fd, &new);
	if (!error)
		folder->identity = new;
	return error;
}

static bool is_among(const struct folder_member *member,
		     const struct folder_member *members, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (members[i].id == member->id &&
		    strcmp(members[i].address, member->address) == 0)
			return true;
	return false;
}

bool folder_is_of(const struct folder *folder, uint64_t server,
		  const struct folder_member *members, uint32_t n)
{
	const struct folder_identity *identity = &folder->identity;

	if (server != identity->server || n != identity->n_members)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (!is_among(&identity->members[i], members, n))
			return false;
	return true;
}
