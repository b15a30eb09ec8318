/* Objects: the same, another, gone, or nobody can tell. */
#include "tests/lib/identity_fixture.h"

#include <mqueue.h>
#include <semaphore.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/sysv.h"
#include "tests/support/scratch.h"

static struct scratch scratch;
static char path[256];

static int set_up(void **state)
{
	(void)state;
	scratch_make(&scratch);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "object"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static enum identity_match match_path(const struct identity_object *noted)
{
	struct identity_object now;
	int error = identity_of_path(AT_FDCWD, path, &now);

	return identity_compare(noted, error, &now);
}

static enum identity_match match_sysv(const struct identity_object *noted)
{
	struct identity_object now;
	int error = identity_of_sysv(noted->kind, noted->id, &now);

	return identity_compare(noted, error, &now);
}

/* ---- files ---- */

static void make_file(void)
{
	close(open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
}

static void make_fifo(void)
{
	mkfifo(path, 0600);
}

static void make_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, path, strlen(path) + 1); /* TMPDIR is short */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	close(fd);
}

static void file_is_another_once_it_is_made_anew(void **state)
{
	void (*const make[])(void) = {make_file, make_fifo, make_socket};
	struct identity_object noted, moved;
	char other[512];

	(void)state;
	snprintf(other, sizeof(other), "%s.moved", path);
	for (size_t i = 0; i < 3; i++) {
		make[i]();
		assert_int_equal(identity_of_path(AT_FDCWD, path, &noted), 0);
		assert_true(noted.flags & IDENTITY_HAS_BIRTH);
		assert_int_equal(match_path(&noted), IDENTITY_SAME);
		/* It may be written, touched, linked and moved. */
		assert_int_equal(rename(path, other), 0);
		assert_int_equal(match_path(&noted), IDENTITY_GONE);
		assert_int_equal(utimensat(AT_FDCWD, other, NULL, 0), 0);
		assert_int_equal(chmod(other, 0640), 0);
		assert_int_equal(identity_of_path(AT_FDCWD, other, &moved), 0);
		assert_int_equal(identity_compare(&noted, 0, &moved),
				 IDENTITY_SAME);
		make[i]();
		assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(unlink(other), 0);
		make[i]();
		assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
		assert_int_equal(unlink(path), 0);
	}
}

static void descriptor_is_what_the_path_opens(void **state)
{
	struct identity_object by_path, by_fd;
	int fd;

	(void)state;
	make_file();
	fd = open(path, O_RDONLY);
	assert_int_equal(identity_of_path(AT_FDCWD, path, &by_path), 0);
	assert_int_equal(identity_of_fd(fd, &by_fd), 0);
	assert_int_equal(identity_compare(&by_fd, 0, &by_path), IDENTITY_SAME);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(identity_of_fd(fd, &by_fd), 0);
	assert_int_equal(identity_compare(&by_path, 0, &by_fd), IDENTITY_SAME);
	make_file();
	assert_int_equal(match_path(&by_fd), IDENTITY_ANOTHER);
	close(fd);
	assert_int_equal(identity_of_fd(fd, &by_fd), -EBADF);
}

static void inode_that_comes_again_has_another_birth(void **state)
{
	struct identity_object noted, later;

	(void)state;
	make_file();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &noted), 0);
	/* Some file systems give it again at once; on all it may be. */
	for (int i = 0; i < 50; i++) {
		assert_int_equal(unlink(path), 0);
		make_file();
		assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
	}
	assert_int_equal(identity_of_path(AT_FDCWD, path, &later), 0);
	noted = later;
	noted.birth_ns ^= 1;
	assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
	noted = later;
	noted.birth_s--;
	assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
	noted = later;
	noted.device++;
	assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
	noted.folder++;
	assert_int_equal(match_path(&noted), IDENTITY_CANNOT_TELL);
	/* A file system that knows no birth. */
	noted = later;
	noted.flags &= (uint32_t)~IDENTITY_HAS_BIRTH;
	assert_int_equal(match_path(&noted), IDENTITY_CANNOT_TELL);
	noted.inode++;
	assert_int_equal(match_path(&noted), IDENTITY_ANOTHER);
}

