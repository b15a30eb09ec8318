/* Every kind of object, with an owner that is alive, and then is not. How an
 * object is told is in inventory_text_test.c. Linked with --wrap=opendir: folders
 * may not be there, or descriptors. */
#include "suite/inventory.h"

#include "tests/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/objname_entry.h"
#include "lib/sysv.h"
#include "lib/tick.h"
#include "suite/openfiles.h"
#include "suite/checkup.h"
#include "tests/support/leftover.h"
#include "tests/support/scratch.h"

/* What opening of which folder fails with. */
static const char *closed_folder;
static int opendir_error;

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);

DIR *__wrap_opendir(const char *path)
{
	if (!closed_folder || strcmp(path, closed_folder) != 0)
		return __real_opendir(path);
	errno = opendir_error;
	return NULL;
}

static int take_all_without(const char *folder, int error,
			    struct inventory *inventory)
{
	int result;

	closed_folder = folder;
	opendir_error = error;
	result = inventory_take_all(inventory);
	closed_folder = NULL;
	return result;
}

#define NAME "/suite-inventory-test"
#define SET(to, text) snprintf(to, sizeof(to), "%s", text)

/* A child that owns one object of each kind and waits to be killed. */
struct owner {
	struct scratch scratch;
	char fifo[100], socket[100];
	int ready[2];
	pid_t pid;
};

static int make_posix(void)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 100};
	mqd_t queue;
	int fd;

	if (objname_claim(OBJNAME_SHM, NAME) ||
	    objname_claim(OBJNAME_SEM, NAME) || objname_claim(OBJNAME_MQ, NAME))
		return 10;
	fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, 8192) ||
	    mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
		    MAP_FAILED)
		return 11;
	close(fd); /* the mapping alone makes us a user */
	if (sem_open(NAME, O_CREAT | O_EXCL, 0600, 5) == SEM_FAILED)
		return 12;
	queue = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (queue == (mqd_t)-1 || mq_send(queue, "one", 3, 0) ||
	    mq_send(queue, "two", 3, 0))
		return 13;
	return objname_made(OBJNAME_SHM, NAME) ||
			       objname_made(OBJNAME_SEM, NAME) ||
			       objname_made(OBJNAME_MQ, NAME)
		       ? 14
		       : 0;
}

static int make_paths(const struct owner *owner)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (objname_claim(OBJNAME_FIFO, owner->fifo) ||
	    objname_claim(OBJNAME_SOCKET, owner->socket))
		return 20;
	if (mkfifo(owner->fifo, 0600) ||
	    open(owner->fifo, O_RDWR | O_CLOEXEC) < 0)
		return 21;
	SET(address.sun_path, owner->socket);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		return 22;
	return objname_made(OBJNAME_FIFO, owner->fifo) ||
			       objname_made(OBJNAME_SOCKET, owner->socket)
		       ? 23
		       : 0;
}

static int make_sysv(void)
{
	static const unsigned short values[] = {1, 0, 7};
	struct {
		long type;
		char text[8];
	} message = {.type = 1};
	int shm = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	int sem = sysv_sem_create(IPC_PRIVATE, 3, values, 0600);
	int msg = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	if (shm < 0 || sem < 0 || msg < 0)
		return 30;
	if (objname_claim_id(OBJNAME_SYSV_SHM, shm) ||
	    objname_claim_id(OBJNAME_SYSV_SEM, sem) ||
	    objname_claim_id(OBJNAME_SYSV_MSG, msg))
		return 31;
	if (shmat(shm, NULL, 0) == (void *)-1 || // NOLINT: its error value
	    msgsnd(msg, &message, sizeof(message.text), 0))
		return 32;
	return 0;
}

static int own(void *arg)
{
	const struct owner *owner = arg;
	int status = make_posix();

	if (!status)
		status = make_paths(owner);
	if (!status)
		status = make_sysv();
	if (status || write(owner->ready[1], "r", 1) != 1)
		return status;
	for (;;)
		pause();
}

