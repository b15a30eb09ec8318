/* Values that a command refuses: what it says, and what it accepts. */
#include "tests/lib/cli_fixture.h"

#include <sched.h>

static void refused_value_names_option_value_and_what_is_accepted(void **state)
{
	struct capture c;

	(void)state;
	RUN(&c, "demo", "--msg-size=0");
	assert_refused(&c, "--msg-size=0: accepted is 16 to 64MB\n");
	RUN(&c, "demo", "--msg-size=65MB");
	assert_refused(&c, "--msg-size=65MB: accepted is 16 to 64MB\n");
	RUN(&c, "demo", "--msg-size=");
	assert_refused(&c, "--msg-size=: accepted is 16 to 64MB\n");
	RUN(&c, "demo", "--iterations=abc");
	assert_refused(&c, "--iterations=abc: accepted is 1 or more\n");
	RUN(&c, "demo", "--time=0");
	assert_refused(&c, "--time=0: accepted is 1ms to 1h\n");
	RUN(&c, "demo", "--address=nowhere");
	assert_refused(&c, "--address=nowhere: accepted is HOST:PORT, ");
	RUN(&c, "demo", "--format=xml");
	assert_refused(&c, "--format=xml: accepted is table, csv or json\n");
	RUN(&c, "demo", "--level=-21");
	assert_refused(&c, "--level=-21: accepted is -20 to 2147483647\n");
}

static void mode_is_octal_and_of_permissions_only(void **state)
{
	static const char *const refused[] = {
		"--mode=",     "--mode=8",     "--mode=1000", "--mode=00600",
		"--mode=rw-r", "--mode=-0600", "--mode=0x1",
	};
	struct capture c;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		RUN(&c, "demo", refused[i]);
		assert_refused(&c, refused[i]);
	}
	RUN(&c, "demo", "--mode=0277");
	assert_refused(&c, "--mode=0277: accepted is 400 or wider\n");
	RUN(&c, "demo", "--mode=777");
	assert_printed(&c, "mode 777\ndone\n");
}

static void cpu_that_is_not_there_is_refused_with_those_that_are(void **state)
{
	struct capture c;
	cpu_set_t ours;
	char first[32];
	size_t cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	while (!CPU_ISSET(cpu, &ours))
		cpu++;
	snprintf(first, sizeof(first), "--cpus=%zu,%zu", cpu, cpu);
	RUN(&c, "demo", first);
	assert_printed(&c, "cpus 2\ndone\n");
	*strchr(first, ',') = '\0';
	RUN(&c, "demo", first);
	assert_printed(&c, "cpus 1\ndone\n");
	RUN(&c, "demo", "--cpus=1023");
	assert_refused(&c, "--cpus=1023: accepted is a list of at most 2 of "
			   "the CPUs ");
	RUN(&c, "demo", "--cpus=0,0,0");
	assert_refused(&c, "--cpus=0,0,0: accepted is a list of at most 2 of ");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			refused_value_names_option_value_and_what_is_accepted),
		cmocka_unit_test(mode_is_octal_and_of_permissions_only),
		cmocka_unit_test(
			cpu_that_is_not_there_is_refused_with_those_that_are),
	};

	if (argc > 1)
		return run_command(argc - 1, argv + 1);
	if (find_self())
		return EXIT_FAILURE;
	return SUPPORT_MAIN(tests);
}
