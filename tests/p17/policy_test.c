/* Who may call what, and whether AUTH_SYS agrees with the kernel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p17-rpc-auth/authsys.h"
#include "p17-rpc-auth/policy.h"
#include "tests/support/support.h"

static const char *const procedures[] = {"null", "add", "multiply", NULL};
enum { NULL_, ADD, MULTIPLY };

static struct policy policy;

static const struct rpc_identity nobody = {.flavor = AUTH_NONE};

static struct rpc_identity user(uint32_t uid, uint32_t gid)
{
	return (struct rpc_identity){
		.flavor = AUTH_SYS, .has_uid = true, .uid = uid, .gid = gid};
}

static enum auth_stat ask(uint32_t procedure, struct rpc_identity who)
{
	return policy_ask(&policy, procedure, &who);
}

static int begin(void **state)
{
	(void)state;
	policy_init(&policy, procedures);
	return 0;
}

static void allow(const char *line)
{
	assert_int_equal(policy_add(&policy, line), 0);
}

static void without_rules_nobody_may_anything(void **state)
{
	(void)state;
	assert_int_equal(ask(ADD, user(0, 0)), AUTH_REJECTEDCRED);
	assert_int_equal(ask(ADD, nobody), AUTH_TOOWEAK);
	/* But ask whether anybody is there. */
	assert_int_equal(ask(NULL_, nobody), AUTH_OK);
	allow("null uid=1");
	assert_int_equal(ask(NULL_, nobody), AUTH_TOOWEAK);
}

static void users_and_groups_are_ranges(void **state)
{
	struct rpc_identity member = user(7, 7);

	(void)state;
	allow("* uid=1000-1999 gid=100 # all of us");
	assert_int_equal(ask(ADD, user(999, 1)), AUTH_REJECTEDCRED);
	assert_int_equal(ask(ADD, user(1000, 1)), AUTH_OK);
	assert_int_equal(ask(ADD, user(1999, 1)), AUTH_OK);
	assert_int_equal(ask(ADD, user(2000, 1)), AUTH_REJECTEDCRED);
	assert_int_equal(ask(ADD, user(7, 100)), AUTH_OK);
	assert_int_equal(ask(ADD, member), AUTH_REJECTEDCRED);
	member.gids[0] = 99;
	member.gids[1] = 100;
	member.n_gids = 2;
	assert_int_equal(ask(ADD, member), AUTH_OK);
	member.has_uid = false;
	assert_int_equal(ask(ADD, member), AUTH_REJECTEDCRED);
}

static void procedure_with_lines_of_its_own_is_not_in_all(void **state)
{
	struct rpc_identity proved = user(1, 1);

	(void)state;
	allow("* uid=1 uid=2");
	allow("multiply proved uid=1");
	proved.is_proved = true;
	assert_int_equal(ask(ADD, user(1, 1)), AUTH_OK);
	assert_int_equal(ask(MULTIPLY, user(1, 1)), AUTH_TOOWEAK);
	assert_int_equal(ask(MULTIPLY, proved), AUTH_OK);
	assert_int_equal(ask(MULTIPLY, user(2, 2)), AUTH_REJECTEDCRED);
	allow("multiply uid=2");
	assert_int_equal(ask(MULTIPLY, user(2, 2)), AUTH_OK);
	assert_int_equal(ask(MULTIPLY, user(1, 1)), AUTH_TOOWEAK);
}

static void host_is_a_name_that_was_proved(void **state)
{
	struct rpc_identity host = {.flavor = AUTH_DH, .is_proved = true};

	(void)state;
	allow("add host=unix.relay@test");
	strcpy(host.name, "unix.relay@test");
	assert_int_equal(ask(ADD, host), AUTH_OK);
	host.flavor = AUTH_SYS; /* a machine's name, and anybody's word */
	assert_int_equal(ask(ADD, host), AUTH_REJECTEDCRED);
}

static void slips_are_refused(void **state)
{
	static const char *const bad[] = {
		"divide uid=1",
		"add",
		"add proved",
		"add uid",
		"add uid=",
		"add uid=x",
		"add uid=-1",
		"add uid=1-",
		"add uid=2-1",
		"add uid=4294967295",
		"add uid=1 everybody",
		"add host=relay",
		"Add uid=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(policy_add(&policy, bad[i]), -EINVAL);
		assert_int_equal(policy.n, 0);
	}
	allow("");
	allow("  # nothing");
	assert_int_equal(policy.n, 0);
	for (size_t i = 0; i < POLICY_RULES; i++)
		allow("add uid=1");
	assert_int_equal(policy_add(&policy, "add uid=1"), -ENOSPC);
}

static void file_is_read_line_by_line(void **state)
{
	char path[] = "/tmp/policy_test.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	size_t line;

	(void)state;
	assert_non_null(file);
	fputs("# who may\nadd uid=1\n\nmultiply uid=2 # too", file);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(policy_load(&policy, path, &line), 0);
	assert_int_equal(ask(ADD, user(1, 1)), AUTH_OK);
	assert_int_equal(ask(MULTIPLY, user(2, 1)), AUTH_OK);
	assert_int_equal(ask(MULTIPLY, user(1, 1)), AUTH_REJECTEDCRED);
	fputs("\nwhat", file);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(policy_load(&policy, path, &line), -EINVAL);
	assert_int_equal(line, 5);
	assert_int_equal(ftruncate(fd, POLICY_FILE_MAX + 1), 0);
	assert_int_equal(policy_load(&policy, path, &line), -EFBIG);
	assert_int_equal(line, 0);
	fclose(file);
	unlink(path);
	assert_int_equal(policy_load(&policy, path, &line), -ENOENT);
}