static void symbolic_link_is_not_followed(void **state)
{
	struct identity_object noted, now;

	(void)state;
	make_file();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &noted), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(identity_of_path(AT_FDCWD, path, &now), -ELOOP);
	assert_int_equal(match_path(&noted), IDENTITY_CANNOT_TELL);
}

static void fifo_and_socket_are_not_opened(void **state)
{
	struct identity_object object;

	(void)state;
	make_fifo();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &object), 0);
	/* Who opens a FIFO to write without a reader gets ENXIO; a reader that
	 * we had been would have let it in. */
	assert_int_equal(open(path, O_WRONLY | O_NONBLOCK), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(identity_of_path(AT_FDCWD, path, &object), 0);
}

static void path_is_gone_with_its_folder(void **state)
{
	struct identity_object noted;
	int dir;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "object/a"));
	make_file();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &noted), 0);
	/* The same by way of a directory that is open. */
	dir = open(scratch.dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(identity_of_path(dir, "object/a", &noted), 0);
	close(dir);
	assert_int_equal(match_path(&noted), IDENTITY_SAME);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(scratch_path(&scratch, "object")), 0);
	assert_int_equal(match_path(&noted), IDENTITY_GONE);
}

static int cover_folder(void *arg)
{
	if (mount("none", scratch.dir, "tmpfs", 0, "") < 0)
		return NOT_PERMITTED;
	EXPECT(match_path(arg) == IDENTITY_CANNOT_TELL);
	make_file();
	EXPECT(match_path(arg) == IDENTITY_CANNOT_TELL);
	return 0;
}

static void path_under_another_mount_tells_nothing(void **state)
{
	struct identity_object noted;

	(void)state;
	make_file();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &noted), 0);
	assert_int_equal(status_inside((struct inside){.flags = CLONE_NEWNS,
						       .body = cover_folder,
						       .arg = &noted}),
			 0);
	assert_int_equal(match_path(&noted), IDENTITY_SAME);
}

static int look_as_nobody(void *arg)
{
	if (setresuid(65534, 65534, 65534))
		return 1;
	return match_path(arg) == IDENTITY_CANNOT_TELL ? 0 : 2;
}

static void folder_that_may_not_be_searched_tells_nothing(void **state)
{
	struct identity_object noted;

	(void)state;
	support_need_second_user();
	make_file();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &noted), 0);
	assert_int_equal(chmod(scratch.dir, 0700), 0);
	assert_int_equal(support_child_status(look_as_nobody, &noted, CHILD_MS),
			 0);
}

static void boot_ends_what_is_memory(void **state)
{
	struct identity_object disk = {.kind = IDENTITY_FILE,
				       .boot = {1},
				       .ipc = {.inode = 0xefffffff},
				       .device = 5,
				       .inode = 6,
				       .flags = IDENTITY_HAS_BIRTH,
				       .birth_s = 7},
			       now = disk, memory = disk, set = disk;

	(void)state;
	now.boot[0] = 2;
	assert_int_equal(identity_compare(&disk, 0, &now), IDENTITY_SAME);
	assert_int_equal(identity_compare(&disk, -ENOENT, &now), IDENTITY_GONE);
	/* Devices may be numbered anew. */
	now.device = 8;
	assert_int_equal(identity_compare(&disk, 0, &now),
			 IDENTITY_CANNOT_TELL);
	now.inode = 9;
	assert_int_equal(identity_compare(&disk, 0, &now), IDENTITY_ANOTHER);

	memory.flags |= IDENTITY_ENDS_WITH_BOOT;
	now = memory;
	assert_int_equal(identity_compare(&memory, 0, &now), IDENTITY_SAME);
	now.boot[0] = 2;
	assert_int_equal(identity_compare(&memory, 0, &now), IDENTITY_ANOTHER);
	assert_int_equal(identity_compare(&memory, -ENOENT, &now),
			 IDENTITY_GONE);
	/* A container may have a boot id of its own. */
	now.ipc = (struct identity_namespace){.inode = 4026532181, .id = 7};
	assert_int_equal(identity_compare(&memory, 0, &now),
			 IDENTITY_CANNOT_TELL);

	set.kind = IDENTITY_SYSV_SEM;
	now = set;
	assert_int_equal(identity_compare(&set, 0, &now), IDENTITY_SAME);
	now.boot[0] = 2;
	assert_int_equal(identity_compare(&set, 0, &now), IDENTITY_ANOTHER);
	assert_int_equal(identity_compare(&set, -EINVAL, &now), IDENTITY_GONE);
	now.ipc = (struct identity_namespace){.inode = 4026532181, .id = 7};
	assert_int_equal(identity_compare(&set, 0, &now), IDENTITY_CANNOT_TELL);
	assert_int_equal(identity_compare(&set, -EINVAL, &now),
			 IDENTITY_CANNOT_TELL);
}

