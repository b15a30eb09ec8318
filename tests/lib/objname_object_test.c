/* The objects themselves, and the end of a process. Linked with --wrap as the
 * fixture says, and with --wrap=mq_open: root may read any queue. */
#include "tests/lib/objname_fixture.h"

#include <errno.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/objname_entry.h"

static bool may_not_read;

/* The last two are there only with O_CREAT, and are handed on unseen. */
mqd_t __real_mq_open(const char *name, int flags, mode_t mode,
		     struct mq_attr *attr);
mqd_t __wrap_mq_open(const char *name, int flags, mode_t mode,
		     struct mq_attr *attr);
mqd_t __wrap_mq_open(const char *name, int flags, mode_t mode,
		     struct mq_attr *attr)
{
	if (may_not_read && (flags & O_ACCMODE) != O_WRONLY) {
		errno = EACCES;
		return -1;
	}
	return __real_mq_open(name, flags, mode, attr);
}

static struct objname_entry entry_of(enum objname_kind kind, const char *name)
{
	struct objname_entry entry;

	assert_int_equal(objname_entry_self(kind, name, &entry), 0);
	return entry;
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	close(fd);
}

/* Make an object of the kind; the name that it has then. */
static struct objname_entry make_object(enum objname_kind kind)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
	char name[OBJNAME_MAX];
	sem_t *sem;
	int id = 0;

	assert_int_equal(objname_make(name, sizeof(name), "kind"), 0);
	switch (kind) {
	case OBJNAME_SHM:
		id = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0);
		close(id);
		break;
	case OBJNAME_SEM:
		sem = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
		id = sem == SEM_FAILED ? -1 : 0;
		if (id == 0)
			sem_close(sem);
		break;
	case OBJNAME_MQ:
		id = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
		mq_close(id);
		break;
	case OBJNAME_FIFO:
		snprintf(name, sizeof(name), "%s",
			 scratch_path(&scratch, "fifo"));
		id = mkfifo(name, 0600);
		break;
	case OBJNAME_SOCKET:
		snprintf(name, sizeof(name), "%s",
			 scratch_path(&scratch, "socket"));
		make_socket(name);
		break;
	case OBJNAME_SYSV_SHM:
		id = shmget(IPC_PRIVATE, 4096, 0600);
		break;
	case OBJNAME_SYSV_SEM:
		id = semget(IPC_PRIVATE, 1, 0600);
		break;
	default:
		id = msgget(IPC_PRIVATE, 0600);
	}
	assert_true(id >= 0);
	if (kind >= OBJNAME_SYSV_SHM)
		snprintf(name, sizeof(name), "%d", id);
	return entry_of(kind, name);
}

static void object_of_each_kind_is_found_and_removed(void **state)
{
	(void)state;
	for (int kind = 0; kind < OBJNAME_KINDS; kind++) {
		struct objname_entry entry =
			make_object((enum objname_kind)kind);

		assert_int_equal(objname_claim(entry.kind, entry.name), 0);
		assert_true(objname_exists(&entry));
		assert_int_equal(objname_remove(&entry), 0);
		assert_false(objname_exists(&entry));
		assert_int_equal(look().n, 0);
		assert_int_equal(objname_remove(&entry), 0); /* was gone */
	}
}

static void queue_that_may_only_be_written_is_found(void **state)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
	struct objname_entry entry;
	char name[OBJNAME_MAX];
	mqd_t queue;

	(void)state;
	assert_int_equal(objname_make(name, sizeof(name), "writeonly"), 0);
	queue = mq_open(name, O_WRONLY | O_CREAT | O_EXCL, 0200, &attr);
	assert_true(queue >= 0);
	mq_close(queue);
	may_not_read = true;
	assert_int_equal(objname_made(OBJNAME_MQ, name), 0);
	entry = look().entries[0];
	assert_int_equal(objname_match(&entry), IDENTITY_SAME);
	assert_true(objname_exists(&entry));
	assert_int_equal(objname_remove(&entry), 0);
	assert_false(objname_exists(&entry));
	may_not_read = false;
}

static void segment_that_waits_for_its_last_detach_counts_as_gone(void **state)
{
	struct objname_entry entry = make_object(OBJNAME_SYSV_SHM);
	void *at = shmat((int)strtol(entry.name, NULL, 10), NULL, 0);

	(void)state;
	assert_true(at != (void *)-1);
	assert_int_equal(objname_remove(&entry), 0);
	assert_false(objname_exists(&entry));
	assert_int_equal(shmdt(at), 0);
}

static void file_in_the_place_of_an_object_stays(void **state)
{
	static const enum objname_kind kinds[] = {OBJNAME_FIFO, OBJNAME_SOCKET};
	struct objname_entry entry;

	(void)state;
	scratch_write(&scratch, "precious", "data", 4);
	for (size_t i = 0; i < 2; i++) {
		entry = entry_of(kinds[i], scratch_path(&scratch, "precious"));
		assert_int_equal(objname_claim(entry.kind, entry.name), 0);
		assert_false(objname_exists(&entry));
		assert_int_equal(objname_remove(&entry), 0);
		assert_true(is_there(scratch_path(&scratch, "precious")));
		assert_int_equal(look().n, 0);
	}
}

