/* What other processes have claimed: of the living, of the dead, and of those
 * that come and go. Linked with --wrap as the fixture says, and with
 * --wrap=symlinkat, in front of which a case may do what another process
 * would. */
#include "tests/lib/objname_fixture.h"

#include <errno.h>
#include <sys/mman.h>

#include "lib/child.h"
#include "lib/identity.h"
#include "lib/objname_entry.h"
#include "lib/tick.h"

static int removals; /* of the folder by others, still to come */
static bool is_disk_full;

int __real_symlinkat(const char *text, int fd, const char *name);
int __wrap_symlinkat(const char *text, int fd, const char *name);
int __wrap_symlinkat(const char *text, int fd, const char *name)
{
	if (removals > 0 && removals--)
		__real_rmdir(ledger);
	if (is_disk_full) {
		errno = ENOSPC;
		return -1;
	}
	return __real_symlinkat(text, fd, name);
}

static int claim_and_end(void *name)
{
	return objname_claim(OBJNAME_SHM, name) ? 1 : 0;
}

static void what_a_dead_owner_had_is_taken_over(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(support_child_status(claim_and_end, "/x", 10000), 0);
	seen = look();
	assert_int_equal(seen.n, 1);
	assert_int_equal(objname_judge_owner(&seen.entries[0]), OBJNAME_DEAD);
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	seen = look();
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.entries[0].owner.pid, getpid());
}

static void what_a_dead_owner_had_is_struck_off(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(claim_and_end, "/x", 10000), 0);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
	assert_false(is_there(ledger));
}

/* Claims /x and makes it, says so, and lives until it is told to end. */
static int own_until_told(void *arg)
{
	int *pipes = arg;
	char byte = 0;
	int fd;

	if (objname_claim(OBJNAME_SHM, "/ipc.test.x"))
		return 1;
	fd = shm_open("/ipc.test.x", O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(pipes[3], &byte, 1) != 1)
		return 2;
	close(fd);
	close(pipes[1]); /* else there is no end of file */
	return read(pipes[0], &byte, 1) == 0 ? 0 : 3;
}

static void what_a_living_owner_has_stays_its_own(void **state)
{
	int pipes[4], status;
	char byte;
	pid_t pid;

	(void)state;
	shm_unlink("/ipc.test.x");
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	assert_int_equal(child_fork(own_until_told, pipes, &pid), 0);
	assert_int_equal(read(pipes[2], &byte, 1), 1);

	assert_int_equal(objname_claim(OBJNAME_SHM, "/ipc.test.x"), -EEXIST);
	assert_int_equal(objname_release(OBJNAME_SHM, "/ipc.test.x"), -EBUSY);
	assert_int_equal(look().entries[0].owner.pid, pid);
	/* Whoever removes the object may strike it off. */
	assert_int_equal(shm_unlink("/ipc.test.x"), 0);
	assert_int_equal(objname_release(OBJNAME_SHM, "/ipc.test.x"), 0);
	assert_int_equal(look().n, 0);

	for (int i = 0; i < 4; i++)
		close(pipes[i]);
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	assert_int_equal(status, 0);
}

static void put_entry(const struct objname_entry *entry)
{
	char text[OBJNAME_ENTRY_TEXT], file[OBJNAME_ENTRY_FILE], path[256];

	mkdir(ledger, 0700);
	objname_entry_format(entry, text);
	objname_entry_file(entry->kind, entry->name, file);
	snprintf(path, sizeof(path), "%s/%s", ledger, file);
	unlink(path);
	assert_int_equal(symlink(text, path), 0);
}

/* Of an owner whom nobody can judge from here. */
static struct objname_entry entry_elsewhere(int how)
{
	struct objname_entry entry;

	assert_int_equal(objname_entry_self(OBJNAME_SHM, "/ipc.test.x", &entry),
			 0);
	entry.owner.pid = 1 << 30; /* nobody here has that pid */
	switch (how) {
	case 0:
		entry.owner.place.pid.inode++;
		break;
	case 1:
		entry.owner.place.pid = (struct identity_namespace){
			.inode = 4026532181, .id = 1};
		break;
	case 2:
		/* In a container, that is; of the machine itself it were dead. */
		entry.owner.place.pid.inode = 4026532181;
		entry.owner.place.boot[0] ^= 1;
		break;
	default:
		memset(&entry.owner.place, 0, sizeof(entry.owner.place));
	}
	return entry;
}

static void owner_of_another_place_or_boot_is_unknown(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		struct objname_entry entry = entry_elsewhere(how);

		put_entry(&entry);
		assert_int_equal(look().n, 1);
		assert_int_equal(objname_judge_owner(&look().entries[0]),
				 OBJNAME_UNKNOWN);
	}
}

static void owner_is_unknown_without_proc(void **state)
{
	struct objname_entry self;

	(void)state;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	has_no_proc = true;
	assert_int_equal(objname_judge_owner(&look().entries[0]),
			 OBJNAME_UNKNOWN);
	assert_int_equal(objname_entry_self(OBJNAME_SHM, "/x", &self), 0);
	has_no_proc = false;
	assert_int_equal(self.owner.place.pid.inode, 0);
	assert_int_equal(self.owner.pid, getpid());
	assert_int_equal(objname_judge_owner(&self), OBJNAME_UNKNOWN);
	assert_int_equal(objname_judge_owner(&look().entries[0]),
			 OBJNAME_ALIVE);
}