/* A socket of that type, bound to the path. */
static int bind_socket(int type, const char *to)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, to, strlen(to));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	return fd;
}

static void socket_is_judged_by_who_is_bound(void **state)
{
	const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	struct sockaddr_un self = {.sun_family = AF_UNIX};
	int fd;

	(void)state;
	memcpy(self.sun_path, path, strlen(path));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(identity_judge_socket(path), IDENTITY_UNKNOWN);
		fd = bind_socket(types[i], path);
		assert_int_equal(identity_judge_socket(path), IDENTITY_ALIVE);
		/* It then takes datagrams of its peer only. */
		if (types[i] == SOCK_DGRAM)
			assert_int_equal(connect(fd, (struct sockaddr *)&self,
						 sizeof(self)),
					 0);
		assert_int_equal(identity_judge_socket(path), IDENTITY_ALIVE);
		close(fd);
		assert_int_equal(identity_judge_socket(path), IDENTITY_DEAD);
		assert_int_equal(unlink(path), 0);
	}
}

/* The longest path that a socket can have, and one byte more. */
static void socket_with_the_longest_path_is_judged(void **state)
{
	char longest[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	size_t len = sizeof(longest) - 2;
	int fd;

	(void)state;
	assert_true(strlen(path) < len);
	memset(longest, '0', len);
	memcpy(longest, path, strlen(path));
	longest[len] = '\0';
	fd = bind_socket(SOCK_STREAM, longest);
	assert_int_equal(identity_judge_socket(longest), IDENTITY_ALIVE);
	close(fd);
	assert_int_equal(identity_judge_socket(longest), IDENTITY_DEAD);
	memcpy(longest + len, "0", 2);
	assert_int_equal(identity_judge_socket(longest), IDENTITY_UNKNOWN);
	assert_int_equal(identity_judge_socket(""), IDENTITY_UNKNOWN);
}

static int judge_without_descriptors(void *arg)
{
	const struct rlimit none = {0};

	(void)arg;
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		return 2;
	return identity_judge_socket(path) == IDENTITY_UNKNOWN ? 0 : 1;
}

/* Who could not ask knows nothing, and least of all that nobody is there. */
static void socket_is_unknown_to_who_cannot_ask(void **state)
{
	int fd;

	(void)state;
	support_need_no_valgrind("it keeps that limit");
	fd = bind_socket(SOCK_STREAM, path);
	assert_int_equal(
		support_child_status(judge_without_descriptors, NULL, CHILD_MS),
		0);
	close(fd);
}

/* ---- POSIX names ---- */

#define NAME "/ipc.identity_object_test"

static void make_queue(void)
{
	struct mq_attr size = {.mq_maxmsg = 1, .mq_msgsize = 8};

	mq_close(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &size));
}

static enum identity_match match_queue(const struct identity_object *noted)
{
	struct identity_object now;
	int error = identity_of_queue(NAME, &now);

	return identity_compare(noted, error, &now);
}

static int look_at_the_queue_from_another_namespace(void *arg)
{
	EXPECT(match_queue(arg) == IDENTITY_CANNOT_TELL);
	make_queue();
	EXPECT(match_queue(arg) != IDENTITY_SAME);
	mq_unlink(NAME);
	return 0;
}

static void queue_is_known_in_its_ipc_namespace(void **state)
{
	struct identity_object noted;

	(void)state;
	mq_unlink(NAME);
	make_queue();
	assert_int_equal(identity_of_queue(NAME, &noted), 0);
	assert_int_equal(match_queue(&noted), IDENTITY_SAME);
	assert_int_equal(
		status_inside((struct inside){
			.flags = CLONE_NEWIPC,
			.body = look_at_the_queue_from_another_namespace,
			.arg = &noted}),
		0);
	mq_unlink(NAME);
	assert_int_equal(match_queue(&noted), IDENTITY_GONE);
	for (int i = 0; i < 50; i++) {
		make_queue();
		assert_int_equal(match_queue(&noted), IDENTITY_ANOTHER);
		mq_unlink(NAME);
	}
}

