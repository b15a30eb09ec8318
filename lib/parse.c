/* Each form is a number and then one of a table of units. */
#include "lib/parse.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *word;
	uint64_t factor;
};

#define KIB UINT64_C(1024)
static const struct unit size_units[] = {
	{"", 1},
	{"B", 1},
	{"K", KIB},
	{"KB", KIB},
	{"KiB", KIB},
	{"M", KIB *KIB},
	{"MB", KIB *KIB},
	{"MiB", KIB *KIB},
	{"G", KIB *KIB *KIB},
	{"GB", KIB *KIB *KIB},
	{"GiB", KIB *KIB *KIB},
	{NULL, 0},
};

static const struct unit count_units[] = {
	{"", 1}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0},
};

#define SECOND UINT64_C(1000000000)
static const struct unit duration_units[] = {
	{"", SECOND},
	{"s", SECOND},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
	{"m", 60 * SECOND},
	{"min", 60 * SECOND},
	{"h", 3600 * SECOND},
	{NULL, 0},
};

static const struct unit *find_unit(const struct unit *units, const char *word)
{
	for (; units->word; units++)
		if (strcasecmp(units->word, word) == 0)
			return units;
	return NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read digits at *text and go behind them. -EINVAL when there are none. All
 * are passed over even when the value does not fit, so that "9…9x" is
 * malformed rather than too large. */
static int take_digits(const char **text, uint64_t *value)
{
	bool is_too_large = false;

	if (!is_digit(**text))
		return -EINVAL;
	for (*value = 0; is_digit(**text); ++*text)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(**text - '0'),
					   value))
			is_too_large = true;
	return is_too_large ? -ERANGE : 0;
}

static int parse_scaled(const char *text, const struct unit *units,
			uint64_t *value)
{
	const struct unit *unit;
	uint64_t number;
	int error = take_digits(&text, &number);

	if (error == -EINVAL)
		return error;
	unit = find_unit(units, text);
	if (!unit)
		return -EINVAL;
	if (error || __builtin_mul_overflow(number, unit->factor, &number))
		return -ERANGE;
	*value = number;
	return 0;
}

int parse_size(const char *text, uint64_t *bytes)
{
	return parse_scaled(text, size_units, bytes);
}

int parse_count(const char *text, uint64_t *count)
{
	return parse_scaled(text, count_units, count);
}

int parse_integer(const char *text, int64_t *value)
{
	bool is_negative = text[0] == '-';
	uint64_t number;
	int error;

	text += is_negative;
	error = take_digits(&text, &number);
	if (error == -EINVAL || *text)
		return -EINVAL;
	if (error || number > (uint64_t)INT64_MAX + is_negative)
		return -ERANGE;
	/* The negation of INT64_MIN has no int64_t: negate unsigned. */
	*value = (int64_t)(is_negative ? -number : number);
	return 0;
}

/* The digits behind a point, as so many 1/10^18; more than 18 are dropped. */
static int take_fraction(const char **text, uint64_t *attos)
{
	uint64_t place = UINT64_C(1000000000000000000);

	if (!is_digit(**text))
		return -EINVAL;
	for (*attos = 0; is_digit(**text); ++*text) {
		place /= 10;
		*attos += place * (uint64_t)(**text - '0');
	}
	return 0;
}

int parse_duration(const char *text, int64_t *ns)
{
	const unsigned __int128 attos_per_unit = UINT64_C(1000000000000000000);
	const struct unit *unit;
	uint64_t whole, attos = 0, part;
	int error = take_digits(&text, &whole);

	if (error == -EINVAL)
		return error;
	if (*text == '.') {
		text++;
		if (take_fraction(&text, &attos))
			return -EINVAL;
	}
	unit = find_unit(duration_units, text);
	if (!unit)
		return -EINVAL;
	part = (uint64_t)(attos * (unsigned __int128)unit->factor /
			  attos_per_unit);
	if (error || __builtin_mul_overflow(whole, unit->factor, &whole) ||
	    __builtin_add_overflow(whole, part, &whole) || whole > INT64_MAX)
		return -ERANGE;
	*ns = (int64_t)whole;
	return 0;
}

/* "3" or "0-3" at *text. */
static int take_cpu_range(const char **text, uint64_t *first, uint64_t *last)
{
	int error = take_digits(text, first);
	int last_error = 0;

	if (error == -EINVAL)
		return error;
	*last = *first;
	if (**text == '-') {
		++*text;
		last_error = take_digits(text, last);
		if (last_error == -EINVAL)
			return last_error;
	}
	if (error || last_error || *last >= CPU_SETSIZE)
		return -ERANGE;
	return *first <= *last ? 0 : -EINVAL;
}

int parse_cpus(const char *text, int *cpus, size_t max, size_t *n)
{
	uint64_t first, last;
	size_t found = 0;
	int error;

	for (;;) {
		error = take_cpu_range(&text, &first, &last);
		if (error)
			return error;
		for (; first <= last; first++) {
			if (found == max)
				return -ERANGE;
			cpus[found++] = (int)first;
		}
		if (*text == '\0')
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	*n = found;
	return 0;
}

/* Copy a host of len bytes that consists of letters, digits and extra. */
static int copy_host(char *host, size_t size, const char *text, size_t len,
		     const char *extra)
{
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	for (size_t i = 0; i < len; i++)
		if (!memchr(alnum, text[i], sizeof(alnum) - 1) &&
		    !strchr(extra, text[i]))
			return -EINVAL;
	if (len >= size)
		return -ERANGE;
	memcpy(host, text, len);
	host[len] = '\0';
	return 0;
}

int parse_endpoint(const char *text, struct parse_endpoint *endpoint)
{
	struct parse_endpoint result;
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint64_t port;
	int error, port_error;

	if (!colon)
		return -EINVAL;
	/* Brackets keep the colons of an IPv6 address apart from ours. */
	if (len > 2 && text[0] == '[' && text[len - 1] == ']')
		error = copy_host(result.host, sizeof(result.host), text + 1,
				  len - 2, ":.%-_");
	else
		error = copy_host(result.host, sizeof(result.host), text, len,
				  ".-_");
	if (error == -EINVAL)
		return error;
	colon++;
	port_error = take_digits(&colon, &port);
	if (port_error == -EINVAL || *colon)
		return -EINVAL;
	if (error || port_error || port > UINT16_MAX)
		return -ERANGE;
	result.port = (uint16_t)port;
	*endpoint = result;
	return 0;
}