static void start_owner(struct owner *owner)
{
	char ready;

	scratch_make(&owner->scratch);
	SET(owner->fifo, scratch_path(&owner->scratch, "fifo"));
	SET(owner->socket, scratch_path(&owner->scratch, "socket"));
	assert_int_equal(pipe2(owner->ready, O_CLOEXEC), 0);
	assert_int_equal(child_fork(own, owner, &owner->pid), 0);
	close(owner->ready[1]);
	assert_int_equal(read(owner->ready[0], &ready, 1), 1);
	close(owner->ready[0]);
}

static void kill_owner(struct owner *owner)
{
	int status;

	assert_int_equal(kill(owner->pid, SIGKILL), 0);
	assert_int_equal(
		child_wait(owner->pid, tick_after(20 * TICK_S), &status), 0);
}

static const struct inventory_item *find(const struct inventory *inventory,
					 enum objname_kind kind)
{
	for (size_t i = 0; i < inventory->n; i++)
		if (inventory->item[i].entry.kind == kind)
			return &inventory->item[i];
	fail_msg("no %s in the inventory", objname_kind_word(kind));
	return NULL;
}

/* For this test is their owner's parent, and knows that they are its. */
static void remove_all(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->n; i++)
		assert_int_equal(objname_remove(&inventory->item[i].entry), 0);
}

/* ---- cases ---- */

static void every_kind_is_shown_with_what_is_in_it(void **state)
{
	struct inventory inventory;
	struct owner owner;
	char holds[100];

	(void)state;
	start_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(inventory.n, OBJNAME_KINDS);
	for (size_t i = 0; i < inventory.n; i++) {
		const struct inventory_item *item = &inventory.item[i];

		assert_true(item->exists);
		assert_int_equal(item->owner, OBJNAME_ALIVE);
		assert_int_equal(item->entry.owner.pid, owner.pid);
		assert_in_range(item->age_s, 0, 60);
	}
	assert_int_equal(find(&inventory, OBJNAME_SHM)->bytes, 8192);
	assert_int_equal(find(&inventory, OBJNAME_MQ)->bytes, 400);
	assert_int_equal(find(&inventory, OBJNAME_SYSV_SHM)->bytes, 4096);
	assert_int_equal(find(&inventory, OBJNAME_SYSV_MSG)->bytes, 8);
	assert_string_equal(inventory_holds(find(&inventory, OBJNAME_SEM),
					    holds, sizeof(holds)),
			    "value 5");
	assert_string_equal(inventory_holds(find(&inventory, OBJNAME_MQ), holds,
					    sizeof(holds)),
			    "2 messages");
	assert_string_equal(inventory_holds(find(&inventory, OBJNAME_SYSV_MSG),
					    holds, sizeof(holds)),
			    "1 message");
	assert_string_equal(inventory_holds(find(&inventory, OBJNAME_SYSV_SEM),
					    holds, sizeof(holds)),
			    "values 1 0 7");
	kill_owner(&owner);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&owner.scratch);
}

static void users_are_counted_until_they_are_gone(void **state)
{
	static const enum objname_kind kinds[] = {
		OBJNAME_SHM,  OBJNAME_SEM,    OBJNAME_MQ,
		OBJNAME_FIFO, OBJNAME_SOCKET, OBJNAME_SYSV_SHM};
	struct inventory inventory;
	struct owner owner;

	(void)state;
	start_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(find(&inventory, kinds[i])->users, 1);
	inventory_free(&inventory);
	kill_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_int_equal(find(&inventory, kinds[i])->users, 0);
	assert_int_equal(find(&inventory, OBJNAME_SYSV_MSG)->users, -1);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&owner.scratch);
}

static void a_live_owners_objects_cannot_be_removed(void **state)
{
	struct inventory inventory, again;
	struct owner owner;

	(void)state;
	start_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	for (size_t i = 0; i < inventory.n; i++)
		assert_int_equal(inventory_remove(&inventory.item[i]), -EBUSY);
	assert_int_equal(inventory_take(&again), 0);
	assert_int_equal(again.n, OBJNAME_KINDS);
	for (size_t i = 0; i < again.n; i++)
		assert_true(again.item[i].exists);
	inventory_free(&again);
	kill_owner(&owner);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&owner.scratch);
}

