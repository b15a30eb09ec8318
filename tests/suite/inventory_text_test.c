/* How an object of the inventory is told: as JSON, its age, and what it holds.
 */
#include "suite/inventory.h"

#include "tests/support/support.h"

#include <string.h>

static void json_says_null_for_what_a_kind_does_not_have(void **state)
{
	struct inventory_item item = {.entry = {.kind = OBJNAME_FIFO,
						.name = "/tmp/caf\xe9",
						.program = "calc_server",
						.owner.pid = 42},
				      .exists = true,
				      .bytes = -1,
				      .users = 2,
				      .waiting = -1,
				      .owner = OBJNAME_UNKNOWN};
	const struct inventory inventory = {.n = 1, .item = &item};
	json_t *json = inventory_to_json(&inventory), *object;

	(void)state;
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "schema")),
			    "unixipc-objects/1");
	object = json_array_get(json_object_get(json, "objects"), 0);
	assert_string_equal(json_string_value(json_object_get(object, "name")),
			    "/tmp/caf?");
	assert_true(json_is_null(
		json_object_get(json_object_get(object, "owner"), "alive")));
	assert_true(json_is_null(json_object_get(object, "size_bytes")));
	assert_true(json_is_null(json_object_get(object, "messages")));
	assert_true(json_is_null(json_object_get(object, "values")));
	assert_int_equal(json_integer_value(json_object_get(object, "users")),
			 2);
	json_decref(json);
}

static void command_quotes_what_a_shell_would_take_apart(void **state)
{
	struct inventory_item item = {
		.entry = {.kind = OBJNAME_MQ, .name = "/it's; ls"},
		.exists = true,
		.match = IDENTITY_CANNOT_TELL,
		.owner = OBJNAME_DEAD};
	char command[1200];

	(void)state;
	assert_string_equal(inventory_command(&item, command, sizeof(command)),
			    "rm '/dev/mqueue/it'\\''s; ls'");
	memset(item.entry.name + 1, '\'', OBJNAME_MAX - 2);
	inventory_command(&item, command, sizeof(command));
	assert_int_equal(strlen(command),
			 strlen("rm '/dev/mqueue/'") + 4 * (OBJNAME_MAX - 2));
	item.users = 1;
	assert_string_equal(inventory_command(&item, command, sizeof(command)),
			    "");
}

/* Memory that nobody is attached to, which an earlier version has noted without
 * what it is; and a set, whose users nobody knows. */
static void command_removes_what_cannot_be_known(void **state)
{
	struct inventory_item item = {
		.entry = {.kind = OBJNAME_SYSV_SHM, .name = "7"},
		.exists = true,
		.match = IDENTITY_CANNOT_TELL,
		.owner = OBJNAME_DEAD};
	char command[64];

	(void)state;
	assert_string_equal(inventory_command(&item, command, sizeof(command)),
			    "ipcrm -m 7");
	item.match = IDENTITY_SAME;
	assert_string_equal(inventory_command(&item, command, sizeof(command)),
			    "");
	item.entry.kind = OBJNAME_SYSV_SEM;
	item.users = -1;
	assert_string_equal(inventory_command(&item, command, sizeof(command)),
			    "ipcrm -s 7");
	/* What has that id here is another IPC namespace's. */
	item.match = IDENTITY_CANNOT_TELL;
	item.entry.object.kind = IDENTITY_SYSV_SEM;
	assert_string_equal(inventory_command(&item, command, sizeof(command)),
			    "");
}

static void ages_are_in_the_largest_unit_that_fits(void **state)
{
	static const struct {
		int64_t age_s;
		const char *wanted;
	} ages[] = {{-5, "0 s"},      {59, "59 s"},  {60, "1 min"},
		    {3599, "59 min"}, {7200, "2 h"}, {864000, "10 d"}};
	char age[32];

	(void)state;
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		struct inventory_item item = {.age_s = ages[i].age_s};

		assert_string_equal(inventory_age(&item, age, sizeof(age)),
				    ages[i].wanted);
	}
}

static void many_semaphores_are_cut_and_fit_any_buffer(void **state)
{
	struct inventory_item item = {.values = 100, .waiting = -1};
	char holds[64];

	(void)state;
	for (int i = 0; i < INVENTORY_VALUES; i++)
		item.value[i] = 1000 + i;
	assert_string_equal(inventory_holds(&item, holds, sizeof(holds)),
			    "values 1000 1001 1002 1003 1004 1005 1006 1007 …");
	for (size_t size = 1; size < sizeof(holds); size++)
		assert_true(strlen(inventory_holds(&item, holds, size)) < size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_says_null_for_what_a_kind_does_not_have),
		cmocka_unit_test(command_quotes_what_a_shell_would_take_apart),
		cmocka_unit_test(command_removes_what_cannot_be_known),
		cmocka_unit_test(ages_are_in_the_largest_unit_that_fits),
		cmocka_unit_test(many_semaphores_are_cut_and_fit_any_buffer),
	};

	return SUPPORT_MAIN(tests);
}