static void posix_memory_and_semaphores_are_files(void **state)
{
	static const char *const paths[] = {"/dev/shm" NAME,
					    "/dev/shm/sem.ipc.identity_object_"
					    "test"};
	struct identity_object noted[2], opened;
	int fd;

	(void)state;
	shm_unlink(NAME);
	sem_unlink(NAME);
	for (int round = 0; round < 2; round++) {
		fd = shm_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
		sem_close(sem_open(NAME, O_CREAT | O_EXCL, 0600, 1));
		assert_int_equal(identity_of_fd(fd, &opened), 0);
		close(fd);
		for (int i = 0; i < 2; i++) {
			snprintf(path, sizeof(path), "%s", paths[i]);
			if (round == 1)
				assert_int_equal(match_path(&noted[i]),
						 IDENTITY_ANOTHER);
			assert_int_equal(
				identity_of_path(AT_FDCWD, path, &noted[i]), 0);
			assert_true(noted[i].flags & IDENTITY_ENDS_WITH_BOOT);
		}
		assert_int_equal(identity_compare(&noted[0], 0, &opened),
				 IDENTITY_SAME);
		assert_int_equal(identity_compare(&noted[1], 0, &opened),
				 IDENTITY_ANOTHER);
		shm_unlink(NAME);
		sem_unlink(NAME);
	}
}

/* ---- System V ---- */

static int make_sysv(enum identity_kind kind, key_t key)
{
	switch (kind) {
	case IDENTITY_SYSV_SHM:
		return shmget(key, 1, 0600 | IPC_CREAT | IPC_EXCL);
	case IDENTITY_SYSV_SEM:
		return semget(key, 1, 0600 | IPC_CREAT | IPC_EXCL);
	default:
		return msgget(key, 0600 | IPC_CREAT | IPC_EXCL);
	}
}

static void remove_sysv(enum identity_kind kind, int id)
{
	switch (kind) {
	case IDENTITY_SYSV_SHM:
		shmctl(id, IPC_RMID, NULL);
		break;
	case IDENTITY_SYSV_SEM:
		semctl(id, 0, IPC_RMID);
		break;
	default:
		msgctl(id, IPC_RMID, NULL);
	}
}

static bool is_later_second(void *arg)
{
	return time(NULL) > *(const int64_t *)arg;
}

/* The ctime has seconds. */
static void wait_for_next_second(int64_t second)
{
	assert_true(support_wait_until(is_later_second, &second, 20000));
}

static void sysv_object_is_gone_when_removed(void **state)
{
	struct identity_object noted;

	(void)state;
	for (enum identity_kind kind = IDENTITY_SYSV_SHM;
	     kind <= IDENTITY_SYSV_MSG; kind++) {
		int id = make_sysv(kind, IPC_PRIVATE);

		assert_int_equal(identity_of_sysv(kind, id, &noted), 0);
		assert_int_equal(noted.id, id);
		assert_int_equal(noted.creator, geteuid());
		assert_true(noted.ctime_s > 0);
		assert_int_equal(match_sysv(&noted), IDENTITY_SAME);
		noted.key++;
		assert_int_equal(match_sysv(&noted), IDENTITY_ANOTHER);
		noted.key--;
		noted.creator++;
		assert_int_equal(match_sysv(&noted), IDENTITY_ANOTHER);
		remove_sysv(kind, id);
		assert_int_equal(match_sysv(&noted), IDENTITY_GONE);
	}
	assert_int_equal(identity_of_sysv(IDENTITY_FILE, 0, &noted), -EINVAL);
}

static void memory_that_waits_for_its_last_detach_is_gone(void **state)
{
	int id = make_sysv(IDENTITY_SYSV_SHM, IPC_PRIVATE);
	void *at = shmat(id, NULL, 0);
	struct identity_object noted;

	(void)state;
	assert_int_equal(identity_of_sysv(IDENTITY_SYSV_SHM, id, &noted), 0);
	remove_sysv(IDENTITY_SYSV_SHM, id);
	assert_int_equal(match_sysv(&noted), IDENTITY_GONE);
	shmdt(at);
}