/* Who looks may have it open itself. */
static void caller_is_no_user(void **state)
{
	struct openfile file = {.count = 7};
	struct scratch scratch;
	struct stat st;
	int fd;

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "file", "x", 1);
	fd = open(scratch_path(&scratch, "file"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	file.dev = st.st_dev;
	file.inode = st.st_ino;
	assert_int_equal(openfiles_count(&file, 1), 0);
	assert_int_equal(file.count, 0);
	close(fd);
	scratch_remove(&scratch);
}

/* Then nobody knows who uses a file; of memory of System V the kernel says. */
static void users_are_unknown_without_proc(void **state)
{
	struct inventory inventory;
	struct owner owner;

	(void)state;
	start_owner(&owner);
	assert_int_equal(take_all_without("/proc", ENOENT, &inventory), 0);
	assert_int_equal(find(&inventory, OBJNAME_SHM)->users, -1);
	assert_int_equal(find(&inventory, OBJNAME_FIFO)->users, -1);
	assert_int_equal(find(&inventory, OBJNAME_SYSV_SHM)->users, 1);
	kill_owner(&owner);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&owner.scratch);
}

/* A folder that is not there holds nothing; that no descriptor is left is no
 * reason to say so. */
static void foreign_objects_are_all_seen_or_it_fails(void **state)
{
	struct inventory inventory;

	(void)state;
	assert_int_equal(take_all_without("/dev/mqueue", ENOENT, &inventory),
			 0);
	inventory_free(&inventory);
	assert_int_equal(take_all_without("/dev/mqueue", EACCES, &inventory),
			 0);
	inventory_free(&inventory);
	assert_int_equal(take_all_without("/dev/mqueue", EMFILE, &inventory),
			 -EMFILE);
	assert_int_equal(take_all_without("/dev/shm", ENFILE, &inventory),
			 -ENFILE);
	assert_int_equal(take_all_without("/dev/shm", ENOMEM, &inventory),
			 -ENOMEM);
	assert_int_equal(inventory.n, 0);
}

