#include "lib/parse.h"

#include "tests/support/support.h"

#include <errno.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct parsed {
	const char *text;
	int error;
	uint64_t value;
};

static void assert_parsed(const struct parsed *wanted, int error,
			  uint64_t value)
{
	if (error != wanted->error || (!error && value != wanted->value))
		fail_msg("'%s': wanted %d and %ju, got %d and %ju",
			 wanted->text, wanted->error, (uintmax_t)wanted->value,
			 error, (uintmax_t)value);
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct parsed cases[] = {
		{"0", 0, 0},
		{"100", 0, 100},
		{"100B", 0, 100},
		{"64K", 0, 65536},
		{"1KB", 0, 1024},
		{"1MB", 0, 1 << 20},
		{"1m", 0, 1 << 20},
		{"2GiB", 0, UINT64_C(2) << 30},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"17179869184G", -ERANGE, 0},
		{"17179869183G", 0, UINT64_C(17179869183) << 30},
		{"99999999999999999999999999999x", -EINVAL, 0},
		{"99999999999999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1.5MB", -EINVAL, 0},
		{"1MBs", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1T", -EINVAL, 0},
	};
	uint64_t value = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int error = parse_size(cases[i].text, &value);

		assert_parsed(&cases[i], error, value);
	}
}

static void counts_are_powers_of_1000(void **state)
{
	static const struct parsed cases[] = {
		{"1000", 0, 1000},
		{"10K", 0, 10000},
		{"10M", 0, 10000000},
		{"1g", 0, 1000000000},
		{"18446744073G", 0, UINT64_C(18446744073000000000)},
		{"18446744074G", -ERANGE, 0},
		{"10KB", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"-5", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
	};
	uint64_t value = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int error = parse_count(cases[i].text, &value);

		assert_parsed(&cases[i], error, value);
	}
}

static void integers_may_be_negative(void **state)
{
	static const struct parsed cases[] = {
		{"0", 0, 0},
		{"-0", 0, 0},
		{"-7", 0, (uint64_t)-7},
		{"9223372036854775807", 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, 0},
		{"-9223372036854775808", 0, (uint64_t)INT64_MIN},
		{"-9223372036854775809", -ERANGE, 0},
		{"-", -EINVAL, 0},
		{"--1", -EINVAL, 0},
		{"1K", -EINVAL, 0},
		{"", -EINVAL, 0},
	};
	int64_t value = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int error = parse_integer(cases[i].text, &value);

		assert_parsed(&cases[i], error, (uint64_t)value);
	}
}

static void durations_have_units_and_fractions(void **state)
{
	static const struct parsed cases[] = {
		{"10", 0, 10 * UINT64_C(1000000000)},
		{"10s", 0, 10 * UINT64_C(1000000000)},
		{"250ms", 0, 250000000},
		{"5us", 0, 5000},
		{"7ns", 0, 7},
		{"2m", 0, UINT64_C(120000000000)},
		{"2min", 0, UINT64_C(120000000000)},
		{"1h", 0, UINT64_C(3600000000000)},
		{"1.5s", 0, 1500000000},
		{"1.5", 0, 1500000000},
		{"0.000000001", 0, 1},
		{"0.1h", 0, UINT64_C(360000000000)},
		{"0.123456789123456789h", 0, UINT64_C(444444440844)},
		{"1.9999ns", 0, 1},
		{"0.9999999999999999999999999s", 0, 999999999},
		{"9223372036.854775807", 0, INT64_MAX},
		{"9223372036.854775808", -ERANGE, 0},
		{"2562048h", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"1.", -EINVAL, 0},
		{".5", -EINVAL, 0},
		{"1.5.5", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1d", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"", -EINVAL, 0},
	};
	int64_t value = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int error = parse_duration(cases[i].text, &value);

		assert_parsed(&cases[i], error, (uint64_t)value);
	}
}