/* It would hide what stands behind it. */
static void file_with_a_null_byte_is_refused(void **state)
{
	static const char text[] = "add uid=1\n\0\nmultiply uid=1\n";
	char path[] = "/tmp/policy_test.XXXXXX";
	int fd = mkstemp(path);
	size_t line;

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(policy_load(&policy, path, &line), -EINVAL);
	assert_int_equal(line, 0);
	assert_int_equal(policy.n, 0);
	close(fd);
	unlink(path);
}

static void file_that_says_nothing_is_a_slip(void **state)
{
	static const char *const texts[] = {"", "\n", "# * anybody\n\n"};
	char path[] = "/tmp/policy_test.XXXXXX";
	int fd = mkstemp(path);
	size_t line;

	(void)state;
	allow("add uid=1"); /* is not the file's */
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, texts[i], strlen(texts[i]), 0),
				 strlen(texts[i]));
		assert_int_equal(policy_load(&policy, path, &line), -ENODATA);
		assert_int_equal(line, 0);
	}
	close(fd);
	unlink(path);
}

static void file_that_others_may_change_says_nothing(void **state)
{
	static const mode_t modes[] = {0666, 0620, 0602, 0644, 0400};
	char path[] = "/tmp/policy_test.XXXXXX";
	int fd = mkstemp(path);
	size_t line;

	(void)state;
	assert_int_equal(write(fd, "add uid=1\n", 10), 10);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(fchmod(fd, modes[i]), 0);
		assert_int_equal(policy_load(&policy, path, &line),
				 modes[i] & 022 ? -EPERM : 0);
		policy_init(&policy, procedures);
	}
	close(fd);
	unlink(path);
}

/* ---- AUTH_SYS ---- */

/* A credential of AUTH_SYS: stamp, name of the machine "m", uid, gid, one
 * group more. */
static void make_sys(uint8_t body[28], struct rpc_call *call, uint32_t uid,
		     uint32_t gid)
{
	uint8_t *to = rpc_message_put32(rpc_message_put32(body, 0), 1);

	to = rpc_message_put32(to, (uint32_t)'m' << 24);
	to = rpc_message_put32(rpc_message_put32(to, uid), gid);
	rpc_message_put32(rpc_message_put32(to, 1), 100);
	*call = (struct rpc_call){
		.cred = {.flavor = AUTH_SYS, .bytes = 28, .body = body}};
}

static enum auth_stat verify_sys(const struct rpc_peer *peer, uint32_t uid,
				 uint32_t gid, struct rpc_identity *who)
{
	struct rpc_verifier verf = {0};
	struct rpc_call call;
	uint8_t body[28];

	*who = (struct rpc_identity){.flavor = AUTH_SYS};
	make_sys(body, &call, uid, gid);
	return authsys_flavor.verify(NULL, &call, peer, who, &verf);
}

static void spoofed_uid_is_seen_on_a_unix_socket_alone(void **state)
{
	const struct rpc_peer local = {.transport = RPC_UNIX,
				       .has_ids = true,
				       .uid = 1000,
				       .gid = 100};
	const struct rpc_peer distant = {.transport = RPC_TCP};
	const struct rpc_peer unknown = {
		.transport = RPC_UNIX, .uid = 1000, .gid = 100};
	struct rpc_identity who;

	(void)state;
	assert_int_equal(verify_sys(&local, 1000, 100, &who), AUTH_OK);
	assert_true(who.is_proved && who.uid == 1000 && who.gid == 100);
	/* Nobody has proved those. */
	assert_int_equal(who.n_gids, 0);
	assert_int_equal(verify_sys(&local, 0, 100, &who), AUTH_BADCRED);
	assert_int_equal(verify_sys(&local, 1000, 0, &who), AUTH_BADCRED);
	/* Of whom the kernel says nothing. */
	assert_int_equal(verify_sys(&unknown, 1000, 100, &who), AUTH_BADCRED);
	assert_int_equal(verify_sys(&unknown, 0, 0, &who), AUTH_BADCRED);
	assert_int_equal(verify_sys(&distant, 0, 0, &who), AUTH_OK);
	assert_false(who.is_proved);
	assert_int_equal(who.n_gids, 1);
}

#define CASE(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(without_rules_nobody_may_anything),
		CASE(users_and_groups_are_ranges),
		CASE(procedure_with_lines_of_its_own_is_not_in_all),
		CASE(host_is_a_name_that_was_proved),
		CASE(slips_are_refused),
		CASE(file_is_read_line_by_line),
		CASE(file_with_a_null_byte_is_refused),
		CASE(file_that_says_nothing_is_a_slip),
		CASE(file_that_others_may_change_says_nothing),
		cmocka_unit_test(spoofed_uid_is_seen_on_a_unix_socket_alone),
	};
	return SUPPORT_MAIN(tests);
}