/* With nobody in it, so that its owner's life alone keeps it. */
static void a_live_owners_unused_object_cannot_be_removed(void **state)
{
	struct inventory inventory;
	struct scratch scratch;
	const char *fifo;

	(void)state;
	scratch_make(&scratch);
	fifo = scratch_path(&scratch, "fifo");
	assert_int_equal(objname_claim(OBJNAME_FIFO, fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(objname_made(OBJNAME_FIFO, fifo), 0);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(find(&inventory, OBJNAME_FIFO)->users, 0);
	assert_int_equal(inventory_remove(find(&inventory, OBJNAME_FIFO)),
			 -EBUSY);
	assert_int_equal(access(fifo, F_OK), 0);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&scratch);
}

/* Those of which it can be seen that nobody uses them. */
static bool is_provable(enum objname_kind kind)
{
	return kind != OBJNAME_SYSV_SEM && kind != OBJNAME_SYSV_MSG;
}

static void a_dead_owners_objects_go_if_they_are_surely_its(void **state)
{
	struct leftover before = leftover_count();
	struct inventory inventory, again;
	struct owner owner;

	(void)state;
	start_owner(&owner);
	kill_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(inventory.n, OBJNAME_KINDS);
	for (size_t i = 0; i < inventory.n; i++) {
		const struct inventory_item *item = &inventory.item[i];
		bool goes = is_provable(item->entry.kind);
		char command[64];

		assert_int_equal(item->owner, OBJNAME_DEAD);
		assert_int_equal(inventory_keeps(item) == NULL, goes);
		inventory_command(item, command, sizeof(command));
		assert_int_equal(command[0] == '\0', goes);
		assert_int_equal(inventory_remove(item), goes ? 0 : -EBUSY);
	}
	assert_int_equal(access(owner.fifo, F_OK), -1);
	assert_int_equal(access(owner.socket, F_OK), -1);
	assert_int_equal(inventory_take(&again), 0);
	assert_int_equal(again.n, 2); /* the set and the queue of System V */
	for (size_t i = 0; i < again.n; i++)
		assert_true(again.item[i].exists);
	remove_all(&again);
	leftover_assert_same(&before);
	inventory_free(&inventory);
	inventory_free(&again);
	scratch_remove(&owner.scratch);
}

/* ---- objects that are not what their entry says ---- */

/* What a dead process noted about something that this one has made. */
static struct objname_entry note_of_the_dead(enum objname_kind kind,
					     const char *name)
{
	struct objname_entry entry;

	assert_int_equal(objname_entry_self(kind, name, &entry), 0);
	assert_int_equal(objname_entry_look(kind, name, &entry.object), 0);
	entry.owner.pid = INT_MAX;
	return entry;
}

static void put_entry(const struct objname_entry *entry)
{
	char text[OBJNAME_ENTRY_TEXT], file[OBJNAME_ENTRY_FILE], path[100];

	snprintf(path, sizeof(path), "/dev/shm/unixipc.%u",
		 (unsigned int)geteuid());
	mkdir(path, 0700);
	objname_entry_format(entry, text);
	objname_entry_file(entry->kind, entry->name, file);
	snprintf(path, sizeof(path), "/dev/shm/unixipc.%u/%s",
		 (unsigned int)geteuid(), file);
	unlink(path);
	assert_int_equal(symlink(text, path), 0);
}

/* Its reason, and that it stays; the object and the entry are then removed. */
static void assert_kept(const struct objname_entry *entry, const char *reason)
{
	struct inventory inventory;
	const struct inventory_item *item;

	put_entry(entry);
	assert_int_equal(inventory_take(&inventory), 0);
	item = find(&inventory, entry->kind);
	assert_non_null(inventory_keeps(item));
	assert_string_equal(inventory_keeps(item), reason);
	assert_int_equal(inventory_remove(item), -EBUSY);
	assert_true(objname_exists(entry));
	inventory_free(&inventory);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(inventory.n, 1); /* it is still shown */
	inventory_free(&inventory);
}

static void make_name(struct scratch *scratch, enum objname_kind kind,
		      char name[OBJNAME_MAX])
{
	sem_t *sem;
	int fd;

	snprintf(name, OBJNAME_MAX, "%s", NAME);
	switch (kind) {
	case OBJNAME_SHM:
		fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		close(fd);
		break;
	case OBJNAME_SEM:
		sem = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
		assert_true(sem && sem != SEM_FAILED);
		sem_close(sem);
		break;
	case OBJNAME_MQ:
		fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
		assert_true(fd >= 0);
		mq_close(fd);
		break;
	default:
		snprintf(name, OBJNAME_MAX, "%s",
			 scratch_path(scratch, "fifo"));
		assert_int_equal(mkfifo(name, 0600), 0);
	}
}

static void remove_name(enum objname_kind kind, const char *name)
{
	switch (kind) {
	case OBJNAME_SHM:
		shm_unlink(name);
		break;
	case OBJNAME_SEM:
		sem_unlink(name);
		break;
	case OBJNAME_MQ:
		mq_unlink(name);
		break;
	default:
		unlink(name);
	}
}

/* At once, and so in the same second, by the same user. */
static void what_was_made_anew_stays_and_is_forgotten(void **state)
{
	static const enum objname_kind kinds[] = {OBJNAME_SHM, OBJNAME_SEM,
						  OBJNAME_MQ, OBJNAME_FIFO};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct identity_object before, after;
		struct objname_entry entry;
		struct inventory inventory;
		struct scratch scratch;
		char name[OBJNAME_MAX];

		scratch_make(&scratch);
		make_name(&scratch, kinds[i], name);
		entry = note_of_the_dead(kinds[i], name);
		remove_name(kinds[i], name);
		make_name(&scratch, kinds[i], name);
		assert_int_equal(objname_entry_look(kinds[i], name, &before),
				 0);
		put_entry(&entry);
		assert_int_equal(inventory_take(&inventory), 0);
		assert_null(inventory_keeps(&inventory.item[0]));
		assert_true(inventory_is_forgotten(&inventory.item[0]));
		assert_int_equal(inventory_remove(&inventory.item[0]), 0);
		inventory_free(&inventory);
		assert_int_equal(objname_entry_look(kinds[i], name, &after), 0);
		assert_int_equal(identity_compare(&before, 0, &after),
				 IDENTITY_SAME);
		assert_int_equal(inventory_take(&inventory), 0);
		assert_int_equal(inventory.n, 0);
		inventory_free(&inventory);
		remove_name(kinds[i], name);
		scratch_remove(&scratch);
	}
}