static void set_is_noted_again_after_our_own_change(void **state)
{
	int id = make_sysv(IDENTITY_SYSV_SEM, IPC_PRIVATE);
	struct identity_object noted;
	union semun one = {.val = 1};

	(void)state;
	assert_int_equal(identity_of_sysv(IDENTITY_SYSV_SEM, id, &noted), 0);
	wait_for_next_second(noted.ctime_s);
	assert_int_equal(sysv_sem_op(id, 0, 1, 0, 0), 0);
	assert_int_equal(match_sysv(&noted), IDENTITY_SAME);
	assert_int_equal(semctl(id, 0, SETVAL, one), 0);
	assert_int_equal(match_sysv(&noted), IDENTITY_ANOTHER);
	assert_int_equal(identity_of_sysv(IDENTITY_SYSV_SEM, id, &noted), 0);
	assert_int_equal(match_sysv(&noted), IDENTITY_SAME);
	remove_sysv(IDENTITY_SYSV_SEM, id);
}

enum { KEY = 0x1d5eed };

/* By force: the id that the next object of that kind shall have. */
static int give_the_id_again(void *arg)
{
	static const char *const next[] = {
		[IDENTITY_SYSV_SHM] = "/proc/sys/kernel/shm_next_id",
		[IDENTITY_SYSV_SEM] = "/proc/sys/kernel/sem_next_id",
		[IDENTITY_SYSV_MSG] = "/proc/sys/kernel/msg_next_id",
	};
	struct identity_object noted[IDENTITY_SYSV_MSG + 1];
	int64_t last = 0;
	char text[16];

	(void)arg;
	for (enum identity_kind kind = IDENTITY_SYSV_SHM;
	     kind <= IDENTITY_SYSV_MSG; kind++) {
		int id = make_sysv(kind, KEY);

		EXPECT(identity_of_sysv(kind, id, &noted[kind]) == 0);
		remove_sysv(kind, id);
		EXPECT(match_sysv(&noted[kind]) == IDENTITY_GONE);
		last = noted[kind].ctime_s;
	}
	wait_for_next_second(last);
	for (enum identity_kind kind = IDENTITY_SYSV_SHM;
	     kind <= IDENTITY_SYSV_MSG; kind++) {
		snprintf(text, sizeof(text), "%d", noted[kind].id);
		if (support_put_text(next[kind], text))
			return NOT_PERMITTED;
		EXPECT(make_sysv(kind, KEY) == noted[kind].id);
		EXPECT(match_sysv(&noted[kind]) == IDENTITY_ANOTHER);
	}
	return 0;
}

static void id_that_comes_again_with_its_key_is_another(void **state)
{
	(void)state;
	assert_int_equal(
		status_inside((struct inside){.flags = CLONE_NEWIPC,
					      .body = give_the_id_again}),
		0);
}

static int make_it_in_another_namespace(void *arg)
{
	const struct identity_object *noted = arg;
	enum identity_kind kind = noted->kind;

	EXPECT(match_sysv(noted) == IDENTITY_CANNOT_TELL);
	/* As a container that is started anew: the first id is the same. */
	EXPECT(make_sysv(kind, KEY) == noted->id);
	EXPECT(match_sysv(noted) == IDENTITY_CANNOT_TELL);
	return 0;
}

static int note_first(void *arg)
{
	struct identity_object *noted = arg;
	enum identity_kind kind = noted->kind;

	return identity_of_sysv(kind, make_sysv(kind, KEY), noted) ? 1 : 0;
}

static void same_id_and_key_in_another_ipc_namespace_cannot_be_told(
	void **state)
{
	struct identity_object *noted = shared_memory(sizeof(*noted));

	(void)state;
	for (enum identity_kind kind = IDENTITY_SYSV_SHM;
	     kind <= IDENTITY_SYSV_MSG; kind++) {
		noted->kind = kind;
		assert_int_equal(
			status_inside((struct inside){.flags = CLONE_NEWIPC,
						      .body = note_first,
						      .arg = noted}),
			0);
		assert_int_equal(match_sysv(noted), IDENTITY_CANNOT_TELL);
		assert_int_equal(status_inside((struct inside){
					 .flags = CLONE_NEWIPC,
					 .body = make_it_in_another_namespace,
					 .arg = noted}),
				 0);
	}
	munmap(noted, sizeof(*noted));
}

/* ---- text ---- */