static void cpu_lists_keep_their_order(void **state)
{
	int cpus[4];
	size_t n;

	(void)state;
	assert_int_equal(parse_cpus("3,0-1,3", cpus, 4, &n), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(cpus, ((int[]){3, 0, 1, 3}), sizeof(cpus));
	assert_int_equal(parse_cpus("1023", cpus, 4, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(cpus[0], 1023);
}

static void cpu_lists_that_are_malformed_or_too_long_are_refused(void **state)
{
	static const struct parsed cases[] = {
		{"", -EINVAL, 0},      {",", -EINVAL, 0},
		{"1,", -EINVAL, 0},    {",1", -EINVAL, 0},
		{"1-", -EINVAL, 0},    {"-1", -EINVAL, 0},
		{"3-1", -EINVAL, 0},   {"1 2", -EINVAL, 0},
		{"1-2-3", -EINVAL, 0}, {"a", -EINVAL, 0},
		{"1024", -ERANGE, 0},  {"0-1024", -ERANGE, 0},
		{"0-4", -ERANGE, 0},   {"99999999999999999999", -ERANGE, 0},
	};
	int cpus[4];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_parsed(&cases[i], parse_cpus(cases[i].text, cpus, 4, &n),
			      0);
}

static void endpoints_are_split_at_the_last_colon(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} cases[] = {
		{"localhost:111", "localhost", 111},
		{":111", "", 111},
		{"[::1]:65535", "::1", 65535},
		{"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
		{"127.0.0.1:0", "127.0.0.1", 0},
		{"my_host-2.example:80", "my_host-2.example", 80},
	};
	struct parse_endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(parse_endpoint(cases[i].text, &endpoint), 0);
		assert_string_equal(endpoint.host, cases[i].host);
		assert_int_equal(endpoint.port, cases[i].port);
	}
}

static void endpoints_that_are_ambiguous_or_malformed_are_refused(void **state)
{
	static const struct parsed cases[] = {
		{"", -EINVAL, 0},
		{"localhost", -EINVAL, 0},
		{"localhost:", -EINVAL, 0},
		{"::1:111", -EINVAL, 0},
		{"[]:111", -EINVAL, 0},
		{"[::1]", -EINVAL, 0},
		{"[::1:111", -EINVAL, 0},
		{"::1]:111", -EINVAL, 0},
		{"a b:1", -EINVAL, 0},
		{"a:http", -EINVAL, 0},
		{"a:-1", -EINVAL, 0},
		{"a:1x", -EINVAL, 0},
		{"a/b:1", -EINVAL, 0},
		{"a\n:1", -EINVAL, 0},
		{"a:65536", -ERANGE, 0},
		{"a:99999999999999999999", -ERANGE, 0},
	};
	struct parse_endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_parsed(&cases[i],
			      parse_endpoint(cases[i].text, &endpoint), 0);
}

static void host_that_does_not_fit_is_refused(void **state)
{
	struct parse_endpoint endpoint;
	char text[sizeof(endpoint.host) + 8];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(endpoint.host) - 1, ":1", 3);
	assert_int_equal(parse_endpoint(text, &endpoint), 0);
	assert_int_equal(strlen(endpoint.host), sizeof(endpoint.host) - 1);
	memcpy(text + sizeof(endpoint.host) - 1, "a:1", 4);
	assert_int_equal(parse_endpoint(text, &endpoint), -ERANGE);
}

static void refused_text_leaves_the_result_alone(void **state)
{
	struct parse_endpoint endpoint = {.host = "kept", .port = 7};
	uint64_t size = 7;
	int64_t ns = 7;
	size_t n = 7;
	int cpus[2];

	(void)state;
	parse_size("1x", &size);
	parse_size("99999999999999999999", &size);
	parse_count("1x", &size);
	assert_int_equal(size, 7);
	parse_duration("99999999999999999999", &ns);
	parse_integer("1x", &ns);
	assert_int_equal(ns, 7);
	parse_cpus("1,x", cpus, 2, &n);
	assert_int_equal(n, 7);
	parse_endpoint("other:99999", &endpoint);
	assert_string_equal(endpoint.host, "kept");
	assert_int_equal(endpoint.port, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(counts_are_powers_of_1000),
		cmocka_unit_test(integers_may_be_negative),
		cmocka_unit_test(durations_have_units_and_fractions),
		cmocka_unit_test(cpu_lists_keep_their_order),
		cmocka_unit_test(
			cpu_lists_that_are_malformed_or_too_long_are_refused),
		cmocka_unit_test(endpoints_are_split_at_the_last_colon),
		cmocka_unit_test(
			endpoints_that_are_ambiguous_or_malformed_are_refused),
		cmocka_unit_test(host_that_does_not_fit_is_refused),
		cmocka_unit_test(refused_text_leaves_the_result_alone),
	};

	return SUPPORT_MAIN(tests);
}