/* Its owner died before it had made it: anybody may have. */
static void what_was_not_noted_is_kept(void **state)
{
	static const enum objname_kind kinds[] = {OBJNAME_SHM, OBJNAME_SEM,
						  OBJNAME_MQ, OBJNAME_FIFO};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct objname_entry entry;
		struct scratch scratch;
		char name[OBJNAME_MAX];

		scratch_make(&scratch);
		make_name(&scratch, kinds[i], name);
		assert_int_equal(objname_entry_self(kinds[i], name, &entry), 0);
		entry.owner.pid = INT_MAX;
		assert_kept(&entry, "another program may have made it anew");
		remove_name(kinds[i], name);
		assert_int_equal(objname_release(kinds[i], name), 0);
		scratch_remove(&scratch);
	}
}

static void what_somebody_uses_is_kept(void **state)
{
	struct objname_entry entry;
	struct inventory inventory;
	struct owner owner;

	(void)state;
	start_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	for (size_t i = 0; i < inventory.n; i++) {
		entry = inventory.item[i].entry;
		if (is_provable(entry.kind)) {
			entry.owner.pid = INT_MAX;
			inventory.item[i].entry = entry;
			put_entry(&entry);
			assert_int_equal(inventory_remove(&inventory.item[i]),
					 -EBUSY);
			assert_true(objname_exists(&entry));
		}
	}
	kill_owner(&owner);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&owner.scratch);
}

/* A list of this namespace, with texts, would not have such a socket. */
static void a_socket_bound_by_another_text_is_kept(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
	struct objname_entry entry;
	struct scratch scratch;
	char folder[PATH_MAX];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	scratch_make(&scratch);
	assert_non_null(getcwd(folder, sizeof(folder)));
	assert_int_equal(chdir(scratch.dir), 0);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address, sizeof(address)),
		0);
	assert_int_equal(chdir(folder), 0);
	entry = note_of_the_dead(OBJNAME_SOCKET, scratch_path(&scratch, "s"));
	assert_kept(&entry, "who uses it cannot be seen");
	close(fd);
	assert_int_equal(objname_remove(&entry), 0);
	scratch_remove(&scratch);
}

static void what_an_unknown_owner_has_is_kept(void **state)
{
	struct objname_entry entry;
	struct scratch scratch;
	char name[OBJNAME_MAX];

	(void)state;
	scratch_make(&scratch);
	make_name(&scratch, OBJNAME_FIFO, name);
	entry = note_of_the_dead(OBJNAME_FIFO, name);
	entry.owner.place.pid.inode++;
	assert_kept(&entry, "its owner cannot be judged from here");
	assert_int_equal(objname_remove(&entry), 0);
	scratch_remove(&scratch);
}

struct seen {
	enum checkup_level level;
	char value[64];
};

static void see_leftovers(const struct checkup_finding *finding, void *arg)
{
	struct seen *seen = arg;

	if (strcmp(finding->subject, "left objects") == 0) {
		seen->level = finding->level;
		SET(seen->value, finding->value);
	}
}

/* The doctor's advice is of no use where clean would keep it. */
static void what_an_unknown_owner_has_is_not_called_left(void **state)
{
	struct seen seen = {.level = CHECKUP_MISSING};
	struct objname_entry entry;
	struct scratch scratch;
	char name[OBJNAME_MAX];

	(void)state;
	scratch_make(&scratch);
	make_name(&scratch, OBJNAME_FIFO, name);
	entry = note_of_the_dead(OBJNAME_FIFO, name);
	put_entry(&entry);
	checkup_environment(see_leftovers, &seen);
	assert_string_equal(seen.value, "1 of 1");
	assert_int_equal(seen.level, CHECKUP_ADVICE);
	entry.owner.place.pid.inode++;
	put_entry(&entry);
	checkup_environment(see_leftovers, &seen);
	assert_string_equal(seen.value, "0 of 1");
	assert_int_equal(seen.level, CHECKUP_OK);
	assert_int_equal(objname_remove(&entry), 0);
	scratch_remove(&scratch);
}