static void text_comes_back_as_it_was(void **state)
{
	const struct identity_object most = {
		.kind = IDENTITY_SYSV_MSG,
		.ipc = {UINT64_MAX, UINT64_MAX},
		.device = UINT64_MAX,
		.inode = UINT64_MAX,
		.folder = UINT64_MAX,
		.birth_s = INT64_MIN,
		.ctime_s = INT64_MIN,
		.birth_ns = UINT32_MAX,
		.flags = UINT32_MAX,
		.id = INT32_MIN,
		.key = INT32_MIN,
		.creator = UINT32_MAX,
	};
	struct identity_object object, again;
	char text[IDENTITY_OBJECT_TEXT];

	(void)state;
	make_fifo();
	assert_int_equal(identity_of_path(AT_FDCWD, path, &object), 0);
	identity_format_object(&object, text);
	assert_null(strpbrk(text, " \n"));
	assert_int_equal(identity_parse_object(text, &again), 0);
	assert_memory_equal(&object, &again, sizeof(object));
	identity_format_object(&most, text);
	assert_int_equal(identity_parse_object(text, &again), 0);
	assert_memory_equal(&most, &again, sizeof(most));
	memset(&object, 0, sizeof(object));
	identity_format_object(&object, text);
	assert_int_equal(identity_parse_object(text, &again), 0);
	assert_memory_equal(&object, &again, sizeof(object));
}

static void other_text_is_refused(void **state)
{
	static const char good[] = "sem:1:2:3:4.000000005:6:7:8:9:10:11/12:"
				   "00112233-4455-6677-8899-aabbccddeeff";
	static const char *const bad[] = {
		"set:1:2:3:4.000000005:6:7:8:9:10:11/12:"
		"00112233-4455-6677-8899-aabbccddeeff",
		"sem:1:2:3:4.5:6:7:8:9:10:11/12:"
		"00112233-4455-6677-8899-aabbccddeeff",
		"sem:1:2:3:4.000000005:6:7:8:9:10:11/12:"
		"00112233-4455-6677-8899-aabbccddeeff\n",
		"sem:1: 2:3:4.000000005:6:7:8:9:10:11/12:"
		"00112233-4455-6677-8899-aabbccddeeff",
		"sem:1:2:3:4.000000005:6:4294967303:8:9:10:11/12:"
		"00112233-4455-6677-8899-aabbccddeeff",
	};
	struct identity_object object, kept;
	char text[sizeof(good)];

	(void)state;
	assert_int_equal(identity_parse_object(good, &object), 0);
	assert_int_equal(object.kind, IDENTITY_SYSV_SEM);
	assert_int_equal(object.id, 7);
	assert_int_equal(object.key, 8);
	assert_int_equal(object.ipc.id, 12);
	kept = object;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(identity_parse_object(bad[i], &object),
				 -EBADMSG);
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		snprintf(text, sizeof(text), "%.*s", (int)n, good);
		assert_int_equal(identity_parse_object(text, &object),
				 -EBADMSG);
	}
	assert_memory_equal(&object, &kept, sizeof(kept));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(file_is_another_once_it_is_made_anew),
		CASE(descriptor_is_what_the_path_opens),
		CASE(inode_that_comes_again_has_another_birth),
		CASE(symbolic_link_is_not_followed),
		CASE(fifo_and_socket_are_not_opened),
		CASE(path_is_gone_with_its_folder),
		CASE(path_under_another_mount_tells_nothing),
		CASE(folder_that_may_not_be_searched_tells_nothing),
		CASE(boot_ends_what_is_memory),
		CASE(socket_is_judged_by_who_is_bound),
		CASE(socket_with_the_longest_path_is_judged),
		CASE(socket_is_unknown_to_who_cannot_ask),
		CASE(queue_is_known_in_its_ipc_namespace),
		CASE(posix_memory_and_semaphores_are_files),
		CASE(sysv_object_is_gone_when_removed),
		CASE(memory_that_waits_for_its_last_detach_is_gone),
		CASE(set_is_noted_again_after_our_own_change),
		CASE(id_that_comes_again_with_its_key_is_another),
		CASE(same_id_and_key_in_another_ipc_namespace_cannot_be_told),
		CASE(text_comes_back_as_it_was),
		CASE(other_text_is_refused),
	};

	return SUPPORT_MAIN(tests);
}
