/* The data folder, the vote and snapshots: what they promise, and what is
 * refused. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p18-rpc-kv/durable/folder.h"
#include "p18-rpc-kv/durable/hardstate.h"
#include "p18-rpc-kv/durable/snapshot.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

struct base {
	struct scratch scratch;
	int dir;
	struct damage damage;
};

static void make(struct base *base)
{
	memset(base, 0, sizeof(*base));
	scratch_make(&base->scratch);
	base->dir = open(base->scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(base->dir >= 0);
}

static void end(struct base *base)
{
	close(base->dir);
	scratch_remove(&base->scratch);
}

/* The bytes of a file; to be freed. */
static uint8_t *read_file(const struct base *base, const char *name,
			  size_t *len)
{
	int fd = openat(base->dir, name, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes = calloc(1, 1 << 20);

	assert_true(fd >= 0 && bytes);
	*len = (size_t)read(fd, bytes, 1 << 20);
	close(fd);
	return bytes;
}

/* ---- the folder -------------------------------------------------------------- */

static struct folder_identity three(void)
{
	return (struct folder_identity){
		.server = 2,
		.n_members = 3,
		.members = {{1, "localhost:9001"},
			    {2, "localhost:9002"},
			    {3, "localhost:9003"}},
	};
}

static void open_folder(struct base *base, struct folder *folder)
{
	const int error =
		folder_open(folder, scratch_path(&base->scratch, "kv-data-2"),
			    NULL, &base->damage);

	if (error)
		fail_msg("%s: %s", strerror(-error), base->damage.text);
}

static int try_folder(struct base *base, pid_t *holder)
{
	struct folder folder;
	int error =
		folder_open(&folder, scratch_path(&base->scratch, "kv-data-2"),
			    holder, &base->damage);

	if (!error)
		folder_close(&folder);
	return error;
}

static void a_folder_remembers_whose_it_is(void **unused)
{
	const struct folder_identity identity = three();
	struct folder_member members[3];
	struct folder folder;
	struct base base;
	struct stat st;

	(void)unused;
	make(&base);
	open_folder(&base, &folder);
	assert_true(folder.is_new);
	assert_int_equal(folder_form(&folder, NULL), -EEXIST);
	assert_int_equal(folder_claim(&folder, &identity), 0);
	assert_false(folder.is_new);
	assert_int_equal(folder_claim(&folder, &identity), -EEXIST);
	folder_close(&folder);
	assert_int_equal(stat(scratch_path(&base.scratch, "kv-data-2"), &st),
			 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	open_folder(&base, &folder);
	assert_false(folder.is_new);
	assert_false(folder.identity.is_formed);
	for (int i = 0; i < 3; i++)
		members[i] = identity.members[2 - i];
	assert_true(folder_is_of(&folder, 2, members, 3));
	assert_false(folder_is_of(&folder, 1, members, 3));
	assert_false(folder_is_of(&folder, 2, members, 2));
	members[0].id = 4;
	assert_false(folder_is_of(&folder, 2, members, 3));
	members[0] = members[1]; /* one twice, one not */
	assert_false(folder_is_of(&folder, 2, members, 3));
	folder_close(&folder);
	end(&base);
}

static void members_that_cannot_be_are_refused(void **unused)
{
	struct folder_identity identities[6];
	struct folder folder;
	struct base base;

	(void)unused;
	for (int i = 0; i < 6; i++)
		identities[i] = three();
	identities[0].server = 4;
	identities[1].members[2].id = 2;
	identities[2].members[2].id = 1;
	strcpy(identities[3].members[2].address, "localhost:9001");
	identities[4].members[2].address[0] = '\0';
	identities[5].n_members = FOLDER_MEMBERS_MAX + 1;
	make(&base);
	open_folder(&base, &folder);
	for (int i = 0; i < 6; i++)
		assert_int_equal(folder_claim(&folder, &identities[i]),
				 -EINVAL);
	assert_true(folder.is_new);
	folder_close(&folder);
	end(&base);
}

/* Three folders, of which each learns the shares of all. */
static void all_members_come_to_the_same_cluster(void **unused)
{
	uint8_t shares[3][FOLDER_CLUSTER_BYTES], clusters[4][16];
	struct folder_identity identity = three();
	struct folder folders[3];
	struct base base;
	char name[16];

	(void)unused;
	make(&base);
	for (uint64_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "data-%d", (int)i);
		assert_int_equal(folder_open(&folders[i],
					     scratch_path(&base.scratch, name),
					     NULL, &base.damage),
				 0);
		identity.server = i + 1;
		assert_int_equal(folder_claim(&folders[i], &identity), 0);
		memcpy(shares[i], folders[i].identity.share, 16);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(folder_form(&folders[i], shares), 0);
		assert_true(folders[i].identity.is_formed);
		memcpy(clusters[i], folders[i].identity.cluster, 16);
		assert_memory_equal(clusters[i], clusters[0], 16);
		folder_close(&folders[i]);
	}
	assert_memory_not_equal(clusters[0], shares[0], 16);
	/* Who is wiped comes to another one, though it asks the same servers. */
	assert_int_equal(unlink(scratch_path(&base.scratch, "data-2/identity")),
			 0);
	assert_int_equal(folder_open(&folders[2],
				     scratch_path(&base.scratch, "data-2"),
				     NULL, &base.damage),
			 0);
	assert_int_equal(folder_claim(&folders[2], &identity), 0);
	memcpy(shares[2], folders[2].identity.share, 16);
	assert_int_equal(folder_form(&folders[2], shares), 0);
	assert_memory_not_equal(folders[2].identity.cluster, clusters[0], 16);
	assert_int_equal(folder_form(&folders[2], shares), -EEXIST);
	folder_close(&folders[2]);
	end(&base);
}

static void who_joins_is_told_the_cluster(void **unused)
{
	const struct folder_identity identity = {
		.server = 7, .since = 1234, .cluster = "the cluster"};
	struct folder folder;
	struct base base;

	(void)unused;
	make(&base);
	open_folder(&base, &folder);
	assert_int_equal(folder_claim(&folder, &identity), 0);
	assert_int_equal(folder_form(&folder, NULL), 0);
	folder_close(&folder);
	open_folder(&base, &folder);
	assert_true(folder.identity.is_formed);
	assert_int_equal(folder.identity.since, 1234);
	assert_string_equal((char *)folder.identity.cluster, "the cluster");
	folder_close(&folder);
	end(&base);
}

static int try_in_child(void *arg)
{
	pid_t holder;

	if (try_folder(arg, &holder) != -EBUSY)
		return 1;
	return holder == getppid() ? 0 : 2;
}

static void a_folder_has_one_server_at_a_time(void **unused)
{
	struct folder folder;
	struct base base;
	pid_t holder;

	(void)unused;
	make(&base);
	open_folder(&base, &folder);
	assert_int_equal(support_child_status(try_in_child, &base, 10000), 0);
	/* Nor does a second one of this process get it, nor does that let go of
	 * the lock by ending. */
	assert_int_equal(try_folder(&base, &holder), -EBUSY);
	assert_int_equal(holder, getpid());
	assert_int_equal(support_child_status(try_in_child, &base, 10000), 0);
	folder_close(&folder);
	assert_int_equal(try_folder(&base, &holder), 0);
	end(&base);
}

static void a_folder_that_others_may_change_is_refused(void **unused)
{
	struct folder folder;
	struct base base;

	(void)unused;
	make(&base);
	open_folder(&base, &folder);
	folder_close(&folder);
	assert_int_equal(chmod(scratch_path(&base.scratch, "kv-data-2"), 0720),
			 0);
	assert_int_equal(try_folder(&base, NULL), -EPERM);
	assert_int_equal(chmod(scratch_path(&base.scratch, "kv-data-2"), 0702),
			 0);
	assert_int_equal(try_folder(&base, NULL), -EPERM);
	assert_int_equal(chmod(scratch_path(&base.scratch, "kv-data-2"), 0755),
			 0);
	assert_int_equal(try_folder(&base, NULL), 0);
	assert_int_equal(renameat(base.dir, "kv-data-2", base.dir, "real"), 0);
	assert_int_equal(symlinkat("real", base.dir, "kv-data-2"), 0);
	/* ELOOP or ENOTDIR, as the kernel likes. */
	assert_true(try_folder(&base, NULL) < 0);
	end(&base);
}

static void a_lost_or_changed_identity_is_refused(void **unused)
{
	const struct folder_identity identity = three();
	struct folder folder;
	struct base base;
	uint8_t *bytes;
	size_t len;

	(void)unused;
	make(&base);
	open_folder(&base, &folder);
	assert_int_equal(folder_claim(&folder, &identity), 0);
	assert_int_equal(hardstate_create(folder.fd), 0);
	folder_close(&folder);
	bytes = read_file(&base, "kv-data-2/identity", &len);
	for (size_t bit = 0; bit < 8 * len;
	     bit += support_is_stress() ? 1 : 7) {
		int error;

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		scratch_write(&base.scratch, "kv-data-2/identity", bytes, len);
		error = try_folder(&base, NULL);
		assert_true(error == -EBADMSG || error == -EPROTONOSUPPORT);
		assert_true(error == -EPROTONOSUPPORT || base.damage.text[0]);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < len; n += 100) {
		scratch_write(&base.scratch, "kv-data-2/identity", bytes, n);
		assert_int_equal(try_folder(&base, NULL), -EBADMSG);
	}
	assert_int_equal(unlinkat(base.dir, "kv-data-2/identity", 0), 0);
	assert_int_equal(try_folder(&base, NULL), -EBADMSG);
	assert_string_equal(
		base.damage.text,
		"identity: at byte 0: it is missing, and the rest is there");
	free(bytes);
	end(&base);
}

/* ---- the vote ---------------------------------------------------------------- */

static void assert_vote(struct base *base, uint64_t term, uint64_t vote)
{
	struct hardstate hardstate;
	const int error = hardstate_open(&hardstate, base->dir, &base->damage);

	if (error)
		fail_msg("%s: %s", strerror(-error), base->damage.text);
	assert_int_equal(hardstate.term, term);
	assert_int_equal(hardstate.vote, vote);
	hardstate_close(&hardstate);
}

static void a_vote_is_given_once_in_a_term(void **unused)
{
	struct hardstate hardstate;
	struct base base;

	(void)unused;
	make(&base);
	assert_int_equal(hardstate_create(base.dir), 0);
	assert_vote(&base, 0, 0);
	assert_int_equal(hardstate_open(&hardstate, base.dir, &base.damage), 0);
	assert_int_equal(hardstate_set(&hardstate, 3, 0), 0);
	assert_int_equal(hardstate_set(&hardstate, 3, 2), 0);
	assert_int_equal(hardstate_set(&hardstate, 3, 1), -EINVAL);
	assert_int_equal(hardstate_set(&hardstate, 3, 0), -EINVAL);
	assert_int_equal(hardstate_set(&hardstate, 2, 2), -EINVAL);
	assert_int_equal(hardstate_set(&hardstate, 3, 2), 0);
	hardstate_close(&hardstate);
	assert_vote(&base, 3, 2);
	end(&base);
}

static void make_vote(struct base *base)
{
	struct hardstate hardstate;

	make(base);
	assert_int_equal(hardstate_create(base->dir), 0);
	assert_int_equal(hardstate_open(&hardstate, base->dir, &base->damage),
			 0);
	assert_int_equal(hardstate_set(&hardstate, 6, 1), 0);
	assert_int_equal(hardstate_set(&hardstate, 7, 2), 0);
	hardstate_close(&hardstate);
}

static void a_bad_copy_of_the_vote_takes_nothing_away(void **unused)
{
	struct base base;
	uint8_t *bytes;
	size_t len;

	(void)unused;
	make_vote(&base);
	bytes = read_file(&base, "vote", &len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		if (bit / 8 % 4096 >= 48 && bit % 997)
			continue;
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		scratch_write(&base.scratch, "vote", bytes, len);
		assert_vote(&base, 7, 2);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* And the copy is made again: now the other one may go bad. */
	memset(bytes, 0, 40);
	scratch_write(&base.scratch, "vote", bytes, len);
	assert_vote(&base, 7, 2);
	free(bytes);
	bytes = read_file(&base, "vote", &len);
	memset(bytes + 4096, 0xff, 40);
	scratch_write(&base.scratch, "vote", bytes, len);
	assert_vote(&base, 7, 2);
	free(bytes);
	end(&base);
}

/* Cut between both: nobody was told of the first one. */
static void a_vote_that_was_half_written_is_the_new_one(void **unused)
{
	struct hardstate hardstate;
	struct base base;
	uint8_t *old, *new;
	size_t len;

	(void)unused;
	make_vote(&base);
	old = read_file(&base, "vote", &len);
	assert_int_equal(hardstate_open(&hardstate, base.dir, &base.damage), 0);
	assert_int_equal(hardstate_set(&hardstate, 8, 3), 0);
	hardstate_close(&hardstate);
	new = read_file(&base, "vote", &len);
	memcpy(new + 4096, old + 4096, len - 4096);
	scratch_write(&base.scratch, "vote", new, len);
	assert_vote(&base, 8, 3);
	assert_vote(&base, 8, 3);
	free(new);
	free(old);
	end(&base);
}

static void assert_no_vote(struct base *base, const char *text)
{
	struct hardstate hardstate;

	assert_int_equal(hardstate_open(&hardstate, base->dir, &base->damage),
			 -EBADMSG);
	assert_string_equal(base->damage.text, text);
}

static void a_vote_that_cannot_be_told_is_refused(void **unused)
{
	struct hardstate hardstate;
	struct base base;
	uint8_t *old, *bytes;
	size_t len;

	(void)unused;
	make_vote(&base);
	old = read_file(&base, "vote", &len);
	assert_int_equal(hardstate_open(&hardstate, base.dir, &base.damage), 0);
	assert_int_equal(hardstate_set(&hardstate, 8, 3), 0);
	assert_int_equal(hardstate_set(&hardstate, 9, 3), 0);
	hardstate_close(&hardstate);
	bytes = read_file(&base, "vote", &len);
	memcpy(bytes + 4096, old + 4096, len - 4096);
	scratch_write(&base.scratch, "vote", bytes, len);
	assert_no_vote(&base,
		       "vote: at byte 4096: the copies are of two histories");
	/* The second is never ahead. */
	free(bytes);
	scratch_write(&base.scratch, "vote", old, len);
	assert_int_equal(hardstate_open(&hardstate, base.dir, &base.damage), 0);
	assert_int_equal(hardstate_set(&hardstate, 8, 3), 0);
	hardstate_close(&hardstate);
	bytes = read_file(&base, "vote", &len);
	memcpy(bytes, old, 40);
	scratch_write(&base.scratch, "vote", bytes, len);
	assert_no_vote(&base,
		       "vote: at byte 4096: the copies are of two histories");
	bytes[9]++;
	bytes[4096 + 9]++;
	scratch_write(&base.scratch, "vote", bytes, len);
	assert_no_vote(&base, "vote: at byte 0: both copies are bad");
	scratch_write(&base.scratch, "vote", bytes, 0);
	assert_no_vote(&base, "vote: at byte 0: both copies are bad");
	assert_int_equal(unlinkat(base.dir, "vote", 0), 0);
	assert_no_vote(&base, "vote: at byte 0: it is missing");
	free(bytes);
	free(old);
	end(&base);
}

/* ---- snapshots --------------------------------------------------------------- */

enum { STATE_BYTES = 200000 };

static uint8_t byte_of(uint64_t index, size_t i)
{
	return (uint8_t)(index * 7 + i * 31 + i / 251);
}

static void make_snapshot(struct base *base, uint64_t index, size_t len)
{
	struct snapshot_info info = {.index = index,
				     .term = index / 10,
				     .members_len = 5,
				     .members = "1,2,3"};
	struct snapshot_writer *writer;
	uint8_t bytes[777];
	size_t n = 0;

	assert_int_equal(snapshot_create(&writer, base->dir, &info), 0);
	for (size_t i = 0; i < len; i++) {
		bytes[n++] = byte_of(index, i);
		if (n == sizeof(bytes) || i + 1 == len) {
			assert_int_equal(snapshot_write(writer, bytes, n), 0);
			n = 0;
		}
	}
	assert_int_equal(snapshot_commit(writer), 0);
}

/* Read it to its end: 0, or what that says. */
static int read_all(struct snapshot *snapshot, uint64_t index, size_t len)
{
	uint8_t bytes[1000];
	size_t at = 0;
	ssize_t n;

	while ((n = snapshot_read(snapshot, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (bytes[i] != byte_of(index, at))
				return -EUCLEAN;
	if (!n && at != len)
		return -EUCLEAN;
	return (int)n;
}

static int try_snapshot(struct base *base, uint64_t index, size_t len)
{
	struct snapshot *snapshot;
	int error = snapshot_open(&snapshot, base->dir, &base->damage);

	if (error)
		return error;
	if (snapshot_info(snapshot)->index != index)
		error = -EUCLEAN;
	if (!error)
		error = read_all(snapshot, index, len);
	snapshot_close(snapshot);
	return error;
}

static void the_newest_snapshot_is_read_back(void **unused)
{
	struct snapshot *snapshot;
	struct base base;

	(void)unused;
	make(&base);
	assert_int_equal(try_snapshot(&base, 0, 0), -ENOENT);
	make_snapshot(&base, 9, 0);
	assert_int_equal(try_snapshot(&base, 9, 0), 0);
	make_snapshot(&base, 65, 65536);
	assert_int_equal(try_snapshot(&base, 65, 65536), 0);
	make_snapshot(&base, 120, STATE_BYTES);
	assert_int_equal(snapshot_open(&snapshot, base.dir, &base.damage), 0);
	assert_int_equal(snapshot_info(snapshot)->index, 120);
	assert_int_equal(snapshot_info(snapshot)->term, 12);
	assert_int_equal(snapshot_info(snapshot)->members_len, 5);
	assert_memory_equal(snapshot_info(snapshot)->members, "1,2,3", 5);
	/* Its file may go while it is open. */
	assert_int_equal(snapshot_drop(base.dir, 1000), 0);
	assert_int_equal(read_all(snapshot, 120, STATE_BYTES), 0);
	snapshot_close(snapshot);
	assert_int_equal(try_snapshot(&base, 0, 0), -ENOENT);
	end(&base);
}

static void what_was_never_finished_is_no_snapshot(void **unused)
{
	const struct snapshot_info info = {.index = 50, .term = 1};
	struct snapshot_writer *writer;
	struct folder folder;
	struct base base;

	(void)unused;
	make(&base);
	make_snapshot(&base, 9, 10);
	assert_int_equal(snapshot_create(&writer, base.dir, &info), 0);
	assert_int_equal(snapshot_write(writer, "abc", 3), 0);
	assert_int_equal(try_snapshot(&base, 9, 10), 0);
	snapshot_abort(writer);
	assert_int_equal(faccessat(base.dir, "snapshot.new", F_OK, 0), -1);
	/* One that is being received stays when others are dropped; one that a
	 * server which was killed has left goes when the folder is opened. */
	scratch_write(&base.scratch, "snapshot.in", "abc", 3);
	assert_int_equal(snapshot_drop(base.dir, 9), 0);
	assert_int_equal(faccessat(base.dir, "snapshot.in", F_OK, 0), 0);
	assert_int_equal(unlinkat(base.dir, "snapshot.in", 0), 0);
	open_folder(&base, &folder);
	folder_close(&folder);
	scratch_write(&base.scratch, "kv-data-2/snapshot.in", "abc", 3);
	scratch_write(&base.scratch, "kv-data-2/snapshot.new", "abc", 3);
	open_folder(&base, &folder);
	assert_true(faccessat(folder.fd, "snapshot.in", F_OK, 0) < 0);
	assert_true(faccessat(folder.fd, "snapshot.new", F_OK, 0) < 0);
	folder_close(&folder);
	assert_int_equal(try_snapshot(&base, 9, 10), 0);
	end(&base);
}

static void a_snapshot_with_any_bit_wrong_is_refused(void **unused)
{
	struct base base;
	char name[64] = "snapshot-00000000000000000077";
	uint8_t *bytes;
	size_t len;

	(void)unused;
	make(&base);
	make_snapshot(&base, 9, 10); /* nobody goes back to that one */
	make_snapshot(&base, 77, 300);
	bytes = read_file(&base, name, &len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		scratch_write(&base.scratch, name, bytes, len);
		assert_int_equal(try_snapshot(&base, 77, 300), -EBADMSG);
		assert_int_equal(strncmp(base.damage.text, name, 29), 0);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < len; n++) {
		scratch_write(&base.scratch, name, bytes, n);
		assert_int_equal(try_snapshot(&base, 77, 300), -EBADMSG);
	}
	scratch_write(&base.scratch, name, bytes, len + 1);
	assert_int_equal(try_snapshot(&base, 77, 300), -EBADMSG);
	scratch_write(&base.scratch, "snapshot-00000000000000000078", bytes,
		      len);
	assert_int_equal(try_snapshot(&base, 78, 300), -EBADMSG);
	free(bytes);
	end(&base);
}

/* From one folder to another, in chunks of which some come twice, or late. */
static void a_snapshot_is_received_in_chunks(void **unused)
{
	struct snapshot_receiver *receiver;
	struct snapshot *snapshot;
	struct base from, to;
	uint8_t bytes[30000];
	uint64_t next = 0, wanted = 0, total;

	(void)unused;
	make(&from);
	make(&to);
	make_snapshot(&from, 77, STATE_BYTES);
	assert_int_equal(snapshot_open(&snapshot, from.dir, &from.damage), 0);
	total = snapshot_info(snapshot)->bytes;
	assert_int_equal(
		snapshot_receive(&receiver, to.dir, 77, 7, total, total - 1),
		-EFBIG);
	assert_int_equal(
		snapshot_receive(&receiver, to.dir, 77, 7, total, total), 0);
	for (int i = 0; next < total; i++) {
		const uint64_t offset = i % 3 == 2 ? wanted / 2 : wanted;
		ssize_t n =
			snapshot_chunk(snapshot, offset, bytes, sizeof(bytes));

		assert_true(n > 0);
		assert_int_equal(snapshot_chunk_in(receiver, offset, bytes,
						   (size_t)n, &next),
				 0);
		if (offset == wanted)
			wanted += (uint64_t)n;
		assert_int_equal(next, wanted);
	}
	assert_int_equal(snapshot_chunk_in(receiver, next, bytes, 1, &next),
			 -EINVAL);
	assert_int_equal(try_snapshot(&to, 0, 0), -ENOENT);
	assert_int_equal(snapshot_receive_end(receiver, &to.damage), 0);
	assert_int_equal(try_snapshot(&to, 77, STATE_BYTES), 0);
	snapshot_close(snapshot);
	end(&from);
	end(&to);
}

/* Send it, but the byte at `bad`, as what it says it is: what comes of it. */
static int send_bad(struct base *to, const uint8_t *bytes, size_t len,
		    size_t bad, uint64_t index, uint64_t term, uint64_t total)
{
	struct snapshot_receiver *receiver;
	uint8_t byte;
	uint64_t next;

	assert_int_equal(snapshot_receive(&receiver, to->dir, index, term,
					  total, 1 << 20),
			 0);
	for (size_t i = 0; i < len; i++) {
		byte = bytes[i] ^ (i == bad);
		assert_int_equal(
			snapshot_chunk_in(receiver, i, &byte, 1, &next), 0);
	}
	return snapshot_receive_end(receiver, &to->damage);
}

static void what_is_no_snapshot_is_not_received(void **unused)
{
	struct base from, to;
	uint8_t *bytes;
	size_t len;

	(void)unused;
	make(&from);
	make(&to);
	make_snapshot(&from, 77, 100);
	bytes = read_file(&from, "snapshot-00000000000000000077", &len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(send_bad(&to, bytes, len, i, 77, 7, len),
				 -EBADMSG);
	assert_int_equal(send_bad(&to, bytes, len - 1, len, 77, 7, len),
			 -EBADMSG);
	assert_int_equal(send_bad(&to, bytes, len, len, 77, 7, len + 1),
			 -EBADMSG);
	assert_int_equal(send_bad(&to, bytes, len, len, 78, 7, len), -EBADMSG);
	assert_int_equal(send_bad(&to, bytes, len, len, 77, 8, len), -EBADMSG);
	assert_int_equal(try_snapshot(&to, 0, 0), -ENOENT);
	assert_int_equal(faccessat(to.dir, "snapshot.in", F_OK, 0), -1);
	assert_int_equal(send_bad(&to, bytes, len, len, 77, 7, len), 0);
	assert_int_equal(try_snapshot(&to, 77, 100), 0);
	free(bytes);
	end(&from);
	end(&to);
}

/* ---- whose files they are ----------------------------------------------------- */

/* The bytes are as they were; who else may write there could change them. */
static void assert_distrusted(struct base *base, const char *name,
			      int (*open_it)(struct base *base))
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "%s: at byte 0: it is another", name);
	assert_int_equal(open_it(base), 0);
	for (mode_t mode = 0602; mode <= 0620; mode += 016) {
		assert_int_equal(fchmodat(base->dir, name, mode, 0), 0);
		assert_int_equal(open_it(base), -EPERM);
		if (!strstr(base->damage.text, strchr(wanted, ':')))
			fail_msg("'%s', not '%s'", base->damage.text, wanted);
	}
	assert_int_equal(fchmodat(base->dir, name, 0644, 0), 0);
	assert_int_equal(open_it(base), 0);
}

static int open_it_again(struct base *base)
{
	return try_folder(base, NULL);
}

static int open_vote(struct base *base)
{
	struct hardstate hardstate;
	const int error = hardstate_open(&hardstate, base->dir, &base->damage);

	if (!error)
		hardstate_close(&hardstate);
	return error;
}

static int open_snapshot(struct base *base)
{
	return try_snapshot(base, 77, 100);
}

static void a_file_that_others_may_change_is_refused(void **unused)
{
	const struct folder_identity identity = three();
	struct folder folder;
	struct base base;

	(void)unused;
	make(&base);
	open_folder(&base, &folder);
	assert_int_equal(folder_claim(&folder, &identity), 0);
	folder_close(&folder);
	assert_distrusted(&base, "kv-data-2/identity", open_it_again);
	assert_distrusted(&base, "kv-data-2/lock", open_it_again);
	assert_int_equal(hardstate_create(base.dir), 0);
	assert_distrusted(&base, "vote", open_vote);
	make_snapshot(&base, 77, 100);
	assert_distrusted(&base, "snapshot-00000000000000000077",
			  open_snapshot);
	end(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_remembers_whose_it_is),
		cmocka_unit_test(members_that_cannot_be_are_refused),
		cmocka_unit_test(all_members_come_to_the_same_cluster),
		cmocka_unit_test(who_joins_is_told_the_cluster),
		cmocka_unit_test(a_folder_has_one_server_at_a_time),
		cmocka_unit_test(a_folder_that_others_may_change_is_refused),
		cmocka_unit_test(a_lost_or_changed_identity_is_refused),
		cmocka_unit_test(a_vote_is_given_once_in_a_term),
		cmocka_unit_test(a_bad_copy_of_the_vote_takes_nothing_away),
		cmocka_unit_test(a_vote_that_was_half_written_is_the_new_one),
		cmocka_unit_test(a_vote_that_cannot_be_told_is_refused),
		cmocka_unit_test(the_newest_snapshot_is_read_back),
		cmocka_unit_test(what_was_never_finished_is_no_snapshot),
		cmocka_unit_test(a_snapshot_with_any_bit_wrong_is_refused),
		cmocka_unit_test(a_snapshot_is_received_in_chunks),
		cmocka_unit_test(what_is_no_snapshot_is_not_received),
		cmocka_unit_test(a_file_that_others_may_change_is_refused),
	};

	return SUPPORT_MAIN(tests);
}