static void what_another_owner_has_taken_over_is_kept(void **state)
{
	struct inventory inventory;
	struct owner owner;

	(void)state;
	start_owner(&owner);
	kill_owner(&owner);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(objname_claim(OBJNAME_SHM, NAME), 0);
	assert_int_equal(inventory_remove(find(&inventory, OBJNAME_SHM)),
			 -EBUSY);
	assert_int_equal(objname_release(OBJNAME_SHM, NAME), 0);
	assert_int_equal(shm_unlink(NAME), 0);
	remove_all(&inventory);
	inventory_free(&inventory);
	scratch_remove(&owner.scratch);
}

static void a_semaphore_file_cut_short_is_shown_without_a_value(void **state)
{
	struct inventory inventory;
	int fd = open("/dev/shm/sem.suite-inventory-test",
		      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(objname_claim(OBJNAME_SEM, NAME), 0);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(inventory.n, 1);
	assert_true(inventory.item[0].exists);
	assert_int_equal(inventory.item[0].values, 0);
	inventory_free(&inventory);
	assert_int_equal(sem_unlink(NAME), 0);
	assert_int_equal(objname_release(OBJNAME_SEM, NAME), 0);
}

static void only_the_ledger_remembers_what_is_gone(void **state)
{
	struct inventory inventory;

	(void)state;
	assert_int_equal(objname_claim(OBJNAME_SHM, NAME), 0);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(inventory.n, 1);
	assert_false(inventory.item[0].exists);
	assert_int_equal(inventory.item[0].bytes, -1);
	inventory_free(&inventory);
	assert_int_equal(objname_release(OBJNAME_SHM, NAME), 0);
	assert_int_equal(inventory_take(&inventory), 0);
	assert_int_equal(inventory.n, 0);
	inventory_free(&inventory);
}

static void what_is_foreign_is_kept_also_when_it_is_gone(void **state)
{
	struct inventory inventory;
	const struct inventory_item *item;
	int fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(inventory_take_all(&inventory), 0);
	item = find(&inventory, OBJNAME_SHM);
	assert_true(item->is_foreign);
	assert_string_equal(inventory_keeps(item), "it is not of this project");
	assert_int_equal(inventory_remove(item), -EBUSY);
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(inventory_remove(item), -EBUSY);
	inventory_free(&inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_shown_with_what_is_in_it),
		cmocka_unit_test(users_are_counted_until_they_are_gone),
		cmocka_unit_test(caller_is_no_user),
		cmocka_unit_test(users_are_unknown_without_proc),
		cmocka_unit_test(foreign_objects_are_all_seen_or_it_fails),
		cmocka_unit_test(a_live_owners_objects_cannot_be_removed),
		cmocka_unit_test(a_live_owners_unused_object_cannot_be_removed),
		cmocka_unit_test(
			a_dead_owners_objects_go_if_they_are_surely_its),
		cmocka_unit_test(what_was_made_anew_stays_and_is_forgotten),
		cmocka_unit_test(what_was_not_noted_is_kept),
		cmocka_unit_test(what_is_foreign_is_kept_also_when_it_is_gone),
		cmocka_unit_test(what_somebody_uses_is_kept),
		cmocka_unit_test(a_socket_bound_by_another_text_is_kept),
		cmocka_unit_test(what_an_unknown_owner_has_is_kept),
		cmocka_unit_test(what_an_unknown_owner_has_is_not_called_left),
		cmocka_unit_test(what_another_owner_has_taken_over_is_kept),
		cmocka_unit_test(
			a_semaphore_file_cut_short_is_shown_without_a_value),
		cmocka_unit_test(only_the_ledger_remembers_what_is_gone),
	};

	return SUPPORT_MAIN(tests);
}