static void link_to_an_object_is_not_the_object(void **state)
{
	struct objname_entry fifo = make_object(OBJNAME_FIFO);
	struct objname_entry entry;

	(void)state;
	entry = entry_of(OBJNAME_FIFO, scratch_path(&scratch, "link"));
	assert_int_equal(symlink(fifo.name, entry.name), 0);
	assert_false(objname_exists(&entry));
	assert_int_equal(objname_remove(&entry), 0);
	assert_true(is_there(entry.name));
	assert_true(is_there(fifo.name));
}

static void object_of_another_user_stays(void **state)
{
	struct objname_entry entry;

	(void)state;
	for (int kind = 0; kind < OBJNAME_KINDS; kind++) {
		entry = make_object((enum objname_kind)kind);
		is_another_user = true;
		assert_false(objname_exists(&entry));
		assert_int_equal(objname_remove(&entry), 0);
		is_another_user = false;
		assert_true(objname_exists(&entry));
		assert_int_equal(objname_remove(&entry), 0);
	}
}

static int claim_made_and_end(void *name)
{
	return objname_made(OBJNAME_FIFO, name) ? 1 : 0;
}

static void what_is_taken_over_keeps_its_identity(void **state)
{
	struct objname_entry fifo = make_object(OBJNAME_FIFO), entry;

	(void)state;
	assert_int_equal(
		support_child_status(claim_made_and_end, fifo.name, 10000), 0);
	entry = look().entries[0];
	assert_int_equal(objname_match(&entry), IDENTITY_SAME);
	assert_true(objname_is_noted(OBJNAME_FIFO, fifo.name));
	assert_int_equal(objname_claim(OBJNAME_FIFO, fifo.name), 0);
	entry = look().entries[0];
	assert_int_equal(entry.owner.pid, getpid());
	assert_int_equal(objname_match(&entry), IDENTITY_SAME);

	/* What another has put there is nobody's until it is noted. */
	assert_int_equal(unlink(fifo.name), 0);
	assert_int_equal(mkfifo(fifo.name, 0600), 0);
	assert_int_equal(objname_match(&entry), IDENTITY_ANOTHER);
	assert_false(objname_is_noted(OBJNAME_FIFO, fifo.name));
	assert_int_equal(objname_remove(&entry), 0);
	assert_true(is_there(fifo.name));
	assert_int_equal(look().n, 0);
	assert_false(objname_is_noted(OBJNAME_FIFO, fifo.name));
	assert_int_equal(objname_claim(OBJNAME_FIFO, fifo.name), 0);
	entry = look().entries[0];
	assert_int_equal(objname_match(&entry), IDENTITY_CANNOT_TELL);
	assert_false(objname_is_noted(OBJNAME_FIFO, fifo.name));
	assert_int_equal(objname_made(OBJNAME_FIFO, fifo.name), 0);
	assert_true(objname_is_noted(OBJNAME_FIFO, fifo.name));
	entry = look().entries[0];
	assert_int_equal(objname_match(&entry), IDENTITY_SAME);
	assert_int_equal(objname_remove(&entry), 0);
	assert_false(is_there(fifo.name));
	assert_int_equal(objname_match(&entry), IDENTITY_GONE);
}

/* The listing is old: the next run of the same program has begun. */
static void object_that_was_claimed_anew_is_not_removed(void **state)
{
	struct objname_entry old, fifo = make_object(OBJNAME_FIFO);

	(void)state;
	old = fifo;
	old.owner.start--;
	assert_int_equal(objname_claim(OBJNAME_FIFO, fifo.name), 0);
	assert_int_equal(objname_remove(&old), -EBUSY);
	assert_true(is_there(fifo.name));
	assert_int_equal(look().n, 1);
}

static const char *fifo_path(void)
{
	return scratch_path(&scratch, "fifo");
}

static int be_killed_with_a_fifo(void *arg)
{
	(void)arg;
	if (objname_claim(OBJNAME_FIFO, fifo_path()) ||
	    mkfifo(fifo_path(), 0600))
		return 2;
	raise(SIGKILL);
	return 3;
}

static void what_a_killed_owner_left_is_listed_and_can_be_removed(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(
		support_child_status(be_killed_with_a_fifo, NULL, 10000),
		128 + SIGKILL);
	seen = look();
	assert_int_equal(seen.n, 1);
	assert_true(objname_exists(&seen.entries[0]));
	assert_int_equal(objname_judge_owner(&seen.entries[0]), OBJNAME_DEAD);
	assert_int_equal(objname_remove(&seen.entries[0]), 0);
	assert_false(is_there(fifo_path()));
	assert_false(is_there(ledger));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(object_of_each_kind_is_found_and_removed),
		IN_SCRATCH(queue_that_may_only_be_written_is_found),
		IN_SCRATCH(
			segment_that_waits_for_its_last_detach_counts_as_gone),
		IN_SCRATCH(file_in_the_place_of_an_object_stays),
		IN_SCRATCH(link_to_an_object_is_not_the_object),
		IN_SCRATCH(object_of_another_user_stays),
		IN_SCRATCH(what_is_taken_over_keeps_its_identity),
		IN_SCRATCH(object_that_was_claimed_anew_is_not_removed),
		IN_SCRATCH(
			what_a_killed_owner_left_is_listed_and_can_be_removed),
	};

	return SUPPORT_MAIN(tests);
}