static void what_an_unknown_owner_has_stays_its_own(void **state)
{
	struct objname_entry entry = entry_elsewhere(0);
	int fd;

	(void)state;
	shm_unlink(entry.name);
	fd = shm_open(entry.name, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	put_entry(&entry);
	assert_int_equal(objname_claim(OBJNAME_SHM, entry.name), -EEXIST);
	assert_int_equal(objname_release(OBJNAME_SHM, entry.name), -EBUSY);
	assert_int_equal(look().entries[0].owner.pid, entry.owner.pid);
	/* Without the object it is no more than an old note. */
	assert_int_equal(shm_unlink(entry.name), 0);
	assert_int_equal(objname_claim(OBJNAME_SHM, entry.name), 0);
	assert_int_equal(look().entries[0].owner.pid, getpid());
	put_entry(&entry);
	assert_int_equal(objname_release(OBJNAME_SHM, entry.name), 0);
	assert_false(is_there(ledger));
}

/* From here it is as if the object were gone. */
static void what_is_in_another_ipc_namespace_stays_its_owners(void **state)
{
	struct objname_entry entry = entry_elsewhere(0);

	(void)state;
	entry.kind = OBJNAME_MQ;
	entry.object.kind = IDENTITY_FILE;
	entry.object.flags = IDENTITY_IS_QUEUE;
	entry.object.ipc.inode++;
	put_entry(&entry);
	assert_int_equal(objname_match(&entry), IDENTITY_CANNOT_TELL);
	assert_int_equal(objname_release(OBJNAME_MQ, entry.name), -EBUSY);
	assert_int_equal(objname_claim(OBJNAME_MQ, entry.name), -EEXIST);
	assert_int_equal(look().entries[0].owner.pid, entry.owner.pid);
}

static void entry_of_the_old_form_is_read_and_unknown(void **state)
{
	char file[OBJNAME_ENTRY_FILE], path[256], text[100];
	struct seen seen;

	(void)state;
	mkdir(ledger, 0700);
	objname_entry_file(OBJNAME_SHM, "/x y", file);
	snprintf(path, sizeof(path), "%s/%s", ledger, file);
	snprintf(text, sizeof(text), "unixipc1 shm %d %llu 17 prog /x y",
		 (int)getpid(),
		 (unsigned long long)identity_start_time(getpid()));
	assert_int_equal(symlink(text, path), 0);
	seen = look();
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.entries[0].created, 17);
	assert_string_equal(seen.entries[0].program, "prog");
	assert_string_equal(seen.entries[0].name, "/x y");
	assert_int_equal(objname_judge_owner(&seen.entries[0]),
			 OBJNAME_UNKNOWN);
}

static void entry_in_the_old_place_is_seen_and_struck_off(void **state)
{
	(void)state;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	assert_int_equal(rename(ledger, old_ledger), 0);
	assert_int_equal(look().n, 1);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
	assert_false(is_there(old_ledger));
	assert_int_equal(look().n, 0);
	/* One that somebody else has made is none. */
	assert_int_equal(mkdir(old_ledger, 0755), 0);
	assert_int_equal(look().n, 0);
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
}

static void folder_that_goes_before_the_claim_is_made_again(void **state)
{
	(void)state;
	removals = 3;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	assert_int_equal(removals, 0);
	assert_int_equal(look().n, 1);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
	removals = 1000; /* every time: give up in the end */
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), -EAGAIN);
	removals = 0;
}

static void claim_on_a_full_disk_leaves_no_folder(void **state)
{
	(void)state;
	is_disk_full = true;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), -ENOSPC);
	is_disk_full = false;
	assert_false(is_there(ledger));
	/* One that others need stays. */
	assert_int_equal(objname_claim(OBJNAME_SHM, "/y"), 0);
	is_disk_full = true;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), -ENOSPC);
	is_disk_full = false;
	assert_int_equal(look().n, 1);
}

static int claim_and_release_often(void *arg)
{
	char name[32];
	int rounds = support_is_stress() ? 5000 : 300;

	(void)arg;
	for (int i = 0; i < rounds; i++) {
		snprintf(name, sizeof(name), "/%d.%d", (int)getpid(), i % 3);
		if (objname_claim(OBJNAME_SHM, name))
			return 1;
		if (objname_release(OBJNAME_SHM, name))
			return 2;
	}
	return 0;
}

static void processes_that_come_and_go_lose_no_claim(void **state)
{
	enum { CHILDREN = 4 };
	pid_t pids[CHILDREN];
	int status;

	(void)state;
	for (int i = 0; i < CHILDREN; i++)
		assert_int_equal(
			child_fork(claim_and_release_often, NULL, &pids[i]), 0);
	for (int i = 0; i < CHILDREN; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(status, 0);
	}
	assert_false(is_there(ledger));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(what_a_dead_owner_had_is_taken_over),
		IN_SCRATCH(what_a_dead_owner_had_is_struck_off),
		IN_SCRATCH(what_a_living_owner_has_stays_its_own),
		IN_SCRATCH(owner_of_another_place_or_boot_is_unknown),
		IN_SCRATCH(owner_is_unknown_without_proc),
		IN_SCRATCH(what_an_unknown_owner_has_stays_its_own),
		IN_SCRATCH(what_is_in_another_ipc_namespace_stays_its_owners),
		IN_SCRATCH(entry_of_the_old_form_is_read_and_unknown),
		IN_SCRATCH(entry_in_the_old_place_is_seen_and_struck_off),
		IN_SCRATCH(folder_that_goes_before_the_claim_is_made_again),
		IN_SCRATCH(claim_on_a_full_disk_leaves_no_folder),
		IN_SCRATCH(processes_that_come_and_go_lose_no_claim),
	};

	return SUPPORT_MAIN(tests);
}
